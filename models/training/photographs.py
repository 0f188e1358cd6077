"""Photographs without annotations: a zip of them with an index, or any folder."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from data import Bytes

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
INDEX, FOLDER = "index.csv", "photos/"  # in a zip; a zip or folder without an index will do, too


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
        """Return a photograph as uint8 (H,W,3) sRGB."""
        ...


class Zip:
    """A zip with `index.csv` (file, source, kind, licence, origin) and the files in `photos/`."""

    def __init__(self, path: Path) -> None:
        # It stays open: each time it is opened, the names of all photographs in it are read.
        self._archive = zipfile.ZipFile(path)
        rows = csv.DictReader(io.StringIO(self._archive.read(INDEX).decode()))
        self.index = [
            Photograph(**{name: row[name] for name in Photograph.__slots__}) for row in rows
        ]

    def rgb(self, file: str) -> Bytes:
        """Return a photograph as uint8 (H,W,3) sRGB."""
        with Image.open(io.BytesIO(self._archive.read(FOLDER + file))) as image:
            return np.asarray(image.convert("RGB"))


class Folder:
    """Any folder of photographs; a photograph's source is the folder that it lies in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        files = sorted(p.relative_to(path) for p in path.rglob("*") if p.suffix.lower() in PICTURES)
        self.index = [
            Photograph(
                file=f.as_posix(), source=f.parent.name or path.name, kind="", licence="", origin=""
            )
            for f in files
        ]

    def rgb(self, file: str) -> Bytes:
        """Return a photograph as uint8 (H,W,3) sRGB."""
        with Image.open(self._path / file) as image:
            return np.asarray(image.convert("RGB"))


def photographs(path: Path) -> Photographs:
    """Open a folder or a zip of photographs."""
    return Folder(path) if path.is_dir() else Zip(path)
