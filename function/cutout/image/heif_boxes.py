"""The boxes of a HEIC or AVIF file (ISO/IEC 14496-12 and 23008-12) → :class:`Items`: what it names.

Nothing here decompresses a pixel or judges; :mod:`cutout.image.heif_items` does the latter.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from cutout.errors import InvalidImage, UnsupportedImageFormat

AV1 = b"av01"
"""The kind of an item that AV1 decodes."""

_CONFIGURATION = b"hvcC"  # HEVC's, whose units libheif hands over before those of the item's data
_TURNS = {b"irot", b"imir", b"clap"}
_ONCE = {b"meta", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"ipco", b"idat"}
_SHORT = 2  # the last version of ``infe`` that has numbers of 16 bits
_MOST_THINGS = 100_000  # boxes, references, properties and pieces; a photo has a few hundred
_MOST_SHARED = 4  # times the file's size: libavif writes equal tiles once, and layers share data
_MOST_KEPT_BYTES = 1 << 26
"""Of metadata and properties of pictures that are shown. pillow_heif keeps a copy for each picture
that they belong to. A photo is one picture, which has some kB of them, or a few MB."""
_MOST_PASSED_BYTES = 1 << 30
"""Of properties of hidden pictures, as tiles are. libheif copies them for a moment, at about 2 ns
a byte. 192 tiles, which are 50 MP, may all have one colour profile of 5 MB."""
_IN_FILE, _IN_IDAT = 0, 1  # where the offsets of an item's data begin

_Box = tuple[bytes, int, int]
"""A box's type, and the offsets where its body begins and ends."""


@dataclass(slots=True, kw_only=True)
class Items:
    """The items of a file by their numbers, of which ``primary`` is the picture.

    ``pixels`` are those that an item says that it has, before it is turned, and ``sizes`` its width
    and height; ``colours`` are the code points of its primaries and transfer characteristics where
    it names them (``nclx``). ``parts`` are the items that it is put together from, ``auxiliary``
    its alpha plane and the like. ``turns`` tells how often it is rotated, mirrored or cropped.
    ``data`` is what AV1 decodes, and ``data_bytes`` tells how much data an item of any kind has,
    with what HEVC's configuration adds to it.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    colours: dict[int, tuple[int, int]] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    parts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    auxiliary: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    data: dict[int, bytes] = field(default_factory=dict)
    data_bytes: dict[int, int] = field(default_factory=lambda: defaultdict(int))


def read_items(file: bytes) -> Items:
    """Return the items of a file.

    :raises struct.error: a box is cut off.
    :raises KeyError: something that every file has is missing, or is there twice.
    :raises IndexError: a number leads to nothing.
    :raises InvalidImage: there is more of anything than a photo needs.
    :raises UnsupportedImageFormat: there is a film and no picture.
    """
    return _Walk(file).items()


class _Walk:
    """One pass over the boxes of a file."""

    def __init__(self, file: bytes) -> None:
        self._file = file
        self._items = Items()
        self._things = 0
        self._hidden: set[int] = set()
        self._kept_bytes = self._passed_bytes = 0
        self._described: dict[int, int] = defaultdict(int)  # by metadata: how many pictures

    def items(self) -> Items:
        """Return the items; see :func:`read_items`."""
        whole = self._only(self._whole())
        start, end = whole.get(b"meta", (0, 0))
        boxes = self._only(self._boxes(start + 4, end))
        if b"moov" in whole and b"pitm" not in boxes:
            found = "a HEIC or AVIF film without a still picture"
            raise UnsupportedImageFormat(found=found)
        (self._items.primary,) = self._numbers(boxes[b"pitm"][0], 1)
        self._read_kinds(*boxes[b"iinf"])
        if b"iref" in boxes:
            self._read_references(*boxes[b"iref"])
        self._read_properties(*boxes[b"iprp"])
        self._read_data(boxes[b"iloc"][0], boxes.get(b"idat", (0, 0)))
        return self._items

    def _count(self, things: int = 1) -> None:
        self._things += things
        if self._things > _MOST_THINGS:
            raise InvalidImage(reason=f"it has over {_MOST_THINGS} boxes and references")

    def _copy(self, size: int, *, is_kept: bool) -> None:
        """Count bytes of which a decoder makes a copy, and keeps it or not.

        :raises InvalidImage: they are too many.
        """
        if is_kept:
            self._kept_bytes += size
        else:
            self._passed_bytes += size
        if self._kept_bytes > _MOST_KEPT_BYTES or self._passed_bytes > _MOST_PASSED_BYTES:
            raise InvalidImage(reason="its parts share their data")

    def _boxes(self, start: int, end: int) -> Iterator[_Box]:
        """Yield the boxes between two offsets."""
        while start + 8 <= end:
            self._count()
            size, kind = struct.unpack_from(">I4s", self._file, start)
            body = start + 8
            if size == 1:
                (size,) = struct.unpack_from(">Q", self._file, body)
                body += 8
            stop = start + size if size else end
            if not body <= stop <= end:
                raise struct.error
            yield kind, body, stop
            start = stop

    def _whole(self) -> Iterator[_Box]:
        """Yield the boxes of the file up to what is none: anything may follow the picture."""
        with suppress(struct.error):
            yield from self._boxes(0, len(self._file))

    def _only(self, boxes: Iterator[_Box]) -> dict[bytes, tuple[int, int]]:
        """Return boxes by their kinds; of two where one belongs a decoder might read the other."""
        found: dict[bytes, tuple[int, int]] = {}
        for kind, body, stop in boxes:
            if kind in found and kind in _ONCE:
                raise KeyError(kind)
            found[kind] = (body, stop)
        return found

    def _numbers(self, start: int, count: int, *, at: int | None = None) -> tuple[int, ...]:
        """Return numbers of a box that begins at ``start``: of 32 bits, in version 0 of 16."""
        kind = "I" if self._file[start] else "H"
        return struct.unpack_from(f">{count}{kind}", self._file, start + 4 if at is None else at)

    def _read_kinds(self, start: int, end: int) -> None:
        first = start + (8 if self._file[start] else 6)
        for _, body, _ in self._boxes(first, end):
            form = ">IH4s" if self._file[body] > _SHORT else ">HH4s"
            item, _, kind = struct.unpack_from(form, self._file, body + 4)
            if item in self._items.kinds:
                raise KeyError(item)
            self._items.kinds[item] = kind
            if self._file[body + 3] & 1:
                self._hidden.add(item)

    def _read_references(self, start: int, end: int) -> None:
        """Add what each item is made of (``dimg``), and its auxiliary pictures (``auxl``).

        Of metadata it is counted how many items they describe (``cdsc``).
        """
        step = 4 if self._file[start] else 2
        for kind, body, _ in self._boxes(start + 4, end):
            (item,) = self._numbers(start, 1, at=body)
            (count,) = struct.unpack_from(">H", self._file, body + step)
            self._count(count)
            named = self._numbers(start, count, at=body + step + 2)
            if kind == b"dimg":
                self._items.parts[item] += named
            elif kind == b"auxl":
                for main in set(named):
                    self._items.auxiliary[main].append(item)
            elif kind == b"cdsc":
                self._described[item] += count

    def _read_properties(self, start: int, end: int) -> None:
        """Add what the properties of each item say (``ipma`` and ``ipco``)."""
        properties = list(self._boxes(*self._only(self._boxes(start, end))[b"ipco"]))
        for kind, body, _ in self._boxes(start, end):
            if kind == b"ipma":
                self._read_links(body, properties)

    def _read_links(self, start: int, properties: list[_Box]) -> None:
        step = 2 if self._file[start + 3] & 1 else 1
        mask = 0x7FFF if step > 1 else 0x7F  # the highest bit says that it must be understood
        (count,) = struct.unpack_from(">I", self._file, start + 4)
        at = start + 8
        for _ in range(count):
            (item,) = self._numbers(start, 1, at=at)
            at += 4 if self._file[start] else 2
            links = self._file[at]
            self._count(1 + links)
            at += 1
            for link in range(at, at + links * step, step):
                index = int.from_bytes(self._file[link : link + step], "big") & mask
                if index:
                    self._read_property(item, properties[index - 1])
            at += links * step

    def _read_property(self, item: int, box: _Box) -> None:
        kind, body, stop = box
        self._copy(stop - body, is_kept=item not in self._hidden)
        self._items.turns[item] += kind in _TURNS
        if kind == _CONFIGURATION:
            self._items.data_bytes[item] += stop - body
        if kind == b"colr" and self._file[body : body + 4] == b"nclx":
            self._items.colours[item] = struct.unpack_from(">HH", self._file, body + 4)
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", self._file, body + 4)
            if width * height >= self._items.pixels[item]:
                self._items.pixels[item], self._items.sizes[item] = width * height, (width, height)

    def _read_data(self, start: int, idat: tuple[int, int]) -> None:
        """Add how much data the items have (``iloc``), and the data of those that AV1 decodes.

        Where the data is at a kind of place that no decoder here reads, only its size counts.

        :raises InvalidImage: the items share their data; decoders keep a copy for each of them.
        """
        version, at, view = self._file[start], start + 4, memoryview(self._file)

        def number(size: int) -> int:
            nonlocal at
            at += size
            if at > len(self._file):
                raise IndexError
            return int.from_bytes(self._file[at - size : at], "big")

        sizes, wide, left = number(2), 4 if version > 1 else 2, _MOST_SHARED * len(self._file)
        of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        places = {_IN_FILE: (0, len(self._file)), _IN_IDAT: idat}
        for _ in range(number(wide)):
            item = number(wide)
            first, last = places.get(number(2) & 15 if version else _IN_FILE, (0, 0))
            number(2)
            first += number(of_base)
            parts = []
            for _ in range(number(2)):
                self._count()
                number(of_index if version else 0)
                begin, length = first + number(of_offset), number(of_length)
                parts.append(view[begin : begin + length if length else last])
                left -= len(parts[-1])
                if left < 0:
                    raise InvalidImage(reason="its parts share their data")
            self._items.data_bytes[item] += sum(map(len, parts))
            self._copy(sum(map(len, parts)) * self._described[item], is_kept=True)
            if self._items.kinds.get(item) == AV1:
                if item in self._items.data:
                    raise KeyError(item)
                self._items.data[item] = b"".join(parts)
