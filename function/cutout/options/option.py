"""One row of the table of options, and how the rows of each kind of value are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from cutout.errors import InvalidOption
from cutout.options import parsers


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table. The default is that of the field of ``Options``.

    ``parse`` takes the field as it came (text, or a JSON value) and raises ``ValueError`` where it
    is not ``accepted``, the words that end "<name> must be …". ``code`` names the error
    ``invalid_<code>`` where that is not the option's own name.

    ``schema`` is the JSON Schema of the spellings that a client should send. Whatever it admits is
    accepted; ``parse`` accepts other spellings too, such as capital letters or ``yes``.
    """

    name: str
    parse: Callable[[object], object]
    accepted: str
    summary: str
    schema: Mapping[str, object]
    code: str | None = None

    def value(self, wire: object) -> object:
        """Return the typed value of a field.

        :raises InvalidOption: where the value is not accepted.
        :raises RoiExceedsBounds: ``roi`` is not within any photo.
        :raises RoiRegionEmpty: ``roi`` contains no pixel of any photo.
        """
        try:
            return self.parse(wire)
        except ValueError:
            raise InvalidOption(
                option=self.code or self.name, name=self.name, accepted=self.accepted
            ) from None


def choice(
    name: str,
    values: type[StrEnum],
    summary: str,
    aliases: Mapping[str, StrEnum] = MappingProxyType({}),
) -> Option:
    """Return the row of an option that takes one of a few words, in any case."""
    words = {value.value: value for value in values} | dict(aliases)
    schema: dict[str, object] = {"type": "string", "enum": list(words)}
    if aliases:  # other names for the same values, for forms that skip them
        schema["x-aliases"] = {alias: value.value for alias, value in aliases.items()}
    return Option(
        name=name,
        parse=partial(parsers.one_of, words),
        accepted="one of " + ", ".join(words),
        summary=summary,
        schema=schema,
    )


def switch(name: str, summary: str) -> Option:
    """Return the row of an option that is on or off."""
    return Option(
        name=name,
        parse=parsers.boolean,
        accepted="true or false",
        summary=summary,
        schema={"type": "boolean"},
    )


def number(name: str, lowest: int, highest: int, summary: str) -> Option:
    """Return the row of an option that takes a whole number."""
    return Option(
        name=name,
        parse=partial(parsers.integer, lowest, highest),
        accepted=f"an integer from {lowest} to {highest}",
        summary=summary,
        schema={"type": "integer", "minimum": lowest, "maximum": highest},
    )


def text(pattern: str, *examples: str) -> Mapping[str, object]:
    """Return the schema of a text that matches ``pattern`` as a whole."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}
