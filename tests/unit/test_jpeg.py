"""JPEG files as phones, cameras and broken connections leave them: by structure, not by bytes."""

import io
import re
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from cutout.errors import InvalidImage, UnsupportedImageFormat
from cutout.image.decode import Limits, Photo, decode
from cutout.image.jpeg import read_jpeg
from image_files import encoded, exif_of

PICTURE = Image.fromarray(skimage.data.astronaut()).resize((96, 80))
KINDS: dict[str, dict[str, Any]] = {
    "4:2:0": {},
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2"},
    "progressive": {"progressive": True},
    "restart in rows": {"restart_marker_rows": 1},
    "restart in blocks": {"restart_marker_blocks": 4},
    "optimized": {"optimize": True},
}
END = b"\xff\xd9"


def jpeg(image: Image.Image = PICTURE, **settings: Any) -> bytes:
    """Return the image as a JPEG file."""
    return encoded(image, "JPEG", **{"quality": 90} | settings)


def read(data: bytes, cap_px: int | None = None) -> Photo:
    """Return the decoded photo."""
    return decode(data, limits=Limits(max_pixels=50_000_000), cap_px=cap_px)


def taller(data: bytes, rows: int) -> bytes:
    """Return a JPEG whose header says another height."""
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: frame + 5] + struct.pack(">H", rows) + data[frame + 7 :]


def film(size: int) -> bytes:
    """Return an MP4 of noise, in which there are bytes like those that begin a scan."""
    noise = np.random.default_rng(3).integers(0, 256, size, np.uint8).tobytes()
    return b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + noise + b"\xff\xda" * 200


def archive() -> bytes:
    """Return a zip file."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as parts:
            parts.writestr("note.txt", "hidden")
        return file.getvalue()


def lossless_jpeg(grey: Image.Image) -> bytes:
    """Return a grey image as a JPEG without a transform (ITU-T T.81, annex H).

    Each value is predicted by the one to the left, the first of a row by the one above, and the
    first of all by 128. Of the difference its number of bits comes first, as a code of 4 bits.
    """
    values = np.asarray(grey).astype(int)
    predicted = np.hstack([np.vstack([[[128]], values[:-1, :1]]), values[:, :-1]])
    bits = ""
    for difference in (values - predicted).ravel().tolist():
        count = abs(difference).bit_length()
        low = difference if difference >= 0 else difference + (1 << count) - 1
        bits += f"{count:04b}" + (f"{low:0{count}b}" if count else "")
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    frame = struct.pack(">HBHHB", 11, 8, grey.height, grey.width, 1) + b"\1\x11\0"
    codes = bytes([0, 0, 0, 0, 9]) + bytes(12) + bytes(range(9))  # 9 of 4 bits, for 0 to 8
    tables = struct.pack(">H", 2 + len(codes)) + codes
    scan = b"\0\x08\1\1\0\1\0\0"
    return b"\xff\xd8\xff\xc3" + frame + b"\xff\xc4" + tables + b"\xff\xda" + scan + coded + END


BEHIND_THE_END = {
    "a film": film(300_000),
    "a gain map": jpeg(PICTURE.convert("L").resize((24, 20))),
    "a zip": archive(),
    "zeros": bytes(4096),
    "a cut JPEG": jpeg()[:700],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behind", BEHIND_THE_END)
def test_what_follows_the_image_does_not_matter(kind: str, behind: str) -> None:
    """Motion photos, gain maps and archives: the picture is the first image alone."""
    alone = jpeg(**KINDS[kind])
    photo = read(alone + BEHIND_THE_END[behind])
    assert np.array_equal(photo.pixels, read(alone).pixels)


def test_a_motion_photo_of_many_pixels() -> None:
    """A film's bytes are not scans: 200 of them over 9 MP would be refused."""
    data = jpeg(Image.new("RGB", (3000, 3000), "teal")) + film(1_000_000)
    assert read(data, cap_px=10_000).width == 100


def test_the_first_picture_of_a_multi_picture_file_counts() -> None:
    """MPO, as phones with two lenses write it."""
    second = Image.new("RGB", (40, 40))
    photo = read(encoded(PICTURE, "MPO", save_all=True, append_images=[second]))
    assert np.abs(photo.pixels.astype(int) - np.asarray(PICTURE)).mean() < 8


def test_a_thumbnail_is_not_the_picture() -> None:
    """A whole JPEG within a segment, with scans and an end mark of its own."""
    thumbnail = jpeg(PICTURE.resize((16, 16)))
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\0" + thumbnail
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    data = jpeg()
    assert np.array_equal(read(data[:2] + segment + data[2:]).pixels, read(data).pixels)


@pytest.mark.parametrize(
    ("marker", "body"),
    [(0xE0, b"JFIF\0\1"), (0xE2, b"ICC_PROFILE\0\1"), (0xEE, b"Adobe\0")],
)
def test_a_segment_that_is_cut_off_does_not_count(marker: int, body: bytes) -> None:
    """No decoder needs it to read the pixels, and they are all there."""
    data = jpeg()
    segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    assert np.array_equal(read(data[:2] + segment + data[2:]).pixels, read(data).pixels)


def test_only_what_the_picture_needs_reaches_the_decoder() -> None:
    """Neither EXIF, comments, XMP nor trailing data; the colour profile does."""
    profile = b"p" * 100_000  # two segments
    data = jpeg(exif=exif_of(6), comment=b"secret", icc_profile=profile, xmp=b"<x:xmpmeta/>")
    image = read_jpeg(data + film(1000))
    with Image.open(io.BytesIO(image.data)) as opened:
        assert opened.info["icc_profile"] == profile
        assert not {"exif", "comment", "xmp"} & set(opened.info)
    assert image.exif.startswith((b"II", b"MM"))
    assert (image.width, image.height, image.mcu_height) == (96, 80, 16)


@pytest.mark.parametrize("count", [1, 2, 5, 1000])
@pytest.mark.parametrize("kind", ["4:2:0", "progressive", "restart in blocks"])
def test_fill_bytes_never_reach_the_decoder(kind: str, count: int) -> None:
    """They may be before any marker (ITU-T T.81, B.1.1.2), and before the 00 of a stuffed FF."""
    data = jpeg(**KINDS[kind])
    start = data.index(b"\xff\xda")
    filled = data[:start] + re.sub(rb"\xff(?!\xda)", b"\xff" * (1 + count), data[start:])
    assert len(filled) > len(data) + count
    assert read_jpeg(filled).data == data
    assert np.array_equal(read(filled).pixels, read(data).pixels)
    cut = read_jpeg(data[:-2] + b"\xff" * count)
    assert (cut.data, cut.is_complete) == (data, False)


@pytest.mark.parametrize("marker", [0xC9, 0xCA, 0xCB])
def test_arithmetic_coding_is_named(marker: int) -> None:
    """A kilobyte of it can take half a minute, and no browser reads it."""
    data = jpeg().replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(data)
    assert str(refusal.value) == (
        "The image is a JPEG with arithmetic coding, which is not supported. "
        "Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


def test_a_lossless_jpeg_is_read_at_any_size() -> None:
    """Its decoder makes no smaller pictures, which a cap would be satisfied with."""
    grey = PICTURE.convert("L")
    grey.putpixel((95, 79), 128)  # the grey of missing rows, for which they are looked for
    data = lossless_jpeg(grey)
    photo = read(data)
    assert np.array_equal(photo.pixels[..., 0], np.asarray(grey))
    capped = read(data, cap_px=500)
    assert (capped.width, capped.height) == (24, 20)
    smaller = np.asarray(grey.resize((24, 20), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(capped.pixels[..., 0] - smaller).max() <= 2


@pytest.mark.parametrize("bits", [2, 10, 12, 16])
def test_samples_of_another_depth_are_named(bits: int) -> None:
    """Medical pictures and films have them. They are not damaged, but no browser reads them."""
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = bits
    with pytest.raises(UnsupportedImageFormat) as refusal:
        read(bytes(data))
    assert str(refusal.value).startswith(
        f"The image is a JPEG with {bits} bits for each sample, which is not supported. "
    )


@pytest.mark.parametrize("bits", [0, 1, 17])
def test_a_depth_that_does_not_exist_is_damage(bits: int) -> None:
    """Samples have 2 to 16 bits."""
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = bits
    with pytest.raises(InvalidImage, match="damaged or truncated"):
        read(bytes(data))


def test_scans_are_counted_by_their_components() -> None:
    """30 scans of four components cost as much as 120 of one."""
    data = jpeg(Image.new("CMYK", (5000, 4000)), progressive=True)
    assert read(data, cap_px=1000).width == 35
    start = data.index(b"\xff\xda")
    assert data[start + 4] == 4
    scan = data[start : data.index(b"\xff", start + 16)]
    with pytest.raises(InvalidImage, match="scans, which only a damaged file needs"):
        read(data[:-2] + scan * 30 + END)


def test_segments_without_end() -> None:
    """A million of them are refused before the last is looked at."""
    with pytest.raises(InvalidImage, match="more than 10000 segments"):
        read(b"\xff\xd8" + b"\xff\xfe\0\x02" * 1_000_000 + jpeg()[2:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_missing_end_mark_changes_nothing(kind: str, mode: str) -> None:
    """Camera boards leave it out, and connections break between its two bytes."""
    data = jpeg(PICTURE.convert(mode), **KINDS[kind])
    whole = read(data).pixels
    for ending in (data[:-2], data[:-1]):
        assert np.array_equal(read(ending).pixels, whole)


@pytest.mark.parametrize("kind", ["4:2:0", "restart in rows", "restart in blocks", "optimized"])
def test_the_last_row_of_blocks_may_be_missing(kind: str) -> None:
    """Viewers show such a file; all the rows before are what they were."""
    data = jpeg(**KINDS[kind])
    whole = read(data).pixels
    for end_mark in (b"", END):
        photo = read(data[:-40] + end_mark)
        assert photo.height == 80
        assert np.array_equal(photo.pixels[:60], whole[:60])  # chroma is smoothed over the edge
        assert not np.array_equal(photo.pixels[64:], whole[64:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("end_mark", [b"", END], ids=["no end mark", "end mark"])
@pytest.mark.parametrize("cap_px", [None, 500])
def test_a_header_that_claims_more_rows(
    kind: str, mode: str, end_mark: bytes, cap_px: int | None
) -> None:
    """The decoder would fill them with grey and say nothing."""
    data = jpeg(PICTURE.convert(mode), **KINDS[kind])
    with pytest.raises(InvalidImage, match="its header says 200 rows and its data ends at row"):
        read(taller(data, 200)[:-2] + end_mark, cap_px)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("end_mark", [b"", END], ids=["no end mark", "end mark"])
def test_a_file_cut_at_half_is_truncated(kind: str, mode: str, end_mark: bytes) -> None:
    """With an end mark too, as a repairing tool leaves it."""
    data = jpeg(PICTURE.convert(mode), **KINDS[kind])
    start = data.index(b"\xff\xda")
    for share in (0.1, 0.3, 0.5, 0.7):
        with pytest.raises(InvalidImage):
            read(data[: start + round((len(data) - start) * share)] + end_mark)


def test_a_file_cut_at_a_restart_marker_is_truncated() -> None:
    """Where the data ends exactly between two intervals."""
    data = jpeg(restart_marker_rows=1)
    for number in range(3):
        cut = data.index(bytes([0xFF, 0xD0 + number]))
        for end_mark in (b"", END):
            with pytest.raises(InvalidImage):
                read(data[:cut] + end_mark)


def test_a_progressive_file_without_its_last_scans_is_truncated() -> None:
    """A coarse picture of all rows: what a viewer shows while it still loads."""
    data = jpeg(progressive=True)
    scans = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)]
    for place in scans[1:]:
        with pytest.raises(InvalidImage, match="truncated"):
            read(data[:place])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_photo_that_ends_in_grey_is_whole(kind: str, mode: str) -> None:
    """The same grey as a decoder's for missing rows, and all there."""
    pixels = np.asarray(PICTURE.convert("RGB")).copy()
    pixels[30:] = 128
    image = Image.fromarray(pixels).convert(mode)
    assert read(jpeg(image, **KINDS[kind])).height == 80
