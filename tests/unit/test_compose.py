"""Photo + matte + options → cutout: exact pixels, since every bit of them is ours."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from lengths import margin_of, percent, px
from numpy.typing import NDArray
from PIL import Image

from cutout.color import Color
from cutout.errors import InvalidOption, UnknownForeground
from cutout.image.backdrop import flatten
from cutout.image.compose import Cutout, compose
from cutout.image.composite import quantized
from cutout.image.decode import Limits, Photo, decode
from cutout.image.matte import Matte
from cutout.image.place import Box
from cutout.options import (
    Channels,
    Format,
    InputAlpha,
    Length,
    Margin,
    OnEmpty,
    Options,
    ShadowType,
    Size,
)
from image_files import encoded
from make_events import PHOTO

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)
BOX = Box(top=10, left=20, width=25, height=15)


def matte(edge: float = 1.0) -> NDArray[np.float32]:
    """Return a solid rectangle at BOX, whose outermost pixels have the alpha ``edge``."""
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:25, 20:45] = edge
    alpha[11:24, 21:44] = 1.0
    return alpha


def composed(alpha: NDArray[np.float32], **options: object) -> Cutout:
    """Return the cutout of PIXELS with a matte, its colours as they are in the photo."""
    settings = Options(**{"clean_edges": False, **options})  # type: ignore[arg-type]
    return compose(Photo(pixels=PIXELS, alpha=None), Matte(alpha=quantized(alpha)), settings)


def test_alpha_is_straight_and_colour_is_zero_where_it_is_zero() -> None:
    """Nothing of the removed background is recoverable; a half pixel has its full colour."""
    cutout = composed(matte(edge=0.5))
    alpha = cutout.pixels[..., 3]
    assert np.array_equal(alpha, np.rint(matte(edge=0.5) * 255).astype(np.uint8))
    assert np.array_equal(cutout.pixels[..., :3][alpha > 0], PIXELS[alpha > 0])
    assert not cutout.pixels[alpha == 0].any()
    assert cutout.subject == BOX
    assert cutout.coverage == pytest.approx(matte(edge=0.5).mean(), abs=1e-3)


def test_a_pixel_counts_as_subject_from_26_of_255() -> None:
    """The box holds what counts; what is fainter stays in the picture."""
    assert composed(matte(edge=26 / 255)).subject == BOX
    faint = composed(matte(edge=25 / 255))
    assert faint.subject == Box(top=11, left=21, width=23, height=13)
    assert faint.pixels[10, 20, 3] == 25


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.1])
def test_a_background_is_composited_exactly(alpha: float) -> None:
    """round((F·α + B·(255 - α)) / 255) in every channel; every pixel opaque."""
    cutout = composed(matte(edge=alpha), bg_color=Color(r=10, g=200, b=255))
    a = np.rint(matte(edge=alpha) * 255)[..., None]
    expected = np.floor((PIXELS * a + np.array([10, 200, 255]) * (255 - a)) / 255 + 0.5)
    assert np.array_equal(cutout.pixels[..., :3], expected.astype(np.uint8))
    assert (cutout.pixels[..., 3] == 255).all()
    assert cutout.coverage < 0.5  # the matte's, before any background


def test_a_translucent_background_lies_behind_the_subject() -> None:
    """What is opaque stays as it is, and where nothing is, there is the colour itself."""
    cutout = composed(matte(), bg_color=Color(r=10, g=200, b=255, a=128))
    inside = matte() == 1
    assert np.array_equal(cutout.pixels[inside][:, :3], PIXELS[inside])
    assert (cutout.pixels[inside][:, 3] == 255).all()
    assert (cutout.pixels[~inside] == (10, 200, 255, 128)).all()
    assert cutout.subject == BOX


def test_flatten_is_exact_for_every_alpha_and_value() -> None:
    """All 2¹⁶ pairs on four backgrounds."""
    alpha, value = np.meshgrid(np.arange(256), np.arange(256))
    for background in (0, 1, 127, 255):
        pixels = np.dstack([value, value, value, alpha]).astype(np.uint8)
        flatten(pixels, np.full(3, background, np.uint8))
        expected = (2 * (value * alpha + background * (255 - alpha)) + 255) // 510
        assert np.array_equal(pixels[..., 0], expected)


def test_a_format_without_alpha_is_on_white() -> None:
    """As remove.bg does it, where the caller names no background."""
    flat = composed(matte(edge=0.5), format=Format.JPG)
    white = composed(matte(edge=0.5), bg_color=Color(r=255, g=255, b=255))
    assert np.array_equal(flat.pixels, white.pixels)


def test_flatten_goes_on_behind_an_opaque_part() -> None:
    """In a picture of many tiles, the first of which are opaque."""
    pixels = np.random.default_rng(4).integers(0, 256, (700, 600, 4), dtype=np.uint8)
    pixels[:300, :, 3] = 255
    value, alpha = pixels[..., :3].astype(int), pixels[..., 3:].astype(int)
    expected = (2 * (value * alpha + 9 * (255 - alpha)) + 255) // 510
    flatten(pixels, np.full(3, 9, np.uint8))
    assert np.array_equal(pixels[..., :3], expected)
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize(("scale", "size"), [(None, 15 * 25), (50.0, 20 * 30)])
def test_without_semitransparency_alpha_is_divided_at_one_half(
    scale: float | None, size: int
) -> None:
    """127 of 255 is transparent and 128 opaque, at any scale; transparent pixels have no colour."""
    for edge, opaque in ((127, 13 * 23), (128, 15 * 25)):
        cutout = composed(matte(edge=edge / 255), semitransparency=False, scale=scale)
        alpha = cutout.pixels[..., 3]
        assert set(np.unique(alpha)) == {0, 255}
        assert not cutout.pixels[alpha == 0].any()
        if scale is None:
            assert np.count_nonzero(alpha) == opaque
        assert np.count_nonzero(alpha) <= size


def test_crop_is_the_subjects_box() -> None:
    """To the pixel."""
    cutout = composed(matte(), crop=True)
    assert np.array_equal(cutout.pixels[..., :3], PIXELS[10:25, 20:45])
    assert cutout.subject == Box(top=0, left=0, width=25, height=15)
    assert cutout.coverage == 1.0


@pytest.mark.parametrize(
    ("margin", "size", "subject"),
    [
        ([px(3)] * 4, (21, 31), (3, 3)),
        ([px(1), px(2), px(3), px(4)], (19, 31), (1, 4)),
        ([percent(20)] * 4, (21, 35), (3, 5)),
        ([percent(10), percent(50), px(0), px(9)], (17, 46), (2, 9)),
        ([px(500)] * 4, (1015, 1025), (500, 500)),
    ],
)
def test_crop_margin(margin: list[Length], size: tuple[int, int], subject: tuple[int, int]) -> None:
    """Shares are of the subject's own side; beyond the photo the canvas is transparent."""
    above, right, below, before = margin
    sides = Margin(top=above, right=right, bottom=below, left=before)
    cutout = composed(matte(), crop=True, crop_margin=sides)
    assert cutout.pixels.shape[:2] == size
    top, left = subject
    assert cutout.subject == Box(top=top, left=left, width=25, height=15)
    inside = cutout.pixels[top : top + 15, left : left + 25]
    assert np.array_equal(inside[..., :3], PIXELS[10:25, 20:45])
    assert cutout.pixels[..., 3].sum() == 25 * 15 * 255


def test_crop_margin_keeps_what_is_faint_around_the_subject() -> None:
    """A margin shows the photo's matte, not an empty frame."""
    faint = matte(edge=20 / 255)
    assert composed(faint, crop=True, crop_margin=margin_of(px(1))).pixels[0, 0, 3] == 20


def test_crop_margin_cannot_multiply_a_ribbon() -> None:
    """500 px around 2 x 60,000 px are a canvas of 61 million."""
    alpha = np.ones((2, 60_000), np.float32)
    photo = Photo(pixels=np.zeros((2, 60_000, 3), np.uint8), alpha=None)
    with pytest.raises(InvalidOption) as refusal:
        compose(
            photo,
            Matte(alpha=quantized(alpha)),
            Options(crop=True, crop_margin=margin_of(px(500))),
        )
    assert refusal.value.code == "invalid_crop_margin"


@pytest.mark.parametrize(("memory_pixels", "is_refused"), [(4_224, True), (4_225, False)])
def test_crop_margin_makes_no_canvas_that_memory_does_not_hold(
    memory_pixels: int, *, is_refused: bool
) -> None:
    """20 and 25 px around 25 x 15 px are a canvas of 65 x 65; the photo itself has 2,400 px."""
    margin = Margin(top=px(25), right=px(20), bottom=px(25), left=px(20))
    make = partial(
        compose,
        Photo(pixels=PIXELS, alpha=None),
        Matte(alpha=quantized(matte())),
        Options(crop=True, crop_margin=margin),
        memory_pixels=memory_pixels,
    )
    if is_refused:
        with pytest.raises(InvalidOption, match="4224 pixels are the most"):
            make()
    else:
        assert make().pixels.shape == (65, 65, 4)


def test_crop_margin_without_crop_does_nothing() -> None:
    """The whole photo stays."""
    assert composed(matte(), crop_margin=margin_of(percent(10))).pixels.shape == (40, 60, 4)


def test_an_empty_matte_is_an_empty_canvas_uncropped() -> None:
    """on_empty=image."""
    cutout = composed(np.full((40, 60), 25 / 255, np.float32), crop=True)
    assert cutout.pixels.shape == (40, 60, 4)
    assert cutout.subject == Box(top=0, left=0, width=0, height=0)


@pytest.mark.parametrize("channels", Channels)
@pytest.mark.parametrize("name", Format)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bg_color": Color(r=1, g=2, b=3)},
        {"bg_color": Color(r=1, g=2, b=3, a=128)},
        {"picture": np.full((9, 9, 3), 7, np.uint8)},
        {"bg_blur": 0},
        {"shadow_type": ShadowType.DROP},
        {"semitransparency": False},
        {"scale": 50.0},
    ],
    ids=["alone", "colour", "tint", "picture", "blur", "shadow", "hard", "scaled"],
)
def test_nothing_is_seen_of_what_is_too_faint_for_a_subject(
    options: dict[str, Any], name: Format, channels: Channels
) -> None:
    """The cutout is that of an empty matte, and what is behind it is whole."""
    picture = options.get("picture")
    settings = Options(
        **{key: value for key, value in options.items() if key != "picture"},
        format=name,
        channels=channels,
    )
    make = partial(compose, Photo(pixels=PIXELS, alpha=None))
    faint = make(Matte(alpha=np.full((40, 60), 25, np.uint8)), settings, picture)
    empty = make(Matte(alpha=np.zeros((40, 60), np.uint8)), settings, picture)
    assert np.array_equal(faint.pixels, empty.pixels)
    assert (faint.subject, faint.coverage) == (Box(), 0)
    if channels is Channels.ALPHA:
        assert not faint.pixels[..., 3].any()
    elif settings.bg_blur == 0:
        assert np.array_equal(faint.pixels[..., :3], PIXELS)


def test_an_empty_matte_can_be_an_error() -> None:
    """on_empty=error."""
    with pytest.raises(UnknownForeground) as refusal:
        composed(np.zeros((40, 60), np.float32), on_empty=OnEmpty.ERROR)
    assert (refusal.value.status, refusal.value.code) == (422, "unknown_foreground")
    assert composed(matte(), on_empty=OnEmpty.ERROR).subject == BOX


@pytest.mark.parametrize("is_overwritten", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"scale": 10.0},
        {"scale": 10.0, "semitransparency": False},
        {"scale": 10.0, "crop": True, "bg_blur": 0},
        {"size": Size.PREVIEW, "crop": True, "crop_margin": margin_of(px(500))},
    ],
    ids=str,
)
def test_a_subject_of_which_scaling_leaves_nothing_is_none(
    options: dict[str, Any], *, is_overwritten: bool
) -> None:
    """A cross of one pixel's width: an error, or the empty canvas of the photo's size."""
    alpha = np.zeros((400, 600), np.uint8)
    alpha[200], alpha[:, 300] = 26, 26
    if not options.get("semitransparency", True):
        alpha[alpha > 0] = 128
    matte = Matte(alpha=alpha)
    image = Image.fromarray(PIXELS).resize((600, 400))
    read = partial(decode, encoded(image), limits=Limits(max_pixels=1_000_000))
    make = partial(compose, may_overwrite=is_overwritten)
    empty = make(read(), matte, Options(**options))
    assert (empty.subject, empty.coverage) == (Box(), 0)
    assert empty.pixels.shape == (400, 600, 4)
    if "bg_blur" in options:
        assert np.array_equal(empty.pixels[..., :3], np.asarray(image))
    else:
        assert not empty.pixels.any()
    with pytest.raises(UnknownForeground):
        make(read(), matte, Options(**options, on_empty=OnEmpty.ERROR))


def test_the_matte_alone_has_the_same_geometry_and_no_background() -> None:
    """channels=alpha ignores backgrounds and keeps crop."""
    cutout = composed(
        matte(edge=0.5), channels=Channels.ALPHA, crop=True, bg_color=Color(r=1, g=2, b=3)
    )
    assert cutout.pixels.shape == (15, 25, 4)
    assert cutout.pixels[0, 0, 3] == 128
    assert cutout.coverage == pytest.approx(cutout.pixels[..., 3].mean() / 255)


def test_clean_edges_change_colours_at_the_edge_only() -> None:
    """A red subject photographed on blue keeps no blue in its half pixels."""
    alpha = matte(edge=0.5)
    red, blue = np.array([200, 20, 20]), np.array([0, 0, 255])
    pixels = np.rint(red * alpha[..., None] + blue * (1 - alpha[..., None])).astype(np.uint8)
    photo = Photo(pixels=pixels, alpha=None)
    clean = compose(photo, Matte(alpha=quantized(alpha)), Options())
    spilled = compose(photo, Matte(alpha=quantized(alpha)), Options(clean_edges=False))
    solid = alpha == 1
    assert np.array_equal(clean.pixels[solid], spilled.pixels[solid])
    assert np.array_equal(clean.pixels[..., 3], spilled.pixels[..., 3])
    edge = alpha == 0.5
    assert spilled.pixels[edge][:, 2].mean() > 130
    assert np.abs(clean.pixels[edge][:, :3].astype(int) - red).mean() < 12


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(clean_edges=False, semitransparency=False),
        Options(crop=True, crop_margin=margin_of(px(9))),
        Options(scale=50),
        Options(format=Format.JPG),
        Options(format=Format.ZIP),
        Options(channels=Channels.ALPHA),
        Options(shadow_type=ShadowType.DROP),
        Options(despill=True),
        Options(bg_blur=30),
    ],
    ids=str,
)
def test_a_photo_that_may_be_overwritten_gives_the_same_cutout(options: Options) -> None:
    """Even where the photo is still needed while the cutout is made, as for its own background."""
    data = encoded(Image.fromarray(PIXELS).resize((600, 400)))
    read = partial(decode, data, limits=Limits(max_pixels=1_000_000))
    alpha = np.asarray(Image.fromarray(quantized(matte(edge=0.5))).resize((600, 400)))
    expected = compose(read(), Matte(alpha=alpha), options)
    cutout = compose(read(), Matte(alpha=alpha), options, may_overwrite=True)
    assert np.array_equal(cutout.pixels, expected.pixels)
    assert (cutout.subject, cutout.coverage) == (expected.subject, expected.coverage)


def test_a_photo_that_may_be_overwritten_becomes_the_cutout() -> None:
    """A whole picture's memory less: what is made besides are an alpha, and a few parts."""
    photo = decode(PHOTO.read_bytes(), limits=Limits(max_pixels=1_000_000))
    alpha = np.zeros((photo.height, photo.width), np.uint8)
    alpha[100:200, 100:200] = 255
    cutout = compose(photo, Matte(alpha=alpha), Options(), may_overwrite=True)
    assert np.shares_memory(cutout.pixels, photo.pixels)
    kept = decode(PHOTO.read_bytes(), limits=Limits(max_pixels=1_000_000))
    before = kept.pixels.copy()
    compose(kept, Matte(alpha=alpha), Options())
    assert np.array_equal(kept.pixels, before)


def test_a_cutout_that_comes_back_is_the_same_cutout() -> None:
    """Its own alpha is kept, and its colours with it; discarded, it counts for nothing."""
    scene = composed(matte(edge=0.5))
    photo = Photo(pixels=scene.pixels[..., :3], alpha=np.ascontiguousarray(scene.pixels[..., 3]))
    assert photo.alpha is not None
    kept = compose(photo, Matte(alpha=photo.alpha), Options(input_alpha=InputAlpha.KEEP))
    assert np.array_equal(kept.pixels, scene.pixels)
    discard = Options(input_alpha=InputAlpha.DISCARD)
    discarded = compose(photo, Matte(alpha=photo.alpha), discard)
    plain = compose(Photo(pixels=photo.pixels, alpha=None), Matte(alpha=photo.alpha), Options())
    assert np.array_equal(discarded.pixels, plain.pixels)
    assert not np.array_equal(discarded.pixels, kept.pixels)


def test_zip_holds_extended_foreground_never_the_background() -> None:
    """color.jpg may show the subject's colours where the photo's background was, nothing else."""
    alpha = matte()
    pixels = np.where(alpha[..., None] > 0, [200, 20, 20], [0, 0, 255]).astype(np.uint8)
    cutout = compose(
        Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)), Options(format=Format.ZIP)
    )
    assert np.abs(cutout.pixels[..., :3].astype(int) - [200, 20, 20]).max() <= 2


def test_a_zip_holds_none_of_the_photo_where_alpha_is_faint() -> None:
    """Not with clean_edges=false either, which keeps the photo's colours in other formats."""
    alpha = matte(edge=0.1)
    red, blue = np.array([200, 20, 20]), np.array([0, 0, 255])
    pixels = np.rint(red * alpha[..., None] + blue * (1 - alpha[..., None])).astype(np.uint8)
    make = partial(compose, Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)))
    kept = make(Options(format=Format.ZIP, clean_edges=False))
    assert np.array_equal(kept.pixels, make(Options(format=Format.ZIP)).pixels)
    assert np.abs(kept.pixels[..., :3].astype(int) - red).max() <= 16
    edge = alpha == 0.1
    assert np.array_equal(make(Options(clean_edges=False)).pixels[edge][:, :3], pixels[edge])
    blurred = [
        make(Options(format=Format.ZIP, bg_blur=30, clean_edges=is_on)) for is_on in (False, True)
    ]
    assert not np.array_equal(blurred[0].pixels, blurred[1].pixels)
