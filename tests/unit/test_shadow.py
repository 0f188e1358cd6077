"""The drop shadow: soft, black, behind the subject, and no part of what is told of the subject."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lengths import margin_of, px

from cutout.color import Color
from cutout.image.compose import Cutout, compose
from cutout.image.composite import quantized
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.place import Box
from cutout.image.shadow import cast_shadow
from cutout.options import Channels, Format, Options, ShadowType

BOX = Box(top=100, left=150, width=200, height=200)
DROP = ShadowType.DROP


def composed(edge: float = 1.0, **options: object) -> Cutout:
    """Return the cutout of a red square whose outermost pixels have the alpha ``edge``."""
    pixels = np.full((400, 500, 3), (200, 40, 40), np.uint8)
    alpha = np.zeros((400, 500), np.float32)
    alpha[BOX.slices] = edge
    alpha[101:299, 151:349] = 1
    settings = Options(**{"clean_edges": False, **options})  # type: ignore[arg-type]
    return compose(Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)), settings)


def test_a_shadow_is_soft_and_falls_down() -> None:
    """Below the subject it is dark near it and fades; above it there is next to none."""
    alpha = composed(shadow_type=DROP).pixels[..., 3].astype(int)
    below = alpha[300:330, 250]
    assert 50 < below[0] <= 128
    assert (np.diff(below) <= 0).all()
    assert below[-1] == 0
    assert alpha[95, 250] < below[4] / 2
    assert alpha[200, 140] < alpha[200, 359]  # the light comes from the left
    # Soft: no step of more than a few levels from one pixel to the next, outside the subject.
    assert np.abs(np.diff(alpha[301:, :], axis=0)).max() <= 8
    assert np.abs(np.diff(alpha[301:, :], axis=1)).max() <= 8


def test_a_shadow_is_black_and_nothing_where_alpha_is_zero() -> None:
    """Straight alpha over transparency: the shadow has no colour but black."""
    cutout = composed(shadow_type=DROP)
    outside = np.ones((400, 500), bool)
    outside[BOX.slices] = False
    assert not cutout.pixels[outside][:, :3].any()
    assert np.array_equal(
        cutout.pixels[BOX.slices], np.broadcast_to((200, 40, 40, 255), (200, 200, 4))
    )


def test_the_subject_is_told_without_its_shadow() -> None:
    """Box and coverage are the matte's."""
    plain, shaded = composed(), composed(shadow_type=DROP, shadow_opacity=100)
    assert (shaded.subject, shaded.coverage) == (plain.subject, plain.coverage)
    assert shaded.subject == BOX


@pytest.mark.parametrize("opacity", [10, 50, 100])
def test_opacity_is_that_of_the_darkest_shadow(opacity: int) -> None:
    """Where the whole subject is above, seen through a hole in it."""
    pixels = np.zeros((400, 500, 4), np.uint8)
    pixels[BOX.slices] = (200, 40, 40, 255)
    pixels[200:202, 250:252] = 0
    cast_shadow(pixels, BOX, opacity)
    assert pixels[200, 250, 3] == pytest.approx(opacity / 100 * 255, abs=3)


def test_no_opacity_is_no_shadow() -> None:
    """To the last bit."""
    shaded = composed(edge=0.3, shadow_type=DROP, shadow_opacity=0)
    assert np.array_equal(shaded.pixels, composed(edge=0.3).pixels)


def test_on_a_background_it_is_what_it_is_over_transparency() -> None:
    """One formula: the cutout with its shadow, laid on white later, gives the same pixels."""
    shaded = composed(edge=0.5, shadow_type=DROP).pixels.astype(float)
    share = shaded[..., 3:] / 255
    later = shaded[..., :3] * share + 255 * (1 - share)
    white = Color(r=255, g=255, b=255)
    at_once = composed(edge=0.5, shadow_type=DROP, bg_color=white).pixels[..., :3]
    assert np.abs(later - at_once).max() <= 1


def test_a_half_pixel_keeps_its_share_of_colour() -> None:
    """α + s(1 - α) opaque, of which the subject's colour is α, exactly."""
    pixels = np.zeros((400, 500, 4), np.uint8)
    pixels[BOX.slices] = (200, 40, 40, 255)
    pixels[200, 250] = (200, 40, 40, 128)
    cast_shadow(pixels, BOX, 100)
    red, green, _, alpha = (int(value) for value in pixels[200, 250])
    assert alpha >= 254  # a black shadow behind
    assert red == pytest.approx(200 * 128 / alpha, abs=1)
    assert green == pytest.approx(40 * 128 / alpha, abs=1)


def test_the_matte_alone_has_no_shadow() -> None:
    """channels=alpha is the matte."""
    alone = composed(shadow_type=DROP, channels=Channels.ALPHA)
    assert np.array_equal(alone.pixels[..., 3], composed().pixels[..., 3])


def test_a_crop_cuts_the_shadow_off_and_a_margin_shows_it() -> None:
    """The same shadow in both: it does not depend on the canvas."""
    whole = composed(shadow_type=DROP).pixels
    tight = composed(shadow_type=DROP, crop=True).pixels
    loose = composed(shadow_type=DROP, crop=True, crop_margin=margin_of(px(20))).pixels
    assert (tight[..., 3] == 255).all()
    assert np.array_equal(loose, whole[80:320, 130:370])


def test_a_zip_holds_the_shadow_too() -> None:
    """Its two files together are the cutout that a PNG holds; what is clear has some colour."""
    png = composed(shadow_type=DROP).pixels
    archive = composed(shadow_type=DROP, format=Format.ZIP).pixels
    assert np.array_equal(archive[..., 3], png[..., 3])
    visible = png[..., 3] > 0
    assert np.array_equal(archive[visible], png[visible])


def test_no_subject_no_shadow() -> None:
    """An empty canvas stays empty."""
    photo = Photo(pixels=np.full((20, 30, 3), 9, np.uint8), alpha=None)
    faint = np.full((20, 30), 0.05, np.float32)
    cutout = compose(photo, Matte(alpha=quantized(faint)), Options(shadow_type=DROP))
    assert not cutout.pixels.any()


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
    opacity=st.integers(0, 100),
    alpha=st.integers(26, 255),
)
def test_a_shadow_never_hides_or_leaves(
    width: int,
    height: int,
    corners: tuple[float, float, float, float],
    opacity: int,
    alpha: int,
) -> None:
    """Anywhere, of any size: alpha only grows, and what was opaque stays as it was."""
    (first, last), (upper, lower) = sorted(corners[:2]), sorted(corners[2:])
    left, right = int(first * (width - 1)), int(last * (width - 1)) + 1
    top, bottom = int(upper * (height - 1)), int(lower * (height - 1)) + 1
    box = Box(top=top, left=left, width=right - left, height=bottom - top)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[box.slices] = (200, 40, 41, alpha)
    before = pixels.copy()
    cast_shadow(pixels, box, opacity)
    assert (pixels[..., 3] >= before[..., 3]).all()
    assert (pixels[..., :3] <= before[..., :3]).all()
    solid = before[..., 3] == 255
    assert np.array_equal(pixels[solid], before[solid])
