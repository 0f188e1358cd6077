"""Green light of a screen taken out of the subject, near its edge."""

import math

import numpy as np
from numpy.typing import NDArray

from cutout.image.composite import shares
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.tiles import Plane, interpolation, tiles

_CELLS = 256
"""Into how many cells the photo's shorter side is cut: light is smooth, so cells are enough."""
_MAX_CELLS = 1 << 18
"""How many cells there may be in all, for photos that are narrow and long."""
_BAND_CELLS = 4
"""The band into which the light reaches is twice this wide, 1/32 of the shorter side. In studio
photographs spill is a rim; further inside, green is the subject's own."""
_FULL_SHARE = 0.25
"""The light counts in full where this share of what lies around is background: on a straight edge
(where a half is) and in the outer 3/10 of the band."""
_NOT_A_SCREEN, _SCREEN = 24.0, 48.0
"""How far G is above R and B, 0..255, in a background that is surely not a screen, and in one that
surely is; between them the light counts in part. Leaves in scikit-learn's sample photographs have
up to 35, nine in ten of their pixels under 23. Chroma green, (0, 177, 64), has 113."""


def remove_green_spill(colours: NDArray[np.uint8], photo: Photo, matte: Matte) -> None:
    """Take a screen's green out of ``colours``, uint8 (H, W, 3) or (H, W, 4) sRGB, in place.

    G becomes G - s · max(0, G - max(R, B)). It is the limit that Vlahos puts on the screen's
    channel (Smith and Blinn 1996, Blue Screen Matting), for green, with the larger of the two other
    channels (Wright 2010, Digital Compositing for Film and Video, chapter "Despill"), so that
    neither yellow nor cyan is taken for spill. The strength s, 0..1, is 1 along an edge to a green
    background and falls to 0 within the band.
    """
    height, width = matte.alpha.shape
    strength = _strength(photo, matte)
    for rows, columns in tiles(height, width):
        down, cells_down = interpolation(rows, height, strength.shape[0])
        across, cells_across = interpolation(columns, width, strength.shape[1])
        cells = strength[cells_down, cells_across]
        if not cells.any():
            continue
        red, green, blue = (colours[rows, columns, channel] for channel in range(3))
        spill = np.maximum(green, np.maximum(red, blue)) - np.maximum(red, blue)
        green -= np.rint(down @ cells @ across.T * spill).astype(np.uint8)


def _strength(photo: Photo, matte: Matte) -> Plane:
    """Return how much of its spill each cell loses, float32 (h, w) 0..1."""
    height, width = matte.alpha.shape
    step = math.ceil(max(min(height, width) / _CELLS, math.sqrt(height * width / _MAX_CELLS)))
    lefts = np.arange(0, width, step)
    # Of pixels, of the background, and of the background's green.
    sums = np.empty((3, -(-height // step), len(lefts)))
    for row, top in enumerate(range(0, height, step)):
        behind = 1 - shares(matte.alpha[top : top + step])
        colour = photo.pixels[top : top + step]
        others = np.maximum(colour[..., 0], colour[..., 2])
        green = np.maximum(colour[..., 1], others) - others
        for plane, values in enumerate((np.ones_like(behind), behind, behind * green)):
            sums[plane, row] = np.add.reduceat(values.sum(axis=0, dtype=np.float64), lefts)
    pixels, behind, green = _spread(_spread(sums))
    around = np.clip(behind / pixels / _FULL_SHARE, 0, 1)
    greenness = green / np.maximum(behind, 1e-9)
    is_screen = np.clip((greenness - _NOT_A_SCREEN) / (_SCREEN - _NOT_A_SCREEN), 0, 1)
    strength: Plane = (around * is_screen).astype(np.float32)
    return strength


def _spread(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over the square of cells around each one, cut at the photo's border."""
    for axis in (1, 2):
        size = planes.shape[axis]
        sums = np.insert(planes.cumsum(axis=axis), 0, 0, axis=axis)
        places = np.arange(size)
        ends = np.minimum(places + _BAND_CELLS + 1, size)
        starts = np.maximum(places - _BAND_CELLS, 0)
        planes = np.subtract(np.take(sums, ends, axis=axis), np.take(sums, starts, axis=axis))
    return planes
