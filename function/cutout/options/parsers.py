"""Wire fields → typed values: one parser for each kind of value.

A parser takes a field as it came, which is text or a JSON value, and raises ``ValueError`` for
whatever it does not accept. :mod:`cutout.options.table` says which option has which parser.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from cutout.errors import RoiExceedsBounds, RoiRegionEmpty
from cutout.options.values import RANGES, WHOLE_PERCENT, Length, Margin, Position, Region

_T = TypeVar("_T")

MAX_URL_CHARACTERS = 8_192
"""The most characters of an image's URL. A presigned URL of S3 can have more than 2,000, because it
holds a session token. CloudFront, the strictest of the large servers, takes 8,192 bytes."""
MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a model's folder can be called."""
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
"""The words for a truth value."""
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")
_COORDINATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,4})?)(px|%)", re.IGNORECASE)
_LENGTH = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,4})?)(px|%)", re.IGNORECASE)


def _text(wire: object) -> str:
    """Return a scalar field as text: JSON's ``true`` and ``90`` mean what they mean in a form.

    JSON does not tell 90.0 from 90, and some languages write the one for the other.
    """
    if isinstance(wire, bool):
        return str(wire).lower()
    if isinstance(wire, float) and wire.is_integer():
        return str(int(wire))
    if isinstance(wire, int):
        return str(wire)
    if isinstance(wire, str):
        return wire
    raise ValueError


def one_of(values: Mapping[str, _T], wire: object) -> _T:
    """Return what a word means; it is matched in any case."""
    text = _text(wire)
    if not text.isascii() or text.lower() not in values:
        raise ValueError
    return values[text.lower()]


def boolean(wire: object) -> bool:
    """Return a truth value from the words that forms use for it."""
    return one_of(BOOLEANS, wire)


def integer(lowest: int, highest: int, wire: object) -> int:
    """Return a whole number from ``lowest`` to ``highest``, both included."""
    text = _text(wire)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
        raise ValueError
    return int(text)


def _length(text: str) -> Length:
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError
    return Length(value=float(match[1]), relative=match[2] == "%")


def margin(wire: object) -> Margin:
    """Return the four margins of 1, 2 or 4 lengths, in the order of CSS."""
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


def _percent(text: str) -> float:
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise ValueError
    return float(match[1])


def scale(wire: object) -> float | None:
    """Return a share of the canvas in %, or ``None`` for ``original``."""
    text = _text(wire)
    if text.lower() == "original":
        return None
    share, (lowest, highest) = _percent(text), RANGES["scale"]
    if not lowest <= share <= highest:
        raise ValueError
    return share


def position(wire: object) -> Position:
    """Return the position that a word, one share or two shares name."""
    text = _text(wire)
    match text.lower():
        case "original":
            return Position(x=None, y=None)
        case "center":
            return Position(x=50, y=50)
    shares = [_percent(share) for share in _words(text)]
    match shares:
        case [both]:
            return Position(x=both, y=both)
        case [horizontal, vertical]:
            return Position(x=horizontal, y=vertical)
    raise ValueError


def _words(text: str) -> list[str]:
    """Return the words between white space; text beyond ASCII is refused."""
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


def roi(wire: object) -> Region:
    """Return the region; a region that is wrong for every photo is refused before decoding."""
    corners = [_coordinate(text) for text in _words(_text(wire))]
    match corners:
        case [x1, y1, x2, y2]:
            pass
        case _:
            raise ValueError
    if any(corner.relative and corner.value > WHOLE_PERCENT for corner in corners):
        raise RoiExceedsBounds(reason="100% is its whole side")
    for first, last in ((x1, x2), (y1, y2)):
        if first.relative == last.relative and first.value >= last.value:
            raise RoiRegionEmpty
    return Region(x1=x1, y1=y1, x2=x2, y2=y2)


def model_name(wire: object) -> str:
    """Return the name of a model. Whether there is such a model is checked with the others'."""
    text = _text(wire)
    if not re.fullmatch(MODEL_NAME, text):
        raise ValueError
    return text


def file(wire: object) -> bytes:
    """Return the bytes of a file part; text is refused."""
    if not isinstance(wire, bytes):
        raise ValueError  # noqa: TRY004 - the one error of every parser here
    return wire


def url(wire: object) -> str:
    """Return the text of a URL. Whether it may be fetched is decided in :mod:`cutout.http.url`."""
    text = _text(wire)
    has_scheme = re.match(r"https?://", text.strip(), re.IGNORECASE)
    if len(text) > MAX_URL_CHARACTERS or not has_scheme:
        raise ValueError
    return text
