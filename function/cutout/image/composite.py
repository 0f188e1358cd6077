"""The formulas by which colours are laid over each other."""

import numpy as np
from numpy.typing import NDArray

from cutout.color import Color
from cutout.image.tiles import strips

OPAQUE = 255
"""The alpha of an opaque pixel."""
WHITE = np.array([255, 255, 255], np.uint8)
"""What is behind a transparent photo, and behind a format without alpha: uint8 (3,) sRGB."""


def over(
    colour: NDArray[np.uint8], alpha: NDArray[np.uint8], backdrop: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return ``colour`` composited on an opaque backdrop, uint8 (H, W, 3) sRGB.

    ``colour`` is uint8 (H, W, 3), ``alpha`` uint8 (H, W), straight; ``backdrop`` uint8 (H, W, 3),
    or (3,) for one colour. Each channel becomes round((F·α + B·(255 - α)) / 255), in sRGB's own
    encoding, as browsers and image editors composite.
    """
    share = alpha[..., None].astype(np.uint16)
    blend = colour * share + backdrop * (OPAQUE - share)
    # round(x / 255) without a division, exact for all of 0 … 255²: Blinn 1995, "Three Wrongs Make a
    # Right". Nothing here passes uint16.
    blend += 128
    blend += blend >> 8
    blend >>= 8
    return blend.astype(np.uint8)


def lay_under(pixels: NDArray[np.uint8], color: Color) -> None:
    """Put a colour that may be translucent behind ``pixels``, in place.

    ``pixels`` are uint8 (H, W, 4), sRGB with straight alpha, and stay straight. With B and β of the
    colour, alpha becomes (α·255 + β·(255 - α)) / 255 and each channel
    (F·α·255 + B·β·(255 - α)) / (α·255 + β·(255 - α)), rounded; colour is 0 where alpha is 0.
    """
    behind = np.array([color.r, color.g, color.b], np.uint32)
    for strip in strips(pixels):
        alpha = strip[..., 3:].astype(np.uint32)
        front, back = alpha * OPAQUE, color.a * (OPAQUE - alpha)
        whole = front + back  # 255² at the most
        blend = strip[..., :3] * front + behind * back + whole // 2
        strip[..., :3] = blend // np.maximum(whole, 1)
        strip[..., 3:] = (whole + OPAQUE // 2) // OPAQUE
        strip[strip[..., 3] == 0] = 0


def quantized(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return alpha, float32 0..1 of any shape, as the nearest uint8 0..255."""
    values: NDArray[np.uint8] = np.rint(alpha * np.float32(OPAQUE)).astype(np.uint8)
    return values


def shares(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return alpha, uint8 0..255 of any shape, as float32 0..1."""
    return np.divide(alpha, OPAQUE, dtype=np.float32)
