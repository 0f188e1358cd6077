"""Crop, scale and position: boxes as exact arithmetic, and pixels exactly in those boxes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lengths import margin_of, percent, px
from numpy.typing import NDArray

from cutout.image.compose import Cutout, compose
from cutout.image.composite import quantized
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.place import Box, lay_out
from cutout.options import Channels, Margin, Options, Position, ShadowType, Size

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)
SUBJECT = Box(top=10, left=20, width=24, height=16)
CENTER, ORIGINAL = Position(x=50, y=50), Position(x=None, y=None)


def composed(
    pixels: NDArray[np.uint8] = PIXELS,
    picture: NDArray[np.uint8] | None = None,
    **options: object,
) -> Cutout:
    """Return the cutout of a rectangle at SUBJECT, in the photo's own colours."""
    alpha = np.zeros(pixels.shape[:2], np.float32)
    alpha[SUBJECT.slices] = 1
    settings = Options(**{"clean_edges": False, **options})  # type: ignore[arg-type]
    photo = Photo(pixels=pixels, alpha=None)
    return compose(photo, Matte(alpha=quantized(alpha)), settings, picture)


@pytest.mark.parametrize(
    ("position", "top", "left"),
    [
        (CENTER, 12, 18),
        (Position(x=0, y=0), 0, 0),
        (Position(x=100, y=100), 24, 36),
        (Position(x=25, y=100), 24, 9),
        (ORIGINAL, 10, 20),
        (None, 10, 20),
    ],
)
def test_a_subject_is_moved_as_it_is(position: Position | None, top: int, left: int) -> None:
    """Pixel by pixel: 0 % at the left and the top, 100 % at the right and the bottom."""
    cutout = composed(position=position)
    assert cutout.subject == Box(top=top, left=left, width=24, height=16)
    expected = np.zeros((40, 60, 4), np.uint8)
    expected[top : top + 16, left : left + 24, :3] = PIXELS[SUBJECT.slices]
    expected[top : top + 16, left : left + 24, 3] = 255
    assert np.array_equal(cutout.pixels, expected)


@pytest.mark.parametrize(
    ("scale", "position", "box"),
    [
        (100, None, Box(top=0, left=0, width=60, height=40)),
        (50, None, Box(top=10, left=15, width=30, height=20)),
        (50, CENTER, Box(top=10, left=15, width=30, height=20)),
        (20, Position(x=0, y=100), Box(top=32, left=0, width=12, height=8)),
        # Its centre was at (32, 18), and stays there as far as the canvas allows.
        (50, ORIGINAL, Box(top=8, left=17, width=30, height=20)),
        (100, ORIGINAL, Box(top=0, left=0, width=60, height=40)),
        (10, ORIGINAL, Box(top=16, left=29, width=6, height=4)),
    ],
)
def test_a_subject_is_fitted_into_a_share_of_the_canvas(
    scale: float, position: Position | None, box: Box
) -> None:
    """It is as large as it can be, keeps its ratio, and is centred unless told otherwise."""
    flat = np.full_like(PIXELS, (200, 100, 50))
    cutout = composed(flat, scale=scale, position=position)
    assert cutout.subject == box
    assert cutout.pixels.shape == (40, 60, 4)
    inner = cutout.pixels[box.top + 1 : box.top + box.height - 1, box.left + 1 :][
        :, : box.width - 2
    ]
    assert np.array_equal(inner, np.broadcast_to((200, 100, 50, 255), inner.shape))


def test_half_the_size_is_the_mean_of_each_four_pixels() -> None:
    """Antialiased: a fine chequerboard becomes grey, not black or white."""
    board = (np.indices((40, 60)).sum(axis=0) % 2 * 255).astype(np.uint8)
    alpha = np.ones((40, 60), np.float32)
    photo = Photo(pixels=np.dstack([board] * 3), alpha=None)
    cutout = compose(photo, Matte(alpha=quantized(alpha)), Options(clean_edges=False, scale=50))
    inner = cutout.pixels[12:28, 17:43]
    assert np.abs(inner[..., :3].astype(int) - 127.5).max() <= 1.5


@pytest.mark.parametrize("scale", [15, 37, 50, 81, 100])
def test_no_fringe_is_darker_or_brighter_than_the_subject(scale: float) -> None:
    """What is hidden beside it plays no part, and the faintest edge has the subject's colour."""
    pixels = np.full((40, 60, 3), (0, 255, 0), np.uint8)
    pixels[SUBJECT.slices] = (200, 40, 40)
    cutout = composed(pixels, scale=scale, position=Position(x=33, y=61))
    alpha = cutout.pixels[..., 3]
    excess = np.abs(cutout.pixels[..., :3].astype(int) - (200, 40, 40)).max(axis=2)
    assert (excess * alpha / 255).max() <= 1.5  # as it shows on any background, in 255ths
    assert not cutout.pixels[alpha == 0].any()


def test_the_matte_alone_is_placed_like_the_cutout() -> None:
    """channels=alpha has the same geometry, to the last bit."""
    options: dict[str, Any] = {"scale": 70, "position": Position(x=10, y=90), "crop": True}
    alone = composed(**options, channels=Channels.ALPHA)
    both = composed(**options)
    assert np.array_equal(alone.pixels[..., 3], both.pixels[..., 3])
    assert (alone.subject, alone.coverage) == (both.subject, both.coverage)


def test_the_canvas_of_a_scaled_crop_is_the_crop() -> None:
    """Crop first: then the share is one of the cropped canvas."""
    cutout = composed(crop=True, crop_margin=margin_of(px(4)), scale=50)
    assert cutout.pixels.shape == (24, 32, 4)
    assert cutout.subject == Box(top=6, left=8, width=16, height=11)


WIDE = margin_of(px(500))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"channels": Channels.ALPHA},
        {"shadow_type": ShadowType.DROP},
        {"picture": np.full((9, 9, 3), (1, 2, 3), np.uint8)},
        {"bg_blur": 20},
    ],
    ids="".join,
)
def test_a_margin_makes_the_canvas_no_larger_than_the_size(options: dict[str, Any]) -> None:
    """500 px around 24 x 16 px are 1024 x 1016: at 250,000 px, all of it is seen at 0.49."""
    flat = np.full_like(PIXELS, (200, 100, 50))
    flat[SUBJECT.slices] = (20, 40, 90)
    cutout = composed(flat, crop=True, crop_margin=WIDE, size=Size.PREVIEW, **options)
    assert cutout.pixels.shape == (498, 501, 4)
    assert cutout.subject == Box(top=245, left=245, width=12, height=8)
    if options.get("channels") is not Channels.ALPHA:
        assert (cutout.pixels[246:252, 246:256] == (20, 40, 90, 255)).all()
    if "picture" in options:
        assert (cutout.pixels[:200] == (1, 2, 3, 255)).all()
    if "bg_blur" in options:
        assert (cutout.pixels[:200] == (200, 100, 50, 255)).all()


def test_the_photos_own_background_stays_where_it_is_behind_a_smaller_canvas() -> None:
    """Its colours at the edge of the photo lie where the canvas shows that edge."""
    halves = np.full((400, 600, 3), (200, 100, 50), np.uint8)
    halves[:, 300:] = (20, 200, 90)
    alpha = np.zeros((400, 600), np.uint8)
    alpha[150:250, 200:400] = 255
    options = Options(crop=True, crop_margin=WIDE, size=Size.PREVIEW, bg_blur=0)
    cutout = compose(Photo(pixels=halves, alpha=None), Matte(alpha=alpha), options)
    height, width = cutout.pixels.shape[:2]
    assert (height, width) == (478, 522)
    middle = width // 2
    for row in (190, 290):
        assert np.abs(cutout.pixels[row, middle - 60 : middle - 3, 0].astype(int) - 200).max() <= 1
        assert np.abs(cutout.pixels[row, middle + 3 : middle + 60, 0].astype(int) - 20).max() <= 1


@given(
    width=st.integers(2, 700),
    height=st.integers(2, 700),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
    margin=st.builds(
        Margin,
        **dict.fromkeys(
            ("top", "right", "bottom", "left"),
            st.builds(percent, st.floats(0, 50)) | st.builds(px, st.floats(0, 500)),
        ),
    ),
    size=st.sampled_from([Size.PREVIEW, Size.MEDIUM, Size.HD]),
    scale=st.none() | st.floats(10, 100),
)
def test_a_smaller_canvas_shows_all_of_the_crop_at_one_factor(
    width: int,
    height: int,
    corners: tuple[float, float, float, float],
    margin: Margin,
    size: Size,
    scale: float | None,
) -> None:
    """It is at most the size, never enlarged, and as large as that allows, to the pixel."""
    (first, last), (top, bottom) = sorted(corners[:2]), sorted(corners[2:])
    left, right = int(first * (width - 1)), int(last * (width - 1)) + 1
    upper, lower = int(top * (height - 1)), int(bottom * (height - 1)) + 1
    subject = Box(top=upper, left=left, width=right - left, height=lower - upper)
    photo = Photo(pixels=np.zeros((height, width, 3), np.uint8), alpha=None)
    asked = {"crop": True, "crop_margin": margin, "scale": scale}
    whole = lay_out(subject, photo, Options(**asked))  # type: ignore[arg-type]
    layout = lay_out(subject, photo, Options(**asked, size=size))  # type: ignore[arg-type]
    limit = size.max_pixels
    assert limit is not None
    frame, canvas, target = whole.canvas, layout.canvas, layout.target
    factor = min(1.0, (limit / (frame.width * frame.height)) ** 0.5)
    assert canvas.width * canvas.height <= limit
    assert frame.width * factor - 1 < canvas.width <= frame.width
    assert frame.height * factor - 1 < canvas.height <= frame.height
    assert 0 <= target.left <= target.left + target.width <= canvas.width
    assert 0 <= target.top <= target.top + target.height <= canvas.height
    for side in ("top", "left", "width", "height"):
        assert abs(getattr(target, side) - getattr(whole.target, side) * factor) <= 2


def test_without_a_subject_nothing_moves() -> None:
    """An empty canvas of the photo's size."""
    photo = Photo(pixels=PIXELS, alpha=None)
    options = Options(crop=True, scale=50, position=CENTER)
    cutout = compose(photo, Matte(alpha=quantized(np.zeros((40, 60), np.float32))), options)
    assert cutout.subject == Box()
    assert cutout.pixels.shape == (40, 60, 4)
    assert not cutout.pixels.any()


SHARES = st.floats(0, 100)
MARGINS = st.one_of(
    st.builds(percent, st.floats(0, 50)), st.builds(px, st.floats(0, 50)), st.just(px(500))
)


@given(
    width=st.integers(2, 60),
    height=st.integers(2, 60),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
    scale=st.none() | st.floats(10, 100),
    position=st.none() | st.just(ORIGINAL) | st.builds(Position, x=SHARES, y=SHARES),
    margin=st.none() | st.builds(Margin, top=MARGINS, right=MARGINS, bottom=MARGINS, left=MARGINS),
    crop=st.booleans(),
)
def test_the_subject_is_always_within_the_canvas(
    width: int,
    height: int,
    corners: tuple[float, float, float, float],
    scale: float | None,
    position: Position | None,
    margin: Margin | None,
    crop: bool,
) -> None:
    """Whatever is asked: its box is where the layout says, and its ratio is kept to the pixel."""
    (first, last), (top, bottom) = sorted(corners[:2]), sorted(corners[2:])
    left, right = int(first * (width - 1)), int(last * (width - 1)) + 1
    upper, lower = int(top * (height - 1)), int(bottom * (height - 1)) + 1
    subject = Box(top=upper, left=left, width=right - left, height=lower - upper)
    photo = Photo(pixels=np.full((height, width, 3), 90, np.uint8), alpha=None)
    options = Options(
        crop=crop, crop_margin=margin, scale=scale, position=position, clean_edges=False
    )
    layout = lay_out(subject, photo, options)
    target, frame = layout.target, layout.frame
    assert 0 <= target.left <= target.left + target.width <= frame.width
    assert 0 <= target.top <= target.top + target.height <= frame.height
    if scale is None:
        assert (target.width, target.height) == (subject.width, subject.height)
    else:
        room = scale / 100 * min(frame.width / subject.width, frame.height / subject.height)
        assert abs(target.width - max(1, subject.width * room)) <= 0.5
        assert abs(target.height - max(1, subject.height * room)) <= 0.5
    alpha = np.zeros((height, width), np.float32)
    alpha[subject.slices] = 1
    cutout = compose(photo, Matte(alpha=quantized(alpha)), options)
    assert cutout.pixels.shape[:2] == (frame.height, frame.width)
    # The filter softens an edge by a pixel of the coarser side, so that the box grows a little.
    grown = 2 * max(1, target.width / subject.width, target.height / subject.height)
    found = cutout.subject
    assert abs(found.left - target.left) <= grown
    assert abs(found.top - target.top) <= grown
    assert abs(found.left + found.width - target.left - target.width) <= grown
    assert abs(found.top + found.height - target.top - target.height) <= grown
    if not layout.is_scaled:
        assert found == target
        assert (cutout.pixels[target.slices] == (90, 90, 90, 255)).all()
