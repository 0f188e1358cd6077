"""Bytes → photo: every format and mode, upright, in sRGB, within limits, never a crash."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import skimage.data
import tifffile
from heif_files import with_wide_box
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from cutout.errors import (
    ImageTooLarge,
    ImageTooSmall,
    InvalidImage,
    ModelUnavailable,
    OutOfTime,
    UnsupportedImageFormat,
)
from cutout.image.cap import capped
from cutout.image.decode import Limits, Photo, decode
from cutout.options import Options
from cutout.remover import Remover
from image_files import encoded, exif_of, png_chunk, tiff

FUNCTION = Path(__file__).resolve().parents[2] / "function"
LIMITS = Limits(max_pixels=50_000_000)
ASTRONAUT = Image.fromarray(skimage.data.astronaut()).resize((96, 64))
RGB = np.asarray(ASTRONAUT)
GREY = np.asarray(ASTRONAUT.convert("L"))

pillow_heif.register_heif_opener()


def read(data: bytes, **more: Any) -> Photo:
    """Return the decoded photo, whose arrays have the promised types and shapes."""
    photo = decode(data, limits=LIMITS, **more)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (photo.height, photo.width, 3)
    if photo.alpha is not None:
        assert photo.alpha.dtype == np.uint8
        assert photo.alpha.shape == photo.pixels.shape[:2]
    return photo


def expect_unsupported(data: bytes, found: str) -> None:
    """Read a file of a kind that is not read; the message names the kind, and what is read."""
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(data)
    assert str(refusal.value) == (
        f"The image is {found}, which is not supported. "
        "Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


def mean_difference(photo: Photo, expected: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference per channel, 0..255."""
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    return float(np.abs(photo.pixels.astype(int) - expected.astype(int)).mean())


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (encoded(ASTRONAUT, "PNG"), 0),
        (encoded(ASTRONAUT, "BMP"), 0),
        (encoded(ASTRONAUT, "TIFF"), 0),
        (encoded(ASTRONAUT, "TIFF", compression="tiff_lzw"), 0),
        (encoded(ASTRONAUT, "WEBP", lossless=True), 0),
        (encoded(ASTRONAUT, "WEBP", quality=95), 4),
        (encoded(ASTRONAUT, "GIF"), 8),
        (encoded(ASTRONAUT, "JPEG", quality=95), 4),
        (encoded(ASTRONAUT, "JPEG", quality=95, progressive=True), 4),
        (encoded(ASTRONAUT.convert("CMYK"), "JPEG", quality=95), 4),
        (encoded(ASTRONAUT, "AVIF", quality=95), 4),
        (encoded(ASTRONAUT, "HEIF", quality=95), 4),
        (encoded(ASTRONAUT.convert("CMYK"), "TIFF"), 0),
        (encoded(ASTRONAUT.convert("YCbCr"), "TIFF"), 3),
        (encoded(ASTRONAUT.convert("LAB"), "TIFF"), 3),
        (encoded(ASTRONAUT.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), 8),
    ],
)
def test_colour_formats(data: bytes, tolerance: float) -> None:
    """The picture is the picture, exactly where the format keeps it exactly."""
    photo = read(data)
    assert photo.alpha is None
    assert mean_difference(photo, RGB) <= tolerance


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(GREY), "PNG"),
        encoded(Image.fromarray(GREY), "TIFF"),
        encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
        encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
        encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"),
        encoded(Image.fromarray(GREY.astype(np.int32) * 257), "TIFF"),
        encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(GREY.astype(np.float32) / np.float32(255)), "TIFF"),
    ],
)
def test_grey_of_every_depth_is_the_same_grey(data: bytes) -> None:
    """8, 16 and 32 bit and float, none of it clipped to white."""
    assert mean_difference(read(data), GREY) <= 0.51


def test_every_value_of_16_bits_is_rounded_to_the_nearest_of_8() -> None:
    """In a picture of several strips; without a transparent value it has no alpha."""
    values = np.resize(np.arange(65_536, dtype=np.uint16), (1100, 1000))
    photo = read(encoded(Image.fromarray(values), "PNG", compress_level=1))
    expected = np.floor(values / 257 + 0.5).astype(np.uint8)
    assert np.array_equal(photo.pixels, np.repeat(expected[..., None], 3, axis=2))
    assert photo.alpha is None


def test_a_tiff_whose_white_is_zero() -> None:
    """Of 16 bits and of floats as of 8; scanners and X-ray machines write such files."""
    shares = (255 - GREY) / np.float32(255)
    for values in (255 - GREY, 65_535 - GREY.astype(np.uint16) * 257, shares):
        assert mean_difference(read(tiff(values, photometric="miniswhite")), GREY) == 0


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_tiff_with_a_plane_for_each_colour(compression: str | None, depth: int) -> None:
    """Pillow misreads one kind, which is refused in words; the others are the picture."""
    planes = RGB.transpose(2, 0, 1).astype(np.uint8 if depth == 8 else np.uint16)
    data = tiff(
        planes * (1 if depth == 8 else 257),
        photometric="rgb",
        planarconfig="separate",
        compression=compression,
    )
    if compression is None and depth == 16:
        with pytest.raises(UnsupportedImageFormat, match="a plane of 16 bits for each colour"):
            read(data)
    else:
        assert mean_difference(read(data), RGB) == 0


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (
            tiff(RGB.astype(np.float32) / 255, photometric="rgb"),
            "a TIFF with 3 x 32 bits of floating point (photometric interpretation 2)",
        ),
        (
            tiff(RGB.astype(np.uint32), photometric="rgb", compression="zlib"),
            "a TIFF with 3 x 32 bits (photometric interpretation 2)",
        ),
        (
            tiff(GREY.astype(np.float16), photometric="minisblack"),
            "a TIFF with 1 x 16 bits of floating point (photometric interpretation 1)",
        ),
        (
            tiff(GREY.astype(np.int64), photometric="minisblack"),
            "a TIFF with 1 x 64 bits of signed integers (photometric interpretation 1)",
        ),
        (
            tiff(GREY.astype(np.complex64), photometric="minisblack"),
            "a TIFF with 1 x 64 bits of complex numbers (photometric interpretation 1)",
        ),
        (
            tiff(
                np.dstack([GREY, GREY]).astype(np.uint16),
                photometric="minisblack",
                extrasamples=["unassalpha"],
            ),
            "a TIFF with 2 x 16 bits (photometric interpretation 1)",
        ),
        (
            tiff(GREY, photometric="cfa"),
            "a TIFF with 1 x 8 bits (photometric interpretation 32803)",
        ),
    ],
)
def test_a_tiff_of_rare_samples_is_named(data: bytes, found: str) -> None:
    """It is sound, so nobody is told that it is damaged."""
    expect_unsupported(data, found)


@pytest.mark.parametrize("compression", [34_712, 34_887, 50_001, 50_002])
def test_a_tiff_of_a_rare_compression_is_named(compression: int) -> None:
    """JPEG 2000, LERC, WebP and JPEG XL."""
    data = bytearray(encoded(ASTRONAUT, "TIFF", compression="tiff_lzw"))
    place = data.index(struct.pack("<HHI", 259, 3, 1)) + 8
    data[place : place + 2] = compression.to_bytes(2, "little")
    with pytest.raises(UnsupportedImageFormat, match=f"is a TIFF with compression {compression},"):
        read(bytes(data))


@pytest.mark.parametrize("compression", ["packbits", "tiff_deflate", "lzma", "zstd"])
def test_a_tiff_of_a_usual_compression(compression: str) -> None:
    """None of them changes a pixel."""
    assert mean_difference(read(encoded(ASTRONAUT, "TIFF", compression=compression)), RGB) == 0


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_tiff_as_a_fax_sends_it(compression: str) -> None:
    """Black and white."""
    page = ASTRONAUT.convert("1")
    expected = np.asarray(page.convert("L"))
    assert mean_difference(read(encoded(page, "TIFF", compression=compression)), expected) == 0


@pytest.mark.parametrize("compression", [2, 3, 4])
def test_a_damaged_fax_writes_nothing_to_the_log(
    compression: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Libtiff would write a line for each of its 500 rows that is damaged."""
    noise = np.random.default_rng(1).bytes(3000)
    tags = [(256, 4, 64), (257, 4, 500), (258, 3, 1), (259, 3, compression), (262, 3, 1)]
    tags += [(273, 4, 122), (277, 3, 1), (278, 4, 500), (279, 4, len(noise))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + noise
    with suppress(InvalidImage):
        read(data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_a_tiff_with_a_plane_for_alpha(compression: str | None, tile: tuple[int, int]) -> None:
    """Straight alpha beside colours is read; Pillow would lose alpha beside grey."""
    settings = {"planarconfig": "separate", "tile": tile, "compression": compression}
    planes = np.stack([*RGB.transpose(2, 0, 1), GREY])
    photo = read(tiff(planes, photometric="rgb", extrasamples=["unassalpha"], **settings))
    assert mean_difference(photo, RGB) == 0
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, GREY)
    grey = tiff(planes[2:], photometric="minisblack", extrasamples=["unassalpha"], **settings)
    with pytest.raises(UnsupportedImageFormat, match="a plane of 8 bits for each colour and for"):
        read(grey)


@pytest.mark.parametrize(("mode", "compression"), [("YCbCr", None), ("LAB", None), ("LAB", "zlib")])
def test_a_tiff_with_planes_that_pillow_would_misread(mode: str, compression: str | None) -> None:
    """It fails on one kind, and shows other colours for the others."""
    planes = np.asarray(ASTRONAUT.convert(mode)).transpose(2, 0, 1)
    photometric = {"YCbCr": "ycbcr", "LAB": "cielab"}[mode]
    data = tiff(planes, photometric=photometric, planarconfig="separate", compression=compression)
    with pytest.raises(UnsupportedImageFormat, match="a plane of 8 bits for each colour,"):
        read(data)


def test_grey_of_32_bits_without_a_sign() -> None:
    """The brightest half of its values is not negative."""
    values = GREY.astype(np.uint32) * (2**32 // 255)
    assert mean_difference(read(tiff(values, photometric="minisblack")), GREY) == 0


def test_grey_of_32_bits_with_a_sign() -> None:
    """What is less than black is black."""
    values = np.array([[-(2**31), -5, 0, 100, 255]] * 2, np.int32)
    photo = read(tiff(values, photometric="minisblack"))
    assert photo.pixels[0, :, 0].tolist() == [0, 0, 0, 100, 255]


def test_a_tiff_of_12_bits() -> None:
    """Two pixels are three bytes, and 4,095 is white."""
    values = [0, 1024, 2048, 4095]
    pairs = zip(values[::2], values[1::2], strict=True)
    rows = b"".join((one << 12 | other).to_bytes(3, "big") for one, other in pairs) * 2
    tags = [(256, 4), (257, 2), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 2)]
    tags.append((279, len(rows)))
    header = struct.pack("<2sHI", b"II", 42, 8 + len(rows))
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = header + rows + struct.pack("<H", len(tags)) + directory + bytes(4)
    assert read(data).pixels[1, :, 0].tolist() == [0, 64, 128, 255]


def test_premultiplied_grey_becomes_straight() -> None:
    """Where alpha is 0, the colour is unknown."""
    values = np.zeros((2, 3, 2), np.uint8)
    values[:] = [[50, 128], [255, 255], [0, 0]]
    photo = read(tiff(values, photometric="minisblack", extrasamples=["assocalpha"]))
    assert photo.alpha is not None
    assert photo.alpha[1].tolist() == [128, 255, 0]
    assert photo.pixels[1, :2, 0].tolist() == [99, 255]


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0.5, np.nan, np.inf, -np.inf, -0.5], [128, 0, 0, 0, 0]),
        ([1.0, 0.25, 0, 0, 0], [255, 64, 0, 0, 0]),
        ([1.5, 255, 100, 0, 0], [2, 255, 100, 0, 0]),
        ([2.0**30, 2.0**31, 2.0**29, 1e12, 0], [128, 255, 64, 255, 0]),
    ],
)
def test_float_grey(values: list[float], grey: list[int]) -> None:
    """Its white is the smallest that holds all values; what is no number or negative is black."""
    rows = np.array([values] * 2, np.float32)
    assert read(encoded(Image.fromarray(rows), "TIFF")).pixels[0, :, 0].tolist() == grey


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(bits: int) -> None:
    """Palettes of 2, 4 and 16 colours."""
    palette = ASTRONAUT.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits)
    photo = read(encoded(palette, "PNG", bits=bits))
    assert mean_difference(photo, np.asarray(palette.convert("RGB"))) == 0


def png(
    width: int,
    height: int,
    depth: int,
    kind: int,
    rows: bytes,
    interlace: int = 0,
    transparent: bytes | None = None,
) -> bytes:
    """Return a PNG (ISO/IEC 15948) of raw rows, filter bytes included."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    signature = b"\x89PNG\r\n\x1a\n"
    return (
        signature
        + png_chunk(b"IHDR", header)
        + (b"" if transparent is None else png_chunk(b"tRNS", transparent))
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def test_png_of_16_bit_colour() -> None:
    """Its high bytes."""
    deep = RGB.astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert mean_difference(read(png(96, 64, 16, 2, rows)), RGB) == 0


def test_interlaced_png() -> None:
    """Adam7's seven passes over 8-bit grey."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    rows = b""
    for left, top, step_x, step_y in [*passes, (0, 1, 1, 2)]:
        rows += b"".join(b"\0" + row.tobytes() for row in GREY[top::step_y, left::step_x])
    assert mean_difference(read(png(96, 64, 8, 0, rows, interlace=1)), GREY) == 0


TRANSPARENT = np.dstack([RGB, np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1))])


@pytest.mark.parametrize(
    ("data", "exact"),
    [
        (encoded(Image.fromarray(TRANSPARENT), "PNG"), True),
        (encoded(Image.fromarray(TRANSPARENT), "TIFF"), True),
        (encoded(Image.fromarray(TRANSPARENT), "WEBP", lossless=True, exact=True), True),
        (encoded(Image.fromarray(TRANSPARENT), "AVIF", quality=95), False),
        (encoded(Image.fromarray(TRANSPARENT), "HEIF", quality=95), False),
        (encoded(Image.fromarray(TRANSPARENT).convert("LA"), "PNG"), True),
    ],
)
def test_the_images_own_alpha_is_kept(data: bytes, exact: bool) -> None:
    """Straight, beside colours that it does not touch."""
    photo = read(data)
    assert photo.alpha is not None
    difference = np.abs(photo.alpha.astype(int) - TRANSPARENT[..., 3])
    assert difference.max() == 0 if exact else difference.mean() < 2


def test_premultiplied_tiff_becomes_straight() -> None:
    """TIFF's associated alpha: colours come back where alpha is high enough to hold them."""
    premultiplied = RGB.astype(np.uint16) * TRANSPARENT[..., 3:] // 255
    associated = np.dstack([premultiplied.astype(np.uint8), TRANSPARENT[..., 3]])
    photo = read(tiff(associated, photometric="rgb", extrasamples=["assocalpha"]))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, TRANSPARENT[..., 3])
    assert np.abs(photo.pixels[:, 48:].astype(int) - RGB[:, 48:]).max() <= 3


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(RGB), "PNG", transparency=tuple(RGB[0, 0].tolist())),
        encoded(Image.fromarray(GREY), "PNG", transparency=int(GREY[0, 0])),
        encoded(
            Image.fromarray(GREY.astype(np.uint16) * 257), "PNG", transparency=int(GREY[0, 0]) * 257
        ),
        encoded(
            ASTRONAUT.quantize(16), "PNG", transparency=ASTRONAUT.quantize(16).getpixel((0, 0))
        ),
        encoded(
            ASTRONAUT.quantize(16), "GIF", transparency=ASTRONAUT.quantize(16).getpixel((0, 0))
        ),
    ],
    ids=["rgb", "grey", "grey16", "palette", "gif"],
)
def test_one_transparent_colour(data: bytes) -> None:
    """PNG's tRNS and GIF's transparent index."""
    photo = read(data)
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    assert set(np.unique(photo.alpha)) == {0, 255}


@pytest.mark.parametrize("key", [(0, 0, 0), (0x1234, 0x5678, 0x9ABC)])
def test_one_transparent_colour_of_16_bits_is_compared_in_both_bytes(
    key: tuple[int, int, int],
) -> None:
    """Black noise beside a transparent black stays opaque."""
    deep = RGB.astype(np.uint16) * 257
    deep[0, :3] = key
    deep[1, 0] = np.array(key) ^ (0, 0, 1)
    deep[1, 1] = np.array(key) ^ (256, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    photo = read(png(96, 64, 16, 2, rows, transparent=struct.pack(">3H", *key)))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, np.where((deep == key).all(axis=2), 0, 255))
    assert np.array_equal(photo.pixels, deep >> 8)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_one_transparent_grey_of_few_bits(depth: int) -> None:
    """Each value, told as it is in the file, where white is 1, 3 or 15."""
    count = 1 << depth
    packed = sum(value << depth * (15 - value) for value in range(count))
    row = b"\0" + packed.to_bytes(2 * depth, "big")
    for value in range(count):
        photo = read(png(16, 2, depth, 0, row * 2, transparent=struct.pack(">H", value)))
        assert photo.pixels[0, :count, 0].tolist() == [k * 255 // (count - 1) for k in range(count)]
        assert photo.alpha is not None
        assert (photo.alpha[:, :count] == np.where(np.arange(count) == value, 0, 255)).all()


def test_one_transparent_colour_of_16_bits() -> None:
    """By the high bytes, which are all that is left of the colours."""
    deep = np.tile(np.array([(0x1234, 0x5678, 0x9ABC), (0x1334, 0x5678, 0x9ABC)], ">u2"), (2, 1, 1))
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    photo = read(png(2, 2, 16, 2, rows, transparent=deep[0, 0].tobytes()))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255]] * 2


def framed(screen: tuple[int, int], left: int, top: int, *, background: int = 0) -> bytes:
    """Return a GIF of the astronaut's 96x64 px at a place of a screen."""
    data = bytearray(encoded(ASTRONAUT.quantize(16), "GIF"))
    data[6:10] = struct.pack("<HH", *screen)
    data[11] = background
    place = data.index(b"," + struct.pack("<4H", 0, 0, 96, 64))
    data[place + 1 : place + 5] = struct.pack("<HH", left, top)
    return bytes(data)


@pytest.mark.parametrize("background", [0, 1, 200])
@pytest.mark.parametrize(
    ("screen", "left", "top", "shown"),
    [
        ((120, 80), 0, 0, (120, 80)),
        ((120, 80), 10, 7, (120, 80)),
        ((97, 64), 1, 0, (97, 64)),
        ((50, 80), 0, 10, (96, 80)),
        ((50, 30), 4, 0, (100, 64)),
        ((0, 0), 3, 2, (99, 66)),
        ((0, 80), 0, 0, (96, 80)),
    ],
)
def test_what_a_gif_leaves_free_of_its_screen_is_transparent(
    screen: tuple[int, int], left: int, top: int, shown: tuple[int, int], background: int
) -> None:
    """As in browsers, whatever colour is the background; a frame that does not fit widens it."""
    photo = read(framed(screen, left, top, background=background))
    assert (photo.width, photo.height) == shown
    expected = np.zeros((shown[1], shown[0]), np.uint8)
    expected[top : top + 64, left : left + 96] = 255
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, expected)
    whole = read(framed((96, 64), 0, 0))
    assert np.array_equal(photo.pixels[top : top + 64, left : left + 96], whole.pixels)


@pytest.mark.parametrize("screen", [(96, 64), (50, 30), (0, 0)])
def test_a_gif_whose_frame_is_its_screen_has_no_alpha(screen: tuple[int, int]) -> None:
    """Nor has one whose frame is larger at every side."""
    photo = read(framed(screen, 0, 0))
    assert photo.alpha is None
    assert mean_difference(photo, np.asarray(ASTRONAUT.quantize(16).convert("RGB"))) == 0


def test_a_cap_scales_a_gifs_frame_with_its_screen() -> None:
    """Its edge stays where it was."""
    photo = read(framed((192, 128), 96, 64), cap_px=96 * 64)
    assert photo.alpha is not None
    assert (photo.alpha[34:, 50:] == 255).all()
    assert (photo.alpha[:30] == 0).all()
    assert (photo.alpha[:, :46] == 0).all()


def gif_with(*blocks: bytes, colour: int = 1) -> bytes:
    """Return a GIF of 2 x 2 px with blocks before its picture, whose first pixel has a colour."""
    picture = Image.new("P", (2, 2), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putpixel((0, 0), colour)
    data = encoded(picture, "GIF")
    start = 13 + (6 << (data[10] & 7))
    return data[:start] + b"".join(blocks) + data[data.index(b",", start) :]


def gif_control(transparent: int | None) -> bytes:
    """Return the extension that tells a GIF's transparent colour."""
    return b"!\xf9\x04" + bytes([transparent is not None, 0, 0, transparent or 0, 0])


GIF_COMMENT = b"!\xfe\x05hello\x03you\0"
GIF_PROGRAM = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


@pytest.mark.parametrize(
    ("blocks", "alpha"),
    [
        ([], None),
        ([GIF_COMMENT], None),
        ([GIF_COMMENT, gif_control(1), GIF_PROGRAM], 0),
        ([GIF_PROGRAM, b"\0\0", gif_control(1)], 0),
        ([gif_control(None), GIF_COMMENT, gif_control(1)], 0),
        ([gif_control(1), GIF_COMMENT, gif_control(None)], None),
        ([b"!\xf9\0", GIF_COMMENT], None),
        ([gif_control(1)[:-1] + b"\x01,\0"], 0),
    ],
)
def test_of_what_is_before_a_gifs_picture_only_its_control_counts(
    blocks: list[bytes], alpha: int | None
) -> None:
    """Comments, programs and stray bytes do not; of two controls the last one does."""
    photo = read(gif_with(*blocks))
    if alpha is None:
        assert photo.alpha is None
        assert photo.pixels[0, 0].tolist() == [255, 0, 0]
    else:
        assert photo.alpha is not None
        assert photo.alpha.tolist() == [[alpha, 255], [255, 255]]


def test_a_gifs_comment_takes_no_memory() -> None:
    """Pillow would keep an object for each of its parts."""
    data = gif_with(b"!\xfe" + b"\x01a" * 90_000 + b"\0")
    read(data)
    tracemalloc.start()
    read(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(data)


@pytest.mark.parametrize("blocks", [b"", GIF_COMMENT, GIF_COMMENT[:-4], b";", b"!", b"!\xf9"])
def test_a_gif_without_a_picture_is_refused(blocks: bytes) -> None:
    """Its end comes first, or the file is cut off."""
    data = gif_with(blocks)
    end = 13 + (6 << (data[10] & 7)) + len(blocks)
    with pytest.raises(InvalidImage, match="it is a damaged or truncated GIF file"):
        read(data[:end])
    with pytest.raises(InvalidImage, match="it is a damaged or truncated GIF file"):
        read(data[:12])


@pytest.mark.parametrize("part", [GIF_COMMENT[:3] + b"12345\0", gif_control(1)])
def test_a_gif_of_very_many_parts_is_refused(part: bytes) -> None:
    """Each of these extensions counts twice, as itself and for its one part."""
    assert read(gif_with(part * 49_999)).width == 2
    with pytest.raises(InvalidImage) as refusal:
        read(gif_with(part * 50_000))
    assert str(refusal.value).startswith(
        "The image cannot be read: it has more than 100000 parts before its picture. "
    )


@pytest.mark.parametrize("screen", [(400, 100), (50, 30), (0, 0)])
def test_a_gifs_screen_and_frame_are_held_to_the_limit(screen: tuple[int, int]) -> None:
    """Together, since both are in the picture."""
    data = framed(screen, 300, 0)
    size = (400, 100) if screen[0] == 400 else (396, 64)
    with pytest.raises(ImageTooLarge, match=f"is {size[0]}x{size[1]} px"):
        decode(data, limits=Limits(max_pixels=20_000))


CORNERS = np.zeros((40, 60, 3), np.uint8)
CORNERS[:20, :30] = 255, 0, 0
CORNERS[:20, 30:] = 0, 255, 0
CORNERS[20:, :30] = 0, 0, 255

UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(pillow_format: str, orientation: int) -> None:
    """All eight of EXIF's, in each format that carries them; colours tell the corners."""
    photo = read(
        encoded(Image.fromarray(CORNERS), pillow_format, exif=exif_of(orientation), quality=95)
    )
    assert mean_difference(photo, UPRIGHT[orientation](CORNERS)) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_is_turned_with_the_colours(orientation: int) -> None:
    """A corner that is transparent stays over its colour."""
    alpha = np.zeros((40, 60), np.uint8)
    alpha[:20, :30] = 200
    picture = Image.fromarray(np.dstack([CORNERS, alpha]))
    photo = read(encoded(picture, "PNG", exif=exif_of(orientation)))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha > 0, photo.pixels[..., 0] > 0)


def webp_with(*chunks: bytes, **settings: Any) -> bytes:
    """Return an extended WebP with more chunks behind its first and, again, at its end."""
    data = encoded(Image.fromarray(CORNERS), "WEBP", lossless=True, **settings)
    assert data[12:16] == b"VP8X"
    body = data[8:30] + b"".join(chunks) + data[30:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a WebP."""
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def test_a_webps_other_chunks_do_not_matter() -> None:
    """Neither texts nor unknown ones, of even and odd sizes, nor second EXIF blocks."""
    settings = {"exif": exif_of(6), "icc_profile": rgb_profile(3.0)}
    plain = read(webp_with(**settings))
    assert (plain.width, plain.height) == (40, 60)
    others = [webp_chunk(b"XMP ", b"text"), webp_chunk(b"ABCD", b"odd"), webp_chunk(b"abcd", b"")]
    assert np.array_equal(read(webp_with(*others, **settings)).pixels, plain.pixels)
    second = webp_with(**settings)
    second += webp_chunk(b"EXIF", exif_of(3)) + webp_chunk(b"ICCP", b"none")
    for data in (second[:4] + struct.pack("<I", len(second) - 8) + second[8:], second + b"tail"):
        assert np.array_equal(read(data).pixels, plain.pixels)


def test_a_webp_of_very_many_chunks_is_refused() -> None:
    """Each costs libwebp a record. The file has three of its own."""
    unknown = webp_chunk(b"ABCD", b"")
    usual = {"exif": exif_of(1)}
    assert read(webp_with(unknown * 49_998, **usual)).width == 60
    with pytest.raises(InvalidImage) as refusal:
        read(webp_with(unknown * 49_999, **usual))
    assert str(refusal.value).startswith(
        "The image cannot be read: it has more than 100000 chunks. "
    )


@pytest.mark.parametrize("pillow_format", ["HEIF", "AVIF"])
def test_orientation_is_not_applied_twice(pillow_format: str) -> None:
    """These turn the picture by a property of their own, which the decoder has applied."""
    photo = read(encoded(Image.fromarray(CORNERS), pillow_format, exif=exif_of(6), quality=95))
    assert (photo.width, photo.height) == (40, 60)
    assert mean_difference(photo, UPRIGHT[6](CORNERS)) < 6


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_orientation_in_xmp_is_none(pillow_format: str) -> None:
    """Browsers take no notice of it. A TIFF was turned by it and squeezed into its old size."""
    xmp = '<rdf:Description tiff:Orientation="6"/>'
    settings: dict[str, Any] = {"xmp": xmp.encode()}
    if pillow_format == "PNG":
        settings = {"pnginfo": PngInfo()}
        settings["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    elif pillow_format == "TIFF":
        settings = {"tiffinfo": {700: xmp.encode()}}
    data = encoded(Image.fromarray(CORNERS), pillow_format, quality=95, **settings)
    assert b"tiff:Orientation" in data
    assert mean_difference(read(data), CORNERS) < 6


def calls_within(work: Callable[[], object]) -> int:
    """Return how many functions are called while something is done."""
    count = 0

    def notice(_frame: object, _event: str, _argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(notice)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_a_box_of_a_wide_size_ends_no_search_for_exif() -> None:
    """Pillow would go through each tag of a block that is behind such a box."""
    exif = Image.Exif()
    exif[0x010E] = "x" * 100_000
    data = encoded(ASTRONAUT, "AVIF", exif=exif)
    block = exif.tobytes()[6:]
    assert block in data
    tags = b"".join(struct.pack("<HHII", tag, 7, 90_000, 8) for tag in range(8000))
    many = (b"II*\0\x08\0\0\0" + struct.pack("<H", 8000) + tags).ljust(len(block), b"\0")
    plain, wide = read(data), with_wide_box(data.replace(block, many))
    assert calls_within(lambda: read(wide)) < 2 * calls_within(lambda: read(data))
    for tail in (b"", b"\0\0\0\1skip\0", struct.pack(">I4sQ", 1, b"skip", 15)):
        assert np.array_equal(read(wide + tail).pixels, plain.pixels)


def test_broken_exif_is_no_reason_to_refuse() -> None:
    """The picture is fine."""
    assert read(encoded(ASTRONAUT, "JPEG", exif=b"Exif\0\0II*\0junk" * 3)).width == 96


def rgb_profile(gamma: float) -> bytes:
    """Return an RGB profile with sRGB's primaries and another tone curve."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # createProfile's curves are parametric; its description says "sRGB", which decode trusts.
    text = profile.find("sRGB".encode("utf-16-be"))
    while text >= 0:
        profile[text : text + 8] = "test".encode("utf-16-be")
        text = profile.find("sRGB".encode("utf-16-be"))
    curve = profile.find(b"para\0\0\0\0")
    exponent = curve + 12
    profile[exponent : exponent + 4] = struct.pack(">i", round(gamma * 65536))
    return bytes(profile)


def linear_profile() -> bytes:
    """Return an RGB profile with sRGB's primaries whose numbers are proportional to light."""
    profile = bytearray(rgb_profile(1.0))
    curve = profile.find(b"para\0\0\0\0")
    # g, a, b, c, d of ICC's parametric curve: (a·x + b)^g from d on, and c·x below it
    profile[curve + 12 : curve + 32] = struct.pack(">5i", 65536, 65536, 0, 65536, 0)
    return bytes(profile)


def test_a_colour_profile_is_converted_to_srgb() -> None:
    """A steeper curve makes the same numbers a darker picture."""
    photo = read(encoded(ASTRONAUT, "PNG", icc_profile=rgb_profile(3.0)))
    assert photo.pixels.mean() < RGB.mean() - 10


def grey_profile() -> bytes:
    """Return a profile of grey whose numbers are proportional to light (ICC.1:2001-04)."""
    d50 = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    name = b"linear grey\0"
    desc = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {
        b"desc": desc,
        b"wtpt": b"XYZ " + bytes(4) + d50,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, 0x100) + bytes(2),
    }
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += padded
    head = struct.pack(">4xI4s4s4s12x4s", 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = head + bytes(64 - len(head)) + d50 + bytes(128 - 80)
    return struct.pack(">I", 4 + len(head) + len(table) + len(data)) + head + table + data


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_of_grey_is_converted_to_srgb(mode: str) -> None:
    """Half of the light is sRGB's 188; alpha is left as it is."""
    image = Image.new("LA", (8, 8), (128, 90)).convert(mode)
    photo = read(encoded(image, "PNG", icc_profile=grey_profile()))
    assert photo.pixels[0, 0].tolist() == [188, 188, 188]
    assert (photo.alpha is None) == (mode == "L")
    assert photo.alpha is None or (photo.alpha == 90).all()


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "TIFF"])
def test_grey_can_have_the_profile_of_a_colour_photo(pillow_format: str) -> None:
    """Programs that make a photo grey often leave its profile as it was."""
    image = Image.new("L", (8, 8), 128)
    photo = read(encoded(image, pillow_format, icc_profile=linear_profile()))
    assert np.abs(photo.pixels.astype(int) - 188).max() <= 1


def test_grey_with_one_transparent_value_has_its_profiles_tones() -> None:
    """Half of the light is sRGB's 188, beside a value that the file makes transparent."""
    image = Image.new("L", (8, 8), 128)
    image.putpixel((0, 0), 7)
    photo = read(encoded(image, "PNG", icc_profile=grey_profile(), transparency=7))
    assert photo.pixels[1, 1].tolist() == [188, 188, 188]
    assert photo.alpha is not None
    assert (photo.alpha[0, 0], photo.alpha[1, 1]) == (0, 255)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_profile_of_any_mode_of_colour_is_converted(mode: str) -> None:
    """Palettes and transparent pictures have their profile's colours too."""
    profile = rgb_profile(3.0)
    image = ASTRONAUT.quantize(16) if mode == "P" else ASTRONAUT.convert("RGBA")
    plain = read(encoded(image.convert("RGB"), "PNG", icc_profile=profile))
    photo = read(encoded(image, "PNG", icc_profile=profile))
    assert np.array_equal(photo.pixels, plain.pixels)
    assert photo.pixels.mean() < RGB.mean() - 10


def test_a_profile_that_calls_itself_srgb_is_believed() -> None:
    """Many of them differ by a rounding, and a conversion would change every photo a little."""
    almost = rgb_profile(2.6).replace("test".encode("utf-16-be"), "sRGB".encode("utf-16-be"))
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=almost)), RGB) == 0


def test_a_large_profile_is_not_kept_in_memory() -> None:
    """What is found of a profile is remembered for the next photo, and with it the profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(4_000_000)
    large = struct.pack(">I", len(profile)) + profile[4:]
    small, data = (
        encoded(ASTRONAUT, "WEBP", icc_profile=one) for one in (profile[:-4_000_000], large)
    )
    read(small)  # imports what every profile needs
    tracemalloc.start()
    read(data)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_linear_profile_is_no_srgb_whatever_it_is_called(mode: str) -> None:
    """GIMP's is the "built-in Linear sRGB". Half of the light is sRGB's 188."""
    linear = linear_profile() if mode != "L" else grey_profile()
    name = b"linear grey" if mode == "L" else "test".encode("utf-16-be")
    called = b"linear sRGB" if mode == "L" else "sRGB".encode("utf-16-be")
    image = Image.new("RGBA", (8, 8), (128, 128, 128, 90)).convert(mode)
    photo = read(encoded(image, "PNG", icc_profile=linear.replace(name, called)))
    assert np.abs(photo.pixels.astype(int) - 188).max() <= 1


def p3_profile(name: str) -> bytes:
    """Return the profile of Display P3 by a name of 13 letters at most."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {  # as the profile of Apple's displays has them, under D50
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    for entry in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        tag, offset = struct.unpack_from(">4sI", profile, entry)
        if tag in primaries:
            values = (round(value * 65_536) for value in primaries[tag])
            struct.pack_into(">3i", profile, offset + 8, *values)
        elif tag == b"desc":
            length = struct.unpack_from(">I", profile, offset + 20)[0]
            text = name.encode("utf-16-be")
            profile[offset + 28 : offset + 28 + length] = text.ljust(length, b"\0")
    return bytes(profile)


@pytest.mark.parametrize("name", ["Display P3", "P3 with sRGB"])
def test_a_wide_profile_is_no_srgb_whatever_it_is_called(name: str) -> None:
    """Some photos in P3 have one called "Display P3 Gamut with sRGB Transfer"."""
    orange = Image.new("RGB", (8, 8), (200, 100, 50))
    photo = read(encoded(orange, "PNG", icc_profile=p3_profile(name)))
    assert np.abs(photo.pixels[0, 0].astype(int) - (215, 93, 31)).max() <= 1


def bmp_of_kind(bits: int, compression: int, *masks: int) -> bytes:
    """Return a BMP of 8 x 8 px; the masks are those of red, green, blue and alpha."""
    pixels = bytes(max(bits * 8 // 32, 1) * 4 * 8)
    header = struct.pack("<IiiHHIIiiII", 108, 8, 8, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    header = (header + struct.pack(f"<{len(masks)}I", *masks)).ljust(108, b"\0")
    start = 14 + len(header)
    file = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return b"BM" + file + header + pixels


@pytest.mark.parametrize(
    ("bits", "compression", "masks"),
    [
        (16, 3, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, 3, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
        (2, 0, ()),
        (24, 4, ()),
    ],
)
def test_a_bmp_that_is_not_read_is_not_called_damaged(
    bits: int, compression: int, masks: tuple[int, ...]
) -> None:
    """Masks of 4 and of 10 bits, 2 bits a pixel, a JPEG inside or run lengths of OS/2."""
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(bmp_of_kind(bits, compression, *masks))
    assert str(refusal.value).startswith(
        "The image is a BMP whose pixels are stored in a rare way, which is not supported. "
    )
    for kind in ((16, 3, 0xF800, 0x7E0, 0x1F), (32, 3, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)):
        assert read(bmp_of_kind(*kind)).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(("bits", "compression"), [(0, 0), (64, 0), (24, 99)])
def test_a_bmp_whose_header_is_damaged_is_called_so(bits: int, compression: int) -> None:
    """No BMP has such a depth or such a compression."""
    with pytest.raises(InvalidImage):
        read(bmp_of_kind(bits, compression))


def bmp_with_alpha(alpha: NDArray[np.uint8]) -> bytes:
    """Return the astronaut as a BMP of 32 bits that says that its fourth bytes are alpha."""
    pixels = np.dstack([RGB[..., ::-1], alpha])[::-1].tobytes()  # blue first, and the last row
    height, width = alpha.shape
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = header.ljust(108, b"\0")
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels


def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque() -> None:
    """Programs that copy a screen write such files, and browsers show them."""
    alpha = np.zeros(RGB.shape[:2], np.uint8)
    photo = read(bmp_with_alpha(alpha))
    assert photo.alpha is None
    assert np.array_equal(photo.pixels, RGB)
    alpha[0, 0] = 1
    photo = read(bmp_with_alpha(alpha))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)


def bmp_with(profile: bytes, mode: str, *, kind: bytes = b"DEBM", start: int = 0) -> bytes:
    """Return the astronaut as a BMP of version 5, with a profile behind the pixels."""
    data = encoded(ASTRONAUT.convert(mode), "BMP")
    (pixels,) = struct.unpack_from("<I", data, 10)
    header = struct.pack("<I", 124) + data[18:54] + bytes(84)
    start = start or len(data) - 14 + 84
    place = struct.pack("<II", start, len(profile))
    header = header[:56] + kind + header[60:112] + place + header[120:]
    file = data[:10] + struct.pack("<I", pixels + 84) + header
    return file + data[54:] + profile


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_a_profile_in_a_bmp_is_converted(mode: str) -> None:
    """As in a PNG; ImageMagick writes one."""
    profile = rgb_profile(3.0)
    expected = read(encoded(ASTRONAUT.convert(mode), "PNG", icc_profile=profile))
    assert np.array_equal(read(bmp_with(profile, mode)).pixels, expected.pixels)


@pytest.mark.parametrize("settings", [{"kind": b"KNIL"}, {"kind": b"BGRs"}, {"start": 2**32 - 1}])
def test_a_bmp_without_a_profile_in_it_is_taken_as_srgb(settings: dict[str, Any]) -> None:
    """Its profile is linked, it says that it is sRGB, or the profile is nowhere."""
    photo = read(bmp_with(rgb_profile(3.0), "RGB", **settings))
    assert np.array_equal(photo.pixels, RGB)


def test_srgb_is_left_as_it_is() -> None:
    """Not one bit is lost in a conversion from sRGB to sRGB."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=srgb)), RGB) == 0


@pytest.mark.parametrize("profile", [b"junk" * 50, rgb_profile(2.0)[:200]])
def test_a_broken_profile_is_taken_as_srgb(profile: bytes) -> None:
    """As browsers do."""
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=profile)), RGB) == 0


def test_a_profile_of_another_colour_space_is_taken_as_srgb() -> None:
    """A Lab profile on RGB pixels says nothing about them."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=lab)), RGB) == 0


def with_tag(profile: bytes, name: bytes, body: bytes) -> bytes:
    """Return a profile with one more tag, whose bytes are behind all others."""
    (count,) = struct.unpack_from(">I", profile, 128)
    moved = bytearray(profile[132:])
    for entry in range(0, 12 * count, 12):
        (offset,) = struct.unpack_from(">I", moved, entry + 4)
        struct.pack_into(">I", moved, entry + 4, offset + 12)
    tag = name + struct.pack(">II", len(profile) + 12, len(body))
    size = struct.pack(">I", len(profile) + 12 + len(body))
    head = size + profile[4:128] + struct.pack(">I", count + 1)
    return head + moved[: 12 * count] + tag + moved[12 * count :] + body


def elements(count: int) -> bytes:
    """Return a tag of floating point (ICC.1:2022, 10.16): one darkening, ``count`` times."""
    numbers = struct.pack(">12f", 0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0, 0)
    element = b"matf" + bytes(4) + struct.pack(">HH", 3, 3) + numbers
    place = struct.pack(">II", 16 + 8 * count, len(element))
    return b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + place * count + element


def test_a_profiles_tags_of_floating_point_do_not_count() -> None:
    """They may be of any length. The curves and primaries that each profile has too say enough."""
    profile = rgb_profile(3.0)
    plain = read(encoded(ASTRONAUT, "PNG", icc_profile=profile))
    for count in (1, 2):
        more = with_tag(profile, b"D2B0", elements(count))
        photo = read(encoded(ASTRONAUT, "PNG", icc_profile=more))
        assert np.array_equal(photo.pixels, plain.pixels)


def test_a_profile_of_nothing_but_floating_point_is_taken_as_srgb() -> None:
    """As every profile that cannot be read."""
    profile = rgb_profile(3.0)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        profile = profile.replace(name, name[:1] + b"___", 1)
    profile = with_tag(profile, b"D2B0", elements(1))
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=profile)), RGB) == 0


def table_profile(values: bytes) -> bytes:
    """Return an RGB profile whose colours are in a table of 2 x 2 x 2 (``mft1``; 10.11)."""
    ramp, unity = bytes(range(256)), struct.pack(">9i", *np.eye(3, dtype=int).ravel() * 65_536)
    table = b"mft1" + bytes(4) + bytes([3, 3, 2, 0]) + unity + 3 * ramp + values + 3 * ramp
    head = struct.pack(">4xI4s4s4s12x4s", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    d50 = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return with_tag(bytes(4) + head + bytes(28) + d50 + bytes(48) + bytes(4), b"A2B0", table)


def test_a_profiles_table_of_colours_counts() -> None:
    """The profiles of scanners and printers have one. This one makes everything black."""
    photo = read(encoded(ASTRONAUT, "PNG", icc_profile=table_profile(bytes(24))))
    assert photo.pixels.max() == 0


def test_a_profile_of_very_many_bytes_is_taken_as_srgb() -> None:
    """The segments of a JPEG cannot hold it, and lcms would take several times its memory."""
    profile = rgb_profile(3.0)
    largest = profile + bytes((1 << 24) - len(profile))
    for one, is_read in ((largest, True), (largest + b"\0", False)):
        photo = read(encoded(ASTRONAUT, "WEBP", icc_profile=one, lossless=True))
        assert (mean_difference(photo, RGB) > 0) == is_read


def test_a_profile_of_very_many_tags_is_taken_as_srgb() -> None:
    """Profiles in use have 20."""
    profile = rgb_profile(3.0)
    (count,) = struct.unpack_from(">I", profile, 128)
    for number in range(100 - count):
        profile = with_tag(profile, b"%04d" % number, b"text" + bytes(8))
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=profile)), RGB) > 0
    profile = with_tag(profile, b"more", b"text" + bytes(8))
    assert mean_difference(read(encoded(ASTRONAUT, "PNG", icc_profile=profile)), RGB) == 0


def test_the_first_frame_or_page_counts() -> None:
    """Of an animation, and of a TIFF of several pages."""
    second = Image.new("RGB", ASTRONAUT.size, "red")
    for pillow_format in ("GIF", "TIFF", "WEBP", "PNG"):
        data = encoded(
            ASTRONAUT, pillow_format, save_all=True, append_images=[second], lossless=True
        )
        assert mean_difference(read(data), RGB) < 8


def test_only_the_parser_of_its_format_sees_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would offer a damaged file to all of its forty."""
    offered: list[object] = []
    whole = Image.open

    def spy(file: io.BytesIO, *, formats: object = None) -> Image.Image:
        offered.append(formats)
        return whole(file, formats=formats)  # type: ignore[arg-type] # as it came

    monkeypatch.setattr(Image, "open", spy)
    read(encoded(ASTRONAUT, "BMP"))
    assert offered == [("BMP",)]


def test_a_damaged_file_is_named_by_its_format() -> None:
    """Whatever Pillow's parser says of it."""
    with pytest.raises(InvalidImage) as refusal:
        read(encoded(ASTRONAUT, "BMP")[:-5000])
    reason = "The image cannot be read: it is a damaged or truncated BMP file."
    assert str(refusal.value).startswith(reason)


def test_the_format_is_told_by_the_bytes() -> None:
    """A WebP in a file called .jpg is a WebP; names do not even reach the decoder."""
    assert mean_difference(read(encoded(ASTRONAUT, "WEBP", lossless=True)), RGB) == 0


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG"])
def test_a_cap_scales_down_and_keeps_the_ratio(pillow_format: str, orientation: int) -> None:
    """Never more pixels than the cap, and few less."""
    large = Image.fromarray(skimage.data.astronaut()).resize((1600, 1000))
    photo = read(encoded(large, pillow_format, exif=exif_of(orientation)), cap_px=250_000)
    width, height = (632, 395) if orientation == 1 else (395, 632)
    assert (photo.width, photo.height) == (width, height)
    assert photo.original_size == ((1600, 1000) if orientation == 1 else (1000, 1600))
    assert abs(photo.pixels.mean() - skimage.data.astronaut().mean()) < 2


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG"])
def test_a_cap_scales_with_the_filter_of_least_blur(pillow_format: str) -> None:
    """Lanczos, after whole steps of a box where the photo is more than three times as large."""
    large = encoded(Image.fromarray(skimage.data.astronaut()).resize((1600, 1000)), pillow_format)
    with Image.open(io.BytesIO(large)) as image:
        image.draft(None, (160, 100))
        small = image.resize((160, 100), Image.Resampling.LANCZOS, reducing_gap=3.0)
    photo = read(large, cap_px=16_000)
    assert np.array_equal(photo.pixels, np.asarray(small))
    assert np.array_equal(read(large, cap_px=16_001).pixels, photo.pixels)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_cap_moves_nothing_in_a_jpeg(scale: int) -> None:
    """Not even where its sides are no multiples of the scale at which it is decoded."""
    ramp = np.linspace(0, 255, 16 * scale + 1)
    image = Image.fromarray(np.rint(ramp[:, None] + 0 * ramp).astype(np.uint8))
    photo = read(encoded(image, "JPEG", quality=100), cap_px=16 * 16 + 4)
    middles = np.interp((np.arange(16) + 0.5) / 16 * len(ramp) - 0.5, np.arange(len(ramp)), ramp)
    assert photo.width == photo.height == 16
    assert np.abs(photo.pixels[2:-2, 8, 0] - middles[2:-2]).max() < 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_cap_never_enlarges(orientation: int) -> None:
    """A photo under it stays as it is."""
    photo = read(encoded(ASTRONAUT, "PNG", exif=exif_of(orientation)), cap_px=96 * 64)
    assert mean_difference(photo, UPRIGHT[orientation](RGB)) == 0
    assert photo.original_size is None


def test_a_cap_keeps_colour_under_transparency_apart() -> None:
    """Alpha is scaled beside the colours, by the same filter."""
    photo = read(encoded(Image.fromarray(TRANSPARENT), "PNG"), cap_px=1_000)
    assert photo.alpha is not None
    assert photo.width * photo.height <= 1_000


@pytest.mark.parametrize("hidden", [(0, 0, 0), (0, 255, 0)])
@pytest.mark.parametrize("cap_px", [90 * 90, 150 * 150, 390 * 390, 30 * 30])
def test_a_cap_lets_nothing_hidden_into_the_edge(hidden: tuple[int, int, int], cap_px: int) -> None:
    """A subject of one colour stays of that colour, and what is all hidden keeps its own."""
    pixels = np.full((400, 400, 4), (*hidden, 0), np.uint8)
    pixels[100:301, 100:301] = (200, 180, 160, 255)
    photo = read(encoded(Image.fromarray(pixels), "PNG"), cap_px=cap_px)
    assert photo.alpha is not None
    assert photo.alpha.max() == 255
    faint = photo.alpha < 32  # a premultiplied colour of 8 bits is not exact there
    assert (np.abs(photo.pixels[~faint].astype(int) - (200, 180, 160)) <= 4).all()
    assert (photo.pixels[photo.alpha == 0] == hidden).all()


def test_what_a_cap_makes_transparent_has_the_hidden_colour() -> None:
    """Where there is one, and the few pixels that were seen are too faint for alpha of 8 bits."""
    pixels = np.full((200, 200, 4), (0, 255, 0, 0), np.uint8)
    pixels[::4, ::4] = (255, 255, 255, 1)
    photo = read(encoded(Image.fromarray(pixels), "PNG"), cap_px=50 * 50)
    assert photo.alpha is not None
    assert photo.alpha.max() == 0
    assert (photo.pixels == (0, 255, 0)).all()


def test_a_cap_scales_a_hidden_photo_as_one_that_is_seen() -> None:
    """For ``input_alpha=discard``; its colours are several."""
    colours = skimage.data.astronaut()
    pixels = np.dstack([colours, np.zeros((512, 512), np.uint8)])
    pixels[200:300, 200:300, 3] = 255
    photo = read(encoded(Image.fromarray(pixels), "PNG"), cap_px=256 * 256)
    halved = Image.fromarray(colours).resize((256, 256), Image.Resampling.HAMMING)
    assert photo.alpha is not None
    hidden = photo.alpha == 0
    assert hidden.mean() > 0.9
    difference = np.abs(photo.pixels[hidden].astype(int) - np.asarray(halved)[hidden])
    assert difference.max() <= 1


def test_a_cap_leaves_an_opaque_photo_with_alpha_as_sharp_as_one_without() -> None:
    """There is nothing to weight."""
    plain = read(encoded(ASTRONAUT, "PNG"), cap_px=1_000)
    photo = read(encoded(ASTRONAUT.convert("RGBA"), "PNG"), cap_px=1_000)
    assert photo.alpha is not None
    assert photo.alpha.shape == photo.pixels.shape[:2]
    assert (photo.alpha == 255).all()
    assert np.array_equal(photo.pixels, plain.pixels)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 50), (50, 1)])
def test_a_side_under_two_pixels_is_too_small(width: int, height: int) -> None:
    """There is no inside to find a subject in."""
    with pytest.raises(ImageTooSmall) as refusal:
        read(encoded(Image.new("RGB", (width, height)), "PNG"))
    assert str(refusal.value) == (
        f"The image is {width}x{height} px; each side must be at least 2 px."
    )


def test_two_by_two_is_enough() -> None:
    """The smallest image there is."""
    assert (
        read(encoded(Image.new("RGB", (2, 2), "red"), "PNG")).pixels.tolist()
        == [[[255, 0, 0]] * 2] * 2
    )


def test_the_limit_is_checked_from_the_header() -> None:
    """A bomb of 65,535 x 65,535 px in a hundred bytes: refused with no pixel decoded."""
    with pytest.raises(ImageTooLarge) as refusal:
        read(png(65_535, 65_535, 8, 2, b""))
    assert refusal.value.status == 413
    assert str(refusal.value) == (
        "The image is 65535x65535 px; at most 50000000 pixels are accepted."
    )


def tiff_of_tags(*tags: tuple[int, int, int]) -> bytes:
    """Return the head of a deflated grey TIFF of 64 x 64 px with more tags: each with its type."""
    usual = [(256, 4, 64), (257, 4, 64), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries = [*usual, *tags, (324, 4, 8), (325, 4, 64)]
    packed = (struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(packed) + bytes(4)


@pytest.mark.parametrize("kind", [4, 8, 9, 13])
def test_a_tiffs_tile_is_held_to_the_limit_whatever_integers_tell_it(kind: int) -> None:
    """Without a sign, with one, or as a place in the file: libtiff takes any of them."""
    side = 30_000
    with pytest.raises(ImageTooLarge) as refusal:
        read(tiff_of_tags((322, kind, side), (323, kind, side)))
    assert str(refusal.value) == (
        "The image is 30000x30000 px; at most 50000000 pixels are accepted."
    )


def test_a_tiffs_tile_of_a_negative_size_is_refused() -> None:
    """Two of them have many pixels, but no picture has such a tile."""
    side = 2**32 - 30_000
    with pytest.raises(InvalidImage, match="it is a damaged or truncated TIFF file"):
        read(tiff_of_tags((322, 9, side), (323, 9, side)))


@pytest.mark.parametrize("further", [{"subifds": 1}, {}])
def test_a_raw_photo_is_not_taken_for_the_small_copy_at_its_beginning(
    further: dict[str, Any],
) -> None:
    """DNG, NEF and ARW are TIFFs that begin with a thumbnail. It was cut out, at its own size."""
    with io.BytesIO() as file:
        with tifffile.TiffWriter(file) as pages:
            pages.write(RGB[::2, ::2], photometric="rgb", subfiletype=1, **further)
            pages.write(RGB, photometric="rgb")
        raw = file.getvalue()
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(raw)
    assert str(refusal.value).startswith(
        "The image is a raw photo, or another TIFF that begins with a small copy of its picture, "
        "which is not supported. "
    )


def test_a_tiff_of_nothing_but_a_small_copy_is_read() -> None:
    """And so is one that begins with its picture and has the small copy behind it.

    Some writers call all pages copies, and some files have only the copies of a picture, the
    largest of them first.
    """
    for behind in (RGB, RGB[::2, ::2]):
        with io.BytesIO() as file:
            with tifffile.TiffWriter(file) as pages:
                pages.write(RGB, photometric="rgb", subfiletype=1)
                pages.write(behind, photometric="rgb", subfiletype=1)
            assert mean_difference(read(file.getvalue()), RGB) == 0
    assert mean_difference(read(tiff(RGB, photometric="rgb", subfiletype=1)), RGB) == 0
    with io.BytesIO() as file:
        with tifffile.TiffWriter(file) as pages:
            pages.write(RGB, photometric="rgb", subifds=1)
            pages.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
        assert mean_difference(read(file.getvalue()), RGB) == 0


@pytest.mark.parametrize("tag", [256, 322])
@pytest.mark.parametrize("kind", [4, 7])
def test_a_tiff_that_says_twice_how_it_is_stored_is_refused(tag: int, kind: int) -> None:
    """Libtiff believes the first such tag, and Pillow the first that it can read."""
    twice = tiff_of_tags((322, 4, 64), (323, 4, 64), (tag, kind, 30_000))
    with pytest.raises(InvalidImage) as refusal:
        read(twice)
    assert str(refusal.value).startswith(
        "The image cannot be read: it says in two ways how its pixels are stored. "
    )


@pytest.mark.parametrize(
    "again", [(256, 4, 64), (258, 3, 8), (262, 3, 1), (274, 3, 1), (274, 3, 3)]
)
def test_a_tiff_may_say_the_same_twice(again: tuple[int, int, int]) -> None:
    """And of two orientations the first counts: they say nothing of how its pixels are stored."""
    grey = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    tags = [(256, 4, 64), (257, 4, 64), (258, 3, 8), (259, 3, 1), (262, 3, 1), (274, 3, 1)]
    tags = sorted([*tags, (277, 3, 1), (278, 4, 64), (279, 4, 64 * 64), again])
    tags.insert(7, (273, 4, 14 + 12 * (len(tags) + 1)))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    assert np.array_equal(read(head + grey.tobytes()).pixels[..., 0], grey)


@pytest.mark.parametrize("tag", [256, 257])
def test_a_tiff_of_a_negative_size_is_damaged(tag: int) -> None:
    """Not too small: a message with such a number would say nothing."""
    data = tiff_of_tags().replace(
        struct.pack("<HHII", tag, 4, 1, 64), struct.pack("<HHIi", tag, 9, 1, -64)
    )
    with pytest.raises(InvalidImage, match="it is a damaged or truncated TIFF file"):
        read(data)


def test_of_two_orientations_in_an_exif_block_the_first_counts() -> None:
    """As in the readers of TIFF; the picture itself is fine."""
    entry = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHII", 0x0112, 3, 1, 3)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entry + bytes(4)
    photo = read(encoded(Image.fromarray(CORNERS), "PNG", exif=exif))
    assert np.array_equal(photo.pixels, UPRIGHT[6](CORNERS))


def test_a_tiffs_tile_is_held_to_the_limit_too() -> None:
    """A tile of 7,000 px squared around an image of 16 would be decoded whole."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    data = tiff(pixels, tile=(7008, 7008), photometric="rgb", compression="zlib")
    with pytest.raises(ImageTooLarge):
        read(data)


def test_the_limit_itself_passes() -> None:
    """At most means at most."""
    data = encoded(ASTRONAUT, "PNG")
    assert decode(data, limits=Limits(max_pixels=96 * 64)).width == 96
    with pytest.raises(ImageTooLarge):
        decode(data, limits=Limits(max_pixels=96 * 64 - 1))


@pytest.mark.parametrize(
    "data",
    [
        encoded(ASTRONAUT, "PNG")[:60],
        encoded(ASTRONAUT, "WEBP", exif=b"II*\0" + bytes(10))[:60],  # with a canvas (VP8X)
        encoded(ASTRONAUT.convert("P"), "TIFF")[:-1],
        encoded(ASTRONAUT.convert("LA"), "TIFF")[:-1],
        encoded(ASTRONAUT.convert("P"), "TIFF", compression="tiff_lzw")[:-1],
        tiff(RGB[:8, :8], bigtiff=True)[:-1],
        tiff(RGB[:8, :8], byteorder=">")[:-1],
    ],
    ids=["png", "webp", "palette", "grey and alpha", "palette in lzw", "bigtiff", "big-endian"],
)
def test_a_file_cut_at_any_byte_is_truncated(data: bytes) -> None:
    """It is not called too small, or of a kind that is not read."""
    for size in range(len(data) + 1):
        with pytest.raises(InvalidImage):
            read(data[:size])


@pytest.mark.parametrize(
    "pillow_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
)
def test_truncated_files_are_invalid_never_a_crash(pillow_format: str) -> None:
    """Cut at every tenth of the file; the last fifth of the JPEG is its last row of blocks."""
    data = encoded(ASTRONAUT, pillow_format)
    for tenth in range(8 if pillow_format == "JPEG" else 10):
        with pytest.raises((InvalidImage, UnsupportedImageFormat)) as refusal:
            read(data[: len(data) * tenth // 10])
        assert refusal.value.status in {400, 415}


@pytest.mark.parametrize(
    "pillow_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
)
def test_damaged_files_are_pictures_or_refusals(pillow_format: str) -> None:
    """Single bytes turned, at places that a seed chooses; whatever happens is in the contract."""
    data = bytearray(encoded(ASTRONAUT, pillow_format))
    random = np.random.default_rng(7)
    for place in random.integers(4, len(data), 60):
        damaged = data.copy()
        damaged[place] ^= int(random.integers(1, 256))
        try:
            read(bytes(damaged))
        except (InvalidImage, ImageTooLarge, ImageTooSmall, UnsupportedImageFormat):
            continue


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"8BPS\0\1" + bytes(100), "PSD"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(100), "JPEG 2000"),
        (b"\xff\x0a" + bytes(100), "JPEG XL"),
        (b"\x00\x00\x01\x00\x01\x00" + bytes(100), "ICO"),
        (b"%PDF-1.7\n", "PDF"),
        (b"P6\n1 1\n255\n\0\0\0", "Netpbm"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "SVG"),
        (tiff(RGB[:8, :8], bigtiff=True, byteorder=">"), "big-endian BigTIFF"),
    ],
)
def test_other_image_formats_are_named(data: bytes, found: str) -> None:
    """So that the caller knows it was not damaged, and what to convert it to."""
    expect_unsupported(data, found)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it is not in a known image format"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(20), "it is not in a known image format"),
        (b"RIFF\x00\x00\x00\x00WAVE", "it is not in a known image format"),
        (b"\xff\xd8\xff", "it is a damaged or truncated JPEG file"),
        (b"\x89PNG\r\n\x1a\n", "it is a damaged or truncated PNG file"),
    ],
)
def test_what_is_no_image(data: bytes, reason: str) -> None:
    """Empty, text, a film, a sound, a header alone."""
    with pytest.raises(InvalidImage) as refusal:
        read(data)
    assert refusal.value.status == 400
    assert str(refusal.value) == (
        f"The image cannot be read: {reason}. "
        "Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


def test_a_jpeg_of_countless_scans() -> None:
    """Each costs the time of a whole photo and 75 bytes: refused before the first is decoded."""
    jpeg = encoded(Image.new("L", (3000, 3000), 128), "JPEG", progressive=True)
    assert decode(jpeg, limits=LIMITS).width == 3000
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    with pytest.raises(InvalidImage, match="it has 1006 scans, which only a damaged file needs"):
        decode(jpeg[:-2] + scan * 1000 + jpeg[-2:], limits=LIMITS)


@pytest.mark.parametrize(
    "pillow_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
)
@pytest.mark.parametrize("behind", [bytes(1000), b"\xff\xda\xff\xd9" * 100, b"PK\3\4 and more"])
def test_what_follows_the_image_does_not_matter(pillow_format: str, behind: bytes) -> None:
    """In no format."""
    data = encoded(ASTRONAUT, pillow_format)
    assert np.array_equal(read(data + behind).pixels, read(data).pixels)


def chunks(data: bytes) -> dict[bytes, int]:
    """Return where in a PNG each kind of chunk first begins."""
    places: dict[bytes, int] = {}
    start = 8
    while start < len(data):
        places.setdefault(data[start + 4 : start + 8], start)
        start += 12 + int.from_bytes(data[start : start + 4], "big")
    return places


def flipped(data: bytes, place: int) -> bytes:
    """Return the data with one byte changed."""
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iCCP", b"eXIf", b"pHYs"])
@pytest.mark.parametrize("offset", [9, -1], ids=["body", "checksum"])
def test_a_png_with_a_damaged_ancillary_chunk_is_read(kind: bytes, offset: int) -> None:
    """Its pixels are intact."""
    info = PngInfo()
    info.add_text("Title", "a photo")
    info.add_text("Comment", "a long one" * 20, zip=True)
    data = encoded(
        ASTRONAUT, "PNG", pnginfo=info, exif=exif_of(6), dpi=(72, 72), icc_profile=rgb_profile(3.0)
    )
    start = chunks(data)[kind]
    place = start + (offset if offset > 0 else 11 + int.from_bytes(data[start : start + 4], "big"))
    photo = read(flipped(data, place))
    if kind == b"eXIf":
        assert photo.width == 96
    elif kind == b"iCCP":
        assert np.array_equal(photo.pixels, np.rot90(RGB, -1))
    else:
        assert np.array_equal(photo.pixels, read(data).pixels)


@pytest.mark.parametrize(("mode", "length"), [("L", 0), ("L", 1), ("RGB", 5), ("P", 257)])
def test_a_png_whose_transparency_makes_no_sense_is_opaque(mode: str, length: int) -> None:
    """Grey has one transparent value of 2 bytes, colour one of 6; a palette has 256 at most."""
    data = encoded(ASTRONAUT.convert(mode), "PNG")
    start = chunks(data)[b"IDAT"]
    photo = read(data[:start] + png_chunk(b"tRNS", bytes(length)) + data[start:])
    assert photo.alpha is None
    assert np.array_equal(photo.pixels, read(data).pixels)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"])
def test_a_png_with_a_damaged_critical_chunk_is_invalid(kind: bytes) -> None:
    """Header, palette or pixels."""
    data = encoded(ASTRONAUT.quantize(16), "PNG")
    with pytest.raises(InvalidImage):
        read(flipped(data, chunks(data)[kind] + 20))


def test_a_png_without_its_end_is_read() -> None:
    """All pixels are there."""
    data = encoded(ASTRONAUT, "PNG")
    for cut in (12, 8, 3):
        assert mean_difference(read(data[:-cut]), RGB) == 0


def test_heic_is_read_in_a_fresh_process() -> None:
    """Its plugin is loaded at the first HEIC image, and not before."""
    program = (
        "import sys\n"
        "from cutout.image.decode import Limits, decode\n"
        "assert 'pillow_heif' not in sys.modules\n"
        "photo = decode(sys.stdin.buffer.read(), limits=Limits(max_pixels=10_000))\n"
        "print(photo.width, photo.height, 'pillow_heif' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=encoded(ASTRONAUT, "HEIF"),
        capture_output=True,
        check=True,
        cwd=FUNCTION,
    )
    assert done.stdout.split() == [b"96", b"64", b"True"]


def test_heic_is_refused_where_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment without the optional layer names the format, and what it reads instead."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(encoded(ASTRONAUT, "HEIF"))
    assert str(refusal.value) == (
        "The image is HEIC, which this deployment does not support. "
        "Accepted: jpeg, png, webp, gif, bmp, tiff, avif."
    )


def cmyk_profile() -> bytes:
    """Return a CMYK profile (ICC.1:2001-04, lut8Type) of an ink set that is always the same red."""
    lab = bytes([128, 200, 180])
    identity = b"".join(struct.pack(">i", 65536 * (index % 4 == 0)) for index in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity
    table += bytes(range(256)) * 4 + lab * 16 + bytes(range(256)) * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", start, 20, b"A2B0", start + 20, len(table))
    body = tags + white + table
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"\0\0\0\0", 0x02100000, b"prtr", b"CMYK", b"Lab "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + body


@pytest.mark.parametrize("pillow_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile(pillow_format: str) -> None:
    """From the four inks, and not from an RGB that was guessed before."""
    cyan = Image.new("CMYK", (8, 8), (200, 20, 20, 20))
    assert read(encoded(cyan, pillow_format)).pixels[4, 4, 1] > 150
    photo = read(encoded(cyan, pillow_format, icc_profile=cmyk_profile()))
    red, green, _ = photo.pixels[4, 4].tolist()
    assert green < 10 < red


def test_a_square_under_a_cap_is_as_large_as_the_cap_allows() -> None:
    """In floating point one in seven of them lost a pixel of each side."""
    assert {capped(side, side, 250_000) for side in range(501, 9_001)} == {(500, 500)}
    assert capped(1_014, 507, 500_000) == (1_000, 500)


@pytest.mark.parametrize(
    ("size", "cap_px", "expected"),
    [
        ((2, 60_000), 1_000, (1, 1_000)),
        ((60_000, 2), 1_000, (1_000, 1)),
        ((2, 5_000), 6_000, (1, 3_872)),
        ((5_000, 2), 6_000, (3_872, 1)),
    ],
)
def test_a_cap_holds_for_a_ribbon_too(
    size: tuple[int, int], cap_px: int, expected: tuple[int, int]
) -> None:
    """Its short side cannot be under a pixel, so that its ratio gives way."""
    photo = read(encoded(Image.new("RGB", size), "PNG"), cap_px=cap_px)
    assert (photo.width, photo.height) == expected


@pytest.mark.parametrize(
    "pillow_format", ["AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP"]
)
def test_a_picture_that_can_only_end_in_a_timeout(pillow_format: str) -> None:
    """It is refused by its header: 6,144 px take at least 17 to 49 µs, whatever the format."""
    data = encoded(ASTRONAUT, pillow_format)
    with pytest.raises(OutOfTime) as refusal:
        read(data, budget_ms=0.015)
    assert refusal.value.facts == {"before": "decode"}
    assert read(data, budget_ms=0.05).width == 96


def test_a_preview_takes_less_time() -> None:
    """The later stages see the smaller photo only."""
    assert read(encoded(ASTRONAUT, "JPEG"), budget_ms=0.015, cap_px=100).height == 8


def test_a_picture_without_time_is_not_decoded() -> None:
    """Nobody finds out that it is truncated."""
    data = encoded(Image.new("1", (7000, 7000)), "PNG")
    data = data[: len(data) // 2]
    remover = Remover(ModelUnavailable(reason="test"), LIMITS)
    with pytest.raises(OutOfTime):
        remover.remove(data, Options(), budget_ms=200)
    with pytest.raises(InvalidImage):
        remover.remove(data, Options(), budget_ms=600_000)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_png_without_any_data(mode: str) -> None:
    """It is no black picture."""
    data = encoded(ASTRONAUT.convert(mode), "PNG")
    cut = data[: data.index(b"IDAT") + 3]
    for damaged in (cut, cut[:-7] + data[-12:]):  # without an end mark, and with one
        with pytest.raises(InvalidImage):
            read(damaged)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_a_fault_of_ours_is_not_told_as_damage(name: str) -> None:
    """What asks about the photo's size does not read the file, so the file is not to blame."""

    def check(_whole: tuple[int, int], _kept: tuple[int, int]) -> None:
        raise AttributeError("ours")

    data = encoded(Image.new("RGB", (8, 8)), name)
    with pytest.raises(AttributeError, match=r"^ours$"):
        decode(data, limits=Limits(max_pixels=64), check=check)
