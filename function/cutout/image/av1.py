"""What the sequence headers in AV1 data say of its frames (AV1 Bitstream, 5.3 to 5.5)."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cutout.errors import InvalidImage

_SEQUENCE_HEADER = 1  # a type of OBU, the units of which the data consists
_MAX_UNITS = 1_000  # of one item; a still picture has three, and each is looked at here
_MAX_UNITS_OF_FILE = 20_000
"""Of all items together. 50 MP in 3,052 tiles of 128 px squared, with as many of an alpha plane,
have 18,312. A sequence header took 57 µs at most, so that these take about a second."""
_MAX_HEADER_BYTES = 512  # 32 operating points with all that each can say
_HIGHEST_LEVEL_WITHOUT_TIER = 7
_LONGEST_UNARY = 31  # zeros before a number whose length is told by them; dav1d refuses more
_PROFILE_WITHOUT_GREY, _PROFILE_OF_12_BITS = 1, 2


def largest_frames_px(data: Mapping[int, bytes]) -> dict[int, int]:
    """Return the pixels of the largest frame that any sequence header in an item's data allows.

    ``data`` has the data of each item by its number, and so has what is returned.

    A stream that breaks this rule can still make dav1d take up to 268 MP, which is libavif's limit.
    Nobody's encoder writes one, and to find it out takes most of a decoder.

    :raises InvalidImage: there are over 1,000 units in an item, or over 20,000 in all.
    :raises IndexError: the data is cut off.
    """
    found: dict[int, int] = {}
    count = 0
    for item, coded in data.items():
        found[item] = 0
        for kind, content in _units(coded):
            count += 1
            if count > _MAX_UNITS_OF_FILE:
                raise InvalidImage(reason=f"it has over {_MAX_UNITS_OF_FILE} units of data")
            if kind == _SEQUENCE_HEADER:
                found[item] = max(found[item], _beginning(_Bits(content)).frame_px)
    return found


def code_points(data: bytes) -> tuple[int, int] | None:
    """Return those of primaries and transfer characteristics that the first sequence header names.

    ``None`` is returned where it names none.

    :raises InvalidImage: there are over 1,000 units.
    :raises IndexError: the data is cut off.
    """
    headers = (content for kind, content in _units(data) if kind == _SEQUENCE_HEADER)
    first = next(headers, None)
    return None if first is None else _colours(_Bits(first))


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type of each unit in ``data``, and the beginning of its content.

    :raises InvalidImage: there are over 1,000 units.
    :raises IndexError: the data is cut off.
    """
    at = 0
    for _ in range(_MAX_UNITS + 1):
        if at >= len(data):
            return
        header = data[at]
        at += 2 if header & 4 else 1
        size = len(data) - at
        if header & 2:
            size, at = _leb128(data, at)
        yield header >> 3 & 15, data[at : at + min(size, _MAX_HEADER_BYTES)]
        at += size
    raise InvalidImage(reason=f"it has over {_MAX_UNITS} units of data")


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at an offset, and the offset behind it."""
    value = 0
    for shift in range(0, 56, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the bit that says that more follows
            break
    return value, at


class _Bits:
    """Reads numbers of any number of bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next number.

        :raises IndexError: there are not as many bits.
        """
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & (1 << count) - 1


class _Beginning(NamedTuple):
    """What every sequence header begins with: the last is the size of the largest frame."""

    profile: int
    is_of_a_still: bool
    frame_px: int


def _beginning(bits: _Bits) -> _Beginning:
    """Read a sequence header up to the size that it allows."""
    profile = bits.read(3)
    bits.read(1)  # that it is a still picture
    is_of_a_still = bool(bits.read(1))
    if is_of_a_still:  # it has no timing
        bits.read(5)
    else:
        _skip_timing(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    frame_px = (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)
    return _Beginning(profile, is_of_a_still, frame_px)


def _colours(bits: _Bits) -> tuple[int, int] | None:
    """Return the code points of primaries and transfer that a sequence header names, if any."""
    profile, is_of_a_still, _ = _beginning(bits)
    if is_of_a_still:
        bits.read(3)  # what the coding may use
    else:
        _skip_coding_of_films(bits)
    bits.read(3)  # filters
    is_deep = bits.read(1)
    if is_deep and profile == _PROFILE_OF_12_BITS:
        bits.read(1)
    if profile != _PROFILE_WITHOUT_GREY:
        bits.read(1)
    return (bits.read(8), bits.read(8)) if bits.read(1) else None


def _skip_coding_of_films(bits: _Bits) -> None:
    """Read what the coding of films may use, for the sake of its length."""
    if bits.read(1):  # frames have numbers, whose lengths follow
        bits.read(7)
    bits.read(7)
    has_order = bits.read(1)
    if has_order:
        bits.read(2)
    # Whether each frame tells that it is a screen's, else whether all are. If any may be, the same
    # follows of vectors that are whole pixels.
    if (bits.read(1) or bits.read(1)) and not bits.read(1):
        bits.read(1)
    if has_order:
        bits.read(3)


def _skip_timing(bits: _Bits) -> None:
    """Read what stands before the size, for the sake of its length.

    :raises IndexError: a number has more bits than a decoder reads.
    """
    delay_bits = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):  # equal intervals, of a number whose length is told in unary
            zeros = 0
            while not bits.read(1):
                zeros += 1
                if zeros > _LONGEST_UNARY:
                    raise IndexError
            bits.read(zeros)
        if bits.read(1):  # the decoder's model
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):  # operating points
        bits.read(12)
        if bits.read(5) > _HIGHEST_LEVEL_WITHOUT_TIER:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read(1):
            bits.read(4)
