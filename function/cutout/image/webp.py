"""Pixels → a lossy WebP file with exact alpha, in a quarter of the time of the library's own way.

libwebp spends as much effort on alpha as on the colours (``method``), and part of it on the choice
of a filter. On cutouts the gradient filter is always the best one, and leaves little to compress.
So alpha is filtered and compressed here, and put into one file with the colours that libwebp
compresses. The format is RFC 9649 ("WebP Image Format"), whose sections are named below.
"""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.hidden import hidden_filled
from cutout.image.shared import file_of, image_of
from cutout.image.tiles import tiles
from cutout.image.vp8l import lossless_stream

COLOUR_METHOD = 2
"""The effort for colours, 0 to 6: libwebp's default, 4, takes longer for 2 % fewer bytes."""
# The share of alpha's values that the filter may leave. Above it alpha is no cutout's but a wide
# gradient, of which libwebp can make a third of the bytes: it packs few small values into one, and
# finds those of the row above.
_BUSY_SHARE = 0.12
# Such an alpha is left to libwebp only if it makes less than this share of the bytes that are made
# here. It takes about twice the time, and 20 to 25 bytes of memory for each pixel. For noise, of
# which it makes as many bytes, it takes up to 33. What is done here takes 1 to 5.
_WORTH_SHARE = 0.93
# A sample tells that share. For 20 of 22 planes of noise, patterns and photographs it told that of
# the whole to 3 %. For the others it told 0.91 and 0.95, where that of the whole is 1.04 and 1.00.
_SAMPLE_PX, _SAMPLE_BANDS = 1 << 18, 4
_ALPHA_METHOD = 1
_HAS_ALPHA = 0x10  # a flag of VP8X (section 2.7)
_GRADIENT, _LOSSLESS = 3 << 2, 1  # filtering and compression in the first byte of ALPH (2.7.1.2)
_LOSSLESS_HEADER_BYTES = 5  # before the stream of VP8L (3.4), which ALPH leaves out


def write_webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return uint8 (H, W, 4), sRGB with straight alpha, as the bytes of a WebP file.

    Alpha is kept exactly; ``quality``, 1..100, is that of the colours. Those under alpha 0 are not
    kept, and are 0 in ``pixels`` afterwards. Sides are at most 16,383 px.
    """
    height, width = pixels.shape[:2]
    with hidden_filled(pixels):
        colours = _compressed(image_of(pixels), quality=quality, method=COLOUR_METHOD)
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"".join(
        (
            _chunk("VP8X", struct.pack("<I", _HAS_ALPHA) + sides),
            _chunk("ALPH", bytes([_GRADIENT | _LOSSLESS]) + _alpha_stream(pixels)),
            _chunk("VP8 ", colours),
        )
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _alpha_stream(pixels: NDArray[np.uint8]) -> bytes:
    """Return the alpha of uint8 (H, W, 4), filtered and as the green of a lossless image (2.7.1.2).

    What is not needed any more is given up on the way, since libwebp takes much memory.
    """
    residual = _filtered(np.ascontiguousarray(pixels[..., 3]))
    if np.count_nonzero(residual) <= _BUSY_SHARE * residual.size:
        return lossless_stream(residual)
    sample = _sample(residual)
    if len(_library_stream(_green(sample))) > _WORTH_SHARE * len(lossless_stream(sample)):
        return lossless_stream(residual)
    green = _green(residual)
    del residual
    return _library_stream(green)


def _sample(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return some bands of rows from all over a plane, uint8 (H, W), or all of a small one."""
    height, width = plane.shape
    rows = max(1, _SAMPLE_PX // (_SAMPLE_BANDS * width))
    if height <= _SAMPLE_BANDS * rows:
        return plane
    tops = np.linspace(0, height - rows, _SAMPLE_BANDS, dtype=int)
    return np.concatenate([plane[top : top + rows] for top in tops])


def _green(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the plane, uint8 (H, W), as the green of uint8 (H, W, 4), whose others are 0."""
    planes = np.zeros((*plane.shape, 4), np.uint8)
    planes[..., 1] = plane
    return planes


def _library_stream(green: NDArray[np.uint8]) -> bytes:
    """Return libwebp's lossless stream of uint8 (H, W, 4), without the header before it."""
    data = _compressed(image_of(green), lossless=True, quality=0, method=_ALPHA_METHOD)
    return data[_LOSSLESS_HEADER_BYTES:]


def _filtered(alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return alpha, uint8 (H, W), less what the gradient of its neighbours predicts, modulo 256.

    A value is predicted as the left one + the one above - the one to the left above, within
    0..255; in the first row as the left one, and in the first column as the one above (2.7.1.2).
    """
    height, width = alpha.shape
    residual = np.zeros_like(alpha)
    residual[0, 0] = alpha[0, 0]
    np.subtract(alpha[0, 1:], alpha[0, :-1], out=residual[0, 1:])
    np.subtract(alpha[1:, 0], alpha[:-1, 0], out=residual[1:, 0])
    if min(height, width) == 1:
        return residual
    inner = residual[1:, 1:]
    for rows, columns in tiles(height - 1, width - 1):
        around = alpha[rows.start : rows.stop + 1, columns.start : columns.stop + 1]
        if around.min() == around.max():
            continue  # predicted exactly
        predicted = around[1:, :-1].astype(np.int16)
        predicted += around[:-1, 1:]
        predicted -= around[:-1, :-1]
        inner[rows, columns] = around[1:, 1:] - np.clip(predicted, 0, 255).astype(np.uint8)
    return residual


def _compressed(image: Image.Image, **settings: object) -> bytes:
    """Return the one chunk of an RGBX image's file, without its head (sections 2.5 and 2.6)."""
    data = file_of(image, "WEBP", **settings)
    (size,) = struct.unpack_from("<I", data, 16)  # behind "RIFF", a size, "WEBP" and a name
    return data[20 : 20 + size]


def _chunk(name: str, content: bytes) -> bytes:
    return (
        struct.pack("<4sI", name.encode("ascii"), len(content)) + content + bytes(len(content) % 2)
    )
