"""The table of options: what each is called, what it accepts, and what its error is.

An option's default is that of its field in :class:`cutout.options.values.Options`. Add or change an
option here; what it *does* is in :mod:`cutout.image.place` (geometry),
:mod:`cutout.image.compose` (colours and alpha), :mod:`cutout.image.backdrop` (background) or
:mod:`cutout.image.encode` (formats).
"""

from cutout.color import ACCEPTED, named_colors, parse_color
from cutout.options import parsers
from cutout.options.option import Option, choice, number, switch, text
from cutout.options.values import (
    MAX_MARGIN_PERCENT,
    MAX_MARGIN_PX,
    RANGES,
    Channels,
    Delivery,
    Format,
    InputAlpha,
    OnEmpty,
    ShadowType,
    Size,
)

# Spellings of parts of a value. The parsers take more digits, capital letters and white space.
_FRACTION = r"(?:\.[0-9]{1,4})?"
_SHARE = rf"(?:100|[1-9]?[0-9]{_FRACTION})%"
_LENGTH = (
    rf"(?:0|(?:{MAX_MARGIN_PERCENT}|[1-4]?[0-9]{_FRACTION})%"
    rf"|(?:{MAX_MARGIN_PX}|[1-4]?[0-9]?[0-9]{_FRACTION})px)"
)
_COORDINATE = rf"(?:0|[0-9]{{1,9}}{_FRACTION}px|{_SHARE})"
_COLOR = "|".join(["#?(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", *named_colors()])


OPTIONS = (
    choice(
        "format",
        Format,
        "The result's format. auto: png where any pixel is transparent, else jpg. "
        "zip: color.jpg (clean edge colours) and alpha.png.",
        {"jpeg": Format.JPG, "jpe": Format.JPG, "jfif": Format.JPG, "tif": Format.TIFF},
    ),
    Option(
        name="bg_color",
        parse=parse_color,
        accepted=ACCEPTED,
        summary="The cutout is composited on this colour and every pixel is opaque: "
        "#RRGGBB, RRGGBB, #RGB, RGB or a CSS name.",
        schema=text(_COLOR, "#ffffff", "white"),
    ),
    Option(
        name="bg_image_file",
        parse=parsers.file,
        accepted="an image in a file part of multipart/form-data",
        summary="An image behind the subject: it covers the canvas, and its middle is kept.",
        schema={"type": "string", "format": "binary"},
        code="bg_image",
    ),
    Option(
        name="bg_image_url",
        parse=parsers.url,
        accepted="the http or https URL of an image",
        summary="As bg_image_file, but by the URL of the image. Not every deployment fetches URLs.",
        schema={
            "type": "string",
            "format": "uri",
            "pattern": "^https?://",
            "maxLength": parsers.MAX_URL_CHARACTERS,
        },
        code="bg_image",
    ),
    number(
        "bg_blur",
        *RANGES["bg_blur"],
        "Keeps the photo's own background and blurs it: 0 leaves it sharp, 100 blurs most.",
    ),
    choice(
        "channels",
        Channels,
        "alpha: the matte as an 8-bit grey PNG, whatever format says; backgrounds are ignored.",
    ),
    choice(
        "size",
        Size,
        "Caps the result and never enlarges it. preview: 0.25 megapixels, medium: 1.5, hd: 4, "
        "50mp: 50, full: the deployment's limit.",
        {"auto": Size.FULL, "small": Size.PREVIEW, "regular": Size.PREVIEW, "4k": Size.FULL},
    ),
    switch("crop", "Crops the result to the subject's box."),
    Option(
        name="crop_margin",
        parse=parsers.margin,
        accepted="1, 2 or 4 lengths such as 30px or 10%, each at most 50% of the subject or 500px",
        summary="What crop leaves around the subject: one length for all sides, two for vertical "
        "and horizontal, or four for top, right, bottom and left. Has no effect without crop.",
        schema=text(rf"{_LENGTH}(?: {_LENGTH}(?: {_LENGTH} {_LENGTH})?)?", "5%", "10px 20px"),
    ),
    Option(
        name="scale",
        parse=parsers.scale,
        accepted=f"original, or a share of the canvas from {RANGES['scale'][0]}% to 100%",
        summary="Scales the subject so that it fits into that share of the canvas, and centres it "
        "unless position says otherwise.",
        schema=text(rf"original|(?:100|[1-9][0-9]{_FRACTION})%", "original", "80%"),
    ),
    Option(
        name="position",
        parse=parsers.position,
        accepted="original, center, or 1 or 2 shares from 0% to 100%, such as 50% or 20% 80%",
        summary="Where the subject is in the canvas: 0% at the left or top, 100% at the right or "
        "bottom; two shares are horizontal and vertical.",
        schema=text(rf"original|center|{_SHARE}(?: {_SHARE})?", "center", "20% 80%"),
    ),
    Option(
        name="roi",
        parse=parsers.roi,
        accepted="4 lengths x1 y1 x2 y2, such as 0px 0px 400px 300px or 10% 10% 90% 90%",
        summary="The region of interest: only what is inside can be subject. In px or % of the "
        "upright photo, before any cap on its size.",
        schema=text(" ".join([_COORDINATE] * 4), "10% 10% 90% 90%", "0 0 400px 300px"),
    ),
    Option(
        name="model",
        parse=parsers.model_name,
        accepted="the name of a model of this deployment",
        summary="Which of the deployment's models finds the subject. GET /v2/account lists them.",
        schema=text(parsers.MODEL_NAME, "erase-s"),
    ),
    choice("shadow_type", ShadowType, "drop: a soft shadow behind the subject."),
    number(
        "shadow_opacity",
        *RANGES["shadow_opacity"],
        "How dark the shadow is, in %. Has no effect without shadow_type=drop.",
    ),
    switch(
        "semitransparency",
        "false: every pixel is either opaque or transparent, divided at an alpha of one half.",
    ),
    switch(
        "clean_edges",
        "Takes the old background's colour out of the edge; false keeps the photo's own colours.",
    ),
    switch(
        "despill",
        "Takes the light of a green screen out of the subject near its edge, after clean_edges.",
    ),
    choice(
        "input_alpha",
        InputAlpha,
        "What the transparency of the input does. multiply: it multiplies the matte. keep: it is "
        "the matte, and no network runs; an input without transparency is cut out as with "
        "multiply. discard: it is ignored.",
    ),
    number(
        "quality",
        *RANGES["quality"],
        "The quality of jpg, webp and avif: 100 is the best and makes the largest file.",
    ),
    choice(
        "response",
        Delivery,
        "inline: in the reply. url: a link to the result. auto: inline where it fits, else a link. "
        "fit: in the reply, scaled down where it would not fit.",
    ),
    choice(
        "on_empty",
        OnEmpty,
        "What happens if no subject is found. image: an empty canvas. error: the error "
        "unknown_foreground.",
    ),
)
