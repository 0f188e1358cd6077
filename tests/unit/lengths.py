"""Lengths and margins as the options hold them, in fewer words."""

from cutout.options import Length, Margin


def px(value: float) -> Length:
    """Return a length in px."""
    return Length(value=value, relative=False)


def percent(value: float) -> Length:
    """Return a length in % of a side."""
    return Length(value=value, relative=True)


def margin_of(length: Length) -> Margin:
    """Return a margin of one length on all four sides."""
    return Margin(top=length, right=length, bottom=length, left=length)
