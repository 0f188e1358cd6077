"""Colours of some pixels, spread over the whole photo: the subject's, or the background's."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cutout.image.composite import OPAQUE, shares
from cutout.image.tiles import Plane, interpolation, tiles

Bytes = NDArray[np.uint8]

# Colours are spread at this resolution at most. They are smooth; the photo adds the detail.
_FILLED_PX = 1 << 18
# The weight of a faint pixel, where an opaque one has 1: it counts only if no opaque one is near.
_FAINT_WEIGHT = 1e-6


class Part(NamedTuple):
    """A tile of the photo, and the smallest and the largest alpha in it."""

    rows: slice
    columns: slice
    low: int
    high: int


class Grid(NamedTuple):
    """How a photo is cut into cells of ``step``² px; each part begins at a whole cell.

    Colours are sampled every ``stride`` px.
    """

    step: int
    stride: int
    parts: Sequence[Part]


def grid(alpha: Bytes) -> Grid:
    """Return the grid of a photo with this matte, uint8 (H, W).

    Each cell has at least three samples a side, or one for each of its pixels.
    """
    height, width = alpha.shape
    smallest = math.ceil(math.sqrt(height * width / _FILLED_PX))
    stride = max(1, smallest // 3)
    step = -(-smallest // stride) * stride
    parts = []
    for rows, columns in tiles(height, width, step):
        share = alpha[rows, columns]
        parts.append(Part(rows, columns, int(share.min()), int(share.max())))
    return Grid(step, stride, parts)


def spread(pixels: Bytes, alpha: Bytes, grid: Grid, *, inverse: bool = False) -> Plane:
    """Return the subject's colours in every cell, float32 (3, h, w) 0..255, sRGB.

    ``pixels`` is uint8 (H, W, 3); ``grid`` is that of ``alpha``. ``inverse`` asks for the
    background's colours instead.
    """
    return _filled(*_gathered(pixels, alpha, grid, inverse=inverse))


def _gathered(
    pixels: Bytes,
    alpha: Bytes,
    grid: Grid,
    *,
    inverse: bool,
) -> tuple[Plane, Plane]:
    """Return the mean colours 0..255, float32 (3, h, w), of cells of step² px, and their weights.

    Weights, float32 (h, w) 0..1, rise with the 16th power of alpha (of 1-alpha where ``inverse``):
    almost opaque pixels tell the subject's colour, others are mixed with the background's.
    """
    step, stride, parts = grid
    shape = -(-alpha.shape[0] // step), -(-alpha.shape[1] // step)
    colour, weight = np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
    for rows, columns, low, high in parts:
        if (low == OPAQUE) if inverse else (high == 0):
            continue
        cells = (
            slice(rows.start // step, -(-rows.stop // step)),
            slice(columns.start // step, -(-columns.stop // step)),
        )
        if low == high:  # far from the edge one sample of a cell is as good as its mean
            colour[:, *cells] = pixels[rows, columns][::step, ::step].transpose(2, 0, 1)
            weight[cells] = _steep(np.divide(low, OPAQUE, dtype=np.float32), inverse=inverse)
            continue
        own = pixels[rows, columns][::stride, ::stride].transpose(2, 0, 1)
        share = shares(alpha[rows, columns][::stride, ::stride])
        sums = np.empty((4, *share.shape), np.float32)
        sums[0] = _steep(share, inverse=inverse)
        np.multiply(own, sums[0], out=sums[1:])
        sums = _summed(sums, step // stride)
        weight[cells] = sums[0]
        colour[:, *cells] = sums[1:] / np.maximum(sums[0], np.float32(1e-30))
    np.minimum(weight, 1, out=weight)
    return colour, weight


def _steep(alpha: Plane, *, inverse: bool) -> Plane:
    """Return the weight of pixels of alpha 0..1 in the spread of colours."""
    share = 1 - alpha if inverse else alpha
    square = share * share
    eighth = square * square
    eighth *= eighth
    # The lower bound keeps the 16th power of faint alpha out of float32's slow subnormal numbers.
    weights: Plane = eighth * np.maximum(eighth, np.float32(1e-10))
    weights += share * np.float32(_FAINT_WEIGHT)
    return weights


def _summed(planes: Plane, step: int) -> Plane:
    """Return the sums of float32 (C, H, W) over squares of step² px; the last may be smaller."""
    height, width = planes.shape[1:]
    if height % step or width % step:
        planes = np.pad(planes, ((0, 0), (0, -height % step), (0, -width % step)))
    sums = planes[:, ::step].copy()
    for start in range(1, step):
        sums += planes[:, start::step]
    planes, sums = sums, sums[:, :, ::step].copy()
    for start in range(1, step):
        sums += planes[:, :, start::step]
    return sums


def _filled(colour: Plane, weight: Plane) -> Plane:
    """Spread ``colour``, float32 (3, h, w), from where ``weight`` is 1 to where it is less.

    ``colour`` is changed in place and returned; ``weight`` is float32 (h, w) 0..1.

    This is pull-push (Gortler et al. 1996, "The Lumigraph", section 3.4): the planes are halved
    until one cell is left, then each size fills the gaps of the next finer one.
    """
    height, width = weight.shape
    if height * width == 1:
        return colour
    sums = np.empty((4, height, width), np.float32)
    sums[0] = weight
    np.multiply(colour, weight, out=sums[1:])
    sums = _summed(sums, 2)
    coarse = _filled(sums[1:] / np.maximum(sums[0], np.float32(1e-30)), np.minimum(sums[0], 1))
    spread = _doubled(_doubled(coarse, 1), 2)[:, :height, :width]
    colour -= spread
    colour *= weight
    colour += spread
    return colour


def _doubled(planes: Plane, axis: int) -> Plane:
    """Return float32 (C, H, W) at twice the size along ``axis``, interpolated linearly."""
    shape = list(planes.shape)
    shape[axis] *= 2
    doubled = np.empty(shape, np.float32)
    # Views along the axis: the arrays themselves stay in the order in which memory holds them.
    near, quarter = np.moveaxis(planes, axis, 0), np.moveaxis(planes * np.float32(0.25), axis, 0)
    target = np.moveaxis(doubled, axis, 0)
    np.multiply(near, np.float32(0.75), out=target[::2])
    target[1::2] = target[::2]
    target[2::2] += quarter[:-1]
    target[0] += quarter[0]
    target[1:-1:2] += quarter[1:]
    target[-1] += quarter[-1]
    return doubled


def enlarged(colours: Plane, rows: slice, columns: slice, shape: tuple[int, ...]) -> Plane:
    """Return part of ``colours``, float32 (C, h, w), at the size (H, W) of the photo."""
    if colours.shape[1:] == shape:
        return colours[:, rows, columns].copy()
    down, cells_down = interpolation(rows, shape[0], colours.shape[1])
    across, cells_across = interpolation(columns, shape[1], colours.shape[2])
    enlarged: Plane = np.matmul(down @ colours[:, cells_down, cells_across], across.T)
    return enlarged
