"""Re-estimates the colours at the edge, so that the removed background does not shine through."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.spread import enlarged, grid, spread
from cutout.image.tiles import Plane, tiles


def estimate_foreground(photo: Photo, matte: Matte) -> NDArray[np.uint8]:
    """Return the subject's own colours, uint8 (H, W, 3) sRGB, which are 0 where alpha is 0.

    Where alpha is 1 they are the photo's. In between, the colours F of what is surely subject and B
    of what is surely background are spread over the edge, and the photo I adds the detail that they
    do not explain: F + α(I - αF - (1-α)B). This is blur fusion (Forte 2021, "Approximate Fast
    Foreground Colour Estimation").
    """
    alpha = matte.alpha
    height, width = alpha.shape
    cell = grid(height, width)
    subject = spread(photo.pixels, alpha, cell)
    behind = spread(photo.pixels, alpha, cell, inverse=True)
    colours = np.concatenate([subject, behind])
    result = np.zeros_like(photo.pixels)
    for rows, columns in tiles(height, width, cell[0]):
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
            local = enlarged(colours, _within(rows, down), _within(columns, across), alpha.shape)
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
    cell = grid(height, width)
    colours = spread(pixels, alpha, cell)
    result = pixels.copy()
    for rows, columns in tiles(height, width, cell[0]):
        empty = alpha[rows, columns] == 0
        if empty.any():
            tile, local = result[rows, columns], enlarged(colours, rows, columns, alpha.shape)
            local += 0.5
            filled = np.clip(local, 0, 255, out=local).astype(np.uint8)
            for channel in range(3):
                np.copyto(tile[..., channel], filled[channel], where=empty)
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
