"""The first directory of a TIFF file or of an EXIF block (TIFF 6.0, section 2; BigTIFF).

Pillow copies the data of every tag before it uses any of it, and a tag of 12 bytes can claim the
whole file, so a block of 4 MB can ask for 260 GB. Therefore the directory is measured here, before
Pillow sees it.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cutout.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_BYTES |= {16: 8, 17: 8, 18: 8}  # BigTIFF
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Those in which libtiff and Pillow take the size of a picture or of a tile. Some are signed."""

_KIND_OF_PICTURE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _ORIENTATION = 254, 256, 257, 258, 259, 274
_PHOTOMETRIC, _SAMPLES, _ROWS_PER_STRIP, _PLANAR = 262, 277, 278, 284
_EXTRA_SAMPLES, _SAMPLE_FORMAT = 338, 339
_STRIP_OFFSETS, _STRIP_BYTES = 273, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_READ = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _PLANAR}
_READ |= {_STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES}
_OF_CHUNKS = {_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES}
_READ |= {_PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _KIND_OF_PICTURE}
_NOT_OF_PIXELS = {_KIND_OF_PICTURE, _ORIENTATION}
_FURTHER_DIRECTORIES = 330
_REDUCED = 1  # a bit of the kind of picture: it is a smaller copy of another one in the file

_MAX_ENTRIES = 65_535
_SHARED_BYTES = 65_536  # how many bytes honest tags may share or repeat
_MAX_NUMBERS = 300_000
"""Of all tags but those of strips and tiles. Pillow makes an object of each, some of 150 bytes. The
largest palette has 196,608."""
_NUMBERS = set(_TYPE_BYTES) - {1, 2, 6, 7}  # Pillow keeps those as bytes
_MAX_CHUNKS: Final = 65_536
"""The most strips or tiles. 50 MP have as many in tiles of 28 px squared, at about 20 µs each."""
_MOST_SHARED = 4
"""How many times the size of the file, or a byte for each pixel, all strips may have in all. Some
writers store equal tiles once. libtiff was measured to take up to 3.6 ns for each of the bytes."""
_MAX_TILE_PX = 1 << 24  # a tile is decoded whole however small the image is
_UNCOMPRESSED, _OLD_JPEG, _JPEG = 1, 6, 7
_COMPRESSIONS = {_UNCOMPRESSED, 2, 3, 4, 5, _OLD_JPEG, _JPEG, 8, 32_771, 32_773, 32_809, 32_946}
_COMPRESSIONS |= {34_925, 50_000}
"""Those that Pillow reads. Its wheels do not read JPEG 2000 (34,712) and WebP (50,001) in TIFFs."""

_FORMATS = {2: " of signed integers", 3: " of floating point", 5: " of complex integers"}
_FORMATS |= {6: " of complex numbers"}
_RGB, _CMYK, _LAB = 2, 5, 8  # photometric interpretations
_UNSPECIFIED, _STRAIGHT_ALPHA = 0, 2  # extra samples
_START_OF_SCAN = b"\xff\xda"
_MAX_SCANNED_PX = 700_000_000  # of all components; libtiff itself stops at 100 scans


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The integers of the tags that matter here: tag → values.

    Of a tag with more than 65,537 values the first ones are there, and of a tag that comes twice
    the first one. ``is_ambiguous`` says that the other one describes the pixels in another way, and
    ``is_cut`` that the data of some tag is not all in the file. ``has_others`` says that a tag
    names more directories, and ``next_at`` is where the file has the directory that follows, 0 if
    none does.
    """

    values: Mapping[int, tuple[int, ...]]
    is_ambiguous: bool
    is_cut: bool
    has_others: bool
    next_at: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self._first(_WIDTH, 0), self._first(_HEIGHT, 0)

    @property
    def orientation(self) -> int:
        """EXIF's orientation; 1, which is upright, if the directory has no such tag."""
        return self._first(_ORIENTATION, 1)

    def _first(self, tag: int, default: int) -> int:
        return next(iter(self.values.get(tag, ())), default)

    @property
    def kind(self) -> str:
        """What its samples are, in words for the caller."""
        bits = self.values.get(_BITS, (1,))
        depths = " + ".join(map(str, bits if len(set(bits)) > 1 else bits[:1]))
        samples, meaning = self._first(_SAMPLES, 1), self._first(_PHOTOMETRIC, 0)
        form = _FORMATS.get(self._first(_SAMPLE_FORMAT, 1), "")
        return f"a TIFF with {samples} x {depths} bits{form} (photometric interpretation {meaning})"

    def check_kind(self, data: bytes) -> None:
        """Refuse what Pillow would call damaged, or misread, in the file ``data``.

        :raises UnsupportedImageFormat: the picture is a small copy of another one, as cameras' raw
            files begin with; the compression is not read; or each sample is a plane of its own, and
            they are of a kind whose bytes Pillow takes for something else.
        """
        if self._first(_KIND_OF_PICTURE, 0) & _REDUCED and self._is_copy(data):
            found = "a raw photo, or another TIFF that begins with a small copy of its picture"
            raise UnsupportedImageFormat(found=found)
        compression = self._first(_COMPRESSION, _UNCOMPRESSED)
        if compression not in _COMPRESSIONS:
            raise UnsupportedImageFormat(found=f"a TIFF with compression {compression}")
        if self._first(_PLANAR, 1) == 1 or self._first(_SAMPLES, 1) == 1:
            return
        bits, extra = self._first(_BITS, 1), set(self.values.get(_EXTRA_SAMPLES, ()))
        meaning = self._first(_PHOTOMETRIC, 0)
        is_read = meaning in {_RGB, _CMYK}
        if compression == _UNCOMPRESSED:
            is_read = is_read and bits == 8 and extra <= {_STRAIGHT_ALPHA}  # noqa: PLR2004
        elif not is_read:
            is_read = meaning != _LAB and extra <= {_UNSPECIFIED}
        if not is_read:
            more = " and for alpha" if extra else ""
            found = f"a TIFF with a plane of {bits} bits for each colour{more}"
            raise UnsupportedImageFormat(found=found)

    def _is_copy(self, data: bytes) -> bool:
        """Tell whether a picture that is said to be a smaller copy has a larger one behind it."""
        if self.has_others or not self.next_at:
            return self.has_others
        try:
            following = _read_directory(data, self.next_at)
        except (struct.error, KeyError, IndexError, InvalidImage):
            return False  # nothing reads that one
        return math.prod(following.size) > math.prod(self.size)

    def check_layout(self, data: bytes, *, max_pixels: int) -> None:
        """Hold strips, tiles and the scans in them to what a picture needs.

        :raises ImageTooLarge: a tile has more than ``max_pixels``.
        :raises InvalidImage: there are too many strips, tiles or scans, they have far more data in
            all than the file, or a tag is there twice, of which Pillow and libtiff might each read
            another one.
        """
        if self.is_ambiguous:
            raise InvalidImage(reason="it says in two ways how its pixels are stored")
        width, height = self.size
        chunk_width, chunk_height = width, min(self._first(_ROWS_PER_STRIP, height), height)
        offsets, sizes = self.values.get(_STRIP_OFFSETS, ()), self.values.get(_STRIP_BYTES, ())
        if _TILE_WIDTH in self.values or _TILE_HEIGHT in self.values:
            chunk_width, chunk_height = self._first(_TILE_WIDTH, 0), self._first(_TILE_HEIGHT, 0)
            offsets, sizes = self.values.get(_TILE_OFFSETS, ()), self.values.get(_TILE_BYTES, ())
        if min(chunk_width, chunk_height) < 1:
            raise InvalidImage(reason="it is a damaged or truncated TIFF file")
        if chunk_width * chunk_height > min(max_pixels, max(_MAX_TILE_PX, 4 * width * height)):
            raise ImageTooLarge(width=chunk_width, height=chunk_height, max_pixels=max_pixels)
        chunks = -(-width // chunk_width) * -(-height // chunk_height)
        if self._first(_PLANAR, 1) != 1:
            chunks *= self._first(_SAMPLES, 1)
        if max(chunks, len(offsets), len(sizes)) > _MAX_CHUNKS:
            raise InvalidImage(reason=f"it has more than {_MAX_CHUNKS} strips or tiles")
        if self._first(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED:
            self._check_compressed(data, offsets, sizes, chunk_px=chunk_width * chunk_height)

    def _check_compressed(
        self, data: bytes, offsets: tuple[int, ...], sizes: tuple[int, ...], *, chunk_px: int
    ) -> None:
        """Hold the data of all strips or tiles, and the scans in it, to what a picture needs.

        Where nothing is compressed, no more is read of any of them than its pixels.

        :raises InvalidImage: there is far more data in all than the file, or there are too many
            scans.
        """
        width, height = self.size
        sizes = tuple(min(max(size, 0), len(data)) for size in sizes)
        if sum(sizes) > _MOST_SHARED * max(len(data), width * height):
            raise InvalidImage(reason="its strips or tiles claim far more data than the file holds")
        compression = self._first(_COMPRESSION, _UNCOMPRESSED)
        if compression not in {_OLD_JPEG, _JPEG}:
            return
        if compression == _OLD_JPEG or len(sizes) != len(offsets):
            offsets, sizes = (0,), (len(data),)
        scans = sum(
            data.count(_START_OF_SCAN, offset, offset + size)
            for offset, size in zip(offsets, sizes, strict=True)
        )
        if scans * chunk_px > _MAX_SCANNED_PX:
            raise InvalidImage(reason=f"it has {scans} scans, which only a damaged file needs")


def read_directory(data: bytes) -> Directory:
    """Return the first directory.

    :raises InvalidImage: it is cut off, or its tags claim more data than there is, or have far more
        numbers than a picture needs.
    """
    try:
        return _read_directory(data)
    except (struct.error, KeyError, IndexError) as error:
        raise InvalidImage(reason="it is a damaged or truncated TIFF file") from error


def orientation_of(exif: bytes) -> int:
    """Return the orientation that an EXIF block says; 1 where it cannot be read."""
    try:
        return read_directory(exif.removeprefix(b"Exif\0\0")).orientation
    except InvalidImage:
        return 1  # the picture itself is fine


def _read_directory(data: bytes, place: int | None = None) -> Directory:
    """Return the directory at this place in the file, by default the first one."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    if struct.unpack_from(f"{order}H", data, 2)[0] == 43:  # noqa: PLR2004 - BigTIFF's version
        offset_format, count_format, inline, entry_bytes = "Q", "Q", 8, 20
        (start,) = struct.unpack_from(f"{order}Q", data, 8)
    else:
        offset_format, count_format, inline, entry_bytes = "I", "H", 4, 12
        (start,) = struct.unpack_from(f"{order}I", data, 4)
    start = start if place is None else place
    (entries,) = struct.unpack_from(order + count_format, data, start)
    start += struct.calcsize(count_format)
    if entries > _MAX_ENTRIES:
        raise InvalidImage(reason="it is a damaged or truncated TIFF file")
    values: dict[int, tuple[int, ...]] = {}
    seen: dict[int, bytes] = {}
    is_ambiguous = is_cut = has_others = False
    claimed, numbers, end = 0, 0, start + entries * entry_bytes
    for entry in range(start, end, entry_bytes):
        tag, kind, count = struct.unpack_from(f"{order}HH{offset_format}", data, entry)
        size = count * _TYPE_BYTES.get(kind, 0)
        at = entry + entry_bytes - inline
        if size > inline:
            claimed += size
            (at,) = struct.unpack_from(order + offset_format, data, at)
        numbers += count * (kind in _NUMBERS and tag not in _OF_CHUNKS)
        _check_claims(claimed, numbers, len(data))
        is_cut |= max(entry + entry_bytes, at + size) > len(data)
        has_others |= tag == _FURTHER_DIRECTORIES
        if tag not in _READ:
            continue
        whole = data[entry : entry + entry_bytes]
        if tag in seen:
            is_ambiguous |= tag not in _NOT_OF_PIXELS and whole != seen[tag]
        elif kind in _INTEGERS:
            # One more than is accepted. A value takes 40 bytes here, and may have 2 in the file.
            read = min(count, _MAX_CHUNKS + 1)
            values[tag] = struct.unpack_from(f"{order}{read}{_INTEGERS[kind]}", data, at)
        seen.setdefault(tag, whole)
    following = data[end : end + inline]  # where the next directory begins; it may be cut off
    directory = Directory(
        values=values,
        is_ambiguous=is_ambiguous,
        is_cut=is_cut,
        has_others=has_others,
        next_at=int.from_bytes(following, "little" if order == "<" else "big"),
    )
    if min(directory.size) < 0:
        raise InvalidImage(reason="it is a damaged or truncated TIFF file")
    return directory


def _check_claims(claimed: int, numbers: int, file_bytes: int) -> None:
    """Hold what the tags say that they have to what the file can have, and to what a picture needs.

    :raises InvalidImage: they claim more bytes or numbers.
    """
    if claimed > file_bytes + _SHARED_BYTES:
        raise InvalidImage(reason="its tags claim more data than the file holds")
    if numbers > _MAX_NUMBERS:
        raise InvalidImage(reason=f"its tags have more than {_MAX_NUMBERS} numbers")
