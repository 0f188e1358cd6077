"""The size of the frames in AV1 data, by its sequence headers (AV1 Bitstream, 5.3 to 5.5)."""

from cutout.errors import InvalidImage

_SEQUENCE_HEADER = 1  # a type of OBU, the units of which the data consists
_MAX_UNITS = 1_000  # a still picture has three; each is looked at here
_MAX_HEADER_BYTES = 512  # 32 operating points with all that each can say
_HIGHEST_LEVEL_WITHOUT_TIER = 7


def largest_frame_px(data: bytes) -> int:
    """Return the pixels of the largest frame that any sequence header in ``data`` allows.

    :raises InvalidImage: there are over 1,000 units.
    :raises IndexError: the data is cut off.
    """
    at = largest = 0
    for _ in range(_MAX_UNITS + 1):
        if at >= len(data):
            return largest
        header = data[at]
        at += 2 if header & 4 else 1
        size = len(data) - at
        if header & 2:
            size, at = _leb128(data, at)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            content = data[at : at + min(size, _MAX_HEADER_BYTES)]
            largest = max(largest, _frame_px(_Bits(content)))
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


def _frame_px(bits: _Bits) -> int:
    """Return the pixels of the largest frame that a sequence header allows.

    A stream that breaks this rule can still make dav1d take up to 268 MP, which is libavif's limit.
    Nobody's encoder writes one, and to find it out takes most of a decoder.
    """
    bits.read(4)  # the profile, and that it is a still picture
    if bits.read(1):  # the header of a still picture has no timing
        bits.read(5)
    else:
        _skip_timing(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)


def _skip_timing(bits: _Bits) -> None:
    """Read what stands before the size, for the sake of its length."""
    delay_bits = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):  # equal intervals, of a number whose length is told in unary
            zeros = 0
            while not bits.read(1):
                zeros += 1
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
