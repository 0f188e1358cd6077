"""Damaged files of every format: whatever is in them, only the error tree's errors come out."""

import io
import os

import numpy as np
import pillow_heif
import pytest
import skimage.data
from PIL import Image

from cutout.errors import CutoutError
from cutout.image.decode import Limits, decode

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "60"))
"""Damaged files per seed file; a longer run sets it higher."""

PICTURE = Image.fromarray(skimage.data.astronaut()).resize((48, 40))
LIMITS = Limits(max_pixels=4_000_000)


def saved(pillow_format: str, image: Image.Image = PICTURE, **settings: object) -> bytes:
    """Return an image as a file."""
    with io.BytesIO() as file:
        image.save(file, pillow_format, **settings)
        return file.getvalue()


def heic() -> bytes:
    """Return the picture as HEIC."""
    with io.BytesIO() as file:
        pillow_heif.from_pillow(PICTURE).save(file)
        return file.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
SEEDS = {
    "jpeg": saved("JPEG", exif=EXIF),
    "jpeg, progressive": saved("JPEG", progressive=True),
    "jpeg, restarts": saved("JPEG", restart_marker_blocks=2),
    "jpeg, cmyk": saved("JPEG", PICTURE.convert("CMYK")),
    "png": saved("PNG", exif=EXIF),
    "png, palette": saved("PNG", PICTURE.quantize(16), transparency=3),
    "png, animated": saved("PNG", save_all=True, append_images=[PICTURE.rotate(90)]),
    "webp": saved("WEBP", exif=EXIF),
    "webp, animated": saved("WEBP", save_all=True, append_images=[PICTURE.rotate(90)]),
    "gif": saved("GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
    "bmp": saved("BMP"),
    "bmp, runs": saved("BMP", PICTURE.quantize(16)).replace(
        b"\x08\0\0\0\0\0", b"\x08\0\1\0\0\0", 1
    ),
    "tiff": saved("TIFF", exif=EXIF),
    "tiff, lzw": saved("TIFF", compression="tiff_lzw"),
    "tiff, jpeg": saved("TIFF", compression="jpeg"),
    "tiff, float": saved("TIFF", PICTURE.convert("F")),
    "avif": saved("AVIF", exif=EXIF),
    "heic": heic(),
}


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Return the file after one to four damages: bits, lengths, cuts, swaps and repeats."""
    for _ in range(int(random.integers(1, 5))):
        # Half of the damage goes to the first bytes, where the structure is.
        reach = len(data) if random.integers(2) else min(len(data), 200)
        first, second = sorted(int(place) for place in random.integers(2, max(reach, 4), 2))
        match int(random.integers(7)):
            case 0:
                flipped = data[first : first + 1] or b"\0"
                data = (
                    data[:first]
                    + bytes([flipped[0] ^ 1 << int(random.integers(8))])
                    + (data[first + 1 :])
                )
            case 1:
                data = data[:first]
            case 2:
                data = data[:first] + data[second:]
            case 3:
                data = (
                    data[:second] + data[first:second] * int(random.integers(1, 50)) + data[second:]
                )
            case 4:
                extreme = (b"\xff" * 4, b"\0" * 4, b"\x7f" + b"\xff" * 3, b"\0\0\xff\xff")
                data = data[:first] + extreme[int(random.integers(4))] + data[first + 4 :]
            case 5:
                data = data[:first] + random.bytes(int(random.integers(1, 20))) + data[first:]
            case _:
                middle = (first + second) // 2
                data = data[:first] + data[middle:second] + data[first:middle] + data[second:]
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_only_errors_of_the_tree_come_out(name: str) -> None:
    """A picture within the limits, or an error of the caller's."""
    random = np.random.default_rng([ROUNDS, *name.encode()])
    for _ in range(ROUNDS):
        data = damaged(SEEDS[name], random)
        try:
            photo = decode(data, limits=LIMITS, cap_px=1000)
        except CutoutError as error:
            assert error.status in {400, 413, 415}, error  # noqa: PT017 - most end here
        else:
            assert photo.width * photo.height <= 1000
            assert photo.pixels.shape == (photo.height, photo.width, 3)
