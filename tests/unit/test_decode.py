"""Bytes → photo: every format and mode, upright, in sRGB, within limits, never a crash."""

import io
import itertools
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cutout.errors import (
    ImageTooLarge,
    ImageTooSmall,
    InvalidImage,
    UnsupportedImageFormat,
)
from cutout.image.decode import Limits, Photo, decode

LIMITS = Limits(max_pixels=50_000_000)
ASTRONAUT = Image.fromarray(skimage.data.astronaut()).resize((96, 64))
RGB = np.asarray(ASTRONAUT)
GREY = np.asarray(ASTRONAUT.convert("L"))

pillow_heif.register_heif_opener()


def encoded(image: Image.Image, pillow_format: str, **settings: object) -> bytes:
    """Return the image as a file."""
    with io.BytesIO() as file:
        image.save(file, pillow_format, **settings)
        return file.getvalue()


def read(data: bytes, **more: int) -> Photo:
    """Return the decoded photo, whose arrays have the promised types and shapes."""
    photo = decode(data, limits=LIMITS, **more)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (photo.height, photo.width, 3)
    if photo.alpha is not None:
        assert photo.alpha.dtype == np.uint8
        assert photo.alpha.shape == photo.pixels.shape[:2]
    return photo


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


def test_float_grey_without_numbers_is_black() -> None:
    """NaN and infinity have no brightness."""
    values = np.full((8, 8), 0.5, np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    photo = read(encoded(Image.fromarray(values), "TIFF"))
    assert photo.pixels[0, :3, 0].tolist() == [0, 0, 128]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(bits: int) -> None:
    """Palettes of 2, 4 and 16 colours."""
    palette = ASTRONAUT.convert("P", palette=Image.Palette.ADAPTIVE, colors=2**bits)
    photo = read(encoded(palette, "PNG", bits=bits))
    assert mean_difference(photo, np.asarray(palette.convert("RGB"))) == 0


def png(width: int, height: int, depth: int, kind: int, rows: bytes, interlace: int = 0) -> bytes:
    """Return a PNG (ISO/IEC 15948) of raw rows, filter bytes included."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    signature = b"\x89PNG\r\n\x1a\n"
    return (
        signature
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
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
    with io.BytesIO() as file:
        tifffile.imwrite(file, associated, photometric="rgb", extrasamples=["assocalpha"])
        photo = read(file.getvalue())
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
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read(encoded(Image.fromarray(CORNERS), pillow_format, exif=exif, quality=95))
    assert mean_difference(photo, UPRIGHT[orientation](CORNERS)) < 6


@pytest.mark.parametrize("pillow_format", ["HEIF", "AVIF"])
def test_orientation_is_not_applied_twice(pillow_format: str) -> None:
    """These turn the picture by a property of their own, which the decoder has applied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read(encoded(Image.fromarray(CORNERS), pillow_format, exif=exif.tobytes(), quality=95))
    assert (photo.width, photo.height) == (40, 60)
    assert mean_difference(photo, UPRIGHT[6](CORNERS)) < 6


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


def test_a_colour_profile_is_converted_to_srgb() -> None:
    """A steeper curve makes the same numbers a darker picture."""
    photo = read(encoded(ASTRONAUT, "PNG", icc_profile=rgb_profile(3.0)))
    assert photo.pixels.mean() < RGB.mean() - 10


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


def test_the_first_frame_or_page_counts() -> None:
    """Of an animation, and of a TIFF of several pages."""
    second = Image.new("RGB", ASTRONAUT.size, "red")
    for pillow_format in ("GIF", "TIFF", "WEBP", "PNG"):
        data = encoded(
            ASTRONAUT, pillow_format, save_all=True, append_images=[second], lossless=True
        )
        assert mean_difference(read(data), RGB) < 8


def test_the_format_is_told_by_the_bytes() -> None:
    """A WebP in a file called .jpg is a WebP; names do not even reach the decoder."""
    assert mean_difference(read(encoded(ASTRONAUT, "WEBP", lossless=True)), RGB) == 0


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG"])
def test_a_cap_scales_down_and_keeps_the_ratio(pillow_format: str, orientation: int) -> None:
    """Never more pixels than the cap, and few less."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = Image.fromarray(skimage.data.astronaut()).resize((1600, 1000))
    photo = read(encoded(large, pillow_format, exif=exif), cap_px=250_000)
    width, height = (632, 395) if orientation == 1 else (395, 632)
    assert (photo.width, photo.height) == (width, height)
    assert abs(photo.pixels.mean() - skimage.data.astronaut().mean()) < 2


def test_a_cap_never_enlarges() -> None:
    """A photo under it stays as it is."""
    assert mean_difference(read(encoded(ASTRONAUT, "PNG"), cap_px=250_000), RGB) == 0


def test_a_cap_keeps_colour_under_transparency_apart() -> None:
    """Alpha is scaled beside the colours, by the same filter."""
    photo = read(encoded(Image.fromarray(TRANSPARENT), "PNG"), cap_px=1_000)
    assert photo.alpha is not None
    assert photo.width * photo.height <= 1_000


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


def test_a_tiffs_tile_is_held_to_the_limit_too() -> None:
    """A tile of 7,000 px squared around an image of 16 would be decoded whole."""
    with io.BytesIO() as file:
        tifffile.imwrite(
            file,
            np.zeros((16, 16, 3), np.uint8),
            tile=(7008, 7008),
            photometric="rgb",
            compression="zlib",
        )
        data = file.getvalue()
    with pytest.raises(ImageTooLarge):
        read(data)


def test_the_limit_itself_passes() -> None:
    """At most means at most."""
    data = encoded(ASTRONAUT, "PNG")
    assert decode(data, limits=Limits(max_pixels=96 * 64)).width == 96
    with pytest.raises(ImageTooLarge):
        decode(data, limits=Limits(max_pixels=96 * 64 - 1))


@pytest.mark.parametrize(
    "pillow_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
)
def test_truncated_files_are_invalid_never_a_crash(pillow_format: str) -> None:
    """Cut at every tenth of the file."""
    # Tall, so that the last row of a JPEG's blocks, which may be missing, is less than a tenth.
    data = encoded(ASTRONAUT.resize((96, 256)), pillow_format)
    for tenth in range(10):
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
    ],
)
def test_other_image_formats_are_named(data: bytes, found: str) -> None:
    """So that the caller knows it was not damaged, and what to convert it to."""
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(data)
    assert str(refusal.value) == (
        f"The image is {found}, which is not read. "
        "Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


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


# What follows the picture


def zipped() -> bytes:
    """Return a zip file, as some tools append."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("note.txt", "hello")
        return file.getvalue()


# As phones append a film: boxes of an MP4, with what looks like 200 starts of scans in it.
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(12) + b"\x00\x10\x00\x00mdat" + b"\xff\xda\x07" * 200
BEHIND = {
    "zeros": bytes(1000),
    "a film": FILM,
    "a zip file": zipped(),
    "the same picture": encoded(ASTRONAUT, "JPEG"),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize(
    "pillow_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
)
def test_what_follows_the_picture_is_ignored(pillow_format: str, behind: str) -> None:
    """Motion photos, gain maps, archives: the picture is the same with and without them."""
    data = encoded(ASTRONAUT, pillow_format)
    np.testing.assert_array_equal(read(data + BEHIND[behind]).pixels, read(data).pixels)


def test_a_motion_photo_of_many_pixels_is_not_taken_for_one_of_many_scans() -> None:
    """The bytes of a film mean nothing to the picture before it."""
    data = encoded(ASTRONAUT.resize((6000, 4000)), "JPEG")
    film = b"\xff\xda" * 1_000_000
    assert decode(data + FILM + film, limits=LIMITS, cap_px=10_000).width == 122


def test_a_phones_file_of_several_pictures_is_its_first() -> None:
    """MPO: previews, depth and gain maps follow the first picture, and an index names them."""
    with io.BytesIO() as file:
        others = [Image.new("RGB", (96, 64), name) for name in ("red", "blue")]
        ASTRONAUT.save(file, "MPO", save_all=True, append_images=others)
        data = file.getvalue()
    assert mean_difference(read(data), RGB) < 8  # red and blue are 90 away


# Where a JPEG may end

PHOTO = Image.fromarray(skimage.data.astronaut())
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "full chroma": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "restarts within rows": {"restart_marker_blocks": 7},
    "grey": {},
    "cmyk": {},
}


def jpeg(kind: str) -> bytes:
    """Return the astronaut, 512 px, as a JPEG of a kind."""
    mode = {"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB")
    return encoded(PHOTO.convert(mode), "JPEG", quality=90, **KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_without_its_end_mark_is_fine(kind: str) -> None:
    """Camera boards send such files, and every viewer shows them."""
    data = jpeg(kind)
    np.testing.assert_array_equal(read(data[:-2]).pixels, read(data).pixels)


@pytest.mark.parametrize("kind", ["baseline", "full chroma", "grey", "cmyk"])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["cut", "ended"])
def test_a_jpeg_that_lacks_part_of_its_last_row_of_blocks_is_fine(kind: str, end: bytes) -> None:
    """As browsers show it; all rows but the last are those of the whole file."""
    data = jpeg(kind)
    photo = read(data[:-40] + end)
    np.testing.assert_array_equal(photo.pixels[:480], read(data).pixels[:480])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_a_jpeg_that_ends_early_is_invalid(kind: str, share: float) -> None:
    """Decoders would fill the rest with grey and not tell."""
    data = jpeg(kind)
    with pytest.raises(InvalidImage, match="it is a damaged or truncated JPEG file"):
        read(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_an_end_mark_makes_a_jpeg_no_longer(kind: str, share: float) -> None:
    """A tool that closed a broken download does not make it whole."""
    data = jpeg(kind)
    with pytest.raises(InvalidImage, match="it is a damaged or truncated JPEG file"):
        read(data[: int(len(data) * share)] + b"\xff\xd9")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cap_px", [None, 20_000])
def test_a_header_that_claims_more_rows_than_there_are(kind: str, cap_px: int | None) -> None:
    """Whole in itself, but with a height of 1,024 px in the header for 512 px of data."""
    data = jpeg(kind)
    frame = next(m.start() for m in re.finditer(rb"\xff[\xc0\xc2]\x00", data))
    taller = data[: frame + 5] + (1024).to_bytes(2, "big") + data[frame + 7 :]
    with pytest.raises(InvalidImage, match="it is a damaged or truncated JPEG file"):
        decode(taller, limits=LIMITS, cap_px=cap_px)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_corner_is_not_taken_for_missing_rows(kind: str) -> None:
    """A product on a white ground ends as flat as a file that ends early."""
    image = PHOTO.copy()
    image.paste("white", (0, 300, 512, 512))
    mode = {"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB")
    data = encoded(image.convert(mode), "JPEG", quality=90, **KINDS[kind])
    assert read(data).pixels[-1, -1].min() >= 250


# Damaged chunks of a PNG


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG file."""
    right = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum or right)


def with_chunk(extra: bytes) -> bytes:
    """Return the astronaut as a PNG with something between its header and its pixels."""
    data = encoded(ASTRONAUT, "PNG")
    return data[:33] + extra + data[33:]


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Title\0x", checksum=1),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(b"profile"), checksum=1),
        chunk(b"iCCP", b"p\0\0" + b"not zlib"),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"eXIf", b"MM\0*", checksum=1),
        chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(100_000_000))),
        chunk(b"iTXt", b"broken"),
        chunk(b"pHYs", b"\0"),
        chunk(b"acTL", b"\0"),
        chunk(b"quRk", b"?"),
    ],
    ids=lambda extra: extra[4:8].decode(),
)
def test_a_png_with_a_damaged_ancillary_chunk_is_fine(extra: bytes) -> None:
    """Its pixels are intact."""
    np.testing.assert_array_equal(read(with_chunk(extra)).pixels, RGB)


@pytest.mark.parametrize(("kind", "place"), [(b"IHDR", 17), (b"IDAT", 200)])
def test_a_png_with_a_damaged_critical_chunk_is_invalid(kind: bytes, place: int) -> None:
    """The checksum of its header, or its compressed pixels."""
    data = bytearray(encoded(ASTRONAUT, "PNG"))
    data[data.index(kind) + place] ^= 1
    with pytest.raises(InvalidImage, match="it is a damaged or truncated PNG file"):
        read(bytes(data))


def test_heif_is_registered_by_the_first_heif_image() -> None:
    """Not at import, where it would cost every cold start; other formats do not need it."""
    program = (
        "import sys; from cutout.image.decode import Limits, decode\n"
        "limits = Limits(max_pixels=1_000_000)\n"
        "heic, png = sys.stdin.buffer.read().split(b'#SPLIT#')\n"
        "decode(png, limits=limits)\n"
        "print('pillow_heif' in sys.modules, decode(heic, limits=limits).width)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=encoded(ASTRONAUT, "HEIF") + b"#SPLIT#" + encoded(ASTRONAUT, "PNG"),
        cwd=Path(__file__).resolve().parents[2] / "function",
        check=True,
        capture_output=True,
    )
    assert done.stdout == b"False 96\n"


def inks_as_red() -> bytes:
    """Return an ICC profile of four inks, of which the first, cyan, looks red.

    ICC.1:2001-04: header (6.1), tags (6.2), and a lut8 (6.5.8) from inks to Lab with two points in
    each of four dimensions. No real profile says so, which is how the test knows that it was used.
    """

    def lab(cyan: int, *others: int) -> bytes:
        if any(others):
            return bytes((0, 128, 128))
        return bytes((136, 208, 195)) if cyan else bytes((255, 128, 128))

    points = [lab(*inks) for inks in itertools.product((0, 1), repeat=4)]
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536)
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + b"".join(points) + ramp * 3
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63_190, 65_536, 54_061),
        b"A2B0": lut,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        place = 128 + 4 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, place, len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63_190, 65_536, 54_061)
    return header.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("pillow_format", ["JPEG", "TIFF"])
def test_inks_are_converted_by_their_profile(pillow_format: str) -> None:
    """A CMYK file of a print shop means the colours of its own inks."""
    image = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    without = read(encoded(image, pillow_format)).pixels[16, 16]
    red = read(encoded(image, pillow_format, icc_profile=inks_as_red())).pixels[16, 16]
    assert without[0] < 60
    assert without[2] > 200
    assert red[0] > 200
    assert red[2] < 60
