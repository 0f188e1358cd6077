"""Pairs of photograph and matte, and where they come from.

All pixels are sRGB uint8 (H,W,3), RGB; all mattes uint8 (H,W), 0 background … 255 subject.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import IO

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Kind = Literal["gt", "pseudo", "cut", "label", "bg"]
Split = Literal["train", "val"]
Rng = np.random.Generator

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values in 0…1
IMAGENET_STD = (0.229, 0.224, 0.225)
INDEX = "index.csv"  # what a zip of photographs or of pairs has in it, a row for each
HALF = 127  # of 255: what is above it is subject
PICTURES = {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif"}
PICTURES |= {".tiff", ".webp"}
"""The suffixes of the files of a folder that are read, in any case of letters."""

FOLDER_SIDE_MAX_PX = 512  # photographs of a folder are shrunk to it: they must all fit in memory
BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as the model's card says
SAME_SHAPE = 0.02  # how far the ratio of sides of a matte may differ from its photograph's
# What Pillow raises for a file that it cannot read; RuntimeError is for AVIF.
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError)


class UnreadableError(ValueError):
    """A file that cannot be read, or not as what it is there for; the message names it."""


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
    with opened_zip(path) as pack:
        rows = read_index(pack, ("file", "set", "kind", "split"))
        return [_read_row(pack, row) for row in rows if row["split"] == split]


def opened_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip. Raises UnreadableError for a file that is none."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error


def read_index(archive: zipfile.ZipFile, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read the rows of `index.csv` in a zip.

    Raises UnreadableError if there is none, or if it lacks one of these columns.
    """
    try:
        text = read_member(archive, INDEX).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{INDEX} in {archive.filename} is not in UTF-8") from error
    table = csv.DictReader(io.StringIO(text))
    lacking = [name for name in columns if name not in (table.fieldnames or ())]
    if lacking:
        raise UnreadableError(f"{INDEX} in {archive.filename} lacks {', '.join(lacking)}")
    return list(table)


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file in a zip. Raises UnreadableError if it is not there, damaged or encrypted."""
    try:
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        message = f"{name} in {archive.filename} cannot be read: {error.args[0]}"
        raise UnreadableError(message) from error


def _read_row(pack: zipfile.ZipFile, row: dict[str, str]) -> Pair:
    """Read one pair; a background photograph has no subject, whatever its file's alpha says."""
    image = _read(io.BytesIO(read_member(pack, row["file"])), row["file"])
    rgba = np.asarray(image.convert("RGBA"))
    kind = cast("Kind", row["kind"])
    alpha = np.zeros_like(rgba[..., 3]) if kind == "bg" else rgba[..., 3]
    return Pair(name=row["file"], set=row["set"], kind=kind, rgb=rgba[..., :3], alpha=alpha)


def read_folder(path: Path) -> list[Pair]:
    """Read photographs in `im/` and mattes of the same stem in `gt/`; the folder names the set.

    Raises UnreadableError for a photograph or a matte that cannot be read or is not there.
    """
    mattes = {file.stem: file for file in pictures(path / "gt")}
    pairs = []
    for file in pictures(path / "im"):
        if file.stem not in mattes:
            raise UnreadableError(f"{file} has no matte of the same stem in {path / 'gt'}")
        photo = read_photograph(file, str(file))
        alpha = _read_matte(mattes[file.stem], photo)
        for image in (photo, alpha):
            image.thumbnail((FOLDER_SIDE_MAX_PX, FOLDER_SIDE_MAX_PX), BILINEAR)
        pairs.append(
            Pair(
                name=file.name,
                set=path.resolve().name,
                kind="gt",
                rgb=np.asarray(photo),
                alpha=np.asarray(alpha),
            )
        )
    return pairs


def pictures(folder: Path) -> list[Path]:
    """Return the pictures in a folder, in the order of their names, hidden files left out."""
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in PICTURES and not file.name.startswith(".")
    ]


def read_photograph(file: Path | IO[bytes], name: str) -> Image.Image:
    """Read a photograph as the function shows it to the network: upright, RGB, on white.

    Raises UnreadableError if it cannot be read; the message calls it by `name`.
    """
    image = _in_8_bits(_read(file, name))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def _read_matte(file: Path, photo: Image.Image) -> Image.Image:
    """Read the matte of a photograph at its size: what is grey, or the alpha of a cutout.

    Raises UnreadableError if it cannot be read, or can be no matte of this photograph.
    """
    read = _read(file, str(file))
    image = _in_8_bits(read)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    matte = image.convert("L") if alpha is None or alpha.getextrema() == (255, 255) else alpha
    stretch = (photo.width * matte.height) / (photo.height * matte.width)
    if abs(stretch - 1) > SAME_SHAPE:
        raise UnreadableError(
            f"{file} has {matte.width} × {matte.height} px, and its photograph, upright,"
            f" {photo.width} × {photo.height}: they must have one shape"
        )
    values, white = (matte, 255) if image is read else (read, 65_535)
    most = int(np.asarray(values).max())
    if 0 < most <= white // 2:
        raise UnreadableError(f"{file} has values up to {most}, and the subject must have {white}")
    return matte.resize(photo.size, BILINEAR)


def _read(file: Path | IO[bytes], name: str) -> Image.Image:
    """Read a picture upright.

    Raises UnreadableError if it cannot be read.
    """
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
    except PILLOW_ERRORS as error:
        raise UnreadableError(f"{name} cannot be read: {error}") from error
    if upright.mode == "F":
        raise UnreadableError(f"{name} cannot be read: its values are floats")
    return upright


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits with 8; Pillow would clip it. Any other stays as it is."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))


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
