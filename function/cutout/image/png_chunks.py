"""The chunks of a PNG file (ISO/IEC 15948, clause 5): what a decoder needs, and what it does not.

Text, time, animation and private chunks never reach the decoder. So neither damage in them nor the
megabytes into which they expand can do harm.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cutout.errors import InvalidImage
from cutout.image.named_colors import profile_of_code_points, profile_of_gamma

_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12  # a chunk's length, type and checksum
_HEADER_ENDS = _SIGNATURE_BYTES + _FRAME_BYTES + 13
_MAX_CHUNKS = 100_000
_MAX_PROFILE_BYTES = 1 << 20  # Pillow's own limit; no PNG is in CMYK, whose profiles are large
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types
_KEY_BYTES = {_GREY: 2, _RGB: 6}  # what the transparent colour of these takes
_MAX_COLOURS = 256  # of a palette, each of which may have its alpha
_DEFLATE = b"\0"  # the one compression of a profile that there is
_TRANSPARENCY, _PROFILE, _EXIF = b"tRNS", b"iCCP", b"eXIf"
_CODE_POINTS, _SRGB, _GAMMA, _CHROMATICITIES = b"cICP", b"sRGB", b"gAMA", b"cHRM"
_ANCILLARY = {_TRANSPARENCY, _PROFILE, _EXIF, _CODE_POINTS, _SRGB, _GAMMA, _CHROMATICITIES}
_UNIT = 100_000  # of gamma and chromaticities
_RGB_OF_FULL_RANGE = b"\0\1"  # of the code points: no matrix, and 0 and 255 are the ends
_END = b"\0\0\0\0IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True, kw_only=True)
class PngImage:
    """A PNG file: its size in px, the bytes for the decoder, and its EXIF block (or nothing).

    ``profile`` is the ICC profile, for RGB, of the colours where ``data`` has none. It is empty for
    sRGB.
    """

    width: int
    height: int
    data: bytes
    exif: bytes
    profile: bytes


def read_png(data: bytes) -> PngImage:
    """Return the parts of a PNG file; what follows its end is dropped.

    Ancillary chunks with a wrong checksum, or whose content makes no sense, count as absent. A
    missing end chunk is added.

    :raises InvalidImage: there is no header, or an absurd number of chunks.
    """
    if data[12:16] != b"IHDR" or len(data) < _HEADER_ENDS:
        raise InvalidImage(reason="it is a damaged or truncated PNG file")
    view = memoryview(data)
    parts: list[bytes | memoryview] = [view[:_SIGNATURE_BYTES]]
    others: dict[bytes, bytes] = {}
    for kind, chunk in _chunks(view):
        if kind in _CRITICAL:
            parts.append(chunk)
        elif kind in _ANCILLARY and _is_sound(chunk):
            body = bytes(chunk[8:-4])
            if kind != _TRANSPARENCY:
                others.setdefault(kind, body)
            elif _is_transparency(body, colour_type=data[25]):
                parts.append(_of_8_bits(body, depth=data[24], colour_type=data[25]))
    parts.append(_END)
    profile = _named(others)
    if profile is None:
        parts.insert(2, _chunk(_PROFILE, others[_PROFILE]))  # behind the header
    return PngImage(
        width=int.from_bytes(data[16:20], "big"),
        height=int.from_bytes(data[20:24], "big"),
        data=b"".join(parts),
        exif=others.get(_EXIF, b""),
        profile=profile or b"",
    )


def _chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the types of the chunks before the end chunk, and the chunks.

    :raises InvalidImage: there is an absurd number of them.
    """
    start, count = _SIGNATURE_BYTES, 0
    while start + _SIGNATURE_BYTES <= len(view):
        count += 1
        if count > _MAX_CHUNKS:
            raise InvalidImage(reason=f"it has more than {_MAX_CHUNKS} chunks")
        end = start + _FRAME_BYTES + int.from_bytes(view[start : start + 4], "big")
        kind = bytes(view[start + 4 : start + 8])
        if kind == b"IEND":
            return
        yield kind, view[start:end]
        start = end


def _named(bodies: Mapping[bytes, bytes]) -> bytes | None:
    """Return the profile of what counts most of the chunks; ``None`` for the file's own profile.

    The order is that of the standard (4.3): code points, a profile, sRGB, then gamma and
    chromaticities.
    """
    code_points = bodies.get(_CODE_POINTS, b"")
    if code_points[2:] == _RGB_OF_FULL_RANGE:
        return profile_of_code_points(*code_points[:2])
    if _is_profile(bodies.get(_PROFILE, b"")):
        return None
    if _SRGB in bodies:
        return b""
    gamma = chromaticities = None
    if len(bodies.get(_GAMMA, b"")) == 4:  # noqa: PLR2004 - bytes
        gamma = int.from_bytes(bodies[_GAMMA], "big") / _UNIT
    if len(bodies.get(_CHROMATICITIES, b"")) == 8 * 4:
        values = [value / _UNIT for value in struct.unpack(">8I", bodies[_CHROMATICITIES])]
        white, *primaries = zip(values[::2], values[1::2], strict=True)
        chromaticities = (*primaries, white)
    return profile_of_gamma(gamma, chromaticities)


def _is_transparency(body: bytes, *, colour_type: int) -> bool:
    """Tell whether a chunk of transparency has a length that Pillow reads."""
    if colour_type == _PALETTE:
        return len(body) <= _MAX_COLOURS
    return len(body) >= _KEY_BYTES.get(colour_type, 0)


def _of_8_bits(body: bytes, *, depth: int, colour_type: int) -> bytes:
    """Return the chunk of the transparent grey as Pillow compares it with pixels: in 8 bits.

    Pillow makes such pixels of grey of 2 or 4 bits, but leaves the chunk as it is.
    """
    if colour_type == _GREY and depth in {2, 4} and len(body) == 2:  # noqa: PLR2004 - bytes
        highest = (1 << depth) - 1
        body = bytes([0, (body[1] & highest) * (255 // highest)])
    return _chunk(_TRANSPARENCY, body)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _is_sound(chunk: memoryview) -> bool:
    """Tell whether a chunk's checksum is right."""
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _is_profile(body: bytes) -> bool:
    """Tell whether a colour profile's chunk can be expanded, to at most the size of a profile."""
    _, _, rest = body.partition(b"\0")
    if not rest.startswith(_DEFLATE):
        return False
    expanding = zlib.decompressobj()
    try:
        expanding.decompress(rest[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    return expanding.eof
