"""What the network sees of a photo, and what it answers: both as the card of the model says."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import ModelUnavailable
from cutout.image.card import ModelCard, Output, Range, Resize
from cutout.image.composite import WHITE, over
from cutout.image.shared import image_of, pixels_of
from cutout.image.tiles import STRIP_PX, Plane

_FILTERS = {Resize.BILINEAR: Image.Resampling.BILINEAR, Resize.LANCZOS: Image.Resampling.LANCZOS}
# Pillow documents that a gap of 3 gives results that are almost indistinguishable from resampling
# all pixels (Image.resize, reducing_gap).
_REDUCING_GAP = 3


def square_of(
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
                on_white(pixels[top : top + rows], None if own is None else own[top : top + rows])
            ).reduce((across, down))
        )
        for top in range(0, height, rows)
    ]
    image = image_of(np.concatenate(reduced))
    box = (0.0, 0.0, width / across, height / down)  # the last reduced pixels may be partly outside
    return pixels_of(image.resize((side, side), _FILTERS[card.resize], box=box))[..., :3]


def on_white(pixels: NDArray[np.uint8], own: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3), composited on white where the photo has its own alpha.

    The colours under alpha 0 are arbitrary and would mislead the network and the refinement. White
    is like a studio background, which both handle well.
    """
    return pixels if own is None else over(pixels, own, WHITE)


def tensor_of(seen: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
    """Return uint8 (S, S, 3) sRGB as float32 (1, 3, S, S), normalised as the card says."""
    top = 255.0 if card.range is Range.FULL else max(float(seen.max()), 1.0)
    values = seen.transpose(2, 0, 1).astype(np.float32, order="C")  # the work is faster on planes
    values /= np.float32(top)
    values -= np.array(card.mean, np.float32)[:, None, None]
    values /= np.array(card.std, np.float32)[:, None, None]
    return values[None]


def alpha_of(output: NDArray[np.float32], card: ModelCard) -> Plane:
    """Return the network's output, float32 (1, 1, S, S), as alpha float32 (S, S) 0..1.

    :raises ModelUnavailable: some of it is no number. A byte made of that would be an undefined
        one, and differ from processor to processor.
    """
    values = output[0, 0]
    if card.output is Output.LOGIT:
        values = 1 / (1 + np.exp(-np.clip(values, -30, 30)))  # at 30 float32 is 1 already
    elif card.output is Output.MINMAX:
        low, high = float(values.min()), float(values.max())
        with np.errstate(invalid="ignore"):  # of infinite values, which are refused below
            values = np.zeros_like(values) if low == high else (values - low) / (high - low)
    clipped: Plane = np.clip(values, 0, 1).astype(np.float32, copy=False)
    if np.isnan(clipped).any():
        raise ModelUnavailable(reason=f"{card.file}: its answer has values that are no numbers")
    return clipped
