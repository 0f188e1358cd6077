"""Colours that a file names by numbers instead of a profile: HEIC, AVIF and PNG."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from heif_files import avif, avif_tiles
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cutout.image.decode import Limits, Photo, decode
from image_files import encoded, png_chunk

pillow_heif.register_heif_opener()

P3, BT2020, DCI = 12, 9, 11
SRGB_CURVE, LINEAR, PQ, HLG = 13, 8, 16, 18
# Linear light to linear sRGB; of P3 as CSS Color 4 has it, and of BT.2020 as BT.2087 has it.
TO_SRGB = {
    P3: [[1.2249, -0.2249, 0], [-0.0421, 1.0421, 0], [-0.0196, -0.0786, 1.0983]],
    BT2020: [[1.6605, -0.5877, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
}
PATCHES = [(200, 100, 50), (90, 140, 200), (120, 180, 90), (128, 128, 128), (10, 12, 20)]


def linear(colours: Any) -> NDArray[np.float64]:
    """Return the light of sRGB's values, 0..1."""
    share = np.asarray(colours, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def shown(light: Any) -> NDArray[np.float64]:
    """Return sRGB's values, 0..255, of light."""
    light = np.clip(light, 0, 1)
    values: NDArray[np.float64] = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return 255 * values


def patches(mode: str = "RGB") -> Image.Image:
    """Return the patches beside each other, each of 64 px squared."""
    row = np.repeat(np.array([PATCHES], np.uint8), 64, axis=1)
    return Image.fromarray(np.repeat(row, 64, axis=0)).convert(mode, palette=Image.Palette.ADAPTIVE)


def named(
    pillow_format: str,
    primaries: int,
    transfer: int,
    picture: Image.Image | None = None,
    **settings: Any,
) -> bytes:
    """Return a HEIC or AVIF whose ``nclx`` box has these code points."""
    whole = {"chroma": 444} if pillow_format == "HEIF" else {"subsampling": "4:4:4"}
    data = encoded(picture or patches(), pillow_format, quality=100, **whole, **settings)
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def in_the_data(
    data: bytes, primaries: int, transfer: int, *, was: tuple[int, int] = (1, SRGB_CURVE)
) -> bytes:
    """Return an AVIF with these code points in its sequence header, and without an ``nclx`` box."""
    place = data.index(b"mdat") + 4
    header = int.from_bytes(data[place : place + 40])
    old, new = (int.from_bytes([*pair, 6]) for pair in (was, (primaries, transfer)))
    (shift,) = (shift for shift in range(8 * 38) if header >> shift & 0xFFFFFF == old)
    header ^= (old ^ new) << shift
    data = data[:place] + header.to_bytes(40) + data[place + 40 :]
    return data.replace(b"colrnclx", b"freenclx")


def read(data: bytes) -> Photo:
    """Return the photo."""
    return decode(data, limits=Limits(max_pixels=1_000_000))


def middles(photo: Photo) -> NDArray[np.uint8]:
    """Return the colour in the middle of each patch, uint8 (n, 3)."""
    return photo.pixels[32, 32::64]


def linear_profile() -> bytes:
    """Return sRGB's profile with a straight line for its curves."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        tag, offset, size = struct.unpack_from(">4sII", profile, entry)
        if tag.endswith(b"TRC"):
            curve = b"para" + bytes(8) + struct.pack(">i", 65_536)
            profile[offset : offset + size] = curve + bytes(size - len(curve))
        if tag == b"desc":
            profile[offset + 12 : offset + size] = b"\0L" * ((size - 12) // 2)
    return bytes(profile)


@pytest.mark.parametrize("pillow_format", ["HEIF", "AVIF"])
@pytest.mark.parametrize("primaries", [P3, BT2020])
@pytest.mark.parametrize("transfer", [SRGB_CURVE, 1, 2, 6, 14, 15, HLG])
def test_wide_colours_are_converted(pillow_format: str, primaries: int, transfer: int) -> None:
    """By the published matrix; no curve of television or of HLG is another one than sRGB's."""
    expected = shown(linear(PATCHES) @ np.transpose(TO_SRGB[primaries]))
    found = middles(read(named(pillow_format, primaries, transfer)))
    assert np.abs(found - expected).max() <= 2.5


@pytest.mark.parametrize("is_film", [False, True])
@pytest.mark.parametrize(("primaries", "transfer"), [(P3, SRGB_CURVE), (BT2020, 1), (1, LINEAR)])
def test_colours_that_only_the_data_of_an_avif_names(
    primaries: int, transfer: int, is_film: bool
) -> None:
    """They are converted like those of the box, as in browsers. A film's data begins otherwise."""
    film: dict[str, Any] = {"save_all": True, "append_images": [patches("L").convert("RGB")]}
    film = film if is_film else {}
    plain = named("AVIF", 1, SRGB_CURVE, **film)
    found = read(in_the_data(plain, primaries, transfer))
    assert np.array_equal(found.pixels, read(named("AVIF", primaries, transfer, **film)).pixels)
    assert not np.array_equal(found.pixels, read(plain).pixels)


@pytest.mark.parametrize("primaries", [1, 2])
def test_a_box_counts_more_than_the_data_of_an_avif(primaries: int) -> None:
    """Even if it says that the colours are not known."""
    plain = named("AVIF", 1, SRGB_CURVE)
    data = in_the_data(plain, P3, SRGB_CURVE).replace(b"freenclx", b"colrnclx")
    place = data.index(b"nclx") + 4
    data = data[:place] + struct.pack(">HH", primaries, primaries) + data[place + 4 :]
    assert np.array_equal(read(data).pixels, read(plain).pixels)


def test_a_profile_counts_more_than_the_data_of_an_avif() -> None:
    """As it does with a box."""
    plain = named("AVIF", 1, SRGB_CURVE, icc_profile=linear_profile())
    data = in_the_data(plain, P3, PQ, was=(2, 2))
    assert np.array_equal(read(data).pixels, read(plain).pixels)


def test_a_grid_has_the_colours_that_its_first_tile_names() -> None:
    """Neither has a box for them."""
    expected = read(in_the_data(avif(64), P3, SRGB_CURVE)).pixels
    tiles = avif_tiles(2, 1, 64, claimed=64, is_shared=True)
    found = read(in_the_data(tiles, P3, SRGB_CURVE)).pixels
    assert np.array_equal(found, np.hstack([expected, expected]))
    assert not np.array_equal(expected, read(avif(64)).pixels)


@pytest.mark.parametrize("pillow_format", ["HEIF", "AVIF"])
@pytest.mark.parametrize("primaries", [1, 2, 5, 6, 7, 22])
def test_other_colours_stay_as_they_are(pillow_format: str, primaries: int) -> None:
    """Those of sRGB, of none, and of old television, which differ little."""
    with Image.open(io.BytesIO(named(pillow_format, primaries, SRGB_CURVE))) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(read(named(pillow_format, primaries, SRGB_CURVE)).pixels, expected)


def test_the_white_of_cinemas_is_white() -> None:
    """Theirs is greener than D65, and the eye takes it for white."""
    white = Image.new("RGB", (64, 64), "white")
    assert middles(read(named("AVIF", DCI, SRGB_CURVE, white))).tolist() == [[255, 255, 255]]


@pytest.mark.parametrize(("transfer", "gamma"), [(LINEAR, 1), (4, 2.2), (5, 2.8)])
def test_a_power_is_another_curve(transfer: int, gamma: float) -> None:
    """Without another colour."""
    expected = shown((np.array(PATCHES) / 255) ** gamma)
    assert np.abs(middles(read(named("AVIF", 1, transfer))) - expected).max() <= 4


def pq(nits: float) -> int:
    """Return the value of 8 bits that shows a luminance (SMPTE ST 2084)."""
    power: float = (nits / 10_000) ** (2610 / 16_384)
    share: float = (3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)
    signal: float = share ** (2523 / 32)
    return round(255 * signal)


@pytest.mark.parametrize("nits", [0, 1, 5, 20, 50, 90])
def test_what_is_darker_than_a_white_page_keeps_its_luminance_in_pq(nits: float) -> None:
    """White being 203 cd/m²; a step of 8 bits is 4 % of the luminance there."""
    grey = Image.new("RGB", (64, 64), (pq(nits),) * 3)
    (found,) = middles(read(named("AVIF", BT2020, PQ, grey)))
    assert np.ptp(found) <= 1
    assert linear(found[1]) == pytest.approx(nits / 203, rel=0.05, abs=0.001)


def test_highlights_are_told_apart_in_pq() -> None:
    """Up to 1,000 cd/m², which is white; a white page is a little less than that."""
    values = []
    for nits in (100, 203, 400, 800, 1_000, 4_000):
        grey = Image.new("RGB", (64, 64), (pq(nits),) * 3)
        values.append(int(middles(read(named("AVIF", BT2020, PQ, grey)))[0, 1]))
    assert 225 <= values[1] <= 240
    assert values[:4] == sorted(set(values[:4]))
    assert values[4:] == [255, 255]


@pytest.mark.parametrize("pillow_format", ["HEIF", "AVIF"])
def test_alpha_is_not_converted(pillow_format: str) -> None:
    """It is no colour."""
    picture = patches("RGBA")
    picture.putalpha(128)
    photo = read(named(pillow_format, P3, SRGB_CURVE, picture))
    expected = shown(linear(PATCHES) @ np.transpose(TO_SRGB[P3]))
    assert photo.alpha is not None
    assert np.abs(photo.alpha[32, 32::64].astype(int) - 128).max() <= 1
    assert np.abs(middles(photo) - expected).max() <= 2.5


def test_grey_is_the_same_grey_in_wide_colours() -> None:
    """But not in PQ."""
    picture = patches("L")
    expected = np.asarray(picture)[32, 32::64]
    found = middles(read(named("HEIF", P3, SRGB_CURVE, picture)))
    assert np.abs(found.astype(int) - expected[:, None]).max() <= 1
    assert (middles(read(named("HEIF", P3, PQ, picture)))[1] > expected[1] + 20).all()


def test_a_profile_counts_more() -> None:
    """What names the colours beside it is for decoders that read no profiles."""
    picture = patches()
    found = read(named("AVIF", BT2020, PQ, picture, icc_profile=linear_profile()))
    expected = read(named("AVIF", 1, SRGB_CURVE, picture, icc_profile=linear_profile()))
    assert np.array_equal(found.pixels, expected.pixels)
    assert np.abs(middles(found) - shown(np.array(PATCHES) / 255)).max() <= 4


def png(*chunks: bytes, mode: str = "RGB", **settings: Any) -> bytes:
    """Return the patches as a PNG with chunks behind its header."""
    data = encoded(patches(mode), **settings)
    return data[:33] + b"".join(chunks) + data[33:]


def gamma(value: int) -> bytes:
    """Return the chunk that says the inverse of the exponent, in 100,000ths."""
    return png_chunk(b"gAMA", struct.pack(">I", value))


def chromaticities(*values: int) -> bytes:
    """Return the chunk of x and y of white, red, green and blue, in 100,000ths."""
    return png_chunk(b"cHRM", struct.pack(">8I", *values))


SRGB_CHROMATICITIES = chromaticities(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_CHROMATICITIES = chromaticities(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
IS_SRGB = png_chunk(b"sRGB", b"\0")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize(
    "chunks",
    [
        [png_chunk(b"cICP", bytes([P3, SRGB_CURVE, 0, 1]))],
        [png_chunk(b"cICP", bytes([P3, SRGB_CURVE, 0, 1])), IS_SRGB],
        [gamma(45455), P3_CHROMATICITIES],
        [P3_CHROMATICITIES],
    ],
)
def test_wide_colours_of_a_png(chunks: list[bytes], mode: str) -> None:
    """By code points or by chromaticities."""
    expected = shown(linear(PATCHES) @ np.transpose(TO_SRGB[P3]))
    assert np.abs(middles(read(png(*chunks, mode=mode))) - expected).max() <= 1


@pytest.mark.parametrize(
    ("value", "exponent"), [(100_000, 1), (55_556, 1.8), (40_000, 2.5), (62_500, 1.6)]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_a_pngs_gamma(value: int, exponent: float, mode: str) -> None:
    """As browsers take it, of grey too."""
    picture = patches() if mode == "RGB" else patches("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    data = encoded(picture)
    own = np.asarray(picture.convert("RGB") if mode != "I;16" else patches("L").convert("RGB"))
    expected = shown((own[32, 32::64] / 255) ** exponent)
    found = middles(read(data[:33] + gamma(value) + data[33:]))
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(45455), SRGB_CHROMATICITIES],
        [gamma(45455)],
        [gamma(45000), chromaticities(31269, 32899, 63999, 33001, 30000, 60000, 15000, 5999)],
        [IS_SRGB, gamma(100_000), P3_CHROMATICITIES],
        [png_chunk(b"cICP", bytes([1, SRGB_CURVE, 0, 1])), gamma(100_000)],
        [png_chunk(b"cICP", bytes([P3, SRGB_CURVE, 9, 1]))],
        [png_chunk(b"cICP", bytes([P3, SRGB_CURVE, 0, 0]))],
        [png_chunk(b"cICP", bytes([P3, SRGB_CURVE]))],
        [gamma(0)],
        [gamma(1)],
        [png_chunk(b"iCCP", b"of an unknown compression\0\1" + zlib.compress(linear_profile()))],
        [chromaticities(*[0] * 8)],
        [chromaticities(*[30_000] * 8)],
        [chromaticities(31270, 32900, 64000, 33000, 64000, 33001, 15000, 6000)],
        [chromaticities(31270, 0, 64000, 33000, 30000, 60000, 15000, 6000)],
        [gamma(100_000)[:-1] + b"!"],
    ],
)
def test_a_png_of_srgb_is_left_as_it_is(chunks: list[bytes]) -> None:
    """As most encoders say it; and numbers that make no sense do not count."""
    assert np.array_equal(read(png(*chunks)).pixels, np.asarray(patches()))


def test_what_counts_most_in_a_png() -> None:
    """Code points, then a profile, and gamma last."""
    profile = linear_profile()
    of_profile = shown(np.array(PATCHES) / 255)
    found = middles(read(png(gamma(40_000), P3_CHROMATICITIES, icc_profile=profile)))
    assert np.abs(found - of_profile).max() <= 1
    points = png_chunk(b"cICP", bytes([1, SRGB_CURVE, 0, 1]))
    assert np.array_equal(read(png(points, icc_profile=profile)).pixels, np.asarray(patches()))
