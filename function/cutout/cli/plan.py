"""Inputs and an output → a list of :class:`Job`: which photo becomes which file."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cutout.cli.arguments import STREAM, Command
from cutout.errors import InvalidOption
from cutout.formats import FORMATS
from cutout.options import OPTIONS, Channels, Format

SUFFIXES = {f".{name}" for name in (*FORMATS, "jpg", "jpe", "jfif", "tif", "heif")}
"""Which files of a folder are photos. A file that is named by itself is tried whatever its name."""

_FORMAT = next(option for option in OPTIONS if option.name == "format")


class UsageError(Exception):
    """The command cannot be run as it was typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One photo and its result. ``None`` is standard input, or standard output.

    ``target`` has no suffix yet where ``format`` is ``auto``, which chooses it.
    """

    source: Path | None
    target: Path | None
    format: Format

    @property
    def name(self) -> str:
        """Return the photo's name for messages."""
        return STREAM if self.source is None else str(self.source)

    def file(self, format_: Format) -> Path | None:
        """Return where the result goes once its format is known."""
        if self.target is None or self.format is not Format.AUTO:
            return self.target
        return self.target.with_name(f"{self.target.name}.{format_}")

    def is_done(self) -> bool:
        """Tell whether the result is there already."""
        formats = (Format.PNG, Format.JPG) if self.format is Format.AUTO else (self.format,)
        return any(file.exists() for each in formats if (file := self.file(each)) is not None)


def make_plan(command: Command) -> tuple[list[Job], bool]:
    """Return the jobs, and whether they go into a folder.

    :raises UsageError: an input does not exist, two results would be one file, a result would
        replace a photo, or the output's suffix contradicts the format.
    """
    one = command.inputs[0] if len(command.inputs) == 1 else None
    output = Path(command.output)
    if STREAM in {command.output, one}:
        return [_stream_job(command, one)], False
    if STREAM in command.inputs:
        raise UsageError("standard input (-) cannot be combined with other photos")
    is_file = one is not None and _is_file(one)
    if is_file and not output.is_dir() and not command.output.endswith("/"):
        format_ = _format_of(output, command)
        jobs = [Job(source=Path(one or ""), target=output, format=format_)]
    else:
        jobs = _folder_jobs(command, output)
    _refuse_replaced_photos(jobs)
    return jobs, not (is_file and len(jobs) == 1)


def _stream_job(command: Command, one: str | None) -> Job:
    if one is None or (one != STREAM and not _is_file(one)):
        raise UsageError("standard output (-) takes exactly one photo")
    source = None if one == STREAM else Path(one)
    if command.output == STREAM:
        return Job(source=source, target=None, format=command.options.format)
    output = Path(command.output)
    if output.is_dir() or command.output.endswith("/"):
        raise UsageError("a photo from standard input needs a file as its output, not a folder")
    return Job(source=source, target=output, format=_format_of(output, command))


def _is_file(name: str) -> bool:
    """Tell whether a name is that of something that can be read, such as a shell's <(command)."""
    return Path(name).exists() and not Path(name).is_dir()


def _format_of(output: Path, command: Command) -> Format:
    """Return the format of a single output file, from its suffix or from ``--format``."""
    try:
        found = _FORMAT.value(output.suffix.removeprefix(".") or None)
    except InvalidOption:
        found = None
    suffix = found if isinstance(found, Format) and found is not Format.AUTO else None
    asked = command.options.format if command.has_format else None
    if command.options.channels is Channels.ALPHA:
        asked = Format.PNG
    if asked is Format.AUTO:
        raise UsageError("--format auto chooses the suffix itself; give a folder as the output")
    if suffix is None and asked is None:
        raise UsageError(
            f"{output}: its suffix is not that of a format; rename it or give --format, "
            "or end it with / if it is a folder"
        )
    if suffix is not None and asked is not None and suffix is not asked:
        raise UsageError(f"{output}: the suffix says {suffix}, but the result would be {asked}")
    return asked or suffix or Format.PNG


def _folder_jobs(command: Command, output: Path) -> list[Job]:
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: several photos need a folder as their output")
    format_ = command.options.format
    if command.options.channels is Channels.ALPHA:
        format_ = Format.PNG
    places: dict[Path, Path] = {}  # photo → its path in the output folder
    for given in command.inputs:
        for source, place in _photos(given, output):
            places.setdefault(source, place)
    ending = "" if format_ is Format.AUTO else f".{format_}"
    short = {source: _key(place.with_suffix("")) for source, place in places.items()}
    many = Counter(short.values())
    jobs = []
    for source, place in places.items():
        # a.jpg and a.png of one folder become a.jpg.png and a.png.png.
        stem = place.name if many[short[source]] > 1 else place.stem
        target = output / place.with_name(stem + ending)
        jobs.append(Job(source=source, target=target, format=format_))
    _refuse_equal_results(jobs)
    return jobs


def _photos(given: str, output: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the photos of an input, each with its path relative to the output folder."""
    path = Path(given)
    if path.is_dir():
        if path.resolve() == output.resolve():
            raise UsageError(f"{path}: the output folder must not be the input folder")
        found = [(file, file.relative_to(path)) for file in _walk(path, output.resolve())]
        if not found:
            raise UsageError(f"{path}: there are no photos in this folder")
    elif path.exists():
        found = [(path, Path(path.name))]
    elif _is_pattern(given):
        found = [(file, Path(file.name)) for file in _matches(path, output.resolve())]
        if not found:
            raise UsageError(f"{path}: no photo matches this pattern")
    else:
        raise UsageError(f"{path}: there is no such file or folder")
    yield from found


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _matches(pattern: Path, output: Path) -> list[Path]:
    """Return the files that match a pattern, in order.

    As in a shell, hidden ones are left out, and those in hidden folders: macOS puts a file ._a.jpg,
    which is no photo, beside a.jpg on some disks. A dot at the beginning of a part asks for them.
    What lies in the output folder is left out where it is the signs of the pattern that lead there:
    those are the results of an earlier run.
    """
    first = next(n for n, part in enumerate(pattern.parts) if _is_pattern(part))
    folder = Path(*pattern.parts[:first])
    # Versions of Python differ in what ** means within a name, and at the end.
    parts = [part if part == "**" else re.sub(r"\*+", "*", part) for part in pattern.parts[first:]]
    if parts[-1] == "**":
        parts.append("*")
    takes_hidden = any(part.startswith(".") for part in parts)
    has_results = folder.resolve() in output.parents
    return [
        file
        for file in sorted(folder.glob("/".join(parts)))
        if file.is_file()
        and (takes_hidden or not _is_hidden(file.relative_to(folder)))
        and not (has_results and file.parent.resolve().is_relative_to(output))
    ]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """Yield the photos under a folder in order; hidden ones and the output folder are left out."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink() and path.resolve() != output:
            yield from _walk(path, output)
        elif path.is_file() and path.suffix.lower() in SUFFIXES:
            yield path


def _key(path: Path | None) -> str:
    """Return what is equal for two paths that a case-insensitive disk takes for one."""
    return str(path).casefold()


def _refuse_equal_results(jobs: list[Job]) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        other = seen.setdefault(_key(job.target), job)
        if other is not job:
            raise UsageError(f"{other.name} and {job.name} would both become {job.target}")


def _refuse_replaced_photos(jobs: list[Job]) -> None:
    sources = {job.source.resolve() for job in jobs if job.source is not None}
    for job in jobs:
        formats = (Format.PNG, Format.JPG) if job.format is Format.AUTO else (job.format,)
        for format_ in formats:
            file = job.file(format_)
            if file is not None and file.resolve() in sources:
                raise UsageError(f"{file}: the result would replace this photo")
