"""What a decoder has to decode for the picture of a HEIC or AVIF file, by its boxes.

A picture can be put together from others, and have an alpha plane of any size. libheif decodes each
part as often as it is named, and AVIF's decoders take a frame of any size and scale it. So a file
of a few kB that claims 64x64 px can take gigabytes. The boxes are those of ISO/IEC 23008-12.
"""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from cutout.errors import InvalidImage, UnsupportedImageFormat
from cutout.image.av1 import largest_frame_px

_MOST_PARTS = 4
"""How many times the pixels that a deployment accepts all parts together may have. A phone's photo
has one alpha plane, gain map or depth map at most, none of them larger than the photo."""

_AV1 = b"av01"
_KINDS = {_AV1, b"hvc1", b"hev1", b"grid", b"iden"}
"""Coded pictures, tiles of one picture, and a picture turned. Of pictures that are laid over others
(``iovl``) only the compressed data tells the size, and no camera writes them."""

_SMALL_PX = 1_000_000
"""Frames of up to four times as many pixels are decoded whatever the file says."""

_ONCE = {b"meta", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"ipco", b"idat"}
_SHORT = 2  # the last version of ``infe`` that has numbers of 16 bits

_Box = tuple[bytes, int, int]
"""A box's type, and the offsets where its body begins and ends."""


@dataclass(slots=True, kw_only=True)
class _Items:
    """The items of a file by their numbers.

    ``pixels`` are those that an item says that it has; ``parts`` are the items that it is put
    together from, ``auxiliary`` its alpha plane and the like. ``data`` is what AV1 decodes.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    auxiliary: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    data: dict[int, bytes] = field(default_factory=dict)


def check_items(data: bytes, *, max_pixels: int) -> None:
    """Refuse a HEIC or AVIF file whose picture has far more parts than it shows, or rare ones.

    :raises InvalidImage: all parts together have over four times ``max_pixels``, the picture itself
        has not; or a part is larger than it says; or the boxes are damaged.
    :raises UnsupportedImageFormat: a part is neither a coded picture nor a grid of them.
    """
    try:
        items = _read(data)
        for part, coded in items.data.items():
            frame_px = largest_frame_px(coded)
            if frame_px > _MOST_PARTS * max(items.pixels.get(part, 0), _SMALL_PX):
                raise InvalidImage(reason="its frames are much larger than it says")
        total = _decoded_px(items, items.primary, {}, set())
    except (struct.error, KeyError, IndexError) as error:
        raise InvalidImage(reason="it is a damaged or truncated file") from error
    if total > _MOST_PARTS * max_pixels >= items.pixels.get(items.primary, 0):
        reason = f"its parts have {total} pixels in all, which only a damaged file needs"
        raise InvalidImage(reason=reason)


def _decoded_px(items: _Items, item: int, known: dict[int, int], above: set[int]) -> int:
    """Return the pixels to decode for an item, of all its parts as often as they are named.

    :raises InvalidImage: an item is a part of itself.
    :raises UnsupportedImageFormat: an item is of a kind that is not read.
    """
    if item in above:
        raise InvalidImage(reason="it is damaged: a picture is a part of itself")
    if items.kinds[item] not in _KINDS:
        raise UnsupportedImageFormat(found="a HEIC or AVIF file of a kind that no camera writes")
    if item not in known:
        within = above | {item}
        parts, auxiliary = (
            sum(_decoded_px(items, one, known, within) for one in of.get(item, ()))
            for of in (items.parts, items.auxiliary)
        )
        known[item] = max(items.pixels.get(item, 0), parts) + auxiliary
    return known[item]


def _read(data: bytes) -> _Items:
    """Return the items.

    :raises struct.error: a box is cut off.
    :raises KeyError: a box that every file has is missing, or is there twice.
    """
    items = _Items()
    start, end = _only(_whole(_boxes(data, 0, len(data))))[b"meta"]
    boxes = _only(_boxes(data, start + 4, end))
    for kind, (inner, stop) in boxes.items():
        version = data[inner]
        wide = ">I" if version else ">H"
        if kind == b"pitm":
            (items.primary,) = struct.unpack_from(wide, data, inner + 4)
        elif kind == b"iinf":
            _read_kinds(data, inner + (8 if version else 6), stop, items)
        elif kind == b"iref":
            _read_references(data, inner + 4, stop, wide, items)
        elif kind == b"iprp":
            _read_properties(data, inner, stop, items)
    if _AV1 in items.kinds.values():
        inner, _ = boxes[b"iloc"]
        items.data = _read_data(data, inner, boxes.get(b"idat", (0, 0)), items)
    return items


def _whole(boxes: Iterator[_Box]) -> Iterator[_Box]:
    """Yield the boxes of a file up to what is none: anything may follow the picture."""
    with suppress(struct.error):
        yield from boxes


def _only(boxes: Iterator[_Box]) -> dict[bytes, tuple[int, int]]:
    """Return boxes by their kinds. Of two where one belongs libheif might read the other one.

    :raises KeyError: one of them is there twice.
    """
    found: dict[bytes, tuple[int, int]] = {}
    for kind, inner, stop in boxes:
        if kind in found and kind in _ONCE:
            raise KeyError(kind)
        found[kind] = (inner, stop)
    return found


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    """Yield the boxes between two offsets."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = start + size if size else end
        if not body <= stop <= end:
            raise struct.error
        yield kind, body, stop
        start = stop


def _read_kinds(data: bytes, start: int, end: int, items: _Items) -> None:
    """Add the kind of each item (``infe``).

    :raises KeyError: an item is there twice.
    """
    for _, body, _ in _boxes(data, start, end):
        item, _, kind = struct.unpack_from(
            ">IH4s" if data[body] > _SHORT else ">HH4s", data, body + 4
        )
        if item in items.kinds:
            raise KeyError(item)
        items.kinds[item] = kind


def _read_references(data: bytes, start: int, end: int, wide: str, items: _Items) -> None:
    """Add what each item is made of (``dimg``), and its auxiliary pictures (``auxl``)."""
    step = struct.calcsize(wide)
    for kind, body, _ in _boxes(data, start, end):
        (item,) = struct.unpack_from(wide, data, body)
        (count,) = struct.unpack_from(">H", data, body + step)
        named = struct.unpack_from(f">{count}{wide[1]}", data, body + step + 2)
        if kind == b"dimg":
            items.parts[item] += named
        elif kind == b"auxl":
            for main in set(named):
                items.auxiliary[main].append(item)


def _read_properties(data: bytes, start: int, end: int, items: _Items) -> None:
    """Add the pixels that each item says that it has (``ispe``)."""
    properties = list(_boxes(data, *_only(_boxes(data, start, end))[b"ipco"]))
    for kind, body, _ in _boxes(data, start, end):
        if kind == b"ipma":
            _read_links(data, body, properties, items)


def _read_links(data: bytes, start: int, properties: list[_Box], items: _Items) -> None:
    """Read which properties each item has."""
    wide = ">I" if data[start] else ">H"
    step = 2 if data[start + 3] & 1 else 1
    (count,) = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(count):
        (item,) = struct.unpack_from(wide, data, at)
        at += struct.calcsize(wide)
        links = data[at]
        at += 1
        for link in range(at, at + links * step, step):
            index = int.from_bytes(data[link : link + step], "big") & (0x7FFF if step > 1 else 0x7F)
            kind, body, _ = properties[index - 1] if index else (b"", 0, 0)
            if kind == b"ispe":
                width, height = struct.unpack_from(">II", data, body + 4)
                items.pixels[item] = max(items.pixels.get(item, 0), width * height)
        at += links * step


def _read_data(data: bytes, start: int, idat: tuple[int, int], items: _Items) -> dict[int, bytes]:
    """Return the data of the items that AV1 decodes (``iloc``); ``idat`` is where that box is.

    :raises KeyError: the data of an item is neither in the file nor in ``idat``.
    :raises InvalidImage: all items together have more data than the file.
    """
    version = data[start]
    reader = _Reader(data, start + 4)
    sizes = reader.number(2)
    of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version > 1 else 2
    found: dict[int, bytes] = {}
    left = len(data)
    for _ in range(reader.number(wide)):
        item = reader.number(wide)
        place = reader.number(2) & 15 if version else 0
        reader.number(2)
        base = reader.number(of_base)
        parts = []
        for _ in range(reader.number(2)):
            reader.number(of_index if version else 0)
            offset, length = base + reader.number(of_offset), reader.number(of_length)
            first, last = _PLACES[place](idat, len(data))
            parts.append(data[first + offset : first + offset + length if length else last])
            left -= len(parts[-1])
            if left < 0:
                raise InvalidImage(reason="its parts share their data")
        if items.kinds.get(item) == _AV1:
            if item in found:
                raise KeyError(item)
            found[item] = b"".join(parts)
    return found


_PLACES: dict[int, Callable[[tuple[int, int], int], tuple[int, int]]] = {
    0: lambda _, end: (0, end),
    1: lambda idat, _: idat,
}
"""Where the offsets of an item's data begin, and where its place ends: the file, or ``idat``."""


class _Reader:
    """Reads numbers of any number of bytes, one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, size: int) -> int:
        """Return the next number, 0 of no bytes.

        :raises IndexError: the data ends before.
        """
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise IndexError
        return int.from_bytes(self._data[start : self._at], "big")
