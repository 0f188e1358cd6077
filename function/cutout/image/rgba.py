"""Colours and alpha as one array, uint8 (H, W, 4), in which a pixel is also one 32-bit word.

numpy copies single bytes slowly and whole words fast, so what is done to every pixel is done to
words. No function here depends on the order of the bytes in a word.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cutout.image.composite import OPAQUE
from cutout.image.tiles import STRIP_PX, strips

_DIMENSIONS, _CHANNELS = 3, 4


def joined(colours: NDArray[np.uint8], alpha: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    """Return ``colours``, uint8 (H, W, 3), and ``alpha``, uint8 (H, W) or one value, as (H, W, 4).

    This takes a fifth of the time of two assignments.
    """
    pixels = np.empty((*colours.shape[:2], 4), np.uint8)
    words = behind(colours)
    if words is not None:
        _words(pixels)[:] = _words(words)
        pixels[..., 3] = alpha
        return pixels
    for target, source in zip(strips(pixels), strips(colours), strict=True):
        own = np.ascontiguousarray(source).reshape(-1)
        # Each word takes a pixel's three bytes and the next one's first, where alpha goes below.
        # The last pixel has no next one.
        words = as_strided(own[: own.size // 4 * 4].view(np.uint32), (own.size // 3 - 1,), (3,))
        target.reshape(-1).view(np.uint32)[:-1] = words
        target[-1, -1, :3] = own[-3:]
    pixels[..., 3] = alpha
    return pixels


def behind(colours: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the view (H, W, 4) of whose colours ``colours``, uint8 (H, W, 3), is itself a view.

    ``None`` if it has memory of its own, or if it is a view of anything else.
    """
    whole = colours.base
    if not isinstance(whole, np.ndarray) or whole.dtype != np.uint8 or whole.ndim != _DIMENSIONS:
        return None  # Pillow's copies have bytes below them
    _, width, channels = whole.shape
    if channels != _CHANNELS or whole.strides != (width * channels, channels, 1):
        return None
    if colours.strides != whole.strides:
        return None
    first, channel = divmod(_address(colours) - _address(whole), channels)
    if channel:
        return None
    top, left = divmod(first, width)
    return whole[top : top + colours.shape[0], left : left + colours.shape[1]]


def _address(array: NDArray[np.uint8]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def is_opaque(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether all of ``pixels``, uint8 (H, W, 4), are opaque."""
    return bool(pixels[..., 3].min() == OPAQUE)


def clear(pixels: NDArray[np.uint8]) -> None:
    """Set the colour of ``pixels``, uint8 (H, W, 4), to 0 where alpha is 0, in place."""
    for strip in strips(pixels):
        words = _words(strip)
        np.multiply(words, strip[..., 3] > 0, out=words)


def hidden_color(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return what all of ``pixels``, uint8 (H, W, 4), are whose alpha is 0, as uint8 (4,).

    ``None`` if they differ, or if alpha is above 0 everywhere.
    """
    color = None
    for strip in strips(pixels):
        words, hidden = _words(strip), strip[..., 3] == 0
        count = np.count_nonzero(hidden)
        if count:
            color = words.flat[hidden.argmax()] if color is None else color
            if np.count_nonzero(words == color) != count:
                return None
    return None if color is None else np.array([color]).view(np.uint8)


def replace(pixels: NDArray[np.uint8], where: NDArray[np.bool_], others: NDArray[np.uint8]) -> None:
    """Copy ``others`` over ``pixels``, both uint8 (H, W, 4), where ``where`` is true, in place."""
    np.copyto(_words(pixels), _words(others), where=where)


def repeated(pixels: NDArray[np.uint8], step: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return each of ``pixels``, uint8 (h, w, 4), as a square of ``step`` px, uint8 (H, W, 4).

    What reaches beyond ``height`` and ``width`` is cut off.
    """
    rows = _words(pixels).repeat(step, axis=1)[:, :width]  # first, while there are few rows
    words: NDArray[np.uint32] = rows.repeat(step, axis=0)[:height]
    return words[..., None].view(np.uint8)


@contextmanager
def packed(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """While the block runs, the colours of opaque ``pixels`` lie in their memory without gaps.

    ``pixels`` is uint8 (H, W, 4), all of alpha 255, and its memory has no gaps. The colours, which
    are yielded as uint8 (H, W, 3), fill three quarters of it. A copy would need too much memory
    beside what the encoder of AVIF takes.
    """
    height, width = pixels.shape[:2]
    words = pixels.reshape(-1, _CHANNELS)
    colours = pixels.reshape(-1)[: 3 * height * width].reshape(-1, 3)
    parts = [slice(start, start + STRIP_PX) for start in range(0, height * width, STRIP_PX)]
    for part in parts:
        strip = np.empty_like(colours[part])
        for channel in range(3):  # a tenth of the time of all at once
            strip[:, channel] = words[part, channel]
        colours[part] = strip
    try:
        yield colours.reshape(height, width, 3)
    finally:
        for part in reversed(parts):  # those before it are not overwritten yet
            words[part] = joined(colours[None, part].copy(), OPAQUE)[0]


def picked(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the pixels of uint8 (H, W, 4) where ``where`` is true, as one row: (1, n, 4)."""
    return _words(pixels)[where].view(np.uint8).reshape(1, -1, 4)


def put(pixels: NDArray[np.uint8], where: NDArray[np.bool_], row: NDArray[np.uint8]) -> None:
    """Put a row of :func:`picked`, (1, n, 4), back to where it was in uint8 (H, W, 4), in place."""
    _words(pixels)[where] = _words(row)[0]


def _words(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return a view of uint8 (H, W, 4) as words, uint32 (H, W)."""
    return pixels.view(np.uint32)[..., 0]
