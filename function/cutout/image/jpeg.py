"""The structure of a JPEG file (ITU-T T.81, annex B): segments, scans and where the image ends.

Nothing here decompresses a pixel. Cameras and phones append whole files to a JPEG (a video, further
JPEGs, a gain map), so nothing may be concluded from bytes outside the first image's structure.
"""

import re
from dataclasses import dataclass

from cutout.errors import InvalidImage, UnsupportedImageFormat

# Every scan goes over all pixels of its components, and a scan can be 8 bytes long. Encoders write
# about 10 scans with 12 components in all; 2e9 are 40 such components at 50 MP.
_MAX_SCANNED_PX = 2_000_000_000
_ORDINARY_SCANS = 12
_MAX_SEGMENTS = 10_000

_SOI_BYTES = 2
_SOI, _EOI, _SOS, _DHT, _JPG, _DAC = 0xD8, 0xD9, 0xDA, 0xC4, 0xC8, 0xCC
_FRAMES = set(range(0xC0, 0xD0)) - {_DHT, _JPG, _DAC}
_PROGRESSIVE, _LOSSLESS = 0xC2, 0xC3
_ARITHMETIC = set(range(0xC9, 0xD0)) - {_DAC}
_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_NEEDED_BY_DECODER = {
    _APP0: (b"JFIF\0", 14),
    _APP2: (b"ICC_PROFILE\0", 14),
    _APP14: (b"Adobe", 12),
}
"""How the segments of applications begin that a decoder needs, and the bytes that they have at the
least. libjpeg takes no notice of shorter ones, and Pillow takes the file for damaged."""
_EXIF = b"Exif\0\0"
_COEFFICIENTS = 64
_READ_BITS = 8  # of a sample, by the decoder
_POSSIBLE_BITS = range(2, 17)  # of a sample (ITU-T T.81, B.2.2)

# In compressed data FF is followed by 00 (a stuffed byte) or D0 to D7 (a restart marker).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# Any number of fill bytes, FF, may be before a marker (B.1.1.2). Pillow's decoder begins at the
# first of them again with every 64 kB that it is given.
_FILLED, _FILL = b"\xff\xff", b"\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegImage:
    """The first image of a JPEG file.

    ``width`` and ``height`` are in px, ``mcu_height`` is the height in px of one row of minimum
    coded units. ``data`` is the file with only the segments that a decoder needs and nothing after
    the end mark, which is added where it is missing. ``scan_ends`` are the offsets in ``data``
    where the compressed data of each scan ends. ``exif`` is the body of the first Exif segment, or
    empty. ``is_complete`` says that the file has its end mark, and ``is_lossless`` that it is
    coded without a transform, so that no decoder makes a smaller picture of it.
    """

    width: int
    height: int
    mcu_height: int
    data: bytes
    scan_ends: tuple[int, ...]
    exif: bytes
    is_complete: bool
    is_lossless: bool

    def with_tails(self) -> bytes:
        """Return ``data`` with meaningless compressed data added to the end of each scan.

        A decoder does not look at it where a scan is complete, so that the picture is the same; it
        changes the rows that the file does not hold.
        """
        parts = []
        start = 0
        for end in self.scan_ends:
            last = None
            for last in _RESTART.finditer(self.data, start, end):  # noqa: B007 - the last one
                pass
            following = 0 if last is None else (self.data[last.start() + 1] + 1) & 7
            parts += [self.data[start:end], _tail(following)]
            start = end
        return b"".join([*parts, self.data[start:]])


def read_jpeg(data: bytes) -> JpegImage:
    """Return the structure of the first image in a JPEG file.

    :raises InvalidImage: there is no image, a component without data, or more scans than an
        encoder writes.
    :raises UnsupportedImageFormat: it is arithmetic-coded, or its samples have more or less than
        8 bits, which no browser reads either.
    """
    return _Walk(data).image()


def _tail(restart: int) -> bytes:
    """Return bytes that a Huffman decoder reads as data, with restart markers from a number on."""
    noise = bytes((value * 167 + 13) % 251 for value in range(1024))  # never FF
    markers = (bytes([0xFF, 0xD0 + (restart + step) % 8]) for step in range(8))
    return noise + b"".join(marker + noise for marker in markers)


class _Walk:
    """One pass over the segments of a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts: list[bytes | memoryview] = [data[:_SOI_BYTES]]
        self._size = _SOI_BYTES  # of all parts
        self._frame: bytes | None = None
        self._kind = 0
        self._scans: list[int] = []  # the components of each
        self._scan_ends: list[int] = []
        self._precision: dict[int, list[int | None]] = {}  # component → bits missing by coefficient
        self._exif = b""

    def image(self) -> JpegImage:
        """Return the image.

        :raises InvalidImage: see :func:`read_jpeg`.
        :raises UnsupportedImageFormat: see :func:`read_jpeg`.
        """
        is_complete = self._walk()
        if self._frame is None or not self._scans:
            raise InvalidImage(reason="it is a damaged or truncated JPEG file")
        width, height = (int.from_bytes(self._frame[at : at + 2], "big") for at in (3, 1))
        components = sum(self._scans)
        if components > _ORDINARY_SCANS and components * width * height > _MAX_SCANNED_PX:
            raise InvalidImage(
                reason=f"it has {len(self._scans)} scans, which only a damaged file needs"
            )
        if not self._has_every_component(whole=not is_complete):
            raise InvalidImage(reason="it is a truncated JPEG file")
        self._keep(b"\xff\xd9")
        is_as_it_was = is_complete and self._size == len(self._data)
        return JpegImage(
            width=width,
            height=height,
            mcu_height=8 * max(value & 15 for value in self._frame[7::3]),
            data=self._data if is_as_it_was else b"".join(self._parts),
            scan_ends=tuple(self._scan_ends),
            exif=self._exif,
            is_complete=is_complete,
            is_lossless=self._kind == _LOSSLESS,
        )

    def _keep(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._size += len(part)

    def _walk(self) -> bool:
        """Go to the end of the image; return whether it has an end mark."""
        data, view = self._data, memoryview(self._data)
        position = _SOI_BYTES
        for _ in range(_MAX_SEGMENTS):
            found = _MARKER.search(data, position)
            if found is None:
                return False
            start, marker = found.start(), data[found.start() + 1]
            if marker in {_SOI, _EOI}:
                return marker == _EOI
            position = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
            if position > len(data):
                return False
            body = data[start + 4 : position]
            if self._is_needed(marker, body):
                self._keep(view[start:position])
            if marker == _APP1 and body.startswith(_EXIF) and not self._exif:
                self._exif = body[len(_EXIF) :]
            elif marker in _FRAMES:
                self._begin_frame(marker, body)
            elif marker == _SOS:
                self._begin_scan(body)
                position = self._keep_scan(position)
        raise InvalidImage(reason=f"it has more than {_MAX_SEGMENTS} segments")

    @staticmethod
    def _is_needed(marker: int, body: bytes) -> bool:
        """Tell whether a decoder needs the segment; EXIF, thumbnails and comments it ignores."""
        if _APP0 <= marker <= _APP15:
            if marker not in _NEEDED_BY_DECODER:
                return False
            beginning, least_bytes = _NEEDED_BY_DECODER[marker]
            return body.startswith(beginning) and len(body) >= least_bytes
        return marker != _COM

    def _begin_frame(self, marker: int, body: bytes) -> None:
        if marker in _ARITHMETIC:
            raise UnsupportedImageFormat(found="a JPEG with arithmetic coding")
        if self._frame is not None or len(body) < 9 or len(body) != 6 + 3 * body[5]:  # noqa: PLR2004
            raise InvalidImage(reason="it is a damaged or truncated JPEG file")
        bits = body[0]
        if bits != _READ_BITS and bits in _POSSIBLE_BITS:
            raise UnsupportedImageFormat(found=f"a JPEG with {bits} bits for each sample")
        self._frame, self._kind = body, marker
        self._precision = {component: [None] * _COEFFICIENTS for component in body[6::3]}

    def _begin_scan(self, body: bytes) -> None:
        count = body[0] if body else 0
        if self._frame is None or len(body) != 4 + 2 * count:
            raise InvalidImage(reason="it is a damaged or truncated JPEG file")
        self._scans.append(count)
        first, last, approximation = body[-3:]
        if self._kind != _PROGRESSIVE:
            first, last, approximation = 0, _COEFFICIENTS - 1, 0
        for component in self._precision.keys() & set(body[1 : 1 + 2 * count : 2]):
            for coefficient in range(first, min(last + 1, _COEFFICIENTS)):
                self._precision[component][coefficient] = approximation & 15

    def _keep_scan(self, start: int) -> int:
        """Keep a scan's compressed data without fill bytes, and return the offset where it ends."""
        found = _MARKER.search(self._data, start)
        end = len(self._data) if found is None else found.start()
        if found is None and self._data.endswith(b"\xff"):
            end -= 1  # half a marker
        scan: bytes | memoryview = memoryview(self._data)[start:end]
        if self._data.find(_FILLED, start, end + 1) >= 0:  # the last may be the marker's own byte
            filled = self._data[start:end].rstrip(_FILL)
            while _FILLED in filled:
                filled = filled.replace(_FILLED, _FILL)  # half of each run
            scan = filled
        self._keep(scan)
        self._scan_ends.append(self._size)
        return end

    def _has_every_component(self, *, whole: bool) -> bool:
        """Tell whether each component has data; ``whole`` asks for all coefficients in full."""
        if whole:
            return all(set(missing) == {0} for missing in self._precision.values())
        return all(missing[0] is not None for missing in self._precision.values())
