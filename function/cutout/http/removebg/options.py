"""remove.bg's fields → our options.

Every option of ``POST /v2`` has the same meaning here, under remove.bg's name where it has one.
What differs are the defaults, and how the result travels: always in the reply.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cutout.errors import DuplicateOption, InvalidOption
from cutout.http.body import Field
from cutout.options import Delivery, Format, OnEmpty, Options, Size, lowered, parse_options
from cutout.options.option import switch
from cutout.options.parsers import one_of

DEFAULTS = Options(
    format=Format.AUTO, size=Size.PREVIEW, response=Delivery.FIT, on_empty=OnEmpty.ERROR
)
"""What a request of remove.bg's clients gets for the options that it does not name."""

IGNORED_WORDS = {
    "type": ("auto", "person", "product", "animal", "car", "transportation", "graphic", "other"),
    "type_level": ("none", "latest", "1", "2"),
}
"""Fields that remove.bg's reference has and that have no effect here, with their values."""

ADD_SHADOW = switch("add_shadow", "true: shadow_type=drop.")
"""remove.bg's own name for our drop shadow."""

_COLOR_WITH_ALPHA = re.compile(
    r"#?(?:([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})|([0-9A-Fa-f]{3})([0-9A-Fa-f]))"
)


def read_options(
    fields: Iterable[Field], *, models: Sequence[str], fetches_urls: bool
) -> tuple[Options, tuple[str, ...]]:
    """Return the options in remove.bg's fields, and the names of the fields that mean nothing.

    ``models`` are the names that the option ``model`` can have, and ``fetches_urls`` is whether the
    background can be given as a URL.

    :raises DuplicateOption: an option is given twice.
    :raises MultipleBackgrounds: more than one ``bg_*`` option.
    :raises BackgroundUrlDisabled: the background is given as a URL, and none is fetched.
    :raises InvalidOption: a value is not accepted.
    """
    ours: list[Field] = []
    ignored: list[str] = []
    theirs: dict[str, object] = {}
    alpha = 255
    for field, value in fields:
        name = lowered(field)
        if name == "api_key" or value is None or value in ("", b""):
            continue
        if name == "response":  # the result is always in the reply
            ignored.append(field)
        elif name in {ADD_SHADOW.name, *IGNORED_WORDS}:
            if name in theirs:
                raise DuplicateOption(option=name)
            theirs[name] = value
        elif name == "bg_color" and isinstance(value, str):
            color, alpha = _split_color(value)
            ours.append((name, color))
        else:
            ours.append((field, value))
    _check_words(theirs)
    has_shadow = ADD_SHADOW.value(theirs.get(ADD_SHADOW.name, "false"))
    if has_shadow and not any(field.lower() == "shadow_type" for field, _ in ours):
        ours.append(("shadow_type", "drop"))
    options, unknown = parse_options(ours, DEFAULTS, models=models, fetches_urls=fetches_urls)
    if options.bg_color is not None:
        options = replace(options, bg_color=replace(options.bg_color, a=alpha))
    return options, (*unknown, *ignored)


def _check_words(fields: Mapping[str, object]) -> None:
    """Refuse a value of a field without effect that remove.bg's reference does not know.

    :raises InvalidOption: naming the field.
    """
    for name, words in IGNORED_WORDS.items():
        try:
            one_of(dict.fromkeys(words), fields.get(name, words[0]))
        except ValueError:
            raise InvalidOption(option=name, accepted="one of " + ", ".join(words)) from None


def _split_color(text: str) -> tuple[str, int]:
    """Return a colour's text without its alpha, and the alpha, 0..255; other text as it is."""
    match = _COLOR_WITH_ALPHA.fullmatch(text)
    if match is None:
        return text, 255
    color, alpha = (match[1], match[2]) if match[1] else (match[3], match[4] * 2)
    return f"#{color}", int(alpha, 16)
