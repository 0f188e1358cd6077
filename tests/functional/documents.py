"""What the project's Markdown files hold for a reader to run: their fenced blocks, as commands.

A block that cannot run here has a comment before it, which a rendered page does not show::

    <!-- not run by the tests: needs an AWS account -->
"""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HIDDEN = {".venv", ".git", ".aws-sam", "node_modules"}
RUN = {"sh", "console", "python", "js"}
READ = {"json", "text", "toml"}
"""``json`` must be JSON; ``text`` is for diagrams; test_makefile deploys by the ``toml``."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*(\S*)")
_MARK = re.compile(r"<!--\s*not run by the tests:\s*(.+?)\s*-->")
_SERVER = re.compile(r"(?:\w+=\S+ +)*make serve(?:-s3)?(?= |$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block; ``line`` is its fence's, ``reason`` says why it is not run."""

    document: str
    line: int
    language: str
    text: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands of a shell."""
        return self.language in {"sh", "console"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Commands that run together, and the output that a reader is promised, where there is one."""

    commands: str
    output: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether it runs until it is stopped."""
        return bool(_SERVER.match(self.commands))


def documents(root: Path) -> list[Path]:
    """Return the Markdown files under a folder."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in HIDDEN and not _is_cache(name)]
        found += [Path(folder, name) for name in names if name.endswith(".md")]
    return sorted(found)


def _is_cache(name: str) -> bool:
    return name.endswith("_cache") or name in {"__pycache__", "demo"}


def blocks(text: str, document: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text."""
    found, fence, start, reason = [], "", 0, ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _FENCE.match(line)
        if not fence and match:
            fence, language, start = match[1], match[2], number
        elif fence and line.strip() == fence:
            body = "\n".join(lines[start + 1 : number]) + "\n"
            found.append(
                Block(
                    document=document, line=start + 1, language=language, text=body, reason=reason
                )
            )
            fence, reason = "", ""
        elif not fence and line.strip():
            mark = _MARK.fullmatch(line.strip())
            reason = mark[1] if mark else ""
    if fence:
        raise ValueError(f"{document}:{start + 1}: the block does not end")
    return found


def all_blocks(root: Path) -> list[Block]:
    """Return every fenced block of the Markdown files under a folder."""
    return [
        block
        for path in documents(root)
        for block in blocks(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
    ]


def prose(text: str) -> str:
    """Return a Markdown text without its fenced blocks and inline code."""
    kept, fence = [], ""
    for line in text.splitlines():
        match = _FENCE.match(line)
        if not fence and match:
            fence = match[1]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            kept.append(re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line))
    return "\n".join(kept)


def steps(block: Block) -> list[Step]:
    """Return what a reader would do with a block of ``sh`` or ``console``, in order."""
    if block.language == "console":
        return list(_typed(block.text))
    found: list[Step] = []
    for command in _joined(block.text):
        step = Step(commands=command)
        if found and not step.is_server and not found[-1].is_server:
            found[-1] = Step(commands=f"{found[-1].commands}\n{command}")
        else:
            found.append(step)
    return found


def _typed(text: str) -> Iterator[Step]:
    """Yield the commands after ``$`` with the output that follows each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        last = next((n for n, line in enumerate(lines) if not line.endswith("\\")), len(lines))
        output = "\n".join(lines[last + 1 :]).strip("\n")
        yield Step(commands="\n".join(lines[: last + 1]), output=output or None)


def _joined(text: str) -> Iterator[str]:
    """Yield each command with the lines that it goes on in."""
    held: list[str] = []
    for line in text.splitlines():
        held.append(line)
        if not line.rstrip().endswith(("\\", "|", "&&")):
            command = "\n".join(held).strip()
            held = []
            if command:
                yield command
    if held:
        yield "\n".join(held)


def small(commands: str, settings: Mapping[str, str]) -> str:
    """Return commands with arguments added to those that would run for long."""
    lines = []
    for line in commands.splitlines():
        command = line.partition(" #")[0].strip()
        lines.append(f"{command} {settings[command]}" if command in settings else line)
    return "\n".join(lines)


def programs(block: Block) -> set[str]:
    """Return the programs that a block needs: the first word of each command, or an interpreter."""
    if not block.is_shell:
        return {{"python": "python", "js": "node"}[block.language]}
    commands = "\n".join(step.commands for step in steps(block)).replace("\\\n", " ")
    found = set()
    for part in re.split(r"\n|\||&&|;", commands):
        words = [word for word in _words(part) if not re.match(r"\w+=", word)]
        found |= set(words[:1])
    return found


def _words(text: str) -> Sequence[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a part of a text in quotes
        return ()


def is_shown(promised: str, printed: str) -> bool:
    """Tell whether the promised lines were printed, in their order.

    Ids, dates and times differ from run to run. A line ``...`` stands for lines that are left out;
    other lines may be between the promised ones too, so that a new header is no fault of a text.
    """
    printed_lines = iter(map(_steady, printed.splitlines()))
    wanted = [line for line in map(_steady, promised.splitlines()) if line not in {"", "..."}]
    return all(line in printed_lines for line in wanted)


def _steady(line: str) -> str:
    line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", line.rstrip())
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "DATE", line)
    line = re.sub(r"\d\d:\d\d:\d\d", "TIME", line)
    return re.sub(r"(?<=dur=)[\d.]+|\d+(?= ms\b)", "MS", line)


def json_documents(text: str) -> list[object]:
    """Return the documents of a ``json`` block, one after the other; ``{…}`` is left out.

    :raises ValueError: it is not JSON.
    """
    rest, found = text.replace("{…}", "{}").strip(), []
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found
