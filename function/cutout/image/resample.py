"""Pixels at another size: antialiased, and weighted by alpha so that no edge turns dark."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.rgba import clear
from cutout.image.tiles import STRIP_PX

# With alpha, a filter that is never negative: one that overshoots makes colours beside the edge
# brighter than any of the subject's, since alpha ends at opaque and they do not. Pillow weights the
# colours of RGBA by alpha, and those of RGBX not.
_FILTERS = {
    "RGBA": Image.Resampling.HAMMING,
    "RGBX": Image.Resampling.HAMMING,
    "RGB": Image.Resampling.BICUBIC,
}
_SUPPORT_PX = 2  # of the wider filter, in px of the coarser side
_STRIP_PX = 4 * STRIP_PX


def resampled(
    pixels: NDArray[np.uint8],
    width: int,
    height: int,
    *,
    box: tuple[float, float, float, float] | None = None,
    is_weighted: bool = True,
) -> NDArray[np.uint8]:
    """Return ``pixels``, or a part of them, at the size ``width`` x ``height`` px.

    ``pixels`` is uint8 (H, W, 3) sRGB, or (H, W, 4) with straight alpha. Colours then count with
    the weight of their alpha, and are 0 where alpha is 0, unless ``is_weighted`` is false. ``box``
    is left, top, right and bottom of the part in px of ``pixels``, within them; a pixel may be in
    it in part. ``None`` stands for all of them. Works in strips, so that the memory it needs beside
    the result is small.
    """
    left, top, right, bottom = box or (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    channels = pixels.shape[2]
    mode = "RGB"
    if channels == 4:  # noqa: PLR2004 - channels
        mode = "RGBA" if is_weighted else "RGBX"
    result = np.empty((height, width, channels), np.uint8)
    shrinkage = (bottom - top) / height
    row_px = max(pixels.shape[1] * shrinkage, width)  # read for each row of the result, or made
    rows = max(1, int(_STRIP_PX / row_px))
    around = math.ceil(_SUPPORT_PX * max(shrinkage, 1)) + 1
    for first in range(0, height, rows):
        last = min(first + rows, height)
        begin, end = top + first * shrinkage, min(top + last * shrinkage, bottom)
        start = max(0, math.floor(begin) - around)
        strip = np.ascontiguousarray(pixels[start : math.ceil(end) + around])
        image = Image.frombuffer(mode, strip.shape[1::-1], strip, "raw", mode, 0, 1)
        part = (left, begin - start, right, end - start)
        size = (width, last - first)
        result[first:last] = np.asarray(image.resize(size, _FILTERS[mode], box=part))
        if mode == "RGBA":
            clear(result[first:last])
    return result
