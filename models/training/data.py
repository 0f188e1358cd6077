"""Pairs of photograph and matte, and where they come from.

All pixels are sRGB uint8 (H,W,3), RGB; all mattes uint8 (H,W), 0 background … 255 subject.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Kind = Literal["gt", "pseudo", "cut", "label", "bg"]
Split = Literal["train", "val"]
Rng = np.random.Generator

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values in 0…1
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = 127  # of 255: what is above it is subject
FOLDER_SIDE_MAX_PX = 512  # photographs of a folder are shrunk to it: they must all fit in memory
BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as the model's card says


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A photograph and its matte; `weight` uint8 (H,W): how far a label is believed, 255 fully.

    Kinds: `gt` annotated by people, `pseudo` and `label` by a network (U2-Net-p; a teacher, with
    trust), `cut` an object on a studio background, `bg` a photograph without a subject.
    """

    name: str
    set: str
    kind: Kind
    rgb: Bytes
    alpha: Bytes
    weight: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What the network sees: `rgb` (S,S,3), `alpha` (S,S), `weight` (S,S), all uint8."""

    rgb: Bytes
    alpha: Bytes
    weight: Bytes


def read_pack(path: Path, split: Split) -> list[Pair]:
    """Read one split of a pack: RGBA images in a zip with an `index.csv` (file, set, kind, …)."""
    with zipfile.ZipFile(path) as pack:
        rows = list(csv.DictReader(io.StringIO(pack.read("index.csv").decode())))
        return [_read_row(pack, row) for row in rows if row["split"] == split]


def _read_row(pack: zipfile.ZipFile, row: dict[str, str]) -> Pair:
    """Read one pair; a background photograph has no subject, whatever its file's alpha says."""
    with Image.open(io.BytesIO(pack.read(row["file"]))) as image:
        rgba = np.asarray(image.convert("RGBA"))
    kind = cast("Kind", row["kind"])
    alpha = np.zeros_like(rgba[..., 3]) if kind == "bg" else rgba[..., 3]
    return Pair(name=row["file"], set=row["set"], kind=kind, rgb=rgba[..., :3], alpha=alpha)


def read_folder(path: Path) -> list[Pair]:
    """Read photographs in `im/` and mattes of the same stem in `gt/`; the folder names the set."""
    mattes = {file.stem: file for file in sorted((path / "gt").iterdir())}
    pairs = []
    for file in sorted((path / "im").iterdir()):
        with Image.open(file) as photo, Image.open(mattes[file.stem]) as matte:
            rgb, alpha = photo.convert("RGB"), matte.convert("L").resize(photo.size, BILINEAR)
        for image in (rgb, alpha):
            image.thumbnail((FOLDER_SIDE_MAX_PX, FOLDER_SIDE_MAX_PX), BILINEAR)
        pairs.append(
            Pair(
                name=file.name,
                set=path.name,
                kind="gt",
                rgb=np.asarray(rgb),
                alpha=np.asarray(alpha),
            )
        )
    return pairs


def resized(pixels: Bytes, width: int, height: int) -> Bytes:
    """uint8 (H,W) or (H,W,3) -> the same at (height,width), antialiased bilinear."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), BILINEAR))


def plain(pair: Pair, size: int) -> Sample:
    """Stretch a whole pair to size × size, as the card says photographs are."""
    weight = (
        np.full((size, size), 255, np.uint8)
        if pair.weight is None
        else resized(pair.weight, size, size)
    )
    return Sample(
        rgb=resized(pair.rgb, size, size), alpha=resized(pair.alpha, size, size), weight=weight
    )


def chance(rng: Rng, probability: float) -> bool:
    """Draw yes or no."""
    return rng.random() < probability
