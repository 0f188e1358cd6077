"""HEIC and AVIF grids that no encoder writes, of one tile that fills every place (ISO 23008-12)."""

import io
import struct

import pillow_heif
from PIL import Image


def heic(side: int, exif: bytes | None = None) -> bytes:
    """Return a HEIC of one colour."""
    with io.BytesIO() as file:
        picture = pillow_heif.from_pillow(Image.new("RGB", (side, side), (9, 99, 200)))
        picture.save(file, exif=exif)
        return file.getvalue()


def avif(side: int) -> bytes:
    """Return an AVIF of one colour."""
    with io.BytesIO() as file:
        Image.new("RGB", (side, side), (9, 99, 200)).save(file, "AVIF")
        return file.getvalue()


def heic_grid(columns: int, rows: int, side: int) -> bytes:
    """Return a HEIC of ``columns`` x ``rows`` tiles of ``side`` px squared."""
    return _grid(heic(side), (b"heic", b"hvc1", b"hvcC"), columns, rows, side)


def avif_grid(columns: int, rows: int, side: int) -> bytes:
    """Return an AVIF of ``columns`` x ``rows`` tiles of ``side`` px squared."""
    return _grid(avif(side), (b"avif", b"av01", b"av1C"), columns, rows, side)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _part(data: bytes, kind: bytes) -> bytes:
    """Return the first box of a kind."""
    start = data.index(kind) - 4
    (size,) = struct.unpack_from(">I", data, start)
    return data[start : start + size]


def _grid(
    tile: bytes, names: tuple[bytes, bytes, bytes], columns: int, rows: int, side: int
) -> bytes:
    """Return the file; ``names`` are those of the brand, the codec and its configuration's box."""
    brand, codec, configuration = names
    width, height = columns * side, rows * side
    layout = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    payload = _part(tile, b"mdat")[8:]
    head = _box(b"ftyp", brand, bytes(4), b"mif1", brand)

    def meta(start: int) -> bytes:
        extents = ((1, start, len(layout)), (2, start + len(layout), len(payload)))
        places = (struct.pack(">HHHII", item, 0, 1, at, size) for item, at, size in extents)
        items = (
            _full(b"infe", 2, struct.pack(">HH", item, 0), kind, b"\0")
            for item, kind in ((1, b"grid"), (2, codec))
        )
        uses = struct.pack(">HH", 1, columns * rows) + struct.pack(">H", 2) * (columns * rows)
        sizes = (
            _full(b"ispe", 0, struct.pack(">II", *size)) for size in ((width, height), (side, side))
        )
        links = struct.pack(">I", 2) + b"\0\x01\x01\x01" + b"\0\x02\x02\x02\x83"
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            _full(b"pitm", 0, struct.pack(">H", 1)),
            _full(b"iloc", 0, b"\x44\0", struct.pack(">H", 2), *places),
            _full(b"iinf", 0, struct.pack(">H", 2), *items),
            _full(b"iref", 0, _box(b"dimg", uses)),
            _box(
                b"iprp",
                _box(b"ipco", *sizes, _part(tile, configuration)),
                _full(b"ipma", 0, links),
            ),
        )

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", layout, payload)
