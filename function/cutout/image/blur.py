"""Gaussian blurs, the strong ones in cells of several pixels: the result has no finer detail."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cutout.image.resample import resampled
from cutout.image.tiles import STRIP_PX

_CELL = 2  # the least number of cells in one standard deviation
_REACH = 3  # standard deviations; beyond them a Gaussian is invisible


def cells_of(sigma_px: float) -> tuple[int, int]:
    """Return the side in px of the cells in which a blur is computed, and its reach in cells."""
    step = max(1, int(sigma_px / _CELL))
    return step, math.ceil(_REACH * sigma_px / step)


def blurred(pixels: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) blurred by a Gaussian of ``sigma_px`` px standard deviation."""
    height, width = pixels.shape[:2]
    step, around = cells_of(sigma_px)
    cells = _reduced(pixels, step)
    blur = ImageFilter.GaussianBlur(sigma_px / step)
    soft = np.empty_like(cells)
    rows = max(1, STRIP_PX // cells.shape[1])
    for top in range(0, len(cells), rows):
        start = max(0, top - around)
        strip = Image.fromarray(cells[start : top + rows + around]).filter(blur)
        soft[top : top + rows] = np.asarray(strip)[top - start : top - start + rows]
    if step == 1:
        return soft
    return resampled(soft, width, height, box=(0, 0, width / step, height / step))


def _reduced(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return the means of squares of ``step``² px; the last of a side may be smaller."""
    if step == 1:
        return pixels
    rows = max(1, STRIP_PX // (pixels.shape[1] * step)) * step
    parts = [
        np.asarray(Image.fromarray(pixels[top : top + rows]).reduce(step))
        for top in range(0, len(pixels), rows)
    ]
    return np.concatenate(parts)
