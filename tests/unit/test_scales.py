"""The factors of the exported network's ``Resize``: each side grows to the one that is meant."""

import numpy as np
import pytest
from scales import growth


def levels(size: int) -> list[int]:
    """Return the sides of the network's levels, each half of the one before, rounded up."""
    sides = [size]
    while len(sides) < 7:  # strides 1 to 64
        sides.append(-(-sides[-1] // 2))
    return sides


@pytest.mark.parametrize("size", range(128, 641, 32))
def test_every_level_grows_to_the_next(size: int) -> None:
    """Whether the product is one of float32, as in onnxruntime, or of float64."""
    for goal, side in zip(levels(size), levels(size)[1:], strict=False):
        factor = growth(side, goal)
        assert int(np.float32(side) * factor) == goal
        assert int(np.float64(side) * np.float64(factor)) == goal


def test_a_factor_that_is_right_stays_as_it_is() -> None:
    """So that the model that ships, of 352 px, keeps its bytes: 6 px grow to 11 there."""
    assert growth(6, 11) == np.float32(11 / 6)
    assert growth(88, 176) == 2
    assert growth(7, 13) > np.float32(13 / 7)
