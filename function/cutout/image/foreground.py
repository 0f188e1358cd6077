"""Re-estimates the colours at the edge, so that the removed background does not shine through."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.composite import OPAQUE, shares
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.rgba import joined, repeated, replace
from cutout.image.spread import enlarged, grid, spread
from cutout.image.tiles import Plane, strips

_SOLID = 243  # of 255: formats with lossy alpha make a little less than 255 of an opaque photo
_ROUNDING = 2  # of 255: by what a filling of one colour can differ after the photo is scaled


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

    The colours of a photo with its own alpha are straight, which means that they are not mixed with
    anything. There α is what is left of that alpha, and only pixels that were opaque change. A
    photo that still has different colours under alpha 0 is taken for one with a mask on it instead:
    its hidden colours are the background, with which the edge is mixed.
    """
    pixels, alpha, own = photo.pixels, matte.alpha, photo.alpha
    if own is not None and _hides_a_photo(pixels, own):
        own = None
    if own is not None:
        if not ((alpha < own) & (own >= _SOLID)).any():
            return
        pixels, alpha = _filled(pixels, own), _left_of(own, alpha)
    cells = grid(alpha)
    subject = spread(pixels, alpha, cells)
    behind = spread(pixels, alpha, cells, inverse=True)
    both = np.concatenate([subject, behind])
    for part in cells.parts:
        if part.low == OPAQUE or part.high == 0:
            continue
        rows, columns = part.rows, part.columns
        share, seen = alpha[rows, columns], pixels[rows, columns]
        mixed: NDArray[np.bool_] = (share > 0) & (share < OPAQUE)
        if mixed.any():
            # Only the rectangle around the edge: half of a tile's pixels, often fewer. Where alpha
            # is 1 in it, the estimate is the photo's own colour.
            down, across = _extent(mixed, 1), _extent(mixed, 0)
            local = enlarged(both, _within(rows, down), _within(columns, across), alpha.shape)
            near = shares(share[down, across])
            estimate = _unmixed(seen[down, across], near, local[:3], local[3:])
            target = colours[rows, columns][down, across, :3]
            changed = True if own is None else own[rows, columns][down, across, None] >= _SOLID
            np.copyto(target, estimate.transpose(1, 2, 0), casting="unsafe", where=changed)


def _hides_a_photo(pixels: NDArray[np.uint8], own: NDArray[np.uint8]) -> bool:
    """Tell whether ``pixels``, uint8 (H, W, 3), have more than one colour where ``own`` is 0."""
    first = None
    for colours, alpha in zip(strips(pixels), strips(own), strict=True):
        hidden = colours[alpha == 0]
        if hidden.size:
            first = hidden[0] if first is None else first
            if (np.maximum(hidden, first) - np.minimum(hidden, first)).max() > _ROUNDING:
                return True
    return False


def _filled(pixels: NDArray[np.uint8], own: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``pixels``, uint8 (H, W, 3), with colours of what is seen where ``own`` is 0.

    It is coarser than :func:`extend_foreground` and takes a fraction of its time.
    """
    cells = grid(own)
    colours = (spread(pixels, own, cells) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    small, result = joined(np.ascontiguousarray(colours.transpose(1, 2, 0)), 0), joined(pixels, 0)
    for rows, columns, low, _ in cells.parts:
        if low:
            continue
        empty, step = own[rows, columns] == 0, cells.step
        near = tuple(slice(part.start // step, -(-part.stop // step)) for part in (rows, columns))
        replace(result[rows, columns], empty, repeated(small[near], step, *empty.shape))
    return result[..., :3]


def _left_of(own: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the share of a photo's ``own`` alpha that a matte leaves; all are uint8 (H, W).

    It is 0 where the photo has nothing.
    """
    left = np.empty_like(alpha)
    for target, whole, rest in zip(strips(left), strips(own), strips(alpha), strict=True):
        target[:] = np.rint(rest * np.float32(OPAQUE) / np.maximum(whole, 1))
    return left


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
