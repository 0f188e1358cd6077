"""The structure of a JPEG file: where the picture ends, and what it would cost to decode.

Markers are ISO/IEC 10918-1, table B.1. Phones append things to their JPEGs (a film, a depth map, a
second picture with the gain of HDR), so whatever is counted is counted in the picture alone.
"""

import io
import re
from dataclasses import dataclass

from PIL import ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from cutout.errors import InvalidImage, UnsupportedImageFormat

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are other segments
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: what libjpeg-turbo is for
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}

# In compressed data FF is followed by 00 (a stuffed byte), D0 to D7 (a restart) or FF (padding).
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

BLOCK_PX = 8
"""Side of a block, the unit of a JPEG's compression, in px."""

_SMALLEST_DRAFT = 8  # the smallest scale of libjpeg: one pixel for each block
_FILLER_BYTES = 1 << 12  # in each of eight restart intervals: far more than a row of blocks needs


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegStructure:
    """What the markers say.

    ``end`` is where the picture ends, ``has_end`` tells whether its end marker is there.
    ``scan_ends`` are the ends of the compressed data of each scan. ``components`` is the sum of the
    components of all scans, each of which costs the decoder one pass over that component's pixels.
    ``row_px`` is the height of a row of blocks (of MCUs, minimum coded units).
    """

    end: int
    has_end: bool
    scan_ends: tuple[int, ...]
    components: int
    row_px: int

    @property
    def is_progressive(self) -> bool:
        """Whether the picture comes in several scans."""
        return len(self.scan_ends) > 1


def read_structure(data: bytes) -> JpegStructure:
    """Return the structure of the first picture in ``data``, a file that begins with FF D8 FF.

    :raises InvalidImage: no scan follows the header.
    :raises UnsupportedImageFormat: it is coded in a way that browsers do not show either.
    """
    place, row_px, components = 2, BLOCK_PX, 0
    scan_ends: list[int] = []
    end, has_end = len(data), False
    while marker := _NEXT_MARKER.search(data, place):
        kind, place = data[marker.start() + 1], marker.end()
        if kind in {_END, _START}:  # at a second start the first picture lacks its end
            end, has_end = (place if kind == _END else marker.start()), kind == _END
            break
        if kind in _WITHOUT_LENGTH:
            continue
        segment = data[place + 2 : place + int.from_bytes(data[place : place + 2], "big")]
        place += 2 + len(segment)
        if kind in _FRAMES:
            if kind not in _HUFFMAN_FRAMES:
                raise UnsupportedImageFormat(found="a JPEG with arithmetic or lossless coding")
            row_px = BLOCK_PX * max((byte & 15 for byte in segment[7::3]), default=1)
        elif kind == _SCAN:
            components += segment[0] if segment else 1
            following = _NEXT_MARKER.search(data, place)
            place = following.start() if following else len(data)
            scan_ends.append(place)
    if not scan_ends:
        raise InvalidImage(reason="it is a damaged or truncated JPEG file")
    return JpegStructure(
        end=end,
        has_end=has_end,
        scan_ends=tuple(scan_ends),
        components=components,
        row_px=row_px,
    )


def completed(data: bytes, structure: JpegStructure) -> bytes:
    """Return the picture alone, with an end marker if it lacks one."""
    picture = data[: structure.end]
    return picture if structure.has_end else picture + bytes((0xFF, _END))


def lacks_rows(data: bytes, structure: JpegStructure) -> bool:
    """Tell whether the picture holds less than its header says, but for the last row of blocks.

    Decoders fill in what is missing and do not tell. So the picture is decoded twice, the second
    time with meaningless data behind each scan. A decoder ignores that data after a complete scan;
    otherwise it decodes it in place of what is missing, and the two results differ there.
    """
    with (
        JpegImageFile(io.BytesIO(completed(data, structure))) as image,
        JpegImageFile(io.BytesIO(_with_filler(data, structure))) as other,
    ):
        height = image.height
        # One pixel for each block shows which blocks are missing. A progressive JPEG that was cut
        # in a later scan has all blocks, without their details.
        if structure.has_end or not structure.is_progressive:
            for each in (image, other):
                each.draft(None, (each.width // _SMALLEST_DRAFT, each.height // _SMALLEST_DRAFT))
        different = ImageChops.difference(image, other).getbbox()
        if different is None:
            return False
        first_row = different[1] * -(-height // image.height)
        return first_row < (height - 1) // structure.row_px * structure.row_px


def _with_filler(data: bytes, structure: JpegStructure) -> bytes:
    """Return the picture with meaningless data after the compressed data of each scan."""
    parts, done = [], 0
    for scan_end in structure.scan_ends:
        parts += [data[done:scan_end], _filler(data[done:scan_end])]
        done = scan_end
    return b"".join([*parts, completed(data, structure)[done:]])


def _filler(before: bytes) -> bytes:
    """Return eight restart intervals of bytes that mean nothing, to follow ``before``."""
    restarts = _RESTART.findall(before)
    following = (restarts[-1][1] + 1) & 7 if restarts else 0
    # 73 and 255 have no common factor, so all values but 255 occur: the data holds no marker.
    noise = bytes(73 * place % 255 for place in range(_FILLER_BYTES))
    return b"".join(noise + bytes((0xFF, 0xD0 + ((following + n) & 7))) for n in range(8))
