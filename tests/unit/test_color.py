"""``bg_color``: what is a colour, and that nothing else is."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ImageColor

from cutout.color import Color, named_colors, parse_color
from cutout.errors import InvalidOption

HEX = re.compile(r"\A#?([0-9A-Fa-f]{3}){1,2}\Z")
REFUSED = [
    "#FFFF",
    "##FFFFFF",
    "FFFFF",
    "#12345G",
    "bluish",
    "transparent",
    "255,255,255",
    "[255,255,255]",
    "rgb(255,255,255)",
    "hsl(0,0%,100%)",
    "#FFFFFFFF",
    "",
    "#",
    " red",
    "red ",
    "re d",
    "\tred",
    "red\n",
    "#FFF\n",
    "\u00a0red",
    "blac\u212a",
    "\uff46\uff46\uff46",
    "\u0661\u0662\u0663",
    "red\x00",
    "0xFFFFFF",
    "#FFF" * 100_000,
    0,
    255,
    True,
    None,
    1.5,
    {},
    [],
    [255, 255, 255],
    b"red",
]


def test_the_table_is_the_148_names_of_css() -> None:
    """CSS Color 4 has 148 named colours, of which the newest is rebeccapurple."""
    assert len(named_colors()) == 148
    assert {"rebeccapurple", "grey", "gray", "aliceblue", "yellowgreen"} <= set(named_colors())


@pytest.mark.parametrize("name", named_colors())
def test_a_name_in_any_case_is_its_colour(name: str) -> None:
    """Names are Pillow's table, in lower, upper and mixed case."""
    expected = Color(**dict(zip("rgb", ImageColor.getrgb(name)[:3], strict=True)))
    assert parse_color(name) == expected
    assert parse_color(name.upper()) == expected
    assert parse_color(name.title()) == expected


@pytest.mark.parametrize("text", ["#1aB", "1aB", "#11aaBB", "11AAbb"])
def test_hex_forms(text: str) -> None:
    """Three or six digits, with or without #, in any case."""
    assert parse_color(text) == Color(r=0x11, g=0xAA, b=0xBB)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_every_hex_colour_is_read_back(red: int, green: int, blue: int, upper: bool) -> None:
    """All 2²⁴ colours have a six-digit form."""
    text = f"{red:02x}{green:02x}{blue:02x}"
    text = text.upper() if upper else text
    assert parse_color("#" + text) == parse_color(text) == Color(r=red, g=green, b=blue)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:20])
def test_everything_else_is_refused_in_the_same_words(text: object) -> None:
    """The message is the contract's, and never repeats what the caller sent."""
    with pytest.raises(InvalidOption) as refusal:
        parse_color(text)
    assert refusal.value.status == 400
    assert refusal.value.code == "invalid_bg_color"
    assert str(refusal.value) == "bg_color must be a valid hex or named color."


@given(
    st.one_of(
        st.text(max_size=20),
        st.text(alphabet="#0123456789abcdefABCDEFgG ", max_size=9),
        st.sampled_from(named_colors()).map(lambda name: name + "s"),
    )
)
@example("Red")
@example("BLAC\u212a")
def test_nothing_but_the_grammar_passes(text: str) -> None:
    """A property: a text is accepted exactly if it is in the grammar."""
    names = set(named_colors())
    expected = bool(HEX.match(text)) or (text.isascii() and text.lower() in names)
    try:
        parse_color(text)
    except InvalidOption:
        accepted = False
    else:
        accepted = True
    assert accepted == expected


@pytest.mark.parametrize("value", [-1, 256])
def test_a_channel_is_a_byte(value: int) -> None:
    """From Python, where no text is parsed. It ended as an error of numpy, after all the work."""
    for channel in "rgba":
        with pytest.raises(ValueError, match=f"^a channel .* must be from 0 to 255, not {value}$"):
            Color(**{"r": 0, "g": 0, "b": 0, channel: value})


def test_a_channel_is_a_whole_number() -> None:
    """A part of one was cut off; a number of a pixel in NumPy is a whole one."""
    assert Color(r=np.uint8(5), g=0, b=0) == Color(r=5, g=0, b=0)  # type: ignore[arg-type] # a pixel's
    with pytest.raises(TypeError, match=r"^a channel of a colour must be int, not 1\.5$"):
        Color(r=1.5, g=0, b=0)  # type: ignore[arg-type] # what a user without mypy writes
