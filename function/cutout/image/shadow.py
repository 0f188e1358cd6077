"""A soft shadow behind the subject, made of its matte."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cutout.image.blur import cells_of
from cutout.image.composite import OPAQUE
from cutout.image.place import Box
from cutout.image.tiles import Plane, interpolation, tiles

# In shares of the subject's size, the square root of its box's area. They were chosen by eye on
# photographs of people, animals and things.
_BLUR = 0.03  # standard deviation
_DOWN, _RIGHT = 0.03, 0.01  # light comes from above and a little from the left


def cast_shadow(pixels: NDArray[np.uint8], subject: Box, opacity: int) -> None:
    """Lay a shadow of the subject's box behind ``pixels``, uint8 (H, W, 4), in place.

    ``opacity`` is 0..100 %. Alpha stays straight: shadow is black, and what is above it becomes
    α + s(1 - α) opaque and keeps its share α of the colour. What would fall beyond the canvas is
    cut off. Pixels of alpha 0 must have colour 0.
    """
    size = math.sqrt(subject.width * subject.height)
    step, reach = cells_of(size * _BLUR)
    around = reach + 1
    cells = _blurred(pixels[..., 3][subject.slices], size * _BLUR / step, step, around)
    top = subject.top + round(size * _DOWN) - around * step
    left = subject.left + round(size * _RIGHT) - around * step
    height, width = cells.shape[0] * step, cells.shape[1] * step
    canvas = Box(
        top=max(0, top),
        left=max(0, left),
        height=min(pixels.shape[0], top + height) - max(0, top),
        width=min(pixels.shape[1], left + width) - max(0, left),
    )
    if canvas.width <= 0 or canvas.height <= 0:
        return
    shadow = cells * np.float32(opacity / 100 / OPAQUE)
    view = pixels[canvas.slices]
    for rows, columns in tiles(canvas.height, canvas.width):
        if view[rows, columns, 3].min() == OPAQUE:
            continue  # most of the subject is opaque and hides what is behind it
        down, cells_down = interpolation(_moved(rows, canvas.top - top), height, len(shadow))
        across, cells_across = interpolation(
            _moved(columns, canvas.left - left), width, shadow.shape[1]
        )
        _lay_behind(view[rows, columns], down @ shadow[cells_down, cells_across] @ across.T)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _blurred(alpha: NDArray[np.uint8], sigma: float, step: int, around: int) -> Plane:
    """Return alpha, uint8 (H, W), blurred, in cells of ``step``² px: float32 (h, w) 0..255.

    ``sigma``, the standard deviation, is in cells. The plane has ``around`` more cells on each
    side, so that it holds all of the blur.
    """
    lefts = np.arange(0, alpha.shape[1], step)
    shape = -(-alpha.shape[0] // step) + 2 * around, len(lefts) + 2 * around
    sums = np.zeros(shape, np.float32)
    for row, start in enumerate(range(0, alpha.shape[0], step)):
        columns = alpha[start : start + step].sum(axis=0, dtype=np.float32)
        sums[around + row, around:-around] = np.add.reduceat(columns, lefts)
    mean = np.rint(sums / np.float32(step * step)).astype(np.uint8)
    soft = Image.fromarray(mean).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(soft, np.float32)


def _lay_behind(tile: NDArray[np.uint8], shadow: Plane) -> None:
    """Lay a black of alpha ``shadow``, float32 (H, W) 0..1, behind uint8 (H, W, 4), in place."""
    alpha = tile[..., 3] * np.float32(1 / OPAQUE)
    covered = alpha + shadow * (1 - alpha)
    share = alpha / np.maximum(covered, np.float32(1e-6))
    np.rint(tile[..., :3] * share[..., None], out=tile[..., :3], casting="unsafe")
    np.rint(covered * OPAQUE, out=tile[..., 3], casting="unsafe")
