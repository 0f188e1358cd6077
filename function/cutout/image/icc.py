"""An ICC profile → what lcms may see of it: the few tags that lead to sRGB, of a bounded cost.

Of all tags lcms prefers those of floating point (``D2B0`` and the like; ICC.1:2022, 10.16). Such a
tag is a list of elements, which may name the same few bytes 100,000 times, and lcms goes through
all of them for each colour: a profile of 500 bytes took minutes, and others gigabytes. Every other
tag has a fixed number of steps, so that its cost is that of its bytes.
"""

import struct
from collections.abc import Iterator

_TABLE_AT, _FIRST_TAG_AT, _TAG_BYTES = 128, 132, 12  # ICC.1:2022, 7.1 and 7.3
_MAX_TAGS = 100  # lcms reads no profile of more
_MAX_PROFILE_BYTES = 1 << 24
"""What the segments of a JPEG can hold. For as much lcms was measured to take 0.2 s, and six times
the memory."""

_NAMES = {b"desc", b"dscm"}
_CURVES_AND_MATRIX = {
    *(b"wtpt", b"chad", b"kTRC"),
    *(colour + kind for colour in (b"r", b"g", b"b") for kind in (b"XYZ", b"TRC")),
}
_TABLES = {b"A2B0", b"A2B1"}  # of the perceptual intent, and of the one that finds the black point
_NEEDED = _NAMES | _CURVES_AND_MATRIX | _TABLES


def needed_of(profile: bytes) -> bytes:
    """Return a profile without the tags that nobody needs; nothing if it is absurdly large.

    The needed ones stay where they are, since their bytes may be shared.
    """
    if len(profile) > _MAX_PROFILE_BYTES:
        return b""
    count = int.from_bytes(profile[_TABLE_AT:_FIRST_TAG_AT], "big")
    if count > _MAX_TAGS:
        return b""
    table = b"".join(tag for tag in _tags(profile, count) if tag[:4] in _NEEDED)
    head = profile[:_TABLE_AT] + struct.pack(">I", len(table) // _TAG_BYTES) + table
    return head + profile[len(head) :]


def _tags(profile: bytes, count: int) -> Iterator[bytes]:
    """Yield the entries of the table of tags: a name, and where its bytes are."""
    for number in range(count):
        start = _FIRST_TAG_AT + number * _TAG_BYTES
        yield profile[start : start + _TAG_BYTES]
