"""A photo under a cap of pixels: the size that it gets, and its pixels at that size."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.composite import OPAQUE
from cutout.image.resample import resampled
from cutout.image.rgba import hidden_color, replace
from cutout.image.shared import image_of, pixels_of


def capped(width: int, height: int, cap_px: int | None) -> tuple[int, int]:
    """Return the given size, or the largest of its ratio that has ``cap_px`` px at most."""
    if cap_px is None or width * height <= cap_px:
        return width, height
    # Whole numbers are exact: in floating point 507 * sqrt(250_000 / 507²) is less than 500.
    across, down = math.isqrt(cap_px * width // height), math.isqrt(cap_px * height // width)
    # A ribbon's short side stays at 1 px.
    return min(max(1, across), cap_px), min(max(1, down), cap_px)


def scaled_down(
    pixels: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return ``pixels``, uint8 (H, W, 4), and ``alpha``, uint8 (H, W), at a smaller ``size``.

    The fourth byte of ``pixels`` means nothing, before and after. ``size`` is width and height.
    ``box``, left, top, right and bottom, is the part of pixels without alpha that is the photo.
    Colours count with the weight of their alpha, so that what is hidden does not spread into the
    edge. Only what is all hidden keeps the colours of its own, for ``input_alpha=discard``. Most
    files have one colour there, so that only those with several are resampled once more.
    """
    if alpha is None or alpha.min() == OPAQUE:
        lanczos = Image.Resampling.LANCZOS
        words = pixels_of(image_of(pixels).resize(size, lanczos, box=box, reducing_gap=3.0))
        return words, None if alpha is None else np.full(words.shape[:2], OPAQUE, np.uint8)
    pixels[..., 3] = alpha
    words = resampled(pixels, *size)
    own = np.ascontiguousarray(words[..., 3])
    if own.min() == 0:
        color = hidden_color(pixels)
        if color is None:
            hidden = resampled(pixels, *size, is_weighted=False)
        else:
            hidden = np.broadcast_to(color, words.shape)
        replace(words, own == 0, hidden)
    return words, own
