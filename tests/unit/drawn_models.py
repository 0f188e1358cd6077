"""Networks that no one trained, and their cards: the tests draw what they say."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cutout.image.card import ModelCard, Output, Range, Resize

_CARD = ModelCard(
    name="drawn",
    version="1",
    file="none",
    sha256="",
    input_size=1,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    resize=Resize.BILINEAR,
    range=Range.FULL,
    output=Output.ALPHA,
    licence="none",
    source="none",
)


def card_of(side: int, *, zoom: float = 0.0, mirror: float = 0.0) -> ModelCard:
    """Return the card of a network with a square of ``side`` cells and plain tensors of 0..1."""
    return replace(_CARD, input_size=side, zoom=zoom, mirror=mirror)


class FirstLook:
    """A network that finds a rectangle of its cells in its first look, and all of them in others.

    ``rows`` and ``columns`` are those of the rectangle, and ``looks`` is how often it was asked.
    """

    def __init__(self, side: int, rows: slice, columns: slice, alpha: float = 1.0) -> None:
        self.looks = 0
        self._first = np.zeros((1, 1, side, side), np.float32)
        self._first[..., rows, columns] = alpha

    def __call__(self, _: NDArray[np.float32]) -> NDArray[np.float32]:
        self.looks += 1
        return self._first if self.looks == 1 else np.ones_like(self._first)
