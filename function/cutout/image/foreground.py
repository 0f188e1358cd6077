"""Re-estimates the colours at the edge, so that the removed background does not shine through."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.tiles import Plane, interpolation, tiles

Alpha = NDArray[np.uint8] | NDArray[np.float32]
"""(H, W), 0..255 or 0..1."""

# Colours are spread at this resolution at most. They are smooth; the photo adds the detail.
_FILLED_PX = 1 << 18
# Weight of a faint pixel against 1 of an opaque one: it only counts where there is no opaque one.
_FAINT_WEIGHT = 1e-6


def estimate_foreground(photo: Photo, matte: Matte) -> NDArray[np.uint8]:
    """Return the subject's own colours, uint8 (H, W, 3) sRGB; where alpha is 0 they mean nothing.

    Where alpha is 1 they are the photo's. In between, the colours F of what is surely subject and B
    of what is surely background are spread over the edge, and the photo I adds the detail that they
    do not explain: F + α(I - αF - (1-α)B). This is blur fusion (Forte 2021, "Approximate Fast
    Foreground Colour Estimation").
    """
    alpha = matte.alpha
    grid = _grid(alpha)
    subject = _filled(*_gathered(photo.pixels, alpha, grid, inverse=False))
    behind = _filled(*_gathered(photo.pixels, alpha, grid, inverse=True))
    colours = np.concatenate([subject, behind])
    result = photo.pixels.copy()
    for part in grid.parts:
        if part.low == 1 or part.high == 0:
            continue
        rows, columns = part.rows, part.columns
        share, own = alpha[rows, columns], photo.pixels[rows, columns]
        mixed: NDArray[np.bool_] = (share > 0) & (share < 1)
        if mixed.any():
            # Only the rectangle around the edge: half of a tile's pixels, often fewer. Where alpha
            # is 1 in it, the estimate is the photo's own colour.
            down, across = _extent(mixed, 1), _extent(mixed, 0)
            local = _enlarged(colours, _within(rows, down), _within(columns, across), alpha.shape)
            estimate = _unmixed(own[down, across], share[down, across], local[:3], local[3:])
            result[rows, columns][down, across] = estimate.transpose(1, 2, 0)
    return result


def extend_foreground(pixels: NDArray[np.uint8], alpha: Alpha) -> NDArray[np.uint8]:
    """Return ``pixels``, uint8 (H, W, 3), with the subject's colours spread to where alpha is 0.

    ``alpha`` is uint8 (H, W) 0..255 or float32 (H, W) 0..1. The colours under alpha 0 have no
    influence on the result. An empty matte gives 0 everywhere.
    """
    grid = _grid(alpha)
    colours = _filled(*_gathered(pixels, alpha, grid, inverse=False))
    result = pixels.copy()
    for part in grid.parts:
        if part.low == 0:
            rows, columns = part.rows, part.columns
            empty = alpha[rows, columns] == 0
            tile, local = result[rows, columns], _enlarged(colours, rows, columns, alpha.shape)
            local += 0.5
            spread = np.clip(local, 0, 255, out=local).astype(np.uint8)
            for channel in range(3):
                np.copyto(tile[..., channel], spread[channel], where=empty)
    return result


class _Part(NamedTuple):
    """A tile of the photo, and the smallest and the largest alpha in it."""

    rows: slice
    columns: slice
    low: float
    high: float


class _Grid(NamedTuple):
    """How a photo is cut into cells of ``step``² px; each part begins at a whole cell.

    Colours are sampled every ``stride`` px.
    """

    step: int
    stride: int
    parts: Sequence[_Part]


def _grid(alpha: Alpha) -> _Grid:
    """Return the grid of a photo with this matte.

    Each cell has at least three samples a side, or one for each of its pixels.
    """
    height, width = alpha.shape
    smallest = math.ceil(math.sqrt(height * width / _FILLED_PX))
    stride = max(1, smallest // 3)
    step = -(-smallest // stride) * stride
    parts = []
    for rows, columns in tiles(height, width, step):
        share = alpha[rows, columns]
        parts.append(_Part(rows, columns, share.min(), share.max()))
    return _Grid(step, stride, parts)


def _extent(used: NDArray[np.bool_], axis: int) -> slice:
    """Return the smallest slice that contains every True; at least one is required.

    ``axis`` is the one that the slice does not go along.
    """
    places = np.flatnonzero(used.any(axis=axis))
    return slice(int(places[0]), int(places[-1]) + 1)


def _within(part: slice, inner: slice) -> slice:
    """Return ``inner``, a slice of ``part``, as a slice of what ``part`` is a slice of."""
    return slice(part.start + inner.start, part.start + inner.stop)


def _unmixed(own: NDArray[np.uint8], alpha: Plane, subject: Plane, behind: Plane) -> Plane:
    """Return F + α(I - B - α(F - B)) + ½, float32 (3, H, W) 0..255, so that truncation rounds it.

    I is ``own``, (H, W, 3); F and B, (3, H, W), are ``subject`` and ``behind``.
    """
    estimate = behind - subject
    estimate *= alpha
    estimate += own.transpose(2, 0, 1)
    estimate -= behind
    estimate *= alpha
    estimate += subject
    estimate += 0.5
    return np.clip(estimate, 0, 255, out=estimate)


def _gathered(
    pixels: NDArray[np.uint8],
    alpha: Alpha,
    grid: _Grid,
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
    top = np.float32(255 if alpha.dtype == np.uint8 else 1)
    for rows, columns, low, high in parts:
        if (low == top) if inverse else (high == 0):
            continue
        cells = (
            slice(rows.start // step, -(-rows.stop // step)),
            slice(columns.start // step, -(-columns.stop // step)),
        )
        if low == high:  # far from the edge one sample of a cell is as good as its mean
            colour[:, *cells] = pixels[rows, columns][::step, ::step].transpose(2, 0, 1)
            weight[cells] = _steep(np.divide(low, top, dtype=np.float32), inverse=inverse)
            continue
        own = pixels[rows, columns][::stride, ::stride].transpose(2, 0, 1)
        share = np.divide(alpha[rows, columns][::stride, ::stride], top, dtype=np.float32)
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


def _enlarged(colours: Plane, rows: slice, columns: slice, shape: tuple[int, ...]) -> Plane:
    """Return part of ``colours``, float32 (C, h, w), at the size (H, W) of the photo."""
    down, cells_down = interpolation(rows, shape[0], colours.shape[1])
    across, cells_across = interpolation(columns, shape[1], colours.shape[2])
    enlarged: Plane = np.matmul(down @ colours[:, cells_down, cells_across], across.T)
    return enlarged
