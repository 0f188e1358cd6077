"""``Photo`` → :class:`Matte`: tensor in, network, tensor out, refined at the photo's own size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.card import ModelCard, Network, Output, Range, Resize
from cutout.decode import Photo

Plane = NDArray[np.float32]

_FILTERS = {Resize.BILINEAR: Image.Resampling.BILINEAR, Resize.LANCZOS: Image.Resampling.LANCZOS}
_STRIP_PX = 1 << 20  # photo pixels reduced at a time: 4 bytes each of working memory
_TILE_PX = 1 << 16  # pixels refined at a time: their float32 planes stay in a core's L2 cache
_TILE_SIDE_PX = 1 << 10  # of a narrow photo's tiles: interpolation takes a matrix of this squared
# Pillow's own measure of "indistinguishable from fair resampling" (Image.resize, reducing_gap).
_REDUCING_GAP = 3

_RADIUS_CELLS = 1
_SIDES_CELLS = 2  # around a cell, where the colours of its two sides are looked for
_REACH_CELLS = 5  # of the guide's softening, and twice the means and the models' mean
_STRIP_CELLS = 64  # rows of cells fitted at a time: their 30 planes stay in a core's L2 cache
_EPSILON = 3e-5  # variance of colour, 0..1 squared: (1.4 of 255)², about a JPEG's noise
# Of a 3 x 3 mean in the guide, to make it about as soft as the network's edges: erase-s 0.1, on
# objects pasted on photographs, gives the true matte with a Gaussian of 0.5 to 0.7 cells.
_GUIDE_SOFTNESS = 0.4
# A network's edge lies up to a cell beside the photo's. The fit's own answer is nearer to it: so
# much of that answer goes into the second fit. More would paint fine true detail over. This and
# the next three are from the scenes of `make bench-edges`, with edges in place and half a cell off.
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matte:
    """A photo's matte: ``alpha`` float32 (H, W), 0 background … 1 subject."""

    alpha: NDArray[np.float32]


def extract_matte(
    photo: Photo,
    card: ModelCard,
    network: Network,
    *,
    input_alpha: Literal["multiply", "keep", "discard"],
) -> Matte:
    """Return the photo's matte at its own size.

    ``input_alpha`` says what the photo's own alpha does: it multiplies the network's matte, is
    kept as the matte (the network then does not run), or is discarded. Without own alpha all
    three mean the network's matte.
    """
    own = None if input_alpha == "discard" else photo.alpha
    if own is not None and input_alpha == "keep":
        return Matte(alpha=np.multiply(own, np.float32(1 / 255), dtype=np.float32))
    seen = _seen(photo.pixels, own, card)
    coarse = _read(network(_tensor(seen, card)), card)
    return Matte(alpha=_refined(photo.pixels, own, _model(seen, coarse)))


def box_mean(planes: Plane, radius: int) -> Plane:
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


def tiles(height: int, width: int, step: int = 1) -> Iterator[tuple[slice, slice]]:
    """Yield (rows, columns) of the rectangles of about 2¹⁶ px that cover a photo.

    Each begins at a multiple of ``step`` px.
    """
    rows = min(height, math.isqrt(_TILE_PX))
    columns = min(width, _TILE_PX // rows, _TILE_SIDE_PX)
    rows = min(height, _TILE_PX // columns, _TILE_SIDE_PX)
    rows, columns = (max(size // step, 1) * step for size in (rows, columns))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))


def _seen(
    pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None, card: ModelCard
) -> NDArray[np.uint8]:
    """Return what the network sees: uint8 (S, S, 3) sRGB, the photo stretched to its square."""
    height, width = pixels.shape[:2]
    side = card.input_size
    # Whole factors first, by strips: Pillow's resize alone would hold a copy of the whole photo.
    across, down = (max(1, size // (side * _REDUCING_GAP)) for size in (width, height))
    rows = max(1, _STRIP_PX // (width * down)) * down
    reduced = [
        np.asarray(
            Image.fromarray(
                _on_white(pixels[top : top + rows], None if own is None else own[top : top + rows])
            ).reduce((across, down))
        )
        for top in range(0, height, rows)
    ]
    image = Image.fromarray(np.concatenate(reduced))
    box = (0.0, 0.0, width / across, height / down)  # the last cells may be in part outside
    return np.asarray(image.resize((side, side), _FILTERS[card.resize], box=box))


def _on_white(pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) composited on white by its own alpha.

    Under alpha 0 files hold any colours, which would steer network and refinement; white is the
    studio background that both know.
    """
    if own is None:
        return pixels
    alpha = own[..., None].astype(np.uint16)
    blend = pixels * alpha + 255 * (255 - alpha)
    return ((blend + 127) // 255).astype(np.uint8)


def _tensor(seen: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
    """Return float32 (1, 3, S, S), normalised as the card says."""
    top = 255.0 if card.range is Range.FULL else max(float(seen.max()), 1.0)
    values = seen.astype(np.float32) / np.float32(top)
    values -= np.array(card.mean, np.float32)
    values /= np.array(card.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _read(output: NDArray[np.float32], card: ModelCard) -> Plane:
    """Return the network's output, float32 (1, 1, S, S), as alpha float32 (S, S) 0..1."""
    values = output[0, 0]
    if card.output is Output.LOGIT:
        values = 1 / (1 + np.exp(-np.clip(values, -30, 30)))  # at 30 float32 is 1 already
    elif card.output is Output.MINMAX:
        low, high = float(values.min()), float(values.max())
        values = (values - low) / (high - low) if high > low else np.zeros_like(values)
    clipped: Plane = np.clip(values, 0, 1).astype(np.float32, copy=False)
    return clipped


def _model(seen: NDArray[np.uint8], coarse: Plane) -> Plane:
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
    """Return :func:`_model` of a rectangle; its outer ``_REACH_CELLS`` lack their neighbours.

    ``span``, float32 (h, w) 0..1, is of the coarse matte around each cell.
    """
    colour = seen.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    colour += np.float32(_GUIDE_SOFTNESS) * (box_mean(colour, 1) - colour)
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
    means = box_mean(np.stack([*colour, *products]), _RADIUS_CELLS)
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
    means = box_mean(np.stack([coarse, *(c * coarse for c in colour)]), _RADIUS_CELLS)
    mean_alpha = means[0]
    c0, c1, c2 = means[1:] - mean * mean_alpha
    y1 = c1 - l10 * c0
    a2 = (c2 - l20 * c0 - l21 * y1) / d2
    a1 = y1 / d1 - l21 * a2
    a0 = c0 / d0 - l10 * a1 - l20 * a2
    slopes = np.stack([a0, a1, a2])
    offset = mean_alpha - (slopes * mean).sum(axis=0)
    return box_mean(np.concatenate([slopes, offset[None]]), _RADIUS_CELLS)


def _sides(colour: Plane, coarse: Plane) -> Plane:
    """Return float32 (8, h, w): the subject's colour and how well it is known; the background's."""
    inside, outside = _eighth(coarse), _eighth(1 - coarse)
    planes = np.concatenate([colour * inside, inside[None], colour * outside, outside[None]])
    sides = box_mean(planes, _SIDES_CELLS)
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


def _refined(pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None, model: Plane) -> Plane:
    """Return alpha float32 (H, W) from the model of :func:`_model` and the photo's own colours."""
    height, width = pixels.shape[:2]
    side = model.shape[1]
    alpha = np.empty((height, width), np.float32)
    for rows, columns in tiles(height, width):
        down, cells_down = interpolation(rows, height, side)
        across, cells_across = interpolation(columns, width, side)
        cells = model[:, cells_down, cells_across]
        tile = alpha[rows, columns]
        if not cells[:3].any() and (cells[3] == cells[3, 0, 0]).all():
            tile[:] = cells[3, 0, 0]
        else:
            local = down @ cells @ across.T
            colour = _on_white(pixels[rows, columns], None if own is None else own[rows, columns])
            np.copyto(tile, local[3])
            for channel in range(3):
                tile += local[channel] * colour[..., channel]
            np.clip(tile, 0, 1, out=tile)
        if own is not None:
            tile *= own[rows, columns] * np.float32(1 / 255)
    return alpha


def interpolation(part: slice, size: int, cells: int) -> tuple[Plane, slice]:
    """Return the matrix that interpolates cells linearly to a part of a side, and its cells.

    ``part`` of the side's ``size`` px; the matrix is float32 (px of the part, cells in use).
    """
    places = (np.arange(part.start, part.stop) + 0.5) * (cells / size) - 0.5
    places = np.clip(places, 0, cells - 1)
    first, last = int(places[0]), min(int(places[-1]) + 1, cells - 1)
    distance = np.abs(places[:, None] - np.arange(first, last + 1))
    return np.maximum(0, 1 - distance).astype(np.float32), slice(first, last + 1)
