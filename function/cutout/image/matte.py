"""``Photo`` → :class:`Matte`: what the network sees in it, refined at the photo's own size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutout.image.card import ModelCard
from cutout.image.composite import OPAQUE, quantized
from cutout.image.decode import Photo
from cutout.image.look import best_look
from cutout.image.model import Network
from cutout.image.refine import local_models
from cutout.image.settle import settled
from cutout.image.tensor import on_white
from cutout.image.tiles import Plane, interpolation, tiles
from cutout.options import InputAlpha


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matte:
    """A photo's matte: ``alpha`` uint8 (H, W), 0 background … 255 subject, as a file holds it.

    ``confidence`` is the IoU with the truth that can be expected of it, 0..1: 0 if there is no
    subject, 1 for a matte that no network made.
    """

    alpha: NDArray[np.uint8]
    confidence: float = 1.0


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
    the network's matte in all three cases.
    """
    own = None if input_alpha is InputAlpha.DISCARD else photo.alpha
    if own is not None and input_alpha is InputAlpha.KEEP:
        return Matte(alpha=own)
    look = best_look(photo, own, card, network)
    coarse = settled(look.seen, look.coarse) if card.settle else look.coarse
    models = local_models(look.seen, coarse)
    if look.window is None:
        alpha = _refined(photo.pixels, own, models)
    else:
        alpha = np.zeros(photo.pixels.shape[:2], np.uint8)
        own_there = None if own is None else own[look.window]
        alpha[look.window] = _refined(photo.pixels[look.window], own_there, models)
    return Matte(alpha=alpha, confidence=look.confidence)


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
            colour = on_white(pixels[rows, columns], None if own is None else own[rows, columns])
            local[:3] *= colour.transpose(2, 0, 1)
            local[0] += local[1]
            local[2] += local[3]
            local[0] += local[2]
            tile = np.clip(local[0], 0, 1)
        if own is not None:
            tile *= own[rows, columns] * np.float32(1 / OPAQUE)
        alpha[rows, columns] = quantized(tile)
    return alpha
