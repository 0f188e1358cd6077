"""The tags of a TIFF file, looked at before a parser builds anything of their size."""

import struct

from cutout.errors import InvalidImage

MAX_PARTS = 1 << 16
"""Strips or tiles of a picture. A strip of one row each allows 65,536 rows, the longest side."""

_BIG = 43  # the version of BigTIFF, whose numbers have 8 bytes where TIFF's have 4 (or 2)
_NOT_NUMBERS = {1, 2, 6, 7}  # BYTE, ASCII, SBYTE, UNDEFINED: kept as bytes, not as numbers


def check_tags(data: bytes) -> None:
    """Refuse a first directory that lists more numbers than any photograph needs.

    Each number costs a parser some 40 bytes, and each strip or tile a call of a decoder.

    :raises InvalidImage: more than :data:`MAX_PARTS` numbers in one tag.
    """
    order = "<" if data.startswith(b"II") else ">"
    try:
        (version,) = struct.unpack_from(order + "H", data, 2)
        if version == _BIG:
            (place,) = struct.unpack_from(order + "Q", data, 8)
            (tags,) = struct.unpack_from(order + "Q", data, place)
            entry, size, start = struct.Struct(order + "HHQ"), 20, place + 8
        else:
            (place,) = struct.unpack_from(order + "I", data, 4)
            (tags,) = struct.unpack_from(order + "H", data, place)
            entry, size, start = struct.Struct(order + "HHI"), 12, place + 2
        for number in range(min(tags, MAX_PARTS)):
            _, kind, count = entry.unpack_from(data, start + number * size)
            if count > MAX_PARTS and kind not in _NOT_NUMBERS:
                raise InvalidImage(
                    reason=f"it is a TIFF file of {count} strips or tiles, and at most {MAX_PARTS} "
                    "are accepted"
                )
    except struct.error:
        return  # the directory is not all there: the parser will say so
