"""How a photo is walked part by part, and how its pixels and the network's cells correspond.

A photo of H x W pixels and a grid of S x S cells show the same picture, stretched. Whole planes of
a large photo in float32 would not fit into a processor's cache, so the pipeline works on strips
(whole rows) or tiles (rectangles) of it.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

STRIP_PX = 1 << 20
"""Pixels in one strip: a few bytes for each of them are working memory that nobody notices."""

_TILE_PX = 1 << 15  # the float32 planes of one tile stay in a core's L2 cache
_TILE_SIDE_PX = 1 << 10  # longest side of a tile: its interpolation matrix has side x cells values


def strips(plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield views of whole rows of ``plane``, (H, W, ...), of about :data:`STRIP_PX` px each."""
    for rows in strip_rows(*plane.shape[:2]):
        yield plane[rows]


def strip_rows(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of strips of about :data:`STRIP_PX` px that together cover a photo once."""
    rows = max(1, STRIP_PX // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def tiles(height: int, width: int, step: int = 1) -> Iterator[tuple[slice, slice]]:
    """Yield (rows, columns) of rectangles of about 2¹⁵ px that together cover a photo once.

    Each begins at a multiple of ``step`` px.
    """
    rows = min(height, math.isqrt(_TILE_PX))
    columns = min(width, _TILE_PX // rows, _TILE_SIDE_PX)
    rows = min(height, _TILE_PX // columns, _TILE_SIDE_PX)
    rows, columns = (max(size // step, 1) * step for size in (rows, columns))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))


def matching(place: float, side: int, other_side: int) -> float:
    """Return where ``place``, 0..``side``, lies on another side that shows the same picture.

    The result never leaves 0..``other_side``: floating point rounds 352 * (3024 / 352) to slightly
    more than 3024, and a window of that size would pass the edge of the photo.
    """
    return min(min(max(place, 0), side) * other_side / side, other_side)


def interpolation(part: slice, size: int, cells: int) -> tuple[Plane, slice]:
    """Return the matrix that interpolates cells linearly to a part of a side, and its cells.

    ``part`` of the side's ``size`` px; the matrix is float32 (px of the part, cells in use). It is
    read-only, since the tiles of a row share it.
    """
    return _interpolation(part.start, part.stop, size, cells)


@lru_cache(maxsize=64)  # the tiles of a row share one matrix, and those of a column another
def _interpolation(start: int, stop: int, size: int, cells: int) -> tuple[Plane, slice]:
    places = (np.arange(start, stop) + 0.5) * (cells / size) - 0.5
    places = np.clip(places, 0, cells - 1)
    first, last = int(places[0]), min(int(places[-1]) + 1, cells - 1)
    distance = np.abs(places[:, None] - np.arange(first, last + 1))
    matrix = np.maximum(0, 1 - distance).astype(np.float32)
    matrix.flags.writeable = False  # it is handed out again
    return matrix, slice(first, last + 1)


def within(found: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Return the cells, bool (S, S), with a found one at most so many rows and columns away."""
    return _within_rows(_within_rows(found, distance).T, distance).T


def _within_rows(found: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Return the cells that have a found one at most ``distance`` rows above or below."""
    padded = np.pad(found, ((distance + 1, distance), (0, 0)))
    counts = np.cumsum(padded, axis=0, dtype=np.int32)
    window: NDArray[np.bool_] = counts[2 * distance + 1 :] > counts[: -2 * distance - 1]
    return window
