"""What a caller can ask for: wire fields → :class:`Options`, by one table.

A row of :data:`OPTIONS` says what an option is called, what it accepts and what its error is; its
default is that of the field of :class:`Options`. Add or change an option here; what it *does* is in
:mod:`cutout.image.compose` (geometry, background) or :mod:`cutout.image.encode` (formats).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from cutout.color import Color, parse_color
from cutout.errors import DuplicateOption, InvalidOption, MultipleBackgrounds


class Format(StrEnum):
    """What the result is encoded as."""

    PNG = "png"
    JPG = "jpg"
    WEBP = "webp"
    AVIF = "avif"
    BMP = "bmp"
    GIF = "gif"
    TIFF = "tiff"
    ZIP = "zip"
    AUTO = "auto"

    @property
    def has_alpha(self) -> bool:
        """Whether the format can be transparent."""
        return self not in {Format.JPG, Format.BMP, Format.GIF}


class Channels(StrEnum):
    """The cutout, or its matte alone."""

    RGBA = "rgba"
    ALPHA = "alpha"


class Size(StrEnum):
    """The cap on the result's pixels."""

    PREVIEW = "preview"
    MEDIUM = "medium"
    HD = "hd"
    FIFTY_MP = "50mp"
    FULL = "full"

    @property
    def max_pixels(self) -> int | None:
        """The cap in px, with remove.bg's numbers; ``None`` leaves it to the deployment."""
        return _SIZE_CAPS_PX.get(self)


_SIZE_CAPS_PX = {
    Size.PREVIEW: 250_000,
    Size.MEDIUM: 1_500_000,
    Size.HD: 4_000_000,
    Size.FIFTY_MP: 50_000_000,
}


class InputAlpha(StrEnum):
    """What a transparent input's own alpha does."""

    MULTIPLY = "multiply"
    KEEP = "keep"
    DISCARD = "discard"


class Delivery(StrEnum):
    """How the result travels: in the reply, by URL, whichever fits, or made to fit the reply."""

    AUTO = "auto"
    INLINE = "inline"
    URL = "url"
    FIT = "fit"


class OnEmpty(StrEnum):
    """What happens when no subject is found."""

    IMAGE = "image"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A number of px of the result, or a share in % of the subject's side."""

    value: float
    relative: bool

    def pixels(self, side_px: int) -> int:
        """Return the length in whole px against a side of ``side_px``."""
        return round(self.value * side_px / 100) if self.relative else round(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What ``crop`` leaves around the subject, side by side."""

    top: Length
    right: Length
    bottom: Length
    left: Length


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one request asks for; every value in it is valid."""

    format: Format = Format.PNG
    bg_color: Color | None = None
    channels: Channels = Channels.RGBA
    size: Size = Size.FULL
    crop: bool = False
    crop_margin: Margin | None = None
    clean_edges: bool = True
    despill: bool = False
    input_alpha: InputAlpha = InputAlpha.MULTIPLY
    quality: int = 90
    response: Delivery = Delivery.AUTO
    on_empty: OnEmpty = OnEmpty.IMAGE


DEFAULTS = Options()

MAX_MARGIN_PERCENT = 50
MAX_MARGIN_PX = 500
_LENGTH = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4})?)(px|%)", re.IGNORECASE)
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _text(wire: object) -> str:
    """Return a scalar field as text: JSON's ``true`` and ``90`` mean what they mean in a form."""
    if isinstance(wire, bool):
        return str(wire).lower()
    if isinstance(wire, int):
        return str(wire)
    if isinstance(wire, str):
        return wire
    raise ValueError


def _one_of(values: Mapping[str, object], wire: object) -> object:
    text = _text(wire)
    if not text.isascii() or text.lower() not in values:
        raise ValueError
    return values[text.lower()]


def _integer(lowest: int, highest: int, wire: object) -> int:
    text = _text(wire)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
        raise ValueError
    return int(text)


def _length(text: str) -> Length:
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError
    length = Length(value=float(match[1]), relative=match[2] == "%")
    if length.value > (MAX_MARGIN_PERCENT if length.relative else MAX_MARGIN_PX):
        raise ValueError
    return length


def _margin(wire: object) -> Margin:
    text = _text(wire)
    if not text.isascii():  # split() and digits below would take other scripts' characters
        raise ValueError
    lengths = [Length(value=0, relative=False) if n == "0" else _length(n) for n in text.split()]
    match lengths:
        case [every]:
            return Margin(top=every, right=every, bottom=every, left=every)
        case [vertical, horizontal]:
            return Margin(top=vertical, right=horizontal, bottom=vertical, left=horizontal)
        case [top, right, bottom, left]:
            return Margin(top=top, right=right, bottom=bottom, left=left)
    raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table. The default is in :class:`Options`, and nowhere else.

    ``parse`` takes the field as it came (text, or a JSON value) and raises ``ValueError`` where it
    is not ``accepted``, the words that end "<name> must be …". ``code`` names the error
    ``invalid_<code>`` where that is not the option's own name.
    """

    name: str
    parse: Callable[[object], object]
    accepted: str
    summary: str
    code: str | None = None
    built: bool = True

    def value(self, wire: object) -> object:
        """Return the typed value of a field.

        :raises InvalidOption: where the value is not accepted.
        """
        try:
            return self.parse(wire)
        except ValueError:
            raise InvalidOption(
                option=self.code or self.name, name=self.name, accepted=self.accepted
            ) from None


def _choice(
    name: str,
    values: type[StrEnum],
    summary: str,
    aliases: Mapping[str, StrEnum] = MappingProxyType({}),
) -> Option:
    """Return the row of an option that takes one of a few words, in any case."""
    words = {value.value: value for value in values} | dict(aliases)
    return Option(
        name=name,
        parse=partial(_one_of, words),
        accepted="one of " + ", ".join(words),
        summary=summary,
    )


def _switch(name: str, summary: str) -> Option:
    return Option(
        name=name, parse=partial(_one_of, _BOOLEANS), accepted="true or false", summary=summary
    )


def _unbuilt(name: str, default: str | None = None, code: str | None = None) -> Option:
    """Return the row of an option to come: refused but for its default, never ignored."""
    return Option(
        name=name,
        parse=partial(_one_of, {} if default is None else {default: None}),
        accepted=("left out" if default is None else f"{default} or left out")
        + ": this version does not offer it yet",
        summary="Not offered yet.",
        code=code,
        built=False,
    )


OPTIONS = (
    _choice(
        "format",
        Format,
        "The result's format. auto: png where any pixel is transparent, else jpg. "
        "zip: color.jpg (clean edge colours) and alpha.png.",
        {"jpeg": Format.JPG, "jpe": Format.JPG, "jfif": Format.JPG, "tif": Format.TIFF},
    ),
    Option(
        name="bg_color",
        parse=parse_color,
        accepted="a valid hex or named color",
        summary="The cutout is composited on this colour and every pixel is opaque: "
        "#RRGGBB, RRGGBB, #RGB, RGB or a CSS name.",
    ),
    _choice(
        "channels",
        Channels,
        "alpha: the matte as an 8-bit grey PNG, whatever format says; backgrounds are ignored.",
    ),
    _choice(
        "size",
        Size,
        "Caps the result, never enlarges: preview 0.25 MP, medium 1.5, hd 4, 50MP, "
        "full the deployment's limit.",
        {"auto": Size.FULL, "small": Size.PREVIEW, "regular": Size.PREVIEW, "4k": Size.FULL},
    ),
    _switch("crop", "Crops to the subject's box."),
    Option(
        name="crop_margin",
        parse=_margin,
        accepted="1, 2 or 4 lengths such as 30px or 10%, each at most 50% of the subject or 500px",
        summary="What crop leaves around the subject: all sides, vertical horizontal, or "
        "top right bottom left. Has no effect without crop.",
    ),
    _switch(
        "clean_edges",
        "Takes the old background's colour out of the edge; false keeps the photo's own colours.",
    ),
    _switch(
        "despill",
        "Takes the green light of a screen out of the subject near its edge, beside clean_edges.",
    ),
    _choice(
        "input_alpha",
        InputAlpha,
        "What a transparent input's own alpha does: it multiplies the matte, is the matte "
        "(no network runs), or is discarded.",
    ),
    Option(
        name="quality",
        parse=partial(_integer, 1, 100),
        accepted="an integer from 1 to 100",
        summary="Of jpg, webp and avif.",
    ),
    _choice(
        "response",
        Delivery,
        "inline: in the reply. url: a link to the result. auto: inline where it fits, else a link. "
        "fit: in the reply, scaled down where it would not fit.",
    ),
    _choice(
        "on_empty",
        OnEmpty,
        "When no subject is found: the empty canvas, or the error unknown_foreground.",
    ),
    _unbuilt("bg_image_file", code="bg_image"),
    _unbuilt("bg_image_url", code="bg_image"),
    _unbuilt("bg_blur"),
    _unbuilt("scale", "original"),
    _unbuilt("position", "original"),
    _unbuilt("roi"),
    _unbuilt("shadow_type", "none"),
    _unbuilt("shadow_opacity", "50"),
)
_BY_NAME = {option.name: option for option in OPTIONS}
_BACKGROUNDS = ("bg_color", "bg_image_file", "bg_image_url", "bg_blur")


def overlay(*layers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the fields of all layers that options have, a later layer's over an earlier one's.

    Names are lower case in it, with ``-`` as ``_``. An absent (empty) field changes nothing, and
    a background takes the place of any other background.
    """
    merged: list[tuple[str, str]] = []
    for layer in layers:
        named = [(name.lower().replace("-", "_"), value) for name, value in layer]
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
    fields: Iterable[tuple[str, object]], defaults: Options = DEFAULTS
) -> tuple[Options, tuple[str, ...]]:
    """Return the typed options of a request, and the names of the fields that no option has.

    What no field says is as ``defaults`` have it.

    ``fields`` are names and values as they came, text or JSON values, in order and with
    repetitions. Names are matched in any case (ASCII). ``None`` and the empty string mean absent,
    but an empty ``bg_color`` is an error.

    :raises DuplicateOption: an option is given twice (``bg_color`` twice is ``InvalidOption``).
    :raises MultipleBackgrounds: more than one ``bg_*`` option.
    :raises InvalidOption: a value is not accepted.
    """
    given: dict[str, object] = {}
    unknown: dict[str, None] = {}  # an ordered set
    for field, wire in fields:
        name = field.lower() if field.isascii() else field
        if name not in _BY_NAME:
            unknown[field] = None
        elif name in given:
            if name == "bg_color":
                parse_color(None)
            raise DuplicateOption(option=name)
        else:
            given[name] = wire
    present = {
        name: wire
        for name, wire in given.items()
        if wire is not None and (wire != "" or name == "bg_color")
    }
    backgrounds = [name for name in _BACKGROUNDS if name in present]
    if len(backgrounds) > 1:
        raise MultipleBackgrounds(given=" and ".join(backgrounds))
    values = {name: _BY_NAME[name].value(wire) for name, wire in present.items()}
    built = {name: value for name, value in values.items() if _BY_NAME[name].built}
    return replace(defaults, **built), tuple(unknown)  # type: ignore[arg-type] # typed by the table
