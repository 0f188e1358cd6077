"""All fields of a request → :class:`~cutout.options.values.Options`, by the table."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cutout.errors import (
    BackgroundUrlDisabled,
    DuplicateOption,
    InvalidOption,
    MultipleBackgrounds,
    ObjectBackground,
    ObjectDuplicate,
)
from cutout.options.table import OPTIONS
from cutout.options.values import DEFAULTS, Options

_BY_NAME = {option.name: option for option in OPTIONS}
_BACKGROUNDS = ("bg_color", "bg_image_file", "bg_image_url", "bg_blur")
_WITH_OWN_REFUSAL = {"bg_color", "bg_image_file", "bg_image_url"}
"""One of these options is a file. The other two refuse a file in words of their own."""
_NO_FILE = "a text part of the form, and it was sent as a file"


def spelled(name: str) -> str:
    """Return the name of a field of S3's metadata or of a batch job as options spell theirs."""
    return name.lower().replace("-", "_")


def lowered(name: str) -> str:
    """Return the name of a request's field in lower case, as options spell theirs.

    A name beyond ASCII stays as it is, since the lower case of some letters is an ASCII letter.
    """
    return name.lower() if name.isascii() else name


def overlay(*layers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the fields of all layers that options have, a later layer's over an earlier one's.

    Names are lower case in it, with ``-`` as ``_``. An absent (empty) field changes nothing, but
    an empty ``bg_color`` stays, so that it is refused. A background takes the place of any other
    background.
    """
    merged: list[tuple[str, str]] = []
    for layer in layers:
        named = [(spelled(name), value) for name, value in layer]
        given = [
            (name, value)
            for name, value in named
            if name in _BY_NAME and (value or name == "bg_color")
        ]
        covered = {name for name, _ in given}
        if covered & set(_BACKGROUNDS):
            covered |= set(_BACKGROUNDS)
        merged = [field for field in merged if field[0] not in covered] + given
    return tuple(merged)


def parse_options(
    fields: Iterable[tuple[str, object]],
    defaults: Options = DEFAULTS,
    *,
    models: Sequence[str] = (),
    fetches_urls: bool = True,
) -> tuple[Options, tuple[str, ...]]:
    """Return the typed options of a request, and the names of the fields that no option has.

    What no field says is as ``defaults`` have it. ``models`` are the names that the option
    ``model`` can have; with none any name is accepted. ``fetches_urls`` is whether the background
    can be given as a URL.

    ``fields`` are names and values as they came, text or JSON values, in order and with
    repetitions. Names are matched in any case (ASCII). ``None`` and the empty string mean absent,
    but an empty ``bg_color`` is an error.

    :raises DuplicateOption: an option is given twice (``bg_color`` twice is ``InvalidOption``).
    :raises MultipleBackgrounds: more than one ``bg_*`` option.
    :raises BackgroundUrlDisabled: the background is given as a URL, and none is fetched.
    :raises InvalidOption: a value is not accepted.
    :raises RoiExceedsBounds: ``roi`` is not within any photo.
    :raises RoiRegionEmpty: ``roi`` contains no pixel of any photo.
    """
    given: dict[str, object] = {}
    unknown: dict[str, None] = {}  # an ordered set
    for field, wire in fields:
        name = lowered(field)
        if name not in _BY_NAME:
            unknown[field] = None
        elif name in given:
            if name == "bg_color":
                raise InvalidOption(option=name, accepted=_BY_NAME[name].accepted)
            raise DuplicateOption(option=name)
        else:
            given[name] = wire
    present = {
        name: wire
        for name, wire in given.items()
        if not _is_absent(wire) or (name == "bg_color" and wire is not None)
    }
    # An empty bg_color is no second background: its own error says what is wrong with it.
    backgrounds = [name for name in _BACKGROUNDS if present.get(name, "") != ""]
    if len(backgrounds) > 1:
        raise MultipleBackgrounds(given=" and ".join(backgrounds))
    for name, wire in present.items():
        if isinstance(wire, bytes) and name not in _WITH_OWN_REFUSAL:
            raise InvalidOption(option=name, accepted=_NO_FILE)
    if not fetches_urls and "bg_image_url" in present:
        raise BackgroundUrlDisabled
    if models and "model" in present and present["model"] not in models:
        raise InvalidOption(option="model", accepted="one of " + ", ".join(models))
    values = {name: _BY_NAME[name].value(wire) for name, wire in present.items()}
    return replace(defaults, **values), tuple(unknown)  # type: ignore[arg-type] # by the table


def parse_object_options(
    fields: Iterable[tuple[str, str]], models: Sequence[str]
) -> tuple[Options, tuple[str, ...]]:
    """Return the options of an S3 object, and the names of the fields that no option has.

    They come as text, with which no image can come, and nothing is fetched for an object.

    :raises ObjectBackground: the background is an image.
    :raises ObjectDuplicate: an option is given twice (``bg_color`` twice is ``InvalidOption``).
    :raises CutoutError: whatever else :func:`parse_options` refuses.
    """
    given = list(fields)
    for name, value in given:
        if name.lower() in {"bg_image_file", "bg_image_url"} and value:
            raise ObjectBackground(name=name.lower())
    try:
        return parse_options(given, models=models)
    except DuplicateOption as error:
        raise ObjectDuplicate(**error.facts) from None


def _is_absent(wire: object) -> bool:
    """Tell whether a field says nothing: JSON's ``null``, an empty text, or an empty file."""
    return wire is None or (isinstance(wire, str | bytes) and not wire)
