"""The typed values of the options: what the pipeline and both doors work with."""

import reprlib
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import get_args

from cutout.color import Color

MAX_MARGIN_PERCENT = 50
MAX_MARGIN_PX = 500
WHOLE_PERCENT = 100
_MAX_EDGE_PX = 1_000_000_000  # no text names as much, and no photo is as large
RANGES = {"bg_blur": (0, 100), "scale": (10, 100), "shadow_opacity": (0, 100), "quality": (1, 100)}
"""The lowest and the highest value of each option that is a number."""


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


FORMATS_OUT = tuple(name.value for name in Format if name is not Format.AUTO)
"""What a result can be, each also its file's extension; ``auto`` ends in one of them."""


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
    """What ``crop`` leaves around the subject, side by side.

    :raises ValueError: a length is negative, or longer than a margin may be.
    """

    top: Length
    right: Length
    bottom: Length
    left: Length

    def __post_init__(self) -> None:
        """Refuse a margin that no text can ask for."""
        for length in (self.top, self.right, self.bottom, self.left):
            longest = MAX_MARGIN_PERCENT if length.relative else MAX_MARGIN_PX
            _refuse_outside("a margin", length.value, 0, longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of the upright photo: its left, top, right and bottom edge.

    :raises ValueError: an edge is outside of every photo.
    """

    x1: Length
    y1: Length
    x2: Length
    y2: Length

    def __post_init__(self) -> None:
        """Refuse a region that no text can ask for."""
        for length in (self.x1, self.y1, self.x2, self.y2):
            farthest = WHOLE_PERCENT if length.relative else _MAX_EDGE_PX
            _refuse_outside("an edge of a region", length.value, 0, farthest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the subject's box is in the canvas, in % of the room that it leaves.

    0 is at the left or the top, 50 in the middle, 100 at the right or the bottom. ``None`` in both
    keeps it where it is in the photo.

    :raises ValueError: a share is not within the room.
    """

    x: float | None
    y: float | None

    def __post_init__(self) -> None:
        """Refuse a position that no text can ask for."""
        for share in (self.x, self.y):
            if share is not None:
                _refuse_outside("a position", share, 0, WHOLE_PERCENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one request asks for; every value in it is valid. ``parse_options`` reads it from texts.

    ``model`` is the name of a model, ``None`` the deployment's default. ``scale`` is in % of the
    canvas. Without a ``position`` a subject that is scaled is centred, and any other stays where it
    is.

    :raises TypeError: a value is not of its field's type, such as a text.
    :raises ValueError: a number is not within its range.
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
    model: str | None = None
    shadow_type: ShadowType = ShadowType.NONE
    shadow_opacity: int = 50
    semitransparency: bool = True
    clean_edges: bool = True
    despill: bool = False
    input_alpha: InputAlpha = InputAlpha.MULTIPLY
    quality: int = 90
    response: Delivery = Delivery.AUTO
    on_empty: OnEmpty = OnEmpty.IMAGE

    def __post_init__(self) -> None:
        """Refuse a value that the pipeline would stumble over later, or would take for another."""
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            # To Python, True is a whole number.
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                words = " or ".join(
                    "None" if kind is type(None) else kind.__name__ for kind in kinds
                )
                raise TypeError(
                    f"{name} must be {words}, not {reprlib.repr(value)}; "
                    "cutout.options.parse_options makes Options of texts"
                )
            if name in RANGES and isinstance(value, int | float):
                _refuse_outside(name, value, *RANGES[name])


def _refuse_outside(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest} to {highest}, not {value}")


# Where a float is due, a whole number does, as type checkers have it.
_KINDS: dict[str, tuple[type, ...]] = {
    field.name: kinds + ((int,) if float in kinds else ())
    for field in fields(Options)
    for kinds in [get_args(field.type) or (field.type,)]
}

DEFAULTS = Options()
