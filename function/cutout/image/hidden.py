"""Colours that nobody sees, chosen so that a lossy format spends nothing on them.

Under alpha 0 a cutout is black. A jump to black in a block of WebP or AVIF takes about 10 % more
bytes for the whole picture, and it spreads into the subject's edge, as such blocks are compressed
as a sum of waves.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from cutout.image.rgba import clear, joined, repeated, replace
from cutout.image.tiles import tiles

_BLOCK_PX = 16  # side of VP8's macroblock (RFC 6386, section 2), and of a usual block of AV1


@contextmanager
def hidden_filled(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """While the block runs, what is invisible in ``pixels``, uint8 (H, W, 4), costs few bytes.

    They are yielded. In a block of the format that is visible in part, the pixels of alpha 0 get
    the mean colour of the others. Afterwards all pixels of alpha 0 are black, as in every cutout. A
    copy of the picture would need too much memory beside what the encoders take.
    """
    height, width = pixels.shape[:2]
    try:
        for rows, columns in tiles(height, width, _BLOCK_PX):
            tile = pixels[rows, columns]
            hidden = tile[..., 3] == 0
            if hidden.any() and not hidden.all():
                replace(tile, hidden, _block_means(tile, ~hidden))
        yield pixels
    finally:
        clear(pixels)


def _block_means(tile: NDArray[np.uint8], visible: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mean colour of each block's visible pixels in all of it, uint8 (H, W, 4).

    ``tile`` is uint8 (H, W, 4), and ``visible`` says where its alpha is above 0, (H, W). The colour
    is 0 in a block of which nothing is visible.
    """
    shown = tile.copy()
    clear(shown)
    sums, counts = _block_sums(shown), _block_sums(visible)
    means = (sums[..., :3] // np.maximum(counts, 1)[..., None]).astype(np.uint8)
    return repeated(joined(means, 0), _BLOCK_PX, *visible.shape)


def _block_sums(values: NDArray[np.uint8] | NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return the sums of (H, W, ...) over blocks, whose last ones may be smaller.

    256 times 255 is not more than uint16 holds.
    """
    down, across = (np.arange(0, size, _BLOCK_PX) for size in values.shape[:2])
    rows = np.add.reduceat(values, down, axis=0, dtype=np.uint16)
    sums: NDArray[np.uint16] = np.add.reduceat(rows, across, axis=1)
    return sums
