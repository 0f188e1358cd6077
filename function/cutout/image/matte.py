"""``Photo`` → :class:`Matte`: tensor in, network, tensor out, refined at the photo's own size."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.card import ModelCard, Output, Range, Resize
from cutout.image.composite import OPAQUE, WHITE, over, quantized
from cutout.image.confidence import confidence
from cutout.image.decode import Photo
from cutout.image.model import Network
from cutout.image.refine import local_models
from cutout.image.shared import image_of, pixels_of
from cutout.image.tiles import STRIP_PX, Plane, interpolation, scaled, tiles
from cutout.options import InputAlpha

_FILTERS = {Resize.BILINEAR: Image.Resampling.BILINEAR, Resize.LANCZOS: Image.Resampling.LANCZOS}
# Pillow documents that a gap of 3 gives results that are almost indistinguishable from resampling
# all pixels (Image.resize, reducing_gap).
_REDUCING_GAP = 3

# The numbers of the second look were chosen on the validation sets of models/training. With erase-s
# 0.4.0 it raises the mean IoU by 1.0 points on the 83 of 243 pictures that are looked at twice, and
# that of boundaries by 1.5; on 17 of 123 pictures of unseen sources it is 0.9 and 3.3. It also runs
# where the first look was sure of itself (a confidence of 0.95, 35 and 9 pictures). There it
# changes boundaries by -0.7 points and by +1.1, so leaving it out would cost unseen sources 0.17
# points in the mean over their kinds. All these pictures are of 640 px at most. Larger photos,
# whose edges need its smaller cells more, were not measured.
_FOUND = 0.3  # alpha from which a cell of the first look counts as subject
_AROUND_SHARE = 0.2  # of the subject's height and width, shown around it in the second look
_AROUND_CELLS = 2  # shown around it besides
# Intersection over union of both looks below which the second does not count. Without this limit
# the second look sometimes took one part of the subject for all of it.
_AGREEMENT = 0.5
_MIN_WINDOW_PX = 16  # there is no detail to gain in a smaller window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matte:
    """A photo's matte: ``alpha`` uint8 (H, W), 0 background … 255 subject, as a file holds it.

    ``confidence`` is the IoU with the truth that can be expected of it, 0..1: 0 if there is no
    subject, 1 for a matte that no network made.
    """

    alpha: NDArray[np.uint8]
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Look:
    """What the network saw, uint8 (S, S, 3), and its matte of that, ``coarse`` float32 (S, S).

    ``window`` has the rows and columns of the photo that it saw, ``None`` for all of it.
    """

    window: tuple[slice, slice] | None
    seen: NDArray[np.uint8]
    coarse: Plane
    confidence: float


def extract_matte(
    photo: Photo,
    card: ModelCard,
    network: Network,
    *,
    input_alpha: InputAlpha,
) -> Matte:
    """Return the photo's matte at its own size.

    ``input_alpha`` says what the photo's own alpha does: it multiplies the network's matte, is
    kept as the matte (the network then does not run), or is discarded. A photo without alpha gets
    the network's matte in all three cases. Where the card says so, the network looks at a small
    subject twice, the second time at its surroundings only, so that it gets as much detail as a
    large subject. Where the card says so, a photo whose matte is in doubt is looked at mirrored as
    well, and the matte with the higher confidence counts.
    """
    own = None if input_alpha is InputAlpha.DISCARD else photo.alpha
    if own is not None and input_alpha is InputAlpha.KEEP:
        return Matte(alpha=own)
    seen = _seen(photo.pixels, own, card)
    look = _look(seen, photo, own, card, network)
    # An empty matte is left alone: any speck in the mirrored photo would be surer than none.
    if 0 < look.confidence < card.mirror:
        mirrored = _look(seen, photo, own, card, _mirrored(network))
        look = max(look, mirrored, key=lambda either: either.confidence)
    models = local_models(look.seen, look.coarse)
    if look.window is None:
        alpha = _refined(photo.pixels, own, models)
    else:
        alpha = np.zeros(photo.pixels.shape[:2], np.uint8)
        own_there = None if own is None else own[look.window]
        alpha[look.window] = _refined(photo.pixels[look.window], own_there, models)
    return Matte(alpha=alpha, confidence=look.confidence)


def _look(
    seen: NDArray[np.uint8],
    photo: Photo,
    own: NDArray[np.uint8] | None,
    card: ModelCard,
    network: Network,
) -> _Look:
    """Look at the whole photo, as ``seen``, and at a small subject's surroundings again."""
    coarse = _read(network(_tensor(seen, card)), card)
    window = _window(coarse, photo, card.zoom)
    if window is not None:
        seen_closer = _seen(photo.pixels[window], None if own is None else own[window], card)
        closer = _read(network(_tensor(seen_closer, card)), card)
        if _agreement(_part(coarse, window, photo), closer) >= _AGREEMENT:
            sure = confidence(closer, card.confidence)
            return _Look(window=window, seen=seen_closer, coarse=closer, confidence=sure)
    sure = confidence(coarse, card.confidence)
    return _Look(window=None, seen=seen, coarse=coarse, confidence=sure)


def _mirrored(network: Network) -> Network:
    """Return a network that is shown everything mirrored, and whose mattes are mirrored back."""
    return lambda tensor: np.flip(network(np.ascontiguousarray(np.flip(tensor, -1))), -1)


def _window(coarse: Plane, photo: Photo, zoom: float) -> tuple[slice, slice] | None:
    """Return the rows and columns around a small subject, or ``None`` if one look is enough."""
    found = coarse > _FOUND
    spans = []
    for axis, size in ((1, photo.height), (0, photo.width)):
        cells = np.flatnonzero(found.any(axis=axis))
        if not cells.size:
            return None
        around = _AROUND_SHARE * (cells[-1] + 1 - cells[0]) + _AROUND_CELLS
        first, last = cells[0] - around, cells[-1] + 1 + around
        start, stop = (scaled(place, len(coarse), size) for place in (first, last))
        spans.append(slice(math.floor(start), math.ceil(stop)))
    height, width = (span.stop - span.start for span in spans)
    if min(height, width) < _MIN_WINDOW_PX or height * width > zoom * photo.height * photo.width:
        return None
    return spans[0], spans[1]


def _part(coarse: Plane, window: tuple[slice, slice], photo: Photo) -> Plane:
    """Return what the coarse matte says of a window of the photo, float32 (S, S)."""
    rows, columns = window
    side = len(coarse)
    top, bottom = (scaled(place, photo.height, side) for place in (rows.start, rows.stop))
    left, right = (scaled(place, photo.width, side) for place in (columns.start, columns.stop))
    return np.asarray(
        Image.fromarray(coarse).resize(
            coarse.shape, Image.Resampling.BILINEAR, box=(left, top, right, bottom)
        )
    )


def _agreement(one: Plane, other: Plane) -> float:
    """Return the intersection over union of two mattes, 0..1."""
    union = float(np.maximum(one, other).sum())
    return float(np.minimum(one, other).sum()) / union if union else 0.0


def _seen(
    pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None, card: ModelCard
) -> NDArray[np.uint8]:
    """Return what the network sees: uint8 (S, S, 3) sRGB, the photo stretched to its square."""
    height, width = pixels.shape[:2]
    side = card.input_size
    # Reduce by whole factors first, in strips: Pillow's resize alone would copy the whole photo.
    across, down = (max(1, size // (side * _REDUCING_GAP)) for size in (width, height))
    rows = max(1, STRIP_PX // (width * down)) * down
    reduced = [
        pixels_of(
            image_of(
                _on_white(pixels[top : top + rows], None if own is None else own[top : top + rows])
            ).reduce((across, down))
        )
        for top in range(0, height, rows)
    ]
    image = image_of(np.concatenate(reduced))
    box = (0.0, 0.0, width / across, height / down)  # the last reduced pixels may be partly outside
    return pixels_of(image.resize((side, side), _FILTERS[card.resize], box=box))[..., :3]


def _on_white(pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3), composited on white where the photo has its own alpha.

    The colours under alpha 0 are arbitrary and would mislead the network and the refinement. White
    is like a studio background, which both handle well.
    """
    return pixels if own is None else over(pixels, own, WHITE)


def _tensor(seen: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
    """Return float32 (1, 3, S, S), normalised as the card says."""
    top = 255.0 if card.range is Range.FULL else max(float(seen.max()), 1.0)
    values = seen.transpose(2, 0, 1).astype(np.float32, order="C")  # the work is faster on planes
    values /= np.float32(top)
    values -= np.array(card.mean, np.float32)[:, None, None]
    values /= np.array(card.std, np.float32)[:, None, None]
    return values[None]


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


def _refined(
    pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None, model: Plane
) -> NDArray[np.uint8]:
    """Return alpha, uint8 (H, W), from :func:`local_models` and the photo's own colours."""
    height, width = pixels.shape[:2]
    side = model.shape[1]
    alpha = np.empty((height, width), np.uint8)
    for rows, columns in tiles(height, width):
        down, cells_down = interpolation(rows, height, side)
        across, cells_across = interpolation(columns, width, side)
        cells = model[:, cells_down, cells_across]
        if not cells[:3].any() and (cells[3] == cells[3, 0, 0]).all():
            tile = np.full((len(down), len(across)), cells[3, 0, 0])
        else:
            local = down @ (cells @ across.T)
            colour = _on_white(pixels[rows, columns], None if own is None else own[rows, columns])
            local[:3] *= colour.transpose(2, 0, 1)
            local[0] += local[1]
            local[2] += local[3]
            local[0] += local[2]
            tile = np.clip(local[0], 0, 1)
        if own is not None:
            tile *= own[rows, columns] * np.float32(1 / OPAQUE)
        alpha[rows, columns] = quantized(tile)
    return alpha
