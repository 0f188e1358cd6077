"""A translucent colour behind a cutout: every pair of alphas, against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from cutout.color import Color
from cutout.image.composite import lay_under


@pytest.mark.parametrize("opacity", [0, 1, 119, 128, 254])
def test_a_translucent_colour_lies_behind_every_alpha(opacity: int) -> None:
    """The operator "over" of Porter and Duff with straight alpha, rounded to the nearest."""
    pixels = np.zeros((1, 256, 4), np.uint8)
    pixels[0, :, :3] = (200, 7, 255)
    pixels[0, :, 3] = np.arange(256)
    pixels[0, 0, :3] = 0
    result = pixels.copy()
    lay_under(result, Color(r=10, g=250, b=0, a=opacity))
    for (*front, alpha), (*found, whole) in zip(
        pixels[0].tolist(), result[0].tolist(), strict=True
    ):
        back = Fraction(opacity * (255 - alpha), 255)
        assert abs(whole - (alpha + back)) <= Fraction(1, 2)
        for mine, behind, channel in zip(front, (10, 250, 0), found, strict=True):
            exact = (mine * alpha + behind * back) / (alpha + back) if whole else Fraction(0)
            assert abs(channel - exact) <= Fraction(1, 2)


def test_an_opaque_pixel_keeps_its_colour_and_nothing_stays_nothing() -> None:
    """Whatever is behind."""
    pixels = np.array([[[9, 8, 7, 255], [0, 0, 0, 0]]], np.uint8)
    lay_under(pixels, Color(r=1, g=2, b=3, a=0))
    assert pixels.tolist() == [[[9, 8, 7, 255], [0, 0, 0, 0]]]
