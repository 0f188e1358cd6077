"""Cards of networks that no one trained: the tests draw what they say."""

from dataclasses import replace

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
