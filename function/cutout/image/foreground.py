"""Re-estimates the colours at the edge, so that the removed background does not shine through."""

import math

import numpy as np
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.tiles import Plane, interpolation, tiles

# Colours are spread at this resolution at most. They are smooth; the photo adds the detail.
_FILLED_PX = 1 << 18
# Weight of a faint pixel against 1 of an opaque one: it only counts where there is no opaque one.
_FAINT_WEIGHT = 1e-6


def estimate_foreground(photo: Photo, matte: Matte) -> NDArray[np.uint8]:
    """Return the subject's own colours, uint8 (H, W, 3) sRGB, which are 0 where alpha is 0.

    Where alpha is 1 they are the photo's. In between, the colours F of what is surely subject and B
    of what is surely background are spread over the edge, and the photo I adds the detail that they
    do not explain: F + α(I - αF - (1-α)B). This is blur fusion (Forte 2021, "Approximate Fast
    Foreground Colour Estimation").
    """
    alpha = matte.alpha
    height, width = alpha.shape
    step, stride = _step(height, width)
    subject = _filled(*_gathered(photo.pixels, alpha, step, stride, inverse=False))
    behind = _filled(*_gathered(photo.pixels, alpha, step, stride, inverse=True))
    colours = np.concatenate([subject, behind])
    result = np.zeros_like(photo.pixels)
    for rows, columns in tiles(height, width, step):
        part = alpha[rows, columns]
        if not part.any():
            continue
        tile, own = result[rows, columns], photo.pixels[rows, columns]
        solid = part == 1
        if solid.all():
            tile[:] = own
            continue
        _add(tile, own.transpose(2, 0, 1), solid)
        mixed = (part > 0) & ~solid
        if mixed.any():
            # Only the rectangle around the edge: half of a tile's pixels, often fewer.
            down, across = _extent(mixed.any(axis=1)), _extent(mixed.any(axis=0))
            local = _enlarged(colours, _within(rows, down), _within(columns, across), alpha.shape)
            estimate = _unmixed(own[down, across], part[down, across], local[:3], local[3:])
            _add(tile[down, across], estimate.astype(np.uint8), mixed[down, across])
    return result


def extend_foreground(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return ``pixels``, uint8 (H, W, 3), with the subject's colours spread to where alpha is 0.

    ``alpha`` is uint8 (H, W) 0..255 or float32 (H, W) 0..1. The colours under alpha 0 have no
    influence on the result. An empty matte gives 0 everywhere.
    """
    height, width = alpha.shape
    step, stride = _step(height, width)
    colours = _filled(*_gathered(pixels, alpha, step, stride, inverse=False))
    result = pixels.copy()
    for rows, columns in tiles(height, width, step):
        empty = alpha[rows, columns] == 0
        if empty.any():
            tile, local = result[rows, columns], _enlarged(colours, rows, columns, alpha.shape)
            local += 0.5
            spread = np.clip(local, 0, 255, out=local).astype(np.uint8)
            for channel in range(3):
                np.copyto(tile[..., channel], spread[channel], where=empty)
    return result


def _add(target: NDArray[np.uint8], planes: NDArray[np.uint8], where: NDArray[np.bool_]) -> None:
    """Add ``planes``, (3, H, W), to ``target``, (H, W, 3), where ``where`` is true."""
    for channel, plane in enumerate(planes):  # indexing by a mask would take five times as long
        target[..., channel] += plane * where


def _extent(used: NDArray[np.bool_]) -> slice:
    """Return the smallest slice that contains every True; at least one is required."""
    places = np.flatnonzero(used)
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


def _step(height: int, width: int) -> tuple[int, int]:
    """Return the side of a cell of spread colour and the stride of the samples in it, in photo px.

    Each cell has at least three samples a side, or one for each of its pixels.
    """
    smallest = math.ceil(math.sqrt(height * width / _FILLED_PX))
    stride = max(1, smallest // 3)
    return -(-smallest // stride) * stride, stride


def _gathered(
    pixels: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | NDArray[np.float32],
    step: int,
    stride: int,
    *,
    inverse: bool,
) -> tuple[Plane, Plane]:
    """Return the mean colours 0..255, float32 (3, h, w), of cells of step² px, and their weights.

    Weights, float32 (h, w) 0..1, rise with the 16th power of alpha (of 1-alpha where ``inverse``):
    almost opaque pixels tell the subject's colour, others are mixed with the background's.
    """
    height, width = alpha.shape
    shape = -(-height // step), -(-width // step)
    colour, weight = np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
    top = np.float32(255 if alpha.dtype == np.uint8 else 1)
    for rows, columns in tiles(height, width, step):
        part = alpha[rows, columns]
        low, high = part.min(), part.max()
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
        share = np.divide(part[::stride, ::stride], top, dtype=np.float32)
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
    """Return ``colour``, float32 (3, h, w), spread from where ``weight``, 0..1, is 1 to the rest.

    This is pull-push (Gortler et al. 1996, "The Lumigraph", section 3.4): the planes are halved
    until one cell is left, then each size fills the gaps of the next finer one.
    """
    height, width = weight.shape
    if height * width == 1:
        return colour
    sums = _summed(np.concatenate([weight[None], colour * weight]), 2)
    coarse = _filled(sums[1:] / np.maximum(sums[0], np.float32(1e-30)), np.minimum(sums[0], 1))
    spread = _doubled(_doubled(coarse, 1), 2)[:, :height, :width]
    return spread + (colour - spread) * weight


def _doubled(planes: Plane, axis: int) -> Plane:
    """Return float32 (C, H, W) at twice the size along ``axis``, interpolated linearly."""
    planes = np.moveaxis(planes, axis, 0)
    padded = np.concatenate([planes[:1], planes, planes[-1:]]) * np.float32(0.25)
    near = planes * np.float32(0.75)
    doubled = np.empty((2 * len(planes), *planes.shape[1:]), np.float32)
    np.add(near, padded[:-2], out=doubled[::2])
    np.add(near, padded[2:], out=doubled[1::2])
    return np.moveaxis(doubled, 0, axis)


def _enlarged(colours: Plane, rows: slice, columns: slice, shape: tuple[int, ...]) -> Plane:
    """Return part of ``colours``, float32 (C, h, w), at the size (H, W) of the photo."""
    down, cells_down = interpolation(rows, shape[0], colours.shape[1])
    across, cells_across = interpolation(columns, shape[1], colours.shape[2])
    enlarged: Plane = np.matmul(down @ colours[:, cells_down, cells_across], across.T)
    return enlarged
