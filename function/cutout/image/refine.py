"""Coarse matte → what alpha is of a colour, around each of its cells."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.tiles import Plane

_RADIUS_CELLS = 1
_SIDES_CELLS = 2  # around a cell, where the colours of its two sides are looked for
_REACH_CELLS = 5  # of the guide's softening, and twice the means and the models' mean
_STRIP_CELLS = 64  # rows of cells fitted at a time: their 30 planes stay in a core's L2 cache
_EPSILON = 3e-5  # variance of colour, 0..1 squared: (1.4 of 255)², about a JPEG's noise
# Of a 3 x 3 mean in the guide, to make it about as soft as the network's edges: erase-s 0.1, on
# objects pasted on photographs, gives the true matte with a Gaussian of 0.5 to 0.7 cells.
_GUIDE_SOFTNESS = 0.4
# A network's edge lies beside the photo's (erase-s 0.1 draws a dahlia's a cell too far out). The
# fit's own answer is nearer to it: so much of that goes into the second fit, not all, which would
# cost detail where the edge was right. This and the next three are from the scenes of
# `make bench-edges`, with edges in place and half a cell off.
_TRUST = 0.5
# A regression leans to its mean: so much steeper the model is drawn where the coarse matte spans
# more than 0.3 (all of it from 0.6) within a cell's neighbours. A blurred edge spans less.
_SHARPENING = 0.07
_SPAN_SOFT, _SPAN_SHARP = 0.3, 0.6
# The model is made to say 0 and 1 of the sides' colours where each weighs so much (of 1: all is
# surely on that side), and as far as it tells them apart by itself, again 0.3 to 0.6.
_LEAST_SIDE, _ENOUGH_SIDE = 0.02, 0.1
_SURE = 0.08  # neighbours all nearer to 0 or 1 than this are background or subject: no texture in
_HAZE = 0.03  # cut at both ends, so that the photo's noise leaves sides exactly 0 and 1


def local_models(seen: NDArray[np.uint8], coarse: Plane) -> Plane:
    """Return float32 (4, S, S): alpha = a·colour + b around each cell, colour 0..255.

    A colour guided filter (He, Sun & Tang 2013, formulas 19 to 21) whose guide is the photo at the
    network's own size. A cell's alpha and its colour are means over the same pixels, so a model
    that holds for cells holds for pixels, and the edge comes out sharp. Fitted at the photo's own
    size it would learn the coarse matte's blur.
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
    """Return a range with the cells that its fit depends on, and where it lies among them."""
    first = max(0, part.start - _REACH_CELLS)
    return (
        slice(first, part.stop + _REACH_CELLS),
        slice(part.start - first, part.stop - first),
    )


def _fitted(seen: NDArray[np.uint8], coarse: Plane, span: Plane) -> Plane:
    """Return :func:`local_models` of a rectangle; its outer ``_REACH_CELLS`` lack their neighbours.

    ``span``, float32 (h, w) 0..1, is of the coarse matte around each cell.
    """
    colour = seen.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    colour += np.float32(_GUIDE_SOFTNESS) * (_box_mean(colour, 1) - colour)
    factors = _factors(colour)
    sides = _sides(colour, coarse)
    model = _stretched(_regression(colour, coarse, factors), sides, span)
    answer = np.clip(_said(model, colour), 0, 1)
    moved = coarse + np.float32(_TRUST) * (answer - coarse)
    model = _stretched(_regression(colour, moved, factors), sides, span)
    model[:3] /= 255
    return model


def _factors(colour: Plane) -> Plane:
    """Return what the fits share, float32 (9, h, w): mean colour, and its covariance's LDLᵀ.

    Unlike the determinant's formula LDLᵀ keeps float32 exact for almost grey photos.
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
    """Return float32 (8, h, w): the subject's colour and how well it is known; the background's."""
    inside, outside = _eighth(coarse), _eighth(1 - coarse)
    planes = np.concatenate([colour * inside, inside[None], colour * outside, outside[None]])
    sides = _box_mean(planes, _SIDES_CELLS)
    for part in (sides[:4], sides[4:]):
        part[:3] /= np.maximum(part[3], np.float32(1e-6))
    return sides


def _stretched(model: Plane, sides: Plane, span: Plane) -> Plane:
    """Return the models stretched to say 0 and 1 of the background's and the subject's colours.

    Where the network's edge lies beside the photo's, the regression says less than 0 or more than
    1 of one side, and a rim of the background would be taken for subject, or the other way round.
    """
    of_subject, of_ground = _said(model, sides[:3]), _said(model, sides[4:7])
    known = _ramp(np.minimum(sides[3], sides[7]), _LEAST_SIDE, _ENOUGH_SIDE)
    known *= _ramp(of_subject - of_ground, _SPAN_SOFT, _SPAN_SHARP)
    one, zero = 1 + (of_subject - 1) * known, of_ground * known
    gain = 1 + _SHARPENING * _ramp(span, _SPAN_SOFT, _SPAN_SHARP)
    gain /= (one - zero) * (1 - 2 * _HAZE)
    model[3] -= (one + zero) / 2
    model *= gain
    model[3] += 0.5
    return model


def _said(model: Plane, colour: Plane) -> Plane:
    """Return what the models, float32 (4, h, w), say of colours, float32 (3, h, w)."""
    said: Plane = (model[:3] * colour).sum(axis=0) + model[3]
    return said


def _eighth(share: Plane) -> Plane:
    """Return the 8th power: what is almost sure tells a side's colour, what is less so is mixed."""
    square = share * share
    fourth = square * square
    return fourth * fourth


def _ramp(values: Plane, start: float, end: float) -> Plane:
    """Return 0 up to ``start``, 1 from ``end``, and a line between."""
    ramp: Plane = np.clip((values - start) / (end - start), 0, 1)
    return ramp


def _neighbours(coarse: Plane) -> tuple[Plane, Plane]:
    """Return the least and the greatest of each cell and its neighbours."""
    low = high = np.pad(coarse, 1, mode="edge")
    low = np.minimum(np.minimum(low[:-2], low[1:-1]), low[2:])
    high = np.maximum(np.maximum(high[:-2], high[1:-1]), high[2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    return low, high


def _box_mean(planes: Plane, radius: int) -> Plane:
    """Return the means of ``planes``, float32 (..., H, W), over squares of 2·radius+1 px.

    Beyond the border the outermost pixels repeat. Shifted adds: float32 running sums would lose
    the small differences that variances are made of.
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
