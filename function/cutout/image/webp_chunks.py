"""The chunks of an extended WebP file (RFC 9649, section 2.7): only what its picture needs.

libwebp keeps a record of each chunk. An empty chunk has 8 bytes, and its record has seven times as
many.
"""

import struct
from collections.abc import Iterator

from cutout.errors import InvalidImage

_FORM_AT, _CHUNKS_AT = 8, 12  # behind "RIFF" and a size, and behind "WEBP"
_HEAD_BYTES = 8  # a chunk's name and size
_MAX_CHUNKS = 100_000
_NEEDED = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_NEEDED_ONCE = {b"ICCP", b"EXIF"}  # of several the first one counts


def needed_chunks_of(data: bytes) -> bytes:
    """Return a WebP file without texts, unknown chunks, and second profiles and EXIF blocks.

    A file that is not extended has one chunk that counts, and is left as it is.

    :raises InvalidImage: there is an absurd number of chunks.
    """
    if data[_CHUNKS_AT : _CHUNKS_AT + 4] != b"VP8X":
        return data
    (size,) = struct.unpack_from("<I", data, 4)
    kept = size
    parts: list[bytes | memoryview] = [data[_FORM_AT:_CHUNKS_AT]]
    seen: set[bytes] = set()
    for kind, chunk in _chunks(memoryview(data)[: _FORM_AT + size]):
        if kind in _NEEDED or (kind in _NEEDED_ONCE and kind not in seen):
            parts.append(chunk)
        else:
            kept -= len(chunk)
        seen.add(kind)
    return data if kept == size else b"".join([data[:4], struct.pack("<I", kept), *parts])


def _chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the names of a file's chunks, and the chunks.

    :raises InvalidImage: there is an absurd number of them.
    """
    start, count = _CHUNKS_AT, 0
    while start < len(view):
        count += 1
        if count > _MAX_CHUNKS:
            raise InvalidImage(reason=f"it has more than {_MAX_CHUNKS} chunks")
        size = int.from_bytes(view[start + 4 : start + _HEAD_BYTES], "little")
        end = start + _HEAD_BYTES + size + size % 2
        yield bytes(view[start : start + 4]), view[start:end]
        start = end
