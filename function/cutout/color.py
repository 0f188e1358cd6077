"""``bg_color`` as text → :class:`Color`, by a grammar that never guesses."""

import re
from dataclasses import dataclass
from operator import index

from PIL.ImageColor import colormap

from cutout.errors import InvalidOption

ACCEPTED = "a valid hex or named color"
"""What :func:`parse_color` takes, for messages."""

_HEX = re.compile(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})")
# The 148 named colours of CSS Color 4. Copied at import: Pillow stores parsed tuples in its own.
_NAMED = {name: str(value) for name, value in colormap.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """An sRGB colour, each channel 0..255; ``a`` is straight alpha.

    :raises TypeError: a channel is no whole number.
    :raises ValueError: a channel is not within 0..255.
    """

    r: int
    g: int
    b: int
    a: int = 255

    def __post_init__(self) -> None:
        """Refuse a colour that no text can name."""
        for channel in (self.r, self.g, self.b, self.a):
            try:
                value = index(channel)  # a number of a pixel in NumPy is a whole one, too
            except TypeError:
                raise TypeError(f"a channel of a colour must be int, not {channel!r}") from None
            if not 0 <= value <= 255:  # noqa: PLR2004 - as a byte holds it
                raise ValueError(f"a channel of a colour must be from 0 to 255, not {value}")


def named_colors() -> list[str]:
    """Return the 148 CSS names that :func:`parse_color` takes, in alphabetical order."""
    return sorted(_NAMED)


def parse_color(text: object) -> Color:
    """Return the colour that ``text`` names.

    Accepted: ``#RRGGBB``, ``RRGGBB``, ``#RGB``, ``RGB`` and the CSS names, in any case. Only ASCII
    is lower-cased: U+212A (the Kelvin sign) would become a plain ``k``.

    :raises InvalidOption: ``invalid_bg_color`` for anything else, such as a value that is not text.
    """
    if isinstance(text, str) and text.isascii():
        hexadecimal = _HEX.fullmatch(_NAMED.get(text.lower(), text))
        if hexadecimal:
            digits = hexadecimal[1]
            if len(digits) == 3:  # noqa: PLR2004 - the short form: each digit is doubled
                digits = "".join(digit * 2 for digit in digits)
            red, green, blue = bytes.fromhex(digits)
            return Color(r=red, g=green, b=blue)
    raise InvalidOption(option="bg_color", accepted=ACCEPTED)
