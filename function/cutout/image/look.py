"""Looks at a photo through the network: at all of it, at a small subject again, and mirrored."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.card import ModelCard
from cutout.image.confidence import confidence
from cutout.image.decode import Photo
from cutout.image.model import Network
from cutout.image.tensor import alpha_of, square_of, tensor_of
from cutout.image.tiles import Plane, matching

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
class Look:
    """What the network saw, uint8 (S, S, 3), and its matte of that, ``coarse`` float32 (S, S).

    ``window`` has the rows and columns of the photo that it saw, ``None`` for all of it.
    """

    window: tuple[slice, slice] | None
    seen: NDArray[np.uint8]
    coarse: Plane
    confidence: float


def best_look(
    photo: Photo, own: NDArray[np.uint8] | None, card: ModelCard, network: Network
) -> Look:
    """Return the look at the photo of which the network is surest.

    ``own`` is the photo's own alpha, uint8 (H, W), or ``None`` if there is none that counts. The
    network looks at a small subject twice, the second time at its surroundings only, so that it
    gets as much detail as a large subject. A photo whose matte is in doubt is looked at mirrored as
    well. The card says which subjects are small and which mattes are in doubt, if any are.
    """
    seen = square_of(photo.pixels, own, card)
    first = _look(seen, photo, own, card, network)
    # An empty matte is left alone: any speck in the mirrored photo would be surer than none.
    if not 0 < first.confidence < card.mirror:
        return first
    mirrored = _look(seen, photo, own, card, _mirrored(network))
    return max(first, mirrored, key=lambda look: look.confidence)


def _look(
    seen: NDArray[np.uint8],
    photo: Photo,
    own: NDArray[np.uint8] | None,
    card: ModelCard,
    network: Network,
) -> Look:
    """Look at the whole photo, as ``seen``, and at a small subject's surroundings again."""
    coarse = _answer(seen, card, network)
    window = _window(coarse, photo, card.zoom)
    if window is not None:
        seen_closer = square_of(photo.pixels[window], None if own is None else own[window], card)
        closer = _answer(seen_closer, card, network)
        if _agreement(_part(coarse, window, photo), closer) >= _AGREEMENT:
            sure = confidence(closer, card.confidence)
            return Look(window=window, seen=seen_closer, coarse=closer, confidence=sure)
    sure = confidence(coarse, card.confidence)
    return Look(window=None, seen=seen, coarse=coarse, confidence=sure)


def _answer(seen: NDArray[np.uint8], card: ModelCard, network: Network) -> Plane:
    """Return the network's matte of what it is shown, float32 (S, S) 0..1."""
    return alpha_of(network(tensor_of(seen, card)), card)


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
        start, stop = (matching(place, len(coarse), size) for place in (first, last))
        spans.append(slice(math.floor(start), math.ceil(stop)))
    height, width = (span.stop - span.start for span in spans)
    if min(height, width) < _MIN_WINDOW_PX or height * width > zoom * photo.height * photo.width:
        return None
    return spans[0], spans[1]


def _part(coarse: Plane, window: tuple[slice, slice], photo: Photo) -> Plane:
    """Return what the coarse matte says of a window of the photo, float32 (S, S)."""
    rows, columns = window
    side = len(coarse)
    top, bottom = (matching(place, photo.height, side) for place in (rows.start, rows.stop))
    left, right = (matching(place, photo.width, side) for place in (columns.start, columns.stop))
    return np.asarray(
        Image.fromarray(coarse).resize(
            coarse.shape, Image.Resampling.BILINEAR, box=(left, top, right, bottom)
        )
    )


def _agreement(one: Plane, other: Plane) -> float:
    """Return the intersection over union of two mattes, 0..1."""
    union = float(np.maximum(one, other).sum())
    return float(np.minimum(one, other).sum()) / union if union else 0.0
