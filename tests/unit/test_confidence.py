"""How sure a matte is: on drawn mattes of the network, and through the pipeline."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_models import card_of
from numpy.typing import NDArray

from cutout.image.card import read_card
from cutout.image.confidence import confidence, decidedness
from cutout.image.decode import Photo
from cutout.image.matte import Matte, extract_matte
from cutout.image.place import Box
from cutout.image.roi import matte_around
from cutout.options import InputAlpha

Plane = NDArray[np.float32]
SIDE = 176  # surroundings of 2 cells
AS_IT_IS = ((0.0, 0.0), (1.0, 1.0))
OURS = Path(__file__).resolve().parents[2] / "models" / "erase-s"


def square(*, inside: float = 1.0, outside: float = 0.0, first: int = 50, side: int = 60) -> Plane:
    """Return a square of one alpha on a ground of another, float32 (SIDE, SIDE)."""
    plane = np.full((SIDE, SIDE), outside, np.float32)
    plane[first : first + side, first : first + side] = inside
    return plane


def test_it_is_the_mean_about_the_subject() -> None:
    """A square of 60 cells at 0.8 counts 0.6 each, and its ring of 2 cells counts 1 each."""
    ring = 64 * 64 - 60 * 60
    expected = (0.6 * 60 * 60 + ring) / (64 * 64)
    assert decidedness(square(inside=0.8)) == pytest.approx(expected, abs=1e-6)
    assert decidedness(square()) == 1
    assert decidedness(square(inside=0.5)) == pytest.approx(ring / (64 * 64))


def test_the_surroundings_end_at_the_frame() -> None:
    """A subject in the corner has a ring at two sides only."""
    assert decidedness(square(inside=0.5, first=0)) == pytest.approx(1 - 60 * 60 / (62 * 62))
    assert decidedness(square(inside=0.5, first=SIDE - 60)) == pytest.approx(1 - 60 * 60 / 62**2)


def test_what_lies_far_from_the_subject_does_not_count() -> None:
    """Alpha up to 0.05 on the ground is no subject; only the ring of 2 cells is looked at."""
    far = square(inside=0.9)
    far[:40, :40] = 0.05
    assert decidedness(far) == decidedness(square(inside=0.9))
    near = square(inside=0.9)
    near[48:50, 50:110] = 0.05
    assert decidedness(near) < decidedness(square(inside=0.9))


def test_doubt_around_the_subject_counts() -> None:
    """Haze where the background begins is doubt about what the subject is."""
    assert decidedness(square(outside=0.3)) == pytest.approx(1 - 0.6 * (1 - (60 / SIDE) ** 2))


@pytest.mark.parametrize("side", [1, 3, 32, 1024])
def test_any_square_has_a_value(side: int) -> None:
    """Full for a picture that is all subject, none for one without a subject."""
    assert decidedness(np.ones((side, side), np.float32)) == 1
    assert decidedness(np.zeros((side, side), np.float32)) == 0


def test_the_card_turns_it_into_an_overlap() -> None:
    """Between two points it is a straight line."""
    points = ((0.0, 0.1), (0.5, 0.2), (0.75, 0.6), (1.0, 0.9))
    plane = np.full((8, 8), 0.8, np.float32)  # decided by 0.6
    assert confidence(plane, points) == pytest.approx(0.36)
    assert confidence(np.ones((8, 8), np.float32), points) == pytest.approx(0.9)
    assert confidence(np.zeros((8, 8), np.float32), points) == pytest.approx(0.1)


def test_the_matte_stays_as_it_is() -> None:
    """It is measured, not changed."""
    plane = square(inside=0.9)
    before = plane.copy()
    confidence(plane, AS_IT_IS)
    assert (plane == before).all()


# --------------------------------------------------------------------------- through the pipeline


def photo(alpha: NDArray[np.uint8] | None = None) -> Photo:
    """Return a grey photo of 320 × 200 px."""
    return Photo(pixels=np.full((200, 320, 3), 90, np.uint8), alpha=alpha)


def test_a_photo_has_the_confidence_of_the_networks_matte() -> None:
    """Whatever the refinement and the photo's own alpha make of it."""
    coarse = square(inside=0.8)
    card = replace(card_of(SIDE), confidence=((0.0, 0.0), (0.5, 0.1), (1.0, 0.9)))
    expected = confidence(coarse, card.confidence)
    opaque = extract_matte(
        photo(), card, lambda _: coarse[None, None], input_alpha=InputAlpha.MULTIPLY
    )
    assert opaque.confidence == pytest.approx(expected)
    own = np.full((200, 320), 128, np.uint8)
    transparent = extract_matte(
        photo(own), card, lambda _: coarse[None, None], input_alpha=InputAlpha.MULTIPLY
    )
    assert transparent.confidence == pytest.approx(expected)


def test_alpha_that_is_kept_is_not_doubted() -> None:
    """It is the caller's own, and no network ran."""
    own = np.full((200, 320), 128, np.uint8)
    matte = extract_matte(
        photo(own),
        card_of(SIDE),
        lambda _: np.zeros((1, 1, SIDE, SIDE), np.float32),
        input_alpha=InputAlpha.KEEP,
    )
    assert matte.confidence == 1


def test_the_look_that_counts_is_the_one_that_is_used() -> None:
    """A second look at a small subject tells of its matte, if it agrees with the first."""
    first, second = square(inside=0.7), square(first=25, side=126)
    card = card_of(SIDE, zoom=0.5)
    looks = iter((first, second))
    twice = extract_matte(
        photo(), card, lambda _: next(looks)[None, None], input_alpha=InputAlpha.MULTIPLY
    )
    assert twice.confidence == 1
    disagreeing = iter((first, np.zeros_like(second)))
    once = extract_matte(
        photo(), card, lambda _: next(disagreeing)[None, None], input_alpha=InputAlpha.MULTIPLY
    )
    assert once.confidence == pytest.approx(decidedness(first))


def test_a_region_of_interest_has_the_confidence_of_its_matte() -> None:
    """What lies outside was not looked at."""
    matte = Matte(alpha=np.full((50, 60), 255, np.uint8), confidence=0.4)
    region = Box(top=10, left=20, width=60, height=50)
    assert matte_around(matte, region, photo()).confidence == 0.4


# --------------------------------------------------------------------------- the card


def test_our_card_is_calibrated() -> None:
    """Its points say what decided mattes were worth; another model's card may say nothing."""
    points = read_card(OURS).confidence
    assert len(points) > 2
    assert points[0] == (0.0, 0.0)
    assert 0.9 < points[-1][1] <= 1
