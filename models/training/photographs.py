"""Photographs without annotations: a zip of them with an index, or any folder."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

import numpy as np

from data import (
    BILINEAR,
    FOLDER_SIDE_MAX_PX,
    PICTURES,
    UnreadableError,
    opened_zip,
    read_index,
    read_member,
    read_photograph,
)

if TYPE_CHECKING:
    from pathlib import Path

    from data import Bytes

FOLDER = "photos/"  # in a zip


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A row of the index; `kind` is what it shows, `source` the collection that it comes from."""

    file: str
    source: str
    kind: str
    licence: str
    origin: str


class Photographs(Protocol):
    """Photographs by name, wherever they lie."""

    index: list[Photograph]

    def rgb(self, file: str) -> Bytes:
        """Return a photograph as uint8 (H,W,3) sRGB, upright.

        Raises UnreadableError if it cannot be read.
        """
        ...


class Zip:
    """A zip with `index.csv` (file, source, kind, licence, origin) and the files in `photos/`."""

    def __init__(self, path: Path) -> None:
        # It stays open: each time it is opened, the names of all photographs in it are read.
        self._archive = opened_zip(path)
        self.index = [
            Photograph(**{name: row[name] for name in Photograph.__slots__})
            for row in read_index(self._archive, Photograph.__slots__)
        ]

    def rgb(self, file: str) -> Bytes:
        """Return a photograph as uint8 (H,W,3) sRGB, upright."""
        data = read_member(self._archive, FOLDER + file)
        return np.asarray(read_photograph(io.BytesIO(data), file))


class Folder:
    """Any folder of photographs; a photograph's source is the folder that it lies in.

    They are shrunk as pairs in a folder are: a run holds them all, and labels know sizes in px.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        files = sorted(
            p.relative_to(path)
            for p in path.rglob("*")
            if p.suffix.lower() in PICTURES and not p.name.startswith(".")
        )
        self.index = [
            Photograph(
                file=f.as_posix(),
                source=f.parent.name or path.resolve().name,
                kind="",
                licence="",
                origin="",
            )
            for f in files
        ]

    def rgb(self, file: str) -> Bytes:
        """Return a photograph as uint8 (H,W,3) sRGB, upright, at most 512 px."""
        image = read_photograph(self._path / file, file)
        image.thumbnail((FOLDER_SIDE_MAX_PX, FOLDER_SIDE_MAX_PX), BILINEAR)
        return np.asarray(image)


def photographs(path: Path) -> Photographs:
    """Open a folder or a zip of photographs.

    Raises UnreadableError if two of them would have the same labels.
    """
    found: Photographs = Folder(path) if path.is_dir() else Zip(path)
    by_stem: dict[PurePosixPath, str] = {}
    for photo in found.index:
        stem = PurePosixPath(photo.file).with_suffix("")
        other = by_stem.setdefault(stem, photo.file)
        if other != photo.file:
            raise UnreadableError(
                f"{other} and {photo.file} would have one label, since only their suffixes differ:"
                " rename one"
            )
    return found
