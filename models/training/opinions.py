"""What networks say of photographs: a grey WebP for each opinion on each photograph.

A folder of labels holds one folder per opinion (`teacher`, `mirrored`, and one per second model),
in it the mattes under the photographs' own names.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from data import Bytes, Floats

TEACHER, MIRRORED = "teacher", "mirrored"


class Opinions:
    """The mattes in a folder of labels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, opinion: str, file: str) -> Path:
        return self.folder / opinion / PurePosixPath(file).with_suffix(".webp")

    def has(self, opinion: str, file: str) -> bool:
        """Tell whether this opinion on this photograph is there."""
        return self._path(opinion, file).exists()

    def read(self, opinion: str, file: str) -> Bytes | None:
        """Return a matte, or None if it was not made yet."""
        path = self._path(opinion, file)
        if not path.exists():
            return None
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))

    def write(self, opinion: str, file: str, alpha: Floats) -> None:
        """Store a matte, float32 (H,W) in 0…1; whole or not at all, whenever it is stopped."""
        path = self._path(opinion, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        pixels = (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(pixels).save(part, "WEBP", lossless=True, method=2)
        part.replace(path)

    def seconds(self) -> list[str]:
        """Name the opinions that are not the teacher's."""
        own = {TEACHER, MIRRORED}
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir() and p.name not in own)
