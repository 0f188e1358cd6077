"""Grey far from any edge is decided by the photo's colours: on drawn mattes, and in the matte."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_models import card_of
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.matte import extract_matte
from cutout.image.settle import settled
from cutout.options import InputAlpha

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]
SIDE = 60
COAT, GRASS = (40, 30, 30), (60, 140, 70)
SUBJECT = slice(10, 50)  # rows and columns of the coat


@pytest.fixture
def seen() -> Picture:
    """Draw a coat on grass, both a little grainy, uint8 (SIDE, SIDE, 3)."""
    picture = np.full((SIDE, SIDE, 3), GRASS, np.float32)
    picture[SUBJECT, SUBJECT] = COAT
    picture += np.random.default_rng(7).normal(0, 4, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def coarse() -> Plane:
    """Draw the true matte, with a soft edge of one cell, float32 (SIDE, SIDE)."""
    plane = np.zeros((SIDE, SIDE), np.float32)
    plane[9:51, 9:51] = 0.5
    plane[SUBJECT, SUBJECT] = 1
    return plane


@pytest.mark.parametrize("doubt", [0.3, 0.5, 0.9])
def test_a_patch_in_the_subject_becomes_the_subject(
    seen: Picture, coarse: Plane, doubt: float
) -> None:
    """A network's doubt left a hole in it. Nothing else changes."""
    patch = (slice(22, 34), slice(20, 40))
    with_hole = coarse.copy()
    with_hole[patch] = doubt
    found = settled(seen, with_hole)
    assert found[patch].min() > 0.95
    found[patch] = doubt
    assert np.array_equal(found, with_hole)


def test_a_patch_that_reaches_the_frame_is_decided_as_well(seen: Picture) -> None:
    """A coat that the frame cuts off; beyond the frame there are no neighbours."""
    plane = np.ones((SIDE, SIDE), np.float32)
    plane[40:, 10:30] = 0.5
    seen[:] = COAT
    assert settled(seen, plane).min() > 0.99


def test_a_patch_on_the_ground_becomes_the_ground(seen: Picture, coarse: Plane) -> None:
    """A ghost beside the subject goes."""
    coarse[54:60, 20:40] = 0.6
    assert settled(seen, coarse)[54:60, 20:40].max() < 0.03


def test_a_patch_is_divided_where_the_colours_change(seen: Picture) -> None:
    """Half of it looks like the coat beside it, and half like the grass on the other side."""
    plane = np.zeros((SIDE, SIDE), np.float32)
    plane[:, :15] = 1
    plane[:, 15:45] = 0.5
    seen[:, :30], seen[:, 30:] = COAT, GRASS
    found = settled(seen, plane)
    assert found[:, 15:29].min() > 0.9
    assert found[:, 31:45].max() < 0.1


def test_an_edge_stays_as_it_is(seen: Picture, coarse: Plane) -> None:
    """What has sure cells of both sides within three cells belongs to the refinement."""
    plane = coarse.copy()
    plane[:, :] = np.interp(np.arange(SIDE), [29, 33], [1, 0])
    assert settled(seen, plane) is plane
    assert settled(seen, coarse) is coarse


@pytest.mark.parametrize("first", [0, 10, 60])
def test_a_sure_matte_is_not_copied(seen: Picture, first: int) -> None:
    """Full, of two parts without an edge between them, and empty."""
    plane = np.zeros((SIDE, SIDE), np.float32)
    plane[first:] = 1
    assert settled(seen, plane) is plane


@pytest.mark.parametrize("size", [1, SIDE])
def test_where_nothing_is_sure_nothing_is_decided(seen: Picture, size: int) -> None:
    """There is no neighbour to follow, whatever the network says."""
    plane = np.linspace(0.1, 0.9, size * size, dtype=np.float32).reshape(size, size)
    assert settled(seen[:size, :size], plane) is plane


@pytest.mark.parametrize(("size", "least"), [(40, 0.94), (80, 0.9), (120, 0.86)])
def test_a_large_patch_with_a_soft_rim_is_decided_to_its_middle(size: int, least: float) -> None:
    """Where alpha changes slowly, each cell is nearly the mean of its neighbours from the start."""
    plane = np.ones((160, 160), np.float32)
    wave = np.sin(np.pi * (np.arange(size) + 0.5) / size, dtype=np.float32)
    plane[20 : 20 + size, 20 : 20 + size] -= 0.5 * np.outer(wave, wave)
    flat = np.full((160, 160, 3), COAT, np.uint8)
    assert settled(flat, plane).min() > least


def test_it_solves_the_equation_of_the_random_walker() -> None:
    """As a dense solver in double precision does, cell by cell, on a plane of noise."""
    rng = np.random.default_rng(3)
    colours = rng.integers(100, 140, (12, 12, 3), dtype=np.uint8)
    plane = np.ones((12, 12), np.float32)
    plane[:2] = 0
    plane[6:, :9] = rng.uniform(0.1, 0.9, (6, 9))
    plane[2:6, :9] = 1
    unknown = [(y, x) for y in range(6, 12) for x in range(9)]
    place = {cell: n for n, cell in enumerate(unknown)}
    matrix, wanted = np.zeros((len(unknown),) * 2), np.zeros(len(unknown))
    for (y, x), n in place.items():
        prior = 0.005 * (2 * float(plane[y, x]) - 1) ** 2
        matrix[n, n] += prior
        wanted[n] += prior * float(plane[y, x])
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= other[0] < 12 and 0 <= other[1] < 12):
                continue
            apart = np.square(colours[y, x].astype(float) - colours[other]).sum()
            link = np.exp(-apart / (2 * 25.5**2)) + 1e-3
            matrix[n, n] += link
            if other in place:
                matrix[n, place[other]] -= link
            else:
                wanted[n] += link * float(plane[other])
    found = settled(colours, plane)[6:, :9].ravel()
    assert found == pytest.approx(np.linalg.solve(matrix, wanted), abs=3e-3)


@pytest.mark.parametrize("settle", [True, False])
def test_a_card_says_whether_grey_is_doubt(seen: Picture, coarse: Plane, *, settle: bool) -> None:
    """A model whose greys are shares of the subject keeps them."""
    with_hole = coarse.copy()
    with_hole[22:34, 20:40] = 0.4
    matte = extract_matte(
        Photo(pixels=seen, alpha=None),
        replace(card_of(SIDE), settle=settle),
        lambda _: with_hole[None, None],
        input_alpha=InputAlpha.MULTIPLY,
    )
    hole = matte.alpha[25:31, 24:36]
    assert (hole == 255).all() if settle else (hole < 128).all()
