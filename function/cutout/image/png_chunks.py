"""The chunks of a PNG file that its picture needs, apart from all others.

A text that decompresses to gigabytes, a comment with a wrong checksum or a film behind the end are
no reason to refuse a picture, and no reason to read them.
"""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE_BYTES, _HEAD_BYTES, _CHECKSUM_BYTES = 8, 8, 4
_IS_ANCILLARY = 0x20  # the bit of a chunk's first letter: lower case may be ignored (PNG, 5.4)
# What decode looks at besides the critical chunks: transparency, colour profile, orientation.
_USEFUL = {b"tRNS", b"iCCP", b"eXIf"}
_MAX_PROFILE_BYTES = 1 << 20  # Pillow refuses the whole picture above it; real ones are below


def picture_chunks(data: bytes) -> bytes:
    """Return the PNG file ``data`` without what its picture does not need.

    Critical chunks stay as they are, damaged or not. Ancillary chunks stay where they are useful
    and their checksum is right. Nothing stays behind the end. A file without anything to remove is
    returned itself.
    """
    kept = [slice(0, _SIGNATURE_BYTES), *_kept(data)]
    if sum(part.stop - part.start for part in kept) == len(data):
        return data
    return b"".join([data[part] for part in kept])


def _kept(data: bytes) -> Iterator[slice]:
    """Yield where the chunks are that stay."""
    place = _SIGNATURE_BYTES
    while place + _HEAD_BYTES <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        start, stop = place + _HEAD_BYTES, place + _HEAD_BYTES + length + _CHECKSUM_BYTES
        if not kind[0] & _IS_ANCILLARY or stop > len(data):
            yield slice(place, min(stop, len(data)))
        elif kind in _USEFUL and _is_sound(kind, data[start:stop]):
            yield slice(place, stop)
        if kind == b"IEND":
            return
        place = stop


def _is_sound(kind: bytes, chunk: bytes) -> bool:
    """Tell whether an ancillary chunk, its data and checksum, can be read."""
    body, checksum = chunk[:-_CHECKSUM_BYTES], chunk[-_CHECKSUM_BYTES:]
    if zlib.crc32(body, zlib.crc32(kind)).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        return False
    if kind != b"iCCP":
        return True
    _, _, compressed = body.partition(b"\0")  # its name; then one byte for the method, then zlib
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(compressed[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    return inflate.eof
