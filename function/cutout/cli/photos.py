"""An input of the command line → the photos that it names: a file, a folder, or a pattern."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cutout.cli.arguments import UsageError
from cutout.formats import FORMATS

_SUFFIXES = {f".{name}" for name in (*FORMATS, "jpg", "jpe", "jfif", "tif", "heif")}
"""Which files of a folder are photos. A file that is named by itself is tried whatever its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an input names: ``photos``, each with its path relative to the output folder.

    ``others`` are the files of a folder that are passed over, and why. ``closed`` are the folders
    in it that cannot be looked into, and why.
    """

    photos: list[tuple[Path, Path]]
    others: dict[Path, str] = field(default_factory=dict)
    closed: dict[Path, str] = field(default_factory=dict)


def photos_of(given: str, output: Path) -> Found:
    """Return the photos of an input.

    :raises UsageError: there are none, or the input is the output folder itself.
    """
    path = Path(given)
    if path.is_dir():
        if path.resolve() == output.resolve():
            raise UsageError(f"{path}: the output folder must not be the input folder")
        found = Found(photos=[])
        for file in _walk(path, output, found.closed):
            if why := _why_not(file):
                found.others[file] = why
            else:
                found.photos.append((file, file.relative_to(path)))
        if not found.photos:
            for place, why in found.closed.items():
                raise UsageError(f"{place}: {why}")
            suffixes = " ".join(sorted(_SUFFIXES))
            raise UsageError(
                f"{path}: there are no photos in this folder; their suffixes are {suffixes}"
            )
        return found
    if path.exists():
        return Found(photos=[(path, Path(path.name))])
    if not _is_pattern(given):
        raise UsageError(f"{path}: there is no such file or folder")
    found = Found(photos=list(_matches(path, output.resolve())))
    if not found.photos:
        raise UsageError(f"{path}: no photo matches this pattern")
    return found


def _why_not(file: Path) -> str:
    """Return why a file of a folder is passed over; nothing of a photo."""
    if file.is_dir():
        return "a link to a folder"
    if not file.is_file():
        return "a link to nothing" if file.is_symlink() else "no file"
    return "" if file.suffix.lower() in _SUFFIXES else "its suffix is not that of a photo"


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _matches(pattern: Path, output: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files that match a pattern, in order, each with its path relative to the output.

    That is its path below the folders that the pattern names without a sign: ``a/b.jpg`` for
    ``photos/a/b.jpg`` of ``photos/**/*.jpg``.

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
    found = {folder}
    for part in parts:
        found = _below(found, part)
    for file in sorted(found):
        place = file.relative_to(folder)
        if (
            file.is_file()
            and (takes_hidden or not _is_hidden(place))
            and not (has_results and file.parent.resolve().is_relative_to(output))
        ):
            # Behind a sign .. could lead out of the output folder.
            yield file, Path(file.name) if ".." in place.parts else place


def _below(folders: set[Path], part: str) -> set[Path]:
    """Return what a part of a pattern matches in folders; ``**`` is they and all folders in them.

    pathlib's own ``**`` calls itself for each level of folders, and Python ends that after 1,000.
    """
    if part != "**":
        return {path for folder in folders for path in folder.glob(part)}
    found: set[Path] = set()
    left = list(folders)
    while left:
        place = left.pop()
        if place in found:
            continue
        found.add(place)
        with suppress(OSError):  # as glob does: a file, or a folder that may not be looked into
            left.extend(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _walk(folder: Path, output: Path, closed: dict[Path, str]) -> Iterator[Path]:
    """Yield what is under a folder in order, but hidden files and the output folder.

    A link to a folder is not followed: it could lead to a folder around it. The folders that cannot
    be looked into are added to ``closed``: on many disks there is one of the system.
    """
    has_output = output.is_dir()
    left = sorted(folder.iterdir(), reverse=True)
    while left:
        path = left.pop()
        if path.name.startswith("."):
            continue
        is_folder = path.is_dir()
        # To resolve each path would take time with the square of the levels.
        if is_folder and has_output and path.samefile(output):
            continue
        if not is_folder or path.is_symlink():
            yield path
            continue
        try:
            inside = sorted(path.iterdir(), reverse=True)
            for one in inside[:1]:
                one.lstat()  # refused in a folder that may be listed and not entered
            left.extend(inside)
        except OSError as error:
            closed[path] = error.strerror or str(error)
