"""Fits, around each cell of the coarse matte, a linear model from colour to alpha."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.tiles import Plane

_RADIUS_CELLS = 1  # radius of the fit's window: 3 x 3 cells, the smallest that can hold an edge
_SIDES_CELLS = 2  # radius in which the colours of the subject and of the background are sampled
# How far a fit depends on its neighbours: 1 (softening) + 2 × (1 fit window + 1 averaging).
_REACH_CELLS = 5
_STRIP_CELLS = 64  # rows of cells fitted at a time: their 30 planes fit into a core's L2 cache
_EPSILON = 3e-5  # added to colour variances (0..1 squared): (1.4 of 255)², about a JPEG's noise
# The guide is blended with its 3 x 3 mean by this share, which makes it about as soft as the
# network's edges. Measured with erase-s 0.1 on objects pasted on photographs: its matte is the true
# one, blurred by a Gaussian of 0.5 to 0.7 cells.
_GUIDE_SOFTNESS = 0.4
# The network's edge is often a cell off. This share of the first fit is blended back into the
# coarse matte before the second fit. All of it would blur edges that were right. This constant and
# the next three were chosen on the scenes of `make bench-edges`, with edges in place and half a
# cell off.
_TRUST = 0.5
# Regression pulls slopes towards zero. They are steepened by this share where the coarse alpha
# varies by more than 0.3 among a cell's neighbours, fully from 0.6 on. A blurred edge varies less.
_SHARPENING = 0.07
_SPAN_SOFT, _SPAN_SHARP = 0.3, 0.6
# A model is stretched so that the mean colours of background and subject map to 0 and 1. This needs
# at least the first weight of either side around the cell (1: all cells are surely on that side),
# and happens fully from the second weight on.
_LEAST_SIDE, _ENOUGH_SIDE = 0.02, 0.1
_SURE = 0.08  # a cell whose neighbours are all this near to 0, or all to 1, has no edge
_HAZE = 0.03  # alpha this near to 0 or 1 becomes exactly 0 or 1, so that noise leaves no haze


def local_models(seen: NDArray[np.uint8], coarse: Plane) -> Plane:
    """Return the models, float32 (4, S, S): alpha = a·colour + b around each cell.

    ``seen`` is what the network saw, uint8 (S, S, 3) sRGB; ``coarse`` its matte, float32 (S, S)
    0..1. The models take colours of 0..255.

    This is a colour guided filter (He, Sun & Tang 2013, "Guided Image Filtering", formulas 19 to
    21) whose guide is the photo at the network's own size. Alpha and colour of a cell are means
    over the same pixels, so a model that is right for cells is right for pixels too, and the edge
    becomes sharp. A filter that is fitted at the photo's own size would learn the coarse matte's
    blur instead.
    """
    low, high = _neighbours(coarse)
    clear, solid = high < _SURE, low > 1 - _SURE
    model = np.zeros((4, *coarse.shape), np.float32)
    model[3] = solid
    edge = ~(clear | solid)
    for top in range(0, len(coarse), _STRIP_CELLS):
        rows = slice(top, top + _STRIP_CELLS)
        used = np.flatnonzero(edge[rows].any(axis=0))
        if not used.size:
            continue
        columns = slice(int(used[0]), int(used[-1]) + 1)
        around, inner = zip(_widened(rows), _widened(columns), strict=True)
        fit = _fitted(seen[around], coarse[around], (high - low)[around])[:, *inner]
        np.copyto(model[:, rows, columns], fit, where=edge[rows, columns])
    return model


def _widened(part: slice) -> tuple[slice, slice]:
    """Return a range widened by the cells that its fit depends on, and its place in that range."""
    first = max(0, part.start - _REACH_CELLS)
    return (
        slice(first, part.stop + _REACH_CELLS),
        slice(part.start - first, part.stop - first),
    )


def _fitted(seen: NDArray[np.uint8], coarse: Plane, span: Plane) -> Plane:
    """Return :func:`local_models` of a rectangle of cells.

    The outermost ``_REACH_CELLS`` are not exact, since they lack neighbours. ``span``, float32
    (h, w) 0..1, says how much the coarse matte varies around each cell.
    """
    colour = seen.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    colour += np.float32(_GUIDE_SOFTNESS) * (_box_mean(colour, 1) - colour)
    factors = _factors(colour)
    sides = _sides(colour, coarse)
    model = _stretched(_regression(colour, coarse, factors), sides, span)
    answer = np.clip(_alpha(model, colour), 0, 1)
    moved = coarse + np.float32(_TRUST) * (answer - coarse)
    model = _stretched(_regression(colour, moved, factors), sides, span)
    model[:3] /= 255
    return model


def _factors(colour: Plane) -> Plane:
    """Return what both fits need, float32 (9, h, w): mean colour, and its covariance as LDLᵀ.

    LDLᵀ is exact enough in float32 even for almost grey photos; inverting the matrix by its
    determinant is not.
    """
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    products = [colour[i] * colour[j] for i, j in pairs]
    means = _box_mean(np.stack([*colour, *products]), _RADIUS_CELLS)
    mean = means[:3]
    s = {pair: means[3 + k] - mean[pair[0]] * mean[pair[1]] for k, pair in enumerate(pairs)}
    d0 = s[0, 0] + _EPSILON
    l10, l20 = s[0, 1] / d0, s[0, 2] / d0
    d1 = s[1, 1] + _EPSILON - l10 * s[0, 1]
    l21 = (s[1, 2] - l20 * s[0, 1]) / d1
    d2 = s[2, 2] + _EPSILON - l20 * s[0, 2] - l21 * l21 * d1
    return np.stack([*mean, d0, d1, d2, l10, l20, l21])


def _regression(colour: Plane, coarse: Plane, factors: Plane) -> Plane:
    """Return each cell's mean of the linear models around it, float32 (4, h, w)."""
    mean, (d0, d1, d2, l10, l20, l21) = factors[:3], factors[3:]
    means = _box_mean(np.stack([coarse, *(c * coarse for c in colour)]), _RADIUS_CELLS)
    mean_alpha = means[0]
    c0, c1, c2 = means[1:] - mean * mean_alpha
    y1 = c1 - l10 * c0
    a2 = (c2 - l20 * c0 - l21 * y1) / d2
    a1 = y1 / d1 - l21 * a2
    a0 = c0 / d0 - l10 * a1 - l20 * a2
    slopes = np.stack([a0, a1, a2])
    offset = mean_alpha - (slopes * mean).sum(axis=0)
    return _box_mean(np.concatenate([slopes, offset[None]]), _RADIUS_CELLS)


def _sides(colour: Plane, coarse: Plane) -> Plane:
    """Return float32 (8, h, w): the subject's colour (3) and weight (1), then the background's."""
    inside, outside = _eighth(coarse), _eighth(1 - coarse)
    planes = np.concatenate([colour * inside, inside[None], colour * outside, outside[None]])
    sides = _box_mean(planes, _SIDES_CELLS)
    for part in (sides[:4], sides[4:]):
        part[:3] /= np.maximum(part[3], np.float32(1e-6))
    return sides


def _stretched(model: Plane, sides: Plane, span: Plane) -> Plane:
    """Return the models, stretched so that background colours map to 0 and subject colours to 1.

    Where the network's edge lies beside the photo's edge, the regression maps one side to less than
    0 or to more than 1. Then a rim of the background would count as subject, or the reverse.
    """
    of_subject, of_ground = _alpha(model, sides[:3]), _alpha(model, sides[4:7])
    known = _ramp(np.minimum(sides[3], sides[7]), _LEAST_SIDE, _ENOUGH_SIDE)
    known *= _ramp(of_subject - of_ground, _SPAN_SOFT, _SPAN_SHARP)
    one, zero = 1 + (of_subject - 1) * known, of_ground * known
    gain = 1 + _SHARPENING * _ramp(span, _SPAN_SOFT, _SPAN_SHARP)
    gain /= (one - zero) * (1 - 2 * _HAZE)
    model[3] -= (one + zero) / 2
    model *= gain
    model[3] += 0.5
    return model


def _alpha(model: Plane, colour: Plane) -> Plane:
    """Return the alpha that models, float32 (4, h, w), give colours, float32 (3, h, w)."""
    alpha: Plane = (model[:3] * colour).sum(axis=0) + model[3]
    return alpha


def _eighth(share: Plane) -> Plane:
    """Return the 8th power: only cells that are almost surely on one side tell its colour."""
    square = share * share
    fourth = square * square
    return fourth * fourth


def _ramp(values: Plane, start: float, end: float) -> Plane:
    """Return 0 up to ``start``, 1 from ``end`` on, and a straight line between them."""
    ramp: Plane = np.clip((values - start) / (end - start), 0, 1)
    return ramp


def _neighbours(coarse: Plane) -> tuple[Plane, Plane]:
    """Return the minimum and the maximum over each cell and its eight neighbours."""
    low = high = np.pad(coarse, 1, mode="edge")
    low = np.minimum(np.minimum(low[:-2], low[1:-1]), low[2:])
    high = np.maximum(np.maximum(high[:-2], high[1:-1]), high[2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    return low, high


def _box_mean(planes: Plane, radius: int) -> Plane:
    """Return the means of ``planes``, float32 (..., H, W), over squares of 2·radius+1 px.

    The outermost pixels are repeated beyond the border. The sums are made of shifted copies,
    because running sums in float32 would lose the small differences that variances consist of.
    """
    for axis in (-2, -1):
        size = planes.shape[axis]
        width = [(0, 0)] * planes.ndim
        width[axis] = (radius, radius)
        padded = np.pad(planes, width, mode="edge")
        windows = np.moveaxis(padded, axis, 0)
        total = windows[:size] + windows[1 : size + 1]
        for start in range(2, 2 * radius + 1):
            total += windows[start : start + size]
        planes = np.moveaxis(total, 0, axis)
    planes *= np.float32(1 / (2 * radius + 1) ** 2)
    return planes
