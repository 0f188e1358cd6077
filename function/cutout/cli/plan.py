"""Inputs and an output → a list of :class:`Job`: which photo becomes which file."""

import errno
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cutout.cli.arguments import STREAM, Command, UsageError
from cutout.cli.photos import photos_of
from cutout.errors import InvalidOption
from cutout.options import OPTIONS, Channels, Format

_FORMAT = next(option for option in OPTIONS if option.name == "format")

# How a system says that a folder can at most be made: nothing is there, or there is no way to it.
# A name that is too long ends the photos in that folder only.
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


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

    def files(self) -> list[Path]:
        """Return the files of which one becomes the result; none for standard output."""
        formats = (Format.PNG, Format.JPG) if self.format is Format.AUTO else (self.format,)
        return [file for format_ in formats if (file := self.file(format_)) is not None]

    def earlier_result(self) -> Path | None:
        """Return the newest file that an earlier run, or somebody else, put where the result is."""
        newest = max(self.files(), key=_changed, default=None)
        return newest if newest is not None and _changed(newest) else None

    def is_done(self) -> bool:
        """Tell whether the result is there already, and no older than the photo, as make does."""
        result = self.earlier_result()
        return result is not None and (
            self.source is None or _changed(self.source) <= _changed(result)
        )


def _changed(file: Path) -> int:
    """Return when a file was changed, in ns; 0 if there is none, or none that can be looked at."""
    try:
        found = file.stat()
    except OSError:  # one that is gone meanwhile, or a name that is too long for the disk
        return 0
    return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The jobs, whether they are ``several``, and which files are passed over, and why.

    ``closed`` are the folders that cannot be looked into, and why.
    """

    jobs: list[Job]
    several: bool
    others: dict[Path, str] = field(default_factory=dict)
    closed: dict[Path, str] = field(default_factory=dict)


def make_plan(command: Command) -> Plan:
    """Return what a command is to do.

    :raises UsageError: an input does not exist, two results would be one file, a result would
        replace a photo, a folder of the output is a file or a loop of links, or the output's suffix
        contradicts the format.
    """
    one = command.inputs[0] if len(command.inputs) == 1 else None
    output = Path(command.output)
    if STREAM in {command.output, one}:
        jobs = [_stream_job(command, one)]
        _refuse_files_as_folders(jobs)
        return Plan(jobs=jobs, several=False)
    if STREAM in command.inputs:
        raise UsageError("standard input (-) cannot be combined with other photos")
    photo = None if one is None or not _is_file(one) else Path(one)
    if photo is not None and not _is_folder(command.output):
        job = Job(source=photo, target=output, format=_format_of(output, command))
        plan = Plan(jobs=[job], several=False)
    else:
        plan = _folder_plan(command, output, several=photo is None)
    _refuse_replaced_photos(plan.jobs)
    _refuse_files_as_folders(plan.jobs)
    return plan


def _stream_job(command: Command, one: str | None) -> Job:
    if one is None or (one != STREAM and not _is_file(one)):
        raise UsageError("standard output (-) takes exactly one photo")
    source = None if one == STREAM else Path(one)
    if command.output == STREAM:
        return Job(source=source, target=None, format=command.options.format)
    output = Path(command.output)
    if _is_folder(command.output):
        raise UsageError("a photo from standard input needs a file as its output, not a folder")
    return Job(source=source, target=output, format=_format_of(output, command))


def _is_file(name: str) -> bool:
    """Tell whether a name is that of something that can be read, such as a shell's <(command)."""
    return Path(name).exists() and not Path(name).is_dir()


def _is_folder(name: str) -> bool:
    """Tell whether an output is a folder, which need not exist yet."""
    return Path(name).is_dir() or name.endswith("/")


def _format_of(output: Path, command: Command) -> Format:
    """Return the format of a single output file, from its suffix or from ``--format``."""
    suffix = _format_by_suffix(output)
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


def _format_by_suffix(output: Path) -> Format | None:
    try:
        found = _FORMAT.value(output.suffix.removeprefix(".") or None)
    except InvalidOption:
        return None
    return found if isinstance(found, Format) and found is not Format.AUTO else None


def _folder_plan(command: Command, output: Path, *, several: bool) -> Plan:
    """Return the plan of a command whose results go into a folder."""
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: several photos need a folder as their output")
    _refuse_no_folder(output)
    format_ = command.options.format
    if command.options.channels is Channels.ALPHA:
        format_ = Format.PNG
    others: dict[Path, str] = {}
    closed: dict[Path, str] = {}
    places: dict[Path, Path] = {}  # photo → its path in the output folder
    for given in command.inputs:
        found = photos_of(given, output)
        others.update(found.others)
        closed.update(found.closed)
        for source, place in found.photos:
            places.setdefault(source, place)
    for source in places:  # one that its folder passes over can be named by itself
        others.pop(source, None)
    if not _is_folder(command.output) and _format_by_suffix(output) is not None:
        raise UsageError(
            f"{output}: several photos need a folder as their output, and this is the name of a "
            "file; end it with / if it is a folder"
        )
    ending = "" if format_ is Format.AUTO else f".{format_}"
    jobs = []
    for source, place in places.items():
        # It depends on the photo only, so that every run finds the results of an earlier one.
        stem = place.name if command.keep_suffix else place.stem
        target = output / place.with_name(stem + ending)
        jobs.append(Job(source=source, target=target, format=format_))
    _refuse_equal_results(jobs, keep_suffix=command.keep_suffix)
    return Plan(jobs=jobs, several=several, others=others, closed=closed)


def _key(path: Path | None) -> str:
    """Return what is equal for two paths that a case-insensitive disk takes for one."""
    return str(path).casefold()


def _refuse_equal_results(jobs: list[Job], *, keep_suffix: bool) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        other = seen.setdefault(_key(job.target), job)
        if other is job:
            continue
        names = [Path(each.name).name for each in (other, job)]
        result = "one file" if job.format is Format.AUTO else job.target
        if keep_suffix or names[0].casefold() == names[1].casefold():
            advice = "cut them out by two commands, into two folders"
        elif job.format is Format.AUTO:
            advice = "--keep-suffix keeps them apart"
        else:
            first, second = (f"{name}.{job.format}" for name in names)
            advice = f"with --keep-suffix they become {first} and {second}"
        raise UsageError(f"{other.name} and {job.name} would both become {result}; {advice}")


def _refuse_files_as_folders(jobs: list[Job]) -> None:
    for folder in sorted({job.target.parent for job in jobs if job.target is not None}):
        _refuse_no_folder(folder)


def _refuse_no_folder(folder: Path) -> None:
    """See that a folder of the output is one, or can be made."""
    for place in (folder, *folder.parents):
        try:
            found = place.stat()
        except OSError as error:
            if error.errno == errno.ELOOP and place.is_symlink():
                raise UsageError(
                    f"{place}: this is a loop of links, and the output needs a folder of that name"
                ) from error
            if error.errno not in _NOT_THERE:
                raise
        else:
            if not stat.S_ISDIR(found.st_mode):
                raise UsageError(
                    f"{place}: this is a file, and the output needs a folder of that name"
                )
            return


def _refuse_replaced_photos(jobs: list[Job]) -> None:
    sources = {_end_of_links(job.source) for job in jobs if job.source is not None}
    for job in jobs:
        for file in job.files():
            if _end_of_links(file) in sources:
                raise UsageError(f"{file}: the result would replace this photo")


def _end_of_links(file: Path) -> Path:
    """Return the file that a path leads to; the path itself where that is a loop of links."""
    try:
        return file.resolve()
    except RuntimeError:  # in Python 3.11 and 3.12
        return file
