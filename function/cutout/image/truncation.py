"""Which rows of a JPEG file are really in it.

A JPEG decoder fills the rows that a file does not hold with grey and says nothing. It does not look
at what follows the last row either. So the picture is decoded twice, at an eighth of its size if it
is not lossless: as it is, and with meaningless data behind each scan. The first row that differs is
not in the file.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import InvalidImage
from cutout.image.jpeg import JpegImage

_SCALES = (8, 4, 2, 1)
_GREYS = range(126, 130)  # 128 is the grey of no data, 127 is its inverse in CMYK


def is_filler(bands: bytes) -> bool:
    """Tell whether a pixel has the grey with which a decoder fills missing rows."""
    return all(band in _GREYS for band in bands)


def check_rows(jpeg: JpegImage) -> None:
    """Hold a JPEG to its header: only its last row of coded blocks (8 or 16 px) may be missing.

    :raises InvalidImage: more is missing.
    """
    as_it_is, with_tails = (
        _decode_small(data, is_lossless=jpeg.is_lossless) for data in (jpeg.data, jpeg.with_tails())
    )
    height = as_it_is.shape[0]
    differing = np.flatnonzero((as_it_is != with_tails).reshape(height, -1).any(axis=1))
    if not differing.size:
        return
    scale = next(scale for scale in _SCALES if -(-jpeg.height // scale) == height)
    first_missing = int(differing[0]) * scale
    last_block_row = (jpeg.height - 1) // jpeg.mcu_height * jpeg.mcu_height
    if first_missing < last_block_row:
        raise InvalidImage(
            reason=f"its header says {jpeg.height} rows and its data ends at row {first_missing}"
        )


def _decode_small(data: bytes, *, is_lossless: bool) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if not is_lossless:
            image.draft(None, (1, 1))
        return np.asarray(image)
