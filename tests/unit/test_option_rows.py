"""How a row of the options table is made: its parser, its words, its schema and its error."""

from enum import StrEnum

import pytest

from cutout.errors import InvalidOption
from cutout.options import Length, Option
from cutout.options.option import choice, number, switch, text


class Tone(StrEnum):
    """An option's words."""

    WARM = "warm"
    COLD = "cold"


def refusal(row: Option, wire: object) -> str:
    """Return the message with which a row refuses a value."""
    with pytest.raises(InvalidOption) as refused:
        row.value(wire)
    return f"{refused.value.code}: {refused.value}"


def test_a_choice_takes_its_words_and_their_aliases() -> None:
    """In any case; the words, the schema and the message name the aliases last."""
    row = choice("tone", Tone, "The tone.", {"hot": Tone.WARM})
    assert [row.value(word) for word in ("warm", "COLD", "Hot")] == [
        Tone.WARM,
        Tone.COLD,
        Tone.WARM,
    ]
    assert (row.name, row.summary, row.code) == ("tone", "The tone.", None)
    assert row.schema == {
        "type": "string",
        "enum": ["warm", "cold", "hot"],
        "x-aliases": {"hot": "warm"},
    }
    assert refusal(row, "lukewarm") == "invalid_tone: tone must be one of warm, cold, hot."


def test_a_choice_needs_no_aliases() -> None:
    """Then its words are those of the enumeration."""
    assert choice("tone", Tone, "The tone.").schema == {"type": "string", "enum": ["warm", "cold"]}


def test_a_switch_is_on_or_off() -> None:
    """It takes the words that forms use."""
    row = switch("wide", "Wide.")
    assert [row.value(word) for word in ("true", "No", True)] == [True, False, True]
    assert (row.name, row.summary, row.code) == ("wide", "Wide.", None)
    assert row.schema == {"type": "boolean"}
    assert refusal(row, "on") == "invalid_wide: wide must be true or false."


def test_a_number_is_within_its_bounds() -> None:
    """Both of which it takes."""
    row = number("age", 3, 40, "An age.")
    assert [row.value(wire) for wire in ("3", 40, "007", 3.0)] == [3, 40, 7, 3]
    assert (row.name, row.summary, row.code) == ("age", "An age.", None)
    assert row.schema == {"type": "integer", "minimum": 3, "maximum": 40}
    for wire in ("2", 41, "3.0", "", "-3", 10**9, "four", None, 3.5):
        assert refusal(row, wire) == "invalid_age: age must be an integer from 3 to 40."


def test_a_text_matches_its_pattern_as_a_whole() -> None:
    """Alternatives in the pattern do not leave its anchors."""
    assert text("a|b", "a", "b") == {
        "type": "string",
        "pattern": "^(?:a|b)$",
        "examples": ["a", "b"],
    }


def tone(wire: object) -> int:
    """Return the number that a text is."""
    return int(str(wire))


def test_an_errors_code_may_differ_from_the_options_name() -> None:
    """As that of both background images does; the message still names the field."""
    row = Option(
        name="tone", parse=tone, accepted="a tone", summary="A tone.", schema={}, code="colour"
    )
    assert refusal(row, "x") == "invalid_colour: tone must be a tone."


@pytest.mark.parametrize(
    ("value", "relative", "side_px", "pixels"),
    [(10, True, 250, 25), (33.3, True, 1000, 333), (12.6, False, 1000, 13), (50, True, 3, 2)],
)
def test_a_length_in_whole_px(value: float, side_px: int, pixels: int, *, relative: bool) -> None:
    """A share is of the side; px are px whatever the side is."""
    assert Length(value=value, relative=relative).pixels(side_px) == pixels
