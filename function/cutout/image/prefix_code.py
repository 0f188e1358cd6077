"""Canonical prefix codes of limited length (Huffman 1952), as WebP's lossless format uses them."""

import heapq

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def code_lengths(counts: Ints, longest: int) -> Ints:
    """Return the length in bits of each symbol's code, int64 (n,); 0 for a symbol without one.

    ``counts``, int64 (n,), says how often each symbol occurs; those that do not occur get no code.
    There are always two codes at least, since a code of a single symbol has no bits to read. No
    code is longer than ``longest`` bits, which must be enough for n codes of equal length: rare
    symbols are taken for more frequent until that holds, which costs little.
    """
    symbols = np.flatnonzero(counts).tolist()
    symbols += [symbol for symbol in (0, 1) if symbol not in symbols][: max(0, 2 - len(symbols))]
    least = 1
    while True:
        lengths = np.zeros(len(counts), np.int64)
        trees = [(max(int(counts[symbol]), least), symbol, [symbol]) for symbol in symbols]
        heapq.heapify(trees)
        while len(trees) > 1:
            (one, _, left), (other, first, right) = heapq.heappop(trees), heapq.heappop(trees)
            lengths[left + right] += 1  # each symbol of both is one step farther from the root
            heapq.heappush(trees, (one + other, first, left + right))
        if lengths.max() <= longest:
            return lengths
        least *= 2


def canonical_codes(lengths: Ints) -> NDArray[np.uint64]:
    """Return the code of each symbol, uint64 (n,), its first bit the lowest one.

    Codes are numbered by their length and then by their symbol, so the lengths tell them all.
    """
    codes = np.zeros(len(lengths), np.uint64)
    code = 0
    for length in range(1, int(lengths.max()) + 1):
        for symbol in np.flatnonzero(lengths == length):
            codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
            code += 1
        code *= 2
    return codes
