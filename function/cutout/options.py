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
from cutout.errors import (
    DuplicateOption,
    InvalidOption,
    MultipleBackgrounds,
    RoiExceedsBounds,
    RoiRegionEmpty,
)


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


class ShadowType(StrEnum):
    """The shadow behind the subject."""

    NONE = "none"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A number of px, or a share in % of a side: of the subject in a margin, else of the photo."""

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
class Region:
    """A rectangle of the upright photo: its left, top, right and bottom edge."""

    x1: Length
    y1: Length
    x2: Length
    y2: Length


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the subject's box is in the canvas, in % of the room that it leaves.

    0 is at the left or the top, 50 in the middle, 100 at the right or the bottom. ``None`` in both
    keeps it where it is in the photo.
    """

    x: float | None
    y: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one request asks for; every value in it is valid.

    ``scale`` is in % of the canvas. Without a ``position`` a subject that is scaled is centred, and
    any other stays where it is.
    """

    format: Format = Format.PNG
    bg_color: Color | None = None
    bg_image_file: bytes | None = None
    bg_image_url: str | None = None
    bg_blur: int | None = None
    channels: Channels = Channels.RGBA
    size: Size = Size.FULL
    crop: bool = False
    crop_margin: Margin | None = None
    scale: float | None = None
    position: Position | None = None
    roi: Region | None = None
    shadow_type: ShadowType = ShadowType.NONE
    shadow_opacity: int = 50
    semitransparency: bool = True
    clean_edges: bool = True
    despill: bool = False
    input_alpha: InputAlpha = InputAlpha.MULTIPLY
    quality: int = 90
    response: Delivery = Delivery.AUTO
    on_empty: OnEmpty = OnEmpty.IMAGE


DEFAULTS = Options()

MAX_MARGIN_PERCENT = 50
MAX_MARGIN_PX = 500
MIN_SCALE_PERCENT = 10
MAX_URL_CHARACTERS = 2_048
"""What browsers and proxies are sure to carry."""
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")
_COORDINATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,4})?)(px|%)", re.IGNORECASE)
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
    lengths = [Length(value=0, relative=False) if n == "0" else _length(n) for n in _words(text)]
    match lengths:
        case [every]:
            return Margin(top=every, right=every, bottom=every, left=every)
        case [vertical, horizontal]:
            return Margin(top=vertical, right=horizontal, bottom=vertical, left=horizontal)
        case [top, right, bottom, left]:
            return Margin(top=top, right=right, bottom=bottom, left=left)
    raise ValueError


def _percent(lowest: float, text: str) -> float:
    """Return a share of at least ``lowest`` and at most 100 %."""
    match = _PERCENT.fullmatch(text)
    if match is None or not lowest <= float(match[1]) <= 100:  # noqa: PLR2004 - the whole
        raise ValueError
    return float(match[1])


def _scale(wire: object) -> float | None:
    text = _text(wire)
    return None if text.lower() == "original" else _percent(MIN_SCALE_PERCENT, text)


def _position(wire: object) -> Position:
    text = _text(wire)
    match text.lower():
        case "original":
            return Position(x=None, y=None)
        case "center":
            return Position(x=50, y=50)
    shares = [_percent(0, share) for share in _words(text)]
    match shares:
        case [both]:
            return Position(x=both, y=both)
        case [horizontal, vertical]:
            return Position(x=horizontal, y=vertical)
    raise ValueError


def _words(text: str) -> list[str]:
    """Return what white space separates; other scripts' white space and digits are refused."""
    if not text.isascii():
        raise ValueError
    return text.split()


def _coordinate(text: str) -> Length:
    if text == "0":
        return Length(value=0, relative=False)
    match = _COORDINATE.fullmatch(text)
    if match is None:
        raise ValueError
    return Length(value=float(match[1]), relative=match[2] == "%")


def _roi(wire: object) -> Region:
    """Return the region; what is wrong with it in every photo is refused before there is one."""
    corners = [_coordinate(text) for text in _words(_text(wire))]
    match corners:
        case [x1, y1, x2, y2]:
            region = Region(x1=x1, y1=y1, x2=x2, y2=y2)
        case _:
            raise ValueError
    if any(corner.relative and corner.value > 100 for corner in corners):  # noqa: PLR2004 - all
        raise RoiExceedsBounds(reason="100% is its whole side")
    for first, last in ((x1, x2), (y1, y2)):
        if first.relative == last.relative and first.value >= last.value:
            raise RoiRegionEmpty
    return region


def _file(wire: object) -> bytes:
    """Return a file part's bytes; text is no file."""
    if not isinstance(wire, bytes):
        raise ValueError  # noqa: TRY004 - the one error of every parser here
    return wire


def _url(wire: object) -> str:
    """Return the text of a URL; who fetches it decides where it may lead."""
    text = _text(wire)
    if len(text) > MAX_URL_CHARACTERS or not re.match(r"https?://", text, re.IGNORECASE):
        raise ValueError
    return text


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
    Option(
        name="bg_image_file",
        parse=_file,
        accepted="an image in a file part of multipart/form-data",
        summary="An image behind the subject: it covers the canvas, and its middle is kept.",
        code="bg_image",
    ),
    Option(
        name="bg_image_url",
        parse=_url,
        accepted="the http or https URL of an image",
        summary="As bg_image_file, where the deployment fetches URLs.",
        code="bg_image",
    ),
    Option(
        name="bg_blur",
        parse=partial(_integer, 0, 100),
        accepted="an integer from 0 to 100",
        summary="Keeps the photo's own background and blurs it: 0 leaves it sharp, 100 blurs most.",
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
    Option(
        name="scale",
        parse=_scale,
        accepted=f"original, or a share of the canvas from {MIN_SCALE_PERCENT}% to 100%",
        summary="Scales the subject so that it fits into that share of the canvas, and centres it "
        "unless position says otherwise.",
    ),
    Option(
        name="position",
        parse=_position,
        accepted="original, center, or 1 or 2 shares from 0% to 100%, such as 50% or 20% 80%",
        summary="Where the subject is in the canvas: 0% at the left or top, 100% at the right or "
        "bottom; two shares are horizontal and vertical.",
    ),
    Option(
        name="roi",
        parse=_roi,
        accepted="4 lengths x1 y1 x2 y2, such as 0px 0px 400px 300px or 10% 10% 90% 90%",
        summary="The region of interest: only what is inside can be subject. In px or % of the "
        "upright photo, before any cap on its size.",
    ),
    _choice("shadow_type", ShadowType, "drop: a soft shadow behind the subject."),
    Option(
        name="shadow_opacity",
        parse=partial(_integer, 0, 100),
        accepted="an integer from 0 to 100",
        summary="How dark the shadow is, in %. Has no effect without shadow_type=drop.",
    ),
    _switch(
        "semitransparency",
        "false: every pixel is either opaque or transparent, divided at an alpha of one half.",
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
    :raises RoiExceedsBounds: ``roi`` is not within any photo.
    :raises RoiRegionEmpty: ``roi`` contains no pixel of any photo.
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
        if not _is_absent(wire) or (name == "bg_color" and wire is not None)
    }
    backgrounds = [name for name in _BACKGROUNDS if name in present]
    if len(backgrounds) > 1:
        raise MultipleBackgrounds(given=" and ".join(backgrounds))
    values = {name: _BY_NAME[name].value(wire) for name, wire in present.items()}
    return replace(defaults, **values), tuple(unknown)  # type: ignore[arg-type] # by the table


def _is_absent(wire: object) -> bool:
    """Tell whether a field says nothing: JSON's ``null``, an empty text, or an empty file."""
    return wire is None or (isinstance(wire, str | bytes) and not wire)
