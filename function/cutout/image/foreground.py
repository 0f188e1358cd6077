"""Re-estimates the colours at the edge, so that the removed background does not shine through."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.composite import OPAQUE, shares
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.spread import enlarged, grid, spread
from cutout.image.tiles import Plane


def estimate_foreground(photo: Photo, matte: Matte) -> NDArray[np.uint8]:
    """Return the subject's own colours, uint8 (H, W, 3) sRGB.

    They are what :func:`clean_edges` makes of the photo's.
    """
    colours = photo.pixels.copy()
    clean_edges(colours, photo, matte)
    return colours


def clean_edges(colours: NDArray[np.uint8], photo: Photo, matte: Matte) -> None:
    """Replace the photo's colours by the subject's own ones at the edge, in place.

    ``colours`` is uint8 (H, W, 3), or (H, W, 4) whose alpha is left alone, and holds the colours of
    ``photo``, sRGB; it may be the photo's own memory. Where alpha is 1 they stay, and where it is 0
    they mean nothing. In between, the colours F of what is surely subject and B of what is surely
    background are spread over the edge, and the photo I adds the detail that they do not explain:
    F + α(I - αF - (1-α)B). This is blur fusion (Forte 2021, "Approximate Fast Foreground Colour
    Estimation"). Alpha is that of the file, of 255 steps, so that the colours fit what is shown.
    """
    alpha = matte.alpha
    cells = grid(alpha)
    subject = spread(photo.pixels, alpha, cells)
    behind = spread(photo.pixels, alpha, cells, inverse=True)
    both = np.concatenate([subject, behind])
    for part in cells.parts:
        if part.low == OPAQUE or part.high == 0:
            continue
        rows, columns = part.rows, part.columns
        share, own = alpha[rows, columns], photo.pixels[rows, columns]
        mixed: NDArray[np.bool_] = (share > 0) & (share < OPAQUE)
        if mixed.any():
            # Only the rectangle around the edge: half of a tile's pixels, often fewer. Where alpha
            # is 1 in it, the estimate is the photo's own colour.
            down, across = _extent(mixed, 1), _extent(mixed, 0)
            local = enlarged(both, _within(rows, down), _within(columns, across), alpha.shape)
            near = shares(share[down, across])
            estimate = _unmixed(own[down, across], near, local[:3], local[3:])
            colours[rows, columns][down, across, :3] = estimate.transpose(1, 2, 0)


def extend_foreground(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``pixels``, uint8 (H, W, 3), with the subject's colours spread to where alpha is 0.

    The colours under ``alpha`` 0, uint8 (H, W), have no influence on the result. An empty matte
    gives 0 everywhere.
    """
    cells = grid(alpha)
    colours = spread(pixels, alpha, cells)
    result = pixels.copy()
    for part in cells.parts:
        if part.low == 0:
            rows, columns = part.rows, part.columns
            empty = alpha[rows, columns] == 0
            tile, local = result[rows, columns], enlarged(colours, rows, columns, alpha.shape)
            local += 0.5
            filled = np.clip(local, 0, 255, out=local).astype(np.uint8)
            for channel in range(3):
                np.copyto(tile[..., channel], filled[channel], where=empty)
    return result


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
