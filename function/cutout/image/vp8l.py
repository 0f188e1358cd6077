"""A plane of bytes → WebP's lossless stream, several times faster than libwebp for one mostly 0.

Such a plane is what prediction leaves of a matte: 0 but for the edge. So the only repetitions that
are looked for are runs of 0. The format is RFC 9649 ("WebP Image Format"), whose sections are named
below.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutout.image.prefix_code import Ints, canonical_codes, code_lengths

_LITERALS, _LENGTHS = 256, 24  # the symbols of green: bytes, and the prefixes of lengths (3.6.2)
_LONGEST_RUN = 4096  # that is coded at once (3.6.2.2)
_SHORT_RUN = 4  # zeros that take fewer bits as bytes of their own
_LEFT = 1  # the prefix of distance 2, which means the pixel to the left (3.6.2.2)
_LONGEST_CODE, _LONGEST_LENGTH_CODE = 15, 7  # bits (3.7.2.1.2)
_LENGTH_CODES = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)  # in the file
_WORD_BITS = 32
_STRIP_PX = 1 << 18  # coded at a time, since tokens take up to 90 bytes for each


def lossless_stream(plane: NDArray[np.uint8]) -> bytes:
    """Return ``plane``, uint8 (H, W), as the green of an image whose other channels are 0.

    This is the image data of VP8L without the header before it, which tells the size. The plane's
    memory has no gaps.
    """
    values = plane.reshape(-1)
    strips = [values[start : start + _STRIP_PX] for start in range(0, values.size, _STRIP_PX)]
    # Tokens are made twice, since those of a whole picture of noise would take 24 bytes a pixel.
    counts = np.zeros(_LITERALS + _LENGTHS, np.int64)
    for strip in strips:
        counts += np.bincount(_tokens(strip).symbols, minlength=len(counts))
    lengths = code_lengths(counts, _LONGEST_CODE)
    bits = _Bits()
    bits.put(0, 3)  # no transform, no colour cache, one group of codes (3.8.2, 3.8.3)
    _put_code(bits, lengths)
    for only in (0, 0, 0, _LEFT):  # red, blue, alpha and the distance
        bits.put(0b0001 | only << 3, 4)  # a simple code of one symbol, 0 or 1 (3.7.2.1.1)
    return b"".join(_packed(bits, lengths, strips))


class _Bits:
    """Bits in the order of the file, the first one the lowest of ``value``."""

    def __init__(self) -> None:
        self.value, self.count = 0, 0

    def put(self, value: int, count: int) -> None:
        """Append the lowest ``count`` bits of a value that has no others."""
        self.value |= value << self.count
        self.count += count

    def whole_words(self) -> bytes:
        """Take out all words of 32 bits that are full."""
        count = self.count // _WORD_BITS * _WORD_BITS
        words = (self.value & ((1 << count) - 1)).to_bytes(count // 8, "little")
        self.value >>= count
        self.count -= count
        return words


def _put_code(bits: _Bits, lengths: Ints) -> None:
    """Write a prefix code as the lengths of its symbols' codes (3.7.2.1.2)."""
    their = code_lengths(np.bincount(lengths, minlength=len(_LENGTH_CODES)), _LONGEST_LENGTH_CODE)
    codes = canonical_codes(their)
    bits.put(0, 1)  # not a simple code
    bits.put(len(_LENGTH_CODES) - 4, 4)
    for code in _LENGTH_CODES:
        bits.put(int(their[code]), 3)
    bits.put(0, 1)  # all symbols' lengths follow
    for length in lengths:
        bits.put(int(codes[length]), int(their[length]))


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """What is written one after the other: green's ``symbols``, each with bits behind its code.

    All are int64 (n,): the symbols, the values of those bits, and how many they are.
    """

    symbols: Ints
    extra: Ints
    extra_bits: Ints


def _tokens(values: NDArray[np.uint8]) -> _Tokens:
    """Return ``values``, uint8 (n,), as bytes and long runs of 0.

    A run of 0 is its first 0 and the length of a copy of the value before.
    """
    others = np.flatnonzero(values != 0)
    runs = np.diff(others, prepend=-1, append=values.size) - 1  # before each other value, and last
    is_long = runs > _SHORT_RUN
    copied = np.where(is_long, runs - 1, 0)
    copies = -(-copied // _LONGEST_RUN)
    ends = np.cumsum(np.where(is_long, 1 + copies, runs) + 1)  # behind each run's other value
    symbols = np.zeros(int(ends[-1]) - 1, np.int64)  # the last run has no other value behind it
    extra, extra_bits = np.zeros_like(symbols), np.zeros_like(symbols)
    symbols[ends[:-1] - 1] = values[others]
    of_run = np.repeat(np.arange(runs.size), copies)
    number = np.arange(of_run.size) - np.repeat(np.cumsum(copies) - copies, copies)
    places = (ends - 1 - copies)[of_run] + number
    lengths = np.minimum(copied[of_run] - number * _LONGEST_RUN, _LONGEST_RUN)
    prefixes, extra[places], extra_bits[places] = _prefixed(lengths)
    symbols[places] = _LITERALS + prefixes
    return _Tokens(symbols, extra, extra_bits)


def _prefixed(lengths: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the prefixes of lengths from 1, the bits behind them and their number (3.6.2.2)."""
    rest = lengths - 1
    highest = np.maximum(np.frexp(rest)[1].astype(np.int64) - 1, 1)  # the highest bit's place
    is_small = rest < 4  # noqa: PLR2004 - these are their own prefixes
    count = np.where(is_small, 0, highest - 1)
    prefixes = np.where(is_small, rest, 2 * highest + (rest >> (highest - 1) & 1))
    return prefixes, rest & ((1 << count) - 1), count


def _packed(bits: _Bits, lengths: Ints, strips: list[NDArray[np.uint8]]) -> Iterator[bytes]:
    """Yield the bits written so far, and behind them the tokens of all strips."""
    codes = canonical_codes(lengths)
    yield bits.whole_words()
    for strip in strips:
        tokens = _tokens(strip)
        sizes = lengths[tokens.symbols]
        written = codes[tokens.symbols] | tokens.extra.astype(np.uint64) << sizes.astype(np.uint64)
        sizes += tokens.extra_bits
        ends = bits.count + np.cumsum(sizes)
        starts = ends - sizes
        written <<= (starts % _WORD_BITS).astype(np.uint64)
        # No token has more than 26 bits, so one begins in each word. It may end in the next one.
        firsts = np.searchsorted(starts, np.arange(starts[-1] // _WORD_BITS + 1) * _WORD_BITS)
        begun = np.bitwise_or.reduceat(written, firsts)
        words = np.append(begun & np.uint64((1 << _WORD_BITS) - 1), np.uint64(0))
        words[1:] |= begun >> np.uint64(_WORD_BITS)
        words[0] |= np.uint64(bits.value)
        full, left = divmod(int(ends[-1]), _WORD_BITS)
        yield words[:full].astype("<u4").tobytes()
        bits.value, bits.count = int(words[full]) if left else 0, left
    yield bits.value.to_bytes(-(-bits.count // 8), "little")
