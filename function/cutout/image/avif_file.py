"""An AVIF file → the same picture in a file that libavif reads, without what nobody needs."""

import struct


def still_of(data: bytes) -> bytes:
    """Return an AVIF file that libavif reads, with other names for its EXIF item and its film.

    Nobody reads them then. AVIF is turned upright by a property of its own; Pillow would copy every
    tag's data of the EXIF block all the same, whatever size they claim. A film has a still picture
    beside it, and its frames are of sizes that nothing here checks.
    """
    parts: list[bytes] = []
    start = 0
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:  # the size is one of 64 bits, behind the name
            head = 16
            size = int.from_bytes(data[start + 8 : start + head], "big")
        elif size == 0:
            size = len(data) - start
        if size < head:  # no box at all
            break
        end = start + size
        box = data[start:end]
        if kind == b"meta":
            box = _with_flags(box.replace(b"Exif", b"skip"))
        elif kind == b"moov":
            box = box[:4] + b"skip" + box[8:]
        elif kind == b"ftyp":
            box = box.replace(b"avis", b"avif")
        parts.append(box)
        start = end
    return b"".join([*parts, data[start:]])


def _with_flags(meta: bytes) -> bytes:
    """Return a box with other flags in each ``ipma`` box but the first, if they have the same.

    cavif, an early encoder, wrote one for the picture and one for its alpha. Browsers read both,
    but libavif refuses two with the same flags. Only the lowest bit of these means anything.
    """
    start = meta.find(b"ipma")
    if start < 0:
        return meta
    box, head = bytearray(meta), meta[start : start + 8]  # the name, the version and the flags
    for number in range(1, 256):
        start = box.find(head, start + 8)
        if start < 0:
            break
        box[start + 5] = number
    return bytes(box)
