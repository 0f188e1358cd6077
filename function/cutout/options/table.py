"""The table of options: what each is called, what it accepts, and what its error is.

An option's default is that of its field in :class:`cutout.options.values.Options`. Add or change an
option here; what it *does* is in :mod:`cutout.image.compose` (geometry, background) or
:mod:`cutout.image.encode` (formats).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType

from cutout.color import parse_color
from cutout.errors import InvalidOption
from cutout.options import parsers
from cutout.options.values import (
    Channels,
    Delivery,
    Format,
    InputAlpha,
    OnEmpty,
    ShadowType,
    Size,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table. The default is that of the field of ``Options``.

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
        parse=partial(parsers.one_of, words),
        accepted="one of " + ", ".join(words),
        summary=summary,
    )


def _switch(name: str, summary: str) -> Option:
    return Option(name=name, parse=parsers.boolean, accepted="true or false", summary=summary)


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
        parse=parsers.file,
        accepted="an image in a file part of multipart/form-data",
        summary="An image behind the subject: it covers the canvas, and its middle is kept.",
        code="bg_image",
    ),
    Option(
        name="bg_image_url",
        parse=parsers.url,
        accepted="the http or https URL of an image",
        summary="As bg_image_file, where the deployment fetches URLs.",
        code="bg_image",
    ),
    Option(
        name="bg_blur",
        parse=partial(parsers.integer, 0, 100),
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
        parse=parsers.margin,
        accepted="1, 2 or 4 lengths such as 30px or 10%, each at most 50% of the subject or 500px",
        summary="What crop leaves around the subject: all sides, vertical horizontal, or "
        "top right bottom left. Has no effect without crop.",
    ),
    Option(
        name="scale",
        parse=parsers.scale,
        accepted=f"original, or a share of the canvas from {parsers.MIN_SCALE_PERCENT}% to 100%",
        summary="Scales the subject so that it fits into that share of the canvas, and centres it "
        "unless position says otherwise.",
    ),
    Option(
        name="position",
        parse=parsers.position,
        accepted="original, center, or 1 or 2 shares from 0% to 100%, such as 50% or 20% 80%",
        summary="Where the subject is in the canvas: 0% at the left or top, 100% at the right or "
        "bottom; two shares are horizontal and vertical.",
    ),
    Option(
        name="roi",
        parse=parsers.roi,
        accepted="4 lengths x1 y1 x2 y2, such as 0px 0px 400px 300px or 10% 10% 90% 90%",
        summary="The region of interest: only what is inside can be subject. In px or % of the "
        "upright photo, before any cap on its size.",
    ),
    _choice("shadow_type", ShadowType, "drop: a soft shadow behind the subject."),
    Option(
        name="shadow_opacity",
        parse=partial(parsers.integer, 0, 100),
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
        parse=partial(parsers.integer, 1, 100),
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
