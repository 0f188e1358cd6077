"""What is hidden while an encoder works: exact pixels, and black again afterwards."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cutout.image.hidden import hidden_filled


def drawn() -> NDArray[np.uint8]:
    """Return two by two blocks of 16 px, the right and lower ones cut off; hidden is green."""
    pixels = np.full((23, 29, 4), (0, 255, 0, 0), np.uint8)
    pixels[2:4, 3:5] = (10, 20, 30, 255)
    pixels[2, 3] = (255, 255, 255, 1)
    pixels[22, 28] = (7, 100, 255, 128)
    return pixels


def test_a_block_that_is_seen_in_part_gets_the_mean_of_that() -> None:
    """Of each block's own pixels, however few they are or faint; alpha and what is seen stay."""
    pixels = drawn()
    seen = pixels[..., 3] > 0
    before = pixels.copy()
    with hidden_filled(pixels):
        assert np.array_equal(pixels[seen], before[seen])
        assert (pixels[..., 3][~seen] == 0).all()
        shown = np.where(seen[..., None], 0, pixels[..., :3])
        assert (pixels[:16, :16][~seen[:16, :16]] == (71, 78, 86, 0)).all()
        assert (pixels[16:, 16:][~seen[16:, 16:]] == (7, 100, 255, 0)).all()
        assert not shown[:16, 16:].any() or (shown[:16, 16:] == (0, 255, 0)).all()
    assert np.array_equal(pixels[seen], before[seen])
    assert not pixels[~seen].any()


def test_blocks_are_those_of_the_whole_picture() -> None:
    """Whatever the parts are in which it is worked on."""
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (400, 500, 4), np.uint8)
    pixels[random.random((400, 500)) < 0.9, 3] = 0
    seen, expected = pixels[..., 3] > 0, pixels.copy()
    for top in range(0, 400, 16):
        for left in range(0, 500, 16):
            block = np.s_[top : top + 16, left : left + 16]
            mean = pixels[block][seen[block]][:, :3].mean(axis=0) // 1
            expected[block][~seen[block]] = (*mean, 0)
    with hidden_filled(pixels):
        assert np.array_equal(pixels, expected)


def test_a_full_block_does_not_overflow() -> None:
    """255 pixels of white beside a hidden one."""
    pixels = np.full((16, 16, 4), 255, np.uint8)
    pixels[15, 15] = 0
    with hidden_filled(pixels):
        assert (pixels[15, 15] == (255, 255, 255, 0)).all()
    assert not pixels[15, 15].any()


@pytest.mark.parametrize("alpha", [0, 255])
def test_all_or_nothing_hidden(alpha: int) -> None:
    """There is no colour to take, or nothing to fill."""
    pixels = np.full((20, 20, 4), (9, 8, 7, alpha), np.uint8)
    with hidden_filled(pixels):
        pass
    assert (pixels == ((9, 8, 7, 255) if alpha else 0)).all()


def test_an_encoder_that_fails_leaves_it_black() -> None:
    """The cutout may be encoded in another way."""
    pixels = drawn()
    with pytest.raises(MemoryError), hidden_filled(pixels):
        raise MemoryError
    assert not pixels[pixels[..., 3] == 0].any()
