"""What a picture's header says before a decoder reads its pixels: its size, and by it its cost."""

import struct
from collections.abc import Callable, Mapping

from cutout.errors import ImageSideTooLong, ImageTooLarge, ImageTooSmall, OutOfTime

MIN_SIDE_PX = 2
MAX_SIDE_PX = 65_535
"""JPEG's longest side, which no camera exceeds; a longer one is a ribbon, made to cost time."""

_MAX_RLE_PX = 8_000_000  # Pillow's run-length decoder is Python: 140 ns a pixel at worst
_RLE = {1, 2}  # BI_RLE8 and BI_RLE4
_CORE_HEADER_BYTES, _V5_HEADER_BYTES = 12, 124
_EMBEDDED = b"DEBM"  # what a BMP's header of version 5 says where its profile is in the file

_LEAST_NS_PER_PX = {
    "AVIF": 2.0,
    "BMP": 1.0,
    "GIF": 2.0,
    "HEIF": 2.0,
    "JPEG": 0.7,
    "PNG": 3.0,
    "TIFF": 0.9,
    "WEBP": 6.0,
}
"""What a pixel takes to decode, at the least: half of what was measured on one core of an AMD EPYC
with AVX512, with pictures of one colour in the format's cheapest variant, of 9 MP."""

_LEAST_NS_PER_PHOTO_PX = 2.0
"""What a pixel of the decoded photo takes in all later stages, found in the same way: half of the
difference between photos of 0.25 and 6 MP whose matte was asked for."""


def check_size(width: int, height: int, *, max_pixels: int) -> None:
    """Hold a picture's size to the limits.

    :raises ImageTooSmall: a side is under 2 px.
    :raises ImageTooLarge: there are more than ``max_pixels``, or a side is over 65,535 px.
    """
    if min(width, height) < MIN_SIDE_PX:
        raise ImageTooSmall(width=width, height=height)
    if width * height > max_pixels:
        raise ImageTooLarge(width=width, height=height, max_pixels=max_pixels)
    if max(width, height) > MAX_SIDE_PX:
        raise ImageSideTooLong(width=width, height=height, max_side=MAX_SIDE_PX)


def check_time(pillow_format: str, size_px: int, photo_px: int, budget_ms: float | None) -> None:
    """Refuse a picture whose cutout cannot be ready within ``budget_ms``, however simple it is.

    ``size_px`` is the number of pixels in the file, ``photo_px`` that of the photo made of it.

    :raises OutOfTime: it cannot.
    """
    least_ns = _LEAST_NS_PER_PX[pillow_format] * size_px + _LEAST_NS_PER_PHOTO_PX * photo_px
    if budget_ms is not None and least_ns / 1e6 > budget_ms:
        raise OutOfTime(before="decode")


def header_size(data: bytes, pillow_format: str) -> tuple[int, int] | None:
    """Return width and height in px as a GIF, BMP or WebP says; ``None`` for other formats.

    ``None`` is also returned for a GIF without a screen: only its frame, which Pillow finds, has a
    size.

    :raises struct.error: the header is cut off.
    :raises ImageTooLarge: a run-length coded BMP of more pixels than can be expanded in time.
    """
    read = _READERS.get(pillow_format)
    return None if read is None else read(data)


def profile_of_bmp(data: bytes) -> bytes:
    """Return the ICC profile that is embedded in a BMP; nothing where there is none."""
    header = data[14 : 14 + _V5_HEADER_BYTES]
    if len(header) < _V5_HEADER_BYTES or header[56:60] != _EMBEDDED:
        return b""
    start, size = struct.unpack_from("<II", header, 112)
    return data[14 + start : 14 + start + size]


def _gif(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return (width, height) if width and height else None


def _bmp(data: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == _CORE_HEADER_BYTES:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    width, height = abs(width), abs(height)
    if compression in _RLE and width * height > _MAX_RLE_PX:
        raise ImageTooLarge(width=width, height=height, max_pixels=_MAX_RLE_PX)
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    """Return the canvas of the first chunk: extended, lossless or lossy (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        width, height = (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return width, height


_READERS: Mapping[str, Callable[[bytes], tuple[int, int] | None]] = {
    "GIF": _gif,
    "BMP": _bmp,
    "WEBP": _webp,
}
