"""Lengths of Huffman's codes, and the codes that they tell."""

import numpy as np
import pytest

from cutout.image.prefix_code import canonical_codes, code_lengths

FIBONACCI = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987]


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([1, 1, 2, 4], [3, 3, 2, 1]),
        ([7, 7, 7, 7], [2, 2, 2, 2]),
        ([0, 3, 0, 5], [0, 1, 0, 1]),  # what does not occur has no code
        ([0, 0, 0, 9], [1, 0, 0, 1]),  # one symbol alone gets a second one
        ([9, 0, 0, 0], [1, 1, 0, 0]),
        ([0, 9, 0, 0], [1, 1, 0, 0]),
        ([0, 0, 0, 0], [1, 1, 0, 0]),
    ],
)
def test_lengths_are_huffmans(counts: list[int], lengths: list[int]) -> None:
    """Frequent symbols have short codes."""
    assert code_lengths(np.array(counts), 15).tolist() == lengths


def test_no_code_is_longer_than_it_may_be() -> None:
    """Numbers like Fibonacci's make each code one bit longer than the one before."""
    counts = np.array(FIBONACCI)
    assert code_lengths(counts, 15).tolist() == [15, *range(15, 0, -1)]
    for longest in range(4, 15):
        lengths = code_lengths(counts, longest)
        assert lengths.max() <= longest
        assert np.exp2(-lengths).sum() == 1  # no code is wasted
        assert (np.diff(lengths) <= 0).all()


def test_codes_are_numbered_by_length_and_symbol() -> None:
    """0, 10, 110 and 111, whose first bit is the lowest one of the number."""
    assert canonical_codes(np.array([3, 2, 0, 1, 3])).tolist() == [0b011, 0b01, 0, 0b0, 0b111]
