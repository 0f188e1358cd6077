"""Edge colours re-estimated, so that the removed background does not shine through."""

import math

import numpy as np
from numpy.typing import NDArray

from cutout.decode import Photo
from cutout.matte import Matte, Plane, interpolation, tiles

_FILLED_PX = 1 << 18  # colours are spread at this size at most: they are smooth, detail is added
_FAINT_WEIGHT = 1e-6  # against 1 of an opaque pixel: where nothing is opaque, the faint must do


def estimate_foreground(photo: Photo, matte: Matte) -> NDArray[np.uint8]:
    """Return the subject's own colours, uint8 (H, W, 3) sRGB: 0 where alpha is 0.

    Where alpha is 1 they are the photo's. Between, colours spread from what is surely subject (F)
    and surely background (B), and the photo's I adds the detail that αF + (1-α)B leaves over:
    F + α(I - αF - (1-α)B), as blur fusion does (Forte 2021, Approximate Fast Foreground Colour
    Estimation).
    """
    alpha = matte.alpha
    height, width = alpha.shape
    step = _step(height, width)
    subject = _filled(*_gathered(photo.pixels, alpha, step, inverse=False))
    behind = _filled(*_gathered(photo.pixels, alpha, step, inverse=True))
    colours = np.concatenate([subject, behind])
    result = np.zeros_like(photo.pixels)
    for rows, columns in tiles(height, width, step):
        part = alpha[rows, columns]
        if not part.any():
            continue
        tile, own = result[rows, columns], photo.pixels[rows, columns]
        if part.min() == 1:
            tile[:] = own
            continue
        local = _enlarged(colours, rows, columns, height, width)
        for channel in range(3):
            ours, theirs = local[channel], local[channel + 3]
            rest = own[..., channel] - theirs
            rest -= part * (ours - theirs)
            rest *= part
            rest += ours
            np.clip(rest + 0.5, 0, 255, out=rest)
            tile[..., channel] = np.where(part == 1, own[..., channel], rest)
        tile[part == 0] = 0
    return result


def extend_foreground(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return ``pixels``, uint8 (H, W, 3), with the subject's colours spread to where alpha is 0.

    ``alpha`` is uint8 (H, W) 0..255 or float32 (H, W) 0..1. What was there plays no part. An empty
    matte gives 0 everywhere.
    """
    height, width = alpha.shape
    step = _step(height, width)
    colours = _filled(*_gathered(pixels, alpha, step, inverse=False))
    result = pixels.copy()
    for rows, columns in tiles(height, width, step):
        empty = alpha[rows, columns] == 0
        if empty.any():
            local = _enlarged(colours, rows, columns, height, width)
            spread = np.clip(local.transpose(1, 2, 0) + 0.5, 0, 255)
            np.copyto(result[rows, columns], spread, where=empty[..., None], casting="unsafe")
    return result


def _step(height: int, width: int) -> int:
    """Return how many photo pixels, on either axis, share a cell of spread colour."""
    return math.ceil(math.sqrt(height * width / _FILLED_PX))


def _gathered(
    pixels: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | NDArray[np.float32],
    step: int,
    *,
    inverse: bool,
) -> tuple[Plane, Plane]:
    """Return the mean colours 0..255, float32 (3, h, w), of cells of step² px, and their weights.

    Weights, float32 (h, w) 0..1, rise with the 16th power of alpha (of 1-alpha where ``inverse``):
    what is almost opaque tells the subject's colour, what is less so is mostly background.
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
        own = pixels[rows, columns]
        if low == high:  # far from the edge one sample is as good as the mean
            colour[:, *cells] = own[::step, ::step].transpose(2, 0, 1)
            weight[cells] = _steep(low / top, inverse=inverse)
            continue
        own_weight = _steep(np.divide(part, top, dtype=np.float32), inverse=inverse)
        sums = np.stack([own_weight, *(own[..., channel] * own_weight for channel in range(3))])
        sums = _summed(sums, step)
        weight[cells] = sums[0]
        colour[:, *cells] = sums[1:] / np.maximum(sums[0], np.float32(1e-30))
    np.minimum(weight, 1, out=weight)
    return colour, weight


def _steep(alpha: Plane, *, inverse: bool) -> Plane:
    """Return the weights that alpha 0..1 has in the spread of colours."""
    share = 1 - alpha if inverse else alpha
    square = share * share
    eighth = square * square
    eighth *= eighth
    # The floor keeps the 16th power of faint alpha out of float32's slow subnormal numbers.
    weights: Plane = eighth * np.maximum(eighth, np.float32(1e-10))
    weights += share * np.float32(_FAINT_WEIGHT)
    return weights


def _summed(planes: Plane, step: int) -> Plane:
    """Return the sums over squares of step² px of float32 (C, H, W); the last may be smaller."""
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
    """Return ``colour``, float32 (3, h, w), spread from where ``weight``, 0..1, is 1 to all else.

    Pull-push (Gortler et al. 1996, The Lumigraph, section 3.4): halved until one cell is left,
    then each size fills what the next finer one does not know.
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


def _enlarged(colours: Plane, rows: slice, columns: slice, height: int, width: int) -> Plane:
    """Return a tile of ``colours``, float32 (C, h, w), at the photo's size."""
    down, cells_down = interpolation(rows, height, colours.shape[1])
    across, cells_across = interpolation(columns, width, colours.shape[2])
    return np.asarray(down @ colours[:, cells_down, cells_across] @ across.T, np.float32)
