"""A result → its file, which appears only when it is whole."""

import re
import stat
import uuid
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from cutout.cli.interrupts import unfinished

_PART = re.compile(r"\.[0-9a-f]{32}\.part")
"""The name that a file has until it is whole."""


def write(file: Path, body: bytes) -> None:
    """Write a file that appears only when it is whole; a pipe or a device gets the bytes at once.

    A link, such as /dev/stdout, stays, and what it leads to is written.

    :raises OSError: it cannot be written.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            file.write_bytes(body)
            return
    file = file.resolve()
    _make_folder(file.parent)
    part = file.with_name(f".{uuid.uuid4().hex}.part")
    with unfinished(part):
        part.write_bytes(body)
        part.replace(file)


def _make_folder(folder: Path) -> None:
    # pathlib's own making of parents calls itself for each level.
    missing = takewhile(lambda place: not place.is_dir(), (folder, *folder.parents))
    for place in reversed(list(missing)):
        place.mkdir(exist_ok=True)


def parts_in(folders: Iterable[Path]) -> list[Path]:
    """Return the files that are no whole results: of a run that was killed, or that goes on."""
    found = []
    for folder in folders:
        with suppress(OSError):  # it is not there, or may not be looked into
            found += [path for path in folder.iterdir() if _PART.fullmatch(path.name)]
    return sorted(found)
