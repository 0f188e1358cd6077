"""Pixels → TIFF (revision 6.0), in strips, so that no call into a library takes seconds.

Each row holds differences from the pixel to the left (section 14), and each strip is compressed
with deflate. libtiff, through Pillow, compresses the whole picture in one call that nothing can
interrupt, and takes several times longer.
"""

import struct

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_STRIP_PX = 1 << 18
"""The pixels that a strip has at most, where a row has not more."""
_LEVEL = 1  # of ISA-L's 0 to 3, as for PNG

_SHORT, _LONG = 3, 4  # types of a tag's value, of 2 and 4 bytes
_DEFLATE, _RGB, _CHUNKY, _DIFFERENCES, _STRAIGHT_ALPHA = 8, 2, 1, 2, 2
_HEADER_BYTES = 8


def write_tiff(pixels: NDArray[np.uint8]) -> bytes:
    """Return ``pixels``, uint8 (H, W, 3 | 4), as a file: sRGB, or sRGB with straight alpha.

    :raises struct.error: the file would pass 4 GiB, where TIFF ends.
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_PX // width)
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    ends = np.cumsum([_HEADER_BYTES, *map(len, strips)])
    tags: list[tuple[int, int, list[int]]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [8] * channels),
        (259, _SHORT, [_DEFLATE]),
        (262, _SHORT, [_RGB]),
        (273, _LONG, ends[:-1].tolist()),
        (277, _SHORT, [channels]),
        (278, _LONG, [rows]),
        (279, _LONG, [len(strip) for strip in strips]),
        (284, _SHORT, [_CHUNKY]),
        (317, _SHORT, [_DIFFERENCES]),
    ]
    if channels > 3:  # noqa: PLR2004 - colours
        tags.append((338, _SHORT, [_STRAIGHT_ALPHA]))
    start = int(ends[-1]) + int(ends[-1]) % 2  # a directory begins at an even offset
    padding = bytes(start - int(ends[-1]))
    header = struct.pack("<2sHI", b"II", 42, start)
    return b"".join([header, *strips, padding, _directory(tags, start)])


def _strip(rows: NDArray[np.uint8]) -> bytes:
    """Return one strip, compressed."""
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    compressed: bytes = isal_zlib.compress(differences, _LEVEL)
    return compressed


def _directory(tags: list[tuple[int, int, list[int]]], start: int) -> bytes:
    """Return the tags, with the values behind them that take more than 4 bytes."""
    end = start + 2 + 12 * len(tags) + 4
    entries, values = [], []
    for tag, kind, numbers in tags:
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        head = struct.pack("<HHI", tag, kind, len(numbers))
        if len(packed) <= 4:  # noqa: PLR2004 - bytes that fit into an entry
            entries.append(head + packed.ljust(4, b"\0"))
        else:
            entries.append(head + struct.pack("<I", end))
            values.append(packed)
            end += len(packed)
    return b"".join([struct.pack("<H", len(tags)), *entries, bytes(4), *values])
