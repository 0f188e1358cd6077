"""Every command and snippet of the documents works as it is written, in a fresh checkout.

Blocks run in their order, in one folder. Only this differs from what a reader does:

- The servers' ports are free ones, in the environment of ``make`` and instead of the text's.
- What takes long gets a smaller setting, by ``SMALL``.
- A server stops when a document starts the next one.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest
from checkout import ROOT, check_out, environment, make, project_files
from cloud import REGION, client, free_port
from documents import (
    READ,
    RUN,
    Block,
    Step,
    all_blocks,
    blocks,
    is_shown,
    json_documents,
    programs,
    small,
    steps,
)

PORTS = ("3000", "5555")
"""Those of the texts: the API's and S3's."""

SMALL = {
    "make test": 'ARGS="tests/unit/test_color.py"',
    "make bench": 'ARGS="--runs 1 --sizes 0.05 --formats-size 0.05 --large-size 0.05 '
    '--memory-sizes 0.05 --cores-sizes 0.05 --requests 20"',
    "make fleet": 'ARGS="--runs 1"',
    "make bench-edges": "--dry-run",  # .ci/run runs it: it installs packages
    "make lint": "--dry-run",  # it runs after all blocks
}

TOOLS = {"curl": "--version", "aws": "--version", "node": "--version"}
"""What a block may need besides a shell and ``make``, and how to ask whether it works."""

ELSEWHERE = re.compile(r"\b(sam|docker|git clone|pip install)\b|\baws\b(?!(.|\n)*--endpoint-url)")
"""What must not run here: it would reach an account or another host."""

TIMEOUT_S = 240


BLOCKS = all_blocks(ROOT)


@functools.cache
def works(tool: str) -> bool:
    """Tell whether a program is installed."""
    found = shutil.which(tool)
    if not found:
        return False
    return subprocess.run([found, TOOLS[tool]], capture_output=True, check=False).returncode == 0


@dataclass(slots=True)
class Reader:
    """Somebody who has a fresh checkout and does what the documents say."""

    folder: Path
    scripts: Path
    log: IO[str]
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    _server: "subprocess.Popen[str] | None" = None
    _server_says: tuple[str, str] = ("", "")

    def here(self, text: str) -> str:
        """Return a text of a document with this reader's ports."""
        for theirs, port in zip(PORTS, self.ports, strict=True):
            text = text.replace(f"127.0.0.1:{theirs}", f"127.0.0.1:{port}")
        return text

    def _there(self, text: str) -> str:
        for theirs, port in zip(PORTS, self.ports, strict=True):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{theirs}")
        return text

    def _environment(self) -> dict[str, str]:
        nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        ports = dict(zip(("PORT", "S3_PORT"), map(str, self.ports), strict=True))
        return {**environment(), **nobody, **ports}

    def serve(self, command: str) -> str:
        """Have the server run that a command starts; return the line that it printed."""
        if self._server_says[0] == command:
            return self._server_says[1]
        self.stop()
        self._server = subprocess.Popen(
            ["bash", "-c", command],  # noqa: S607 # as a user does
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            start_new_session=True,
        )
        assert self._server.stdout is not None
        line = self._there(self._server.stdout.readline())
        assert line, f"{command} did not start: {self._errors()}"
        health = f"http://127.0.0.1:{self.ports[0]}/v2/health"
        with urllib.request.urlopen(health, timeout=30) as reply:
            assert reply.status == 200
        self._server_says = (command, line)
        return line

    def stop(self) -> None:
        """Stop the server that runs."""
        if self._server:
            os.killpg(self._server.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.communicate(timeout=20)
            self._server.kill()
        self._server, self._server_says = None, ("", "")

    def run(self, *command: str | Path) -> str:
        """Run a command; return what it printed.

        The test fails where the command does.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self._errors()}"
        return self._there(done.stdout)

    def script(self, text: str, name: str) -> Path:
        """Return a file of a snippet, which lies outside the checkout."""
        path = self.scripts / name
        path.write_text(self.here(text), encoding="utf-8")
        return path

    def _errors(self) -> str:
        self.log.seek(0)
        return self.log.read()[-3_000:]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Give somebody a fresh checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    check_out(folder)
    with TemporaryFile("w+") as log:
        reader = Reader(folder, tmp_path_factory.mktemp("snippets"), log)
        yield reader
        reader.stop()


def server_for(block: Block) -> str:
    """Return the command above a block that starts the server it talks to."""
    above = [b for b in BLOCKS if b.document == block.document and b.line < block.line]
    runnable = [b for b in above if b.is_shell and not b.reason]
    started = [s.commands for b in runnable for s in steps(b) if s.is_server]
    assert started, f"{block} sends requests, and no block above it starts a server"
    return _plain(started[-1])


def _plain(command: str) -> str:
    return command.partition(" #")[0].strip()


def do(reader: Reader, step: Step) -> str:
    """Do a step; return what was printed."""
    if step.is_server:
        return reader.serve(_plain(step.commands))
    script = "set -euo pipefail\n" + small(step.commands, SMALL)
    return reader.run("bash", reader.script(script, "snippet.sh"))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_it_works_as_it_is_written(reader: Reader, block: Block) -> None:
    """Whatever the block is, a reader can rely on it."""
    if block.reason:
        pytest.skip(f"{block} is not run: it {block.reason}")
    assert block.language in RUN | READ, "run it, or say why not: see documents.py"
    assert not ELSEWHERE.search(block.text), "say why it is not run: see documents.py"
    if block.language in READ:
        if block.language == "json":
            assert json_documents(block.text)
        return
    needed = programs(block) & TOOLS.keys()
    if missing := [tool for tool in sorted(needed) if not works(tool)]:
        pytest.skip(f"{block} is not run: {', '.join(missing)} is not installed")
    starts = block.is_shell and any(s.is_server for s in steps(block))
    if not starts and any(f"127.0.0.1:{port}" in block.text for port in PORTS):
        reader.serve(server_for(block))
    if block.language == "python":
        reader.run(".venv/bin/python", reader.script(block.text, "snippet.py"))
    elif block.language == "js":
        reader.run("node", reader.script(block.text, "snippet.mjs"))
    else:
        for step in steps(block):
            printed = do(reader, step)
            if step.output is not None:
                assert is_shown(step.output, printed), printed


def test_what_the_commands_write_does_no_harm(reader: Reader) -> None:
    """After all of them, the files, style, types and the layout of the tree are as they were."""
    reader.stop()
    files = [name for name in project_files() if (ROOT / name).is_file()]
    changed = [
        name for name in files if (reader.folder / name).read_bytes() != (ROOT / name).read_bytes()
    ]
    assert changed == []
    linted = make(reader.folder, "lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr
    tested = make(reader.folder, "test", "ARGS=tests/unit/test_layout.py -k top_level")
    assert tested.returncode == 0, tested.stdout


def test_the_outputs_of_a_deployment_can_be_read(s3_url: str) -> None:
    """The commands get URL and key from CloudFormation, here a local one with such a stack."""
    if not works("aws"):
        pytest.skip("aws is not installed")
    key = client("apigateway", s3_url).create_api_key(name="one", value="k" * 20, enabled=True)
    read = f"aws apigateway get-api-key --region {REGION} --api-key {key['id']} --include-value"
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {
            "Url": {"Value": "https://api.example/live"},
            "ReadKey": {"Value": f"{read} --query value --output text"},
        },
    }
    client("cloudformation", s3_url).create_stack(
        StackName="cutout", TemplateBody=json.dumps(template)
    )
    (block,) = (block for block in BLOCKS if "describe-stacks" in block.text)
    commands, _, _ = block.text.partition("curl")
    aws = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        ["bash", "-c", f'set -eu; {commands} echo "$URL $KEY"'],  # noqa: S607 # as a user does
        env={**environment(), **aws, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": s3_url},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout == f"https://api.example/live {'k' * 20}\n", done.stderr


def test_no_comment_stands_behind_a_command() -> None:
    """In zsh, the shell of Macs, the words behind a # that is typed are goals of make."""
    shown = [block for block in BLOCKS if block.is_shell]
    behind = [
        f"{block}: {line}"
        for block in shown
        for line in block.text.splitlines()
        if re.match(r"[^#].*\s# ", line)
    ]
    assert shown
    assert behind == []


TEXT = """\
```console
$ make serve PORT=1  # in another terminal
http://127.0.0.1:1

$ curl -D - \\
    -o x http://127.0.0.1:1/v2
HTTP/1.1 200 OK
...
X-Request-Id: 7f295e60-51ab-4aec-a413-b5cb0a6238eb
```

<!-- not run by the tests: needs a unicorn -->

````sh
echo '```' |
  cat
make serve
X=1 make serve-s3
A=2 feed unicorn
````
"""


def test_blocks_and_their_steps_are_found() -> None:
    """Commands with their output, marks, longer fences, servers apart from other commands."""
    console, shell = blocks(TEXT, "x.md")
    assert (console.language, console.line, console.reason) == ("console", 1, "")
    serve, curl = steps(console)
    assert (serve.is_server, serve.output) == (True, "http://127.0.0.1:1")
    assert curl.commands == "curl -D - \\\n    -o x http://127.0.0.1:1/v2"
    assert (str(shell), shell.reason) == ("x.md:14", "needs a unicorn")
    assert [(s.commands, s.is_server) for s in steps(shell)] == [
        ("echo '```' |\n  cat", False),
        ("make serve", True),
        ("X=1 make serve-s3", True),
        ("A=2 feed unicorn", False),
    ]
    assert programs(shell) == {"echo", "cat", "make", "feed"}


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("HTTP/1.1 200 OK\nDate: now\nX-Id: 11111111-2222-3333-4444-555555555555\n", True),
        ("HTTP/1.1 200 OK\n", False),
        ("HTTP/1.1 201 Created\nX-Id: 11111111-2222-3333-4444-555555555555\n", False),
        ("X-Id: 11111111-2222-3333-4444-555555555555\nHTTP/1.1 200 OK\n", False),
    ],
)
def test_promised_output_must_be_printed(printed: str, *, shown: bool) -> None:
    """Line for line and in order, but for what differs from run to run."""
    promised = "HTTP/1.1 200 OK\n...\nX-Id: 7f295e60-51ab-4aec-a413-b5cb0a6238eb"
    assert is_shown(promised, printed) is shown
