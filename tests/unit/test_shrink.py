"""A cutout made smaller until its file fits: exact pixels, bounded tries."""

from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from cutout.color import Color
from cutout.errors import InvalidOption, OutOfTime, ResultTooLarge
from cutout.image import shrink
from cutout.image.compose import Cutout, coverage_of
from cutout.image.encode import ImageFile, encode
from cutout.image.place import Box, subject_of
from cutout.image.reduced import reduced
from cutout.image.shrink import Encoded, encode_within
from cutout.options import Channels, Format, Options


def cutout_of(pixels: NDArray[np.uint8]) -> Cutout:
    """Return a cutout of uint8 (H, W, 4) as compose would describe it."""
    alpha = pixels[..., 3]
    return Cutout(pixels=pixels, subject=subject_of(alpha), coverage=coverage_of(alpha))


def astronaut() -> Cutout:
    """Return a photograph with a soft round matte."""
    rows, columns = np.mgrid[-1:1:512j, -1:1:512j]
    alpha = np.rint(np.clip(3 - 4 * (rows**2 + columns**2), 0, 1) * 255).astype(np.uint8)
    pixels = np.dstack([skimage.data.astronaut(), alpha])
    pixels[alpha == 0] = 0
    return cutout_of(pixels)


def within(
    cutout: Cutout, options: Options, share: float, has_time: Callable[[], bool] = lambda: True
) -> tuple[Encoded, int]:
    """Return what fits a share of the full file's bytes, and that limit."""
    limit = int(len(encode(cutout, options).body) * share)
    return encode_within(cutout, options, max_bytes=limit, has_time=has_time), limit


FORMATS = [Format.PNG, Format.JPG, Format.WEBP, Format.AVIF, Format.BMP, Format.GIF, Format.TIFF]
FORMATS += [Format.ZIP, Format.AUTO]


@pytest.mark.parametrize(
    ("share", "least"), [(0.999, 0.9), (0.95, 0.9), (0.7, 0.9), (0.5, 0.9), (0.1, 2 / 3)]
)
@pytest.mark.parametrize("name", FORMATS)
def test_it_fits_and_is_not_much_smaller_than_it_must_be(
    name: Format, share: float, least: float
) -> None:
    """The limit is kept, nine tenths are used, and what is told is what is in the file."""
    encoded, limit = within(astronaut(), Options(format=name), share)
    assert limit * least <= len(encoded.file.body) <= limit
    assert (encoded.file.width, encoded.file.height) == (round(512 * encoded.scale),) * 2
    assert encoded.cutout.pixels.shape == (encoded.file.height, encoded.file.width, 4)
    assert 0 < encoded.scale < 1
    assert encoded.scale == round(encoded.scale, 4)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return a list to which the encoder adds the shape of all of which it makes a file."""
    given: list[tuple[int, ...]] = []

    def encode_and_count(cutout: Cutout, options: Options) -> ImageFile:
        given.append(cutout.pixels.shape)
        return encode(cutout, options)

    monkeypatch.setattr(shrink, "encode", encode_and_count)
    return given


def placed(width: int, height: int, top: int, left: int) -> Cutout:
    """Return the astronaut, 512 x 512 px, in an empty canvas."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[top : top + 512, left : left + 512] = astronaut().pixels
    return cutout_of(pixels)


@pytest.mark.parametrize("share", [0.9, 0.5])
@pytest.mark.parametrize("name", [*FORMATS[:3], *FORMATS[4:8]])
@pytest.mark.parametrize(
    "place", [(1500, 1500, 0, 0), (1500, 1500, 988, 988), (600, 1800, 1200, 0), (1800, 520, 8, 0)]
)
def test_the_limit_is_filled_wherever_the_subject_is(
    monkeypatch: pytest.MonkeyPatch, name: Format, share: float, place: tuple[int, int, int, int]
) -> None:
    """In a corner or at the end of a long picture, whose middle is empty: in three files."""
    given = counted(monkeypatch)
    encoded, limit = within(placed(*place), Options(format=name), share)
    assert limit * 0.9 <= len(encoded.file.body) <= limit
    assert len(given) <= 3


def test_what_fits_is_not_touched() -> None:
    """Nor is anything, without a limit."""
    cutout, options = astronaut(), Options()
    for limit in (None, len(encode(cutout, options).body)):
        encoded = encode_within(cutout, options, max_bytes=limit, has_time=lambda: False)
        assert encoded.cutout is cutout
        assert encoded.scale == 1.0
        assert encoded.file.body == encode(cutout, options).body


def test_the_matte_alone_fits_too() -> None:
    """A grey PNG, scaled as the cutout is."""
    encoded, limit = within(astronaut(), Options(channels=Channels.ALPHA), 0.5)
    assert len(encoded.file.body) <= limit
    assert encoded.file.media_type == "image/png"


@pytest.mark.parametrize("side", [100, 64, 50, 33, 7])
def test_a_smaller_cutout_has_no_colour_but_its_own(side: int) -> None:
    """Hidden colours play no part, colour is 0 at alpha 0, and the box is where the pixels are."""
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[..., :3] = (0, 255, 0)
    pixels[20:71, 30:81] = (200, 20, 20, 255)
    smaller = reduced(cutout_of(pixels), side / 100, Options())
    alpha = smaller.pixels[..., 3]
    assert alpha.shape == (side, side)
    assert not smaller.pixels[alpha == 0].any()
    assert (np.abs(smaller.pixels[alpha > 128][:, :3].astype(int) - (200, 20, 20)) <= 1).all()
    assert smaller.subject == subject_of(alpha)
    assert smaller.coverage == coverage_of(alpha)


def test_even_areas_stay_exactly_what_they_are() -> None:
    """But for the pixels along their edges."""
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[8:24, 12:36] = (10, 20, 30, 255)
    smaller = reduced(cutout_of(pixels), 0.5, Options()).pixels
    assert (smaller[5:11, 7:17] == (10, 20, 30, 255)).all()
    around = np.ones((20, 30), bool)
    around[3:13, 5:19] = False
    assert not smaller[around].any()
    assert not (smaller[3:13, 5:19, 3] == 0).all()


def test_on_a_background_the_box_is_scaled_outwards() -> None:
    """The matte is gone there; the coverage stays that of the matte."""
    pixels = np.full((100, 100, 4), 255, np.uint8)
    box = Box(top=11, left=21, width=33, height=45)
    cutout = Cutout(pixels=pixels, subject=box, coverage=0.25)
    smaller = reduced(cutout, 0.5, Options(format=Format.JPG))
    assert smaller.subject == Box(top=5, left=10, width=17, height=23)
    assert smaller.coverage == 0.25
    empty = Cutout(pixels=pixels, subject=Box(), coverage=0.0)
    assert reduced(empty, 0.5, Options()).subject == Box()


@pytest.mark.parametrize("is_upright", [False, True])
def test_the_box_never_passes_the_edge(is_upright: bool) -> None:
    """For any side of the result: not every product of quotients is exact."""
    pixels = np.full((1500, 4, 4) if is_upright else (4, 1500, 4), 255, np.uint8)
    for side in range(1, 1500, 7):
        smaller = reduced(cutout_of(pixels), side / 1500, Options())
        height, width = smaller.pixels.shape[:2]
        assert max(height, width) == side
        assert smaller.subject == Box(width=width, height=height)


def test_on_a_translucent_background_too() -> None:
    """Its alpha is not the matte's."""
    pixels = np.full((100, 100, 4), (0, 0, 255, 128), np.uint8)
    pixels[40:60, 20:60] = (200, 10, 10, 255)
    box = Box(top=40, left=20, width=40, height=20)
    cutout, color = Cutout(pixels=pixels, subject=box, coverage=0.08), Color(r=0, g=0, b=255, a=128)
    smaller = reduced(cutout, 0.5, Options(bg_color=color))
    assert smaller.subject == Box(top=20, left=10, width=20, height=10)
    assert smaller.coverage == 0.08


def test_the_extended_colours_of_a_zip_stay() -> None:
    """They are not weighted by alpha, which is 0 there."""
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[..., :3] = (200, 20, 20)
    pixels[20:40, 20:40, 3] = 255
    smaller = reduced(cutout_of(pixels), 0.5, Options(format=Format.ZIP)).pixels
    assert (smaller[..., :3] == (200, 20, 20)).all()
    assert smaller[..., 3].max() == 255


@pytest.mark.parametrize("name", [Format.PNG, Format.ZIP])
@pytest.mark.parametrize("channels", Channels)
def test_hard_edges_stay_hard(name: Format, channels: Channels) -> None:
    """Every pixel is opaque or transparent at any size, and hidden ones are black but in a zip."""
    pixels = astronaut().pixels.copy()
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    pixels[..., :3] = np.maximum(pixels[..., :3], 1)
    if name is not Format.ZIP:
        pixels[pixels[..., 3] == 0] = 0
    options = Options(format=name, channels=channels, semitransparency=False)
    encoded, _ = within(cutout_of(pixels), options, 0.5)
    smaller, alpha = encoded.cutout.pixels, encoded.cutout.pixels[..., 3]
    assert set(np.unique(alpha)) == {0, 255}
    assert smaller[alpha == 0][:, :3].any() == (name is Format.ZIP)
    assert encoded.cutout.subject == subject_of(alpha)
    assert encoded.cutout.coverage == coverage_of(alpha)


def test_a_ribbon_keeps_a_pixel_of_width() -> None:
    """However much smaller it gets."""
    pixels = np.full((2, 3000, 4), 255, np.uint8)
    assert reduced(cutout_of(pixels), 0.1, Options()).pixels.shape == (1, 300, 4)


def faked(monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> list[tuple[int, ...]]:
    """Let the encoder make files of these sizes, one after the other; return what it was given."""
    given: list[tuple[int, ...]] = []

    def fake(cutout: Cutout, _: Options) -> ImageFile:
        given.append(cutout.pixels.shape)
        height, width = cutout.pixels.shape[:2]
        return ImageFile(
            body=bytes(sizes[len(given) - 1]),
            format=Format.PNG,
            media_type="image/png",
            width=width,
            height=height,
        )

    monkeypatch.setattr(shrink, "encode", fake)
    return given


def test_the_tries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four files at most; one that never gets small enough is refused, with the full size."""
    given = faked(monkeypatch, [1000, 900, 800, 700])
    with pytest.raises(ResultTooLarge) as refusal:
        encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: True)
    assert len(given) == 4
    assert [shape[0] for shape in given] == sorted((shape[0] for shape in given), reverse=True)
    assert str(refusal.value) == (
        "The result is 1000 bytes, and a reply can carry 100. Use a smaller size instead."
    )


def test_a_file_that_became_too_small_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The larger of two that fit is taken."""
    given = faked(monkeypatch, [1000, 40, 95])
    encoded = encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: True)
    assert len(encoded.file.body) == 95
    assert given[2][0] > given[1][0]


def test_a_file_of_exactly_the_limit_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does one of exactly 95 %, after which nothing more is tried."""
    for size in (100, 95):
        given = faked(monkeypatch, [1000, size])
        encoded = encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: True)
        assert (len(encoded.file.body), len(given)) == (size, 2)


@pytest.mark.parametrize("share", [0.999_999, 0.95, 0.7, 0.4, 0.15])
def test_a_file_without_compression_is_right_at_once(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """BMP: two files of the whole, of which the second has 95 % of the limit or more."""
    given = counted(monkeypatch)
    limit = int(len(encode(astronaut(), Options(format=Format.BMP)).body) * share)
    encoded = encode_within(
        astronaut(), Options(format=Format.BMP), max_bytes=limit, has_time=lambda: True
    )
    assert len(given) == 2
    assert limit * 0.95 <= len(encoded.file.body) <= limit


def test_sides_that_would_be_a_hundredth_longer_are_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise loses a tenth of its bytes where it is scaled at all, and no try finds them again."""
    noise = np.random.default_rng(3).integers(0, 256, (400, 400, 4), np.uint8)
    noise[..., 3] = 255
    given = faked(monkeypatch, [1_000_001, 900_000])
    encoded = encode_within(
        cutout_of(noise), Options(format=Format.WEBP), max_bytes=1_000_000, has_time=lambda: True
    )
    assert (len(encoded.file.body), len(given)) == (900_000, 2)
    assert encoded.scale > 0.97


def test_time_that_ends_before_the_last_try_is_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another try might have fitted."""
    faked(monkeypatch, [1000, 900, 800])
    left = iter([True, True, False])
    with pytest.raises(OutOfTime):
        encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: next(left))


def test_without_time_what_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where nothing fits yet, it is a time-out, told before the platform gives up."""
    faked(monkeypatch, [1000, 40])
    left = iter([True, False])
    encoded = encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: next(left))
    assert len(encoded.file.body) == 40
    faked(monkeypatch, [1000, 900])
    left = iter([True, False])
    with pytest.raises(OutOfTime):
        encode_within(astronaut(), Options(), max_bytes=100, has_time=lambda: next(left))


def ribbon(width: int, height: int = 4) -> Cutout:
    """Return a long opaque cutout of one colour."""
    return cutout_of(np.full((height, width, 4), (9, 90, 200, 255), np.uint8))


@pytest.mark.parametrize(
    ("name", "limit"),
    [(Format.WEBP, 16_383), (Format.AVIF, 32_768), (Format.JPG, 65_500), (Format.AUTO, 65_500)],
)
def test_a_side_that_the_format_cannot_hold_is_made_shorter(name: Format, limit: int) -> None:
    """Just enough; its box goes with it, and without a limit of bytes it is refused."""
    cutout, options = ribbon(limit + 1_000), Options(format=name)
    encoded = encode_within(cutout, options, max_bytes=4_000_000, has_time=lambda: False)
    assert limit * 0.999 < encoded.file.width <= limit
    assert encoded.file.width == round((limit + 1_000) * encoded.scale)
    assert encoded.cutout.subject.width == encoded.file.width
    with pytest.raises(InvalidOption):
        encode_within(cutout, options, max_bytes=None, has_time=lambda: True)


def test_both_limits_are_kept() -> None:
    """The sides first, and then the bytes."""
    noise = np.random.default_rng(3).integers(0, 256, (4, 20_000, 4), np.uint8)
    noise[..., 3] = 255
    options = Options(format=Format.WEBP)
    encoded = encode_within(cutout_of(noise), options, max_bytes=10_000, has_time=lambda: True)
    assert len(encoded.file.body) <= 10_000
    assert encoded.file.width == round(20_000 * encoded.scale)


def test_the_matte_alone_has_no_longest_side() -> None:
    """It is a PNG whatever the format says."""
    options = Options(format=Format.WEBP, channels=Channels.ALPHA)
    encoded = encode_within(ribbon(20_000), options, max_bytes=10**6, has_time=lambda: True)
    assert (encoded.file.width, encoded.scale) == (20_000, 1.0)
