"""The text of a variable → a value: one reader for each kind of setting.

A reader raises ``ValueError`` for whatever it does not accept. Some are made for what they are to
accept. :mod:`cutout.settings.environment` says which variable has which reader.
"""

import re
from collections.abc import Callable

from cutout.options import MODEL_NAME

MAX_PREFIX_BYTES = 100
MAX_LABEL = 100  # characters: clients show it on one line

# The template's rules and policies contain the prefixes, and these signs need no escape there.
_PREFIX = r"([A-Za-z0-9_.-]+/)+"


def meet(one: str, other: str) -> bool:
    """Tell whether a key can be under both prefixes."""
    return one.startswith(other) or other.startswith(one)


def of_form(form: str) -> Callable[[str], str]:
    """Return the reader of a text that matches a pattern as a whole."""

    def read(text: str) -> str:
        if not re.fullmatch(form, text):
            raise ValueError
        return text

    return read


def names(form: str) -> Callable[[str], tuple[str, ...]]:
    """Return the reader of a list with commas or spaces between its names, each kept once."""
    read_one = of_form(form)

    def read(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(read_one, text.replace(",", " ").split())))

    return read


def integer(most: int) -> Callable[[str], int]:
    """Return the reader of a whole number from 1 to ``most``."""

    def read(text: str) -> int:
        number = int(of_form(r"[1-9][0-9]*")(text))
        if number > most:
            raise ValueError
        return number

    return read


def boolean(text: str) -> bool:
    """Return the truth value that a word names, in any case."""
    return of_form("true|false")(text.lower()) == "true"


def label(text: str) -> str:
    """Return a text that can be shown on one line."""
    if len(text) > MAX_LABEL or not text.isprintable():
        raise ValueError
    return text


def prefix(reserved: str) -> Callable[[str], str]:
    """Return the reader of a prefix for keys, which no key under ``reserved`` has."""

    def read(text: str) -> str:
        if len(text) > MAX_PREFIX_BYTES or meet(text, reserved):
            raise ValueError
        return of_form(_PREFIX)(text)

    return read


def model_names(text: str) -> tuple[str, ...]:
    """Return the names of one model at least."""
    found = names(MODEL_NAME)(text)
    if not found:
        raise ValueError
    return found
