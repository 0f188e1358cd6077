"""What a caller can ask for.

``values`` are the typed options, ``parsers`` turn a field into a value, ``table`` has one row
(``option``) for each option, and ``fields`` parses a whole request.
"""

from cutout.options.fields import (
    lowered,
    overlay,
    parse_object_options,
    parse_options,
    spelled,
)
from cutout.options.option import Option
from cutout.options.parsers import BOOLEANS, MODEL_NAME
from cutout.options.table import OPTIONS
from cutout.options.values import (
    DEFAULTS,
    FORMATS_OUT,
    Channels,
    Delivery,
    Format,
    InputAlpha,
    Length,
    Margin,
    OnEmpty,
    Options,
    Position,
    Region,
    ShadowType,
    Size,
)

__all__ = [
    "BOOLEANS",
    "DEFAULTS",
    "FORMATS_OUT",
    "MODEL_NAME",
    "OPTIONS",
    "Channels",
    "Delivery",
    "Format",
    "InputAlpha",
    "Length",
    "Margin",
    "OnEmpty",
    "Option",
    "Options",
    "Position",
    "Region",
    "ShadowType",
    "Size",
    "lowered",
    "overlay",
    "parse_object_options",
    "parse_options",
    "spelled",
]
