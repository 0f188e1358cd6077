"""``card.toml`` → :class:`ModelCard`: what a network's file is and how its tensors are made."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from cutout.errors import ModelUnavailable

CARD_FILE = "card.toml"

Point = tuple[float, float]
"""How decided a matte is, and the IoU with the truth that such mattes have; both 0..1."""

_UNCALIBRATED: tuple[Point, ...] = ((0.0, 0.0), (1.0, 1.0))

Choice = TypeVar("Choice", bound=StrEnum)


class Resize(StrEnum):
    """The antialiased filter that stretches the photo to the network's square."""

    BILINEAR = "bilinear"
    LANCZOS = "lanczos"


class Range(StrEnum):
    """What RGB is divided by: 255, or the image's own maximum."""

    FULL = "255"
    MAX = "max"


class Output(StrEnum):
    """What the network puts out: alpha 0..1, logits, or a map to stretch from min to max."""

    ALPHA = "alpha"
    LOGIT = "logit"
    MINMAX = "minmax"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One network: S is ``input_size`` px, ``mean`` and ``std`` are RGB after the division.

    A subject whose surroundings are at most the share ``zoom`` of the photo, 0..1, is looked at
    again, closer; at 0, where the card does not say, none is. A photo whose matte has a confidence
    below ``mirror``, 0..1, is looked at mirrored as well; at 0, where the card does not say, none
    is. With ``settle``, what is grey and far from any edge is doubt, which the photo's colours
    decide, and not a share of the subject. ``confidence`` has points in rising order, from 0 to 1;
    where the card does not say, a matte's confidence is how decided it is. If the file is
    ``optimized``, its graph is already as onnxruntime would make it when it loads it.
    """

    name: str
    version: str
    file: str
    sha256: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Resize
    range: Range
    output: Output
    licence: str
    source: str
    zoom: float = 0.0
    mirror: float = 0.0
    settle: bool = False
    confidence: tuple[Point, ...] = _UNCALIBRATED
    optimized: bool = False

    @property
    def label(self) -> str:
        """The name and the version, as the replies tell them."""
        return f"{self.name}/{self.version}"


def read_card(folder: Path) -> ModelCard:
    """Return the card in ``folder``.

    :raises ModelUnavailable: no card there, or one that is not complete; the reason is in its
        facts, for the log.
    """
    try:
        table = tomllib.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        _check_complete(table)
        return ModelCard(
            name=_label(table, "name"),
            version=_label(table, "version"),
            file=str(table["file"]),
            sha256=str(table["sha256"]),
            input_size=_pixels(table, "input_size"),
            mean=_rgb(table, "mean"),
            std=_rgb(table, "std", may_be_zero=False),
            resize=_choice(table, "resize", Resize),
            range=_choice(table, "range", Range),
            output=_choice(table, "output", Output),
            licence=str(table["licence"]),
            source=str(table["source"]),
            zoom=_share(table, "zoom"),
            mirror=_share(table, "mirror"),
            settle=_truth(table, "settle"),
            confidence=_points(table.get("confidence", _UNCALIBRATED)),
            optimized=_truth(table, "optimized"),
        )
    except (OSError, ValueError) as error:
        reason = f"{folder / CARD_FILE}: {type(error).__name__}: {error}"
        raise ModelUnavailable(reason=reason) from error


def _check_complete(table: Mapping[str, Any]) -> None:
    """Raise a ``ValueError`` that names what a card must say and this one does not."""
    needed = [field.name for field in fields(ModelCard) if field.default is MISSING]
    lacking = [name for name in needed if name not in table]
    if lacking:
        message = f"it lacks {', '.join(lacking)}"
        raise ValueError(message)


def _label(table: Mapping[str, Any], key: str) -> str:
    """Return a text that a reply's header can hold, or raise a ``ValueError`` if it is not."""
    text = str(table[key])
    if not (text and text.isascii() and text.isprintable()):
        message = f"{key} is {text!r}, and must be of printable ASCII characters"
        raise ValueError(message)
    return text


def _pixels(table: Mapping[str, Any], key: str) -> int:
    """Return a number of pixels, or raise a ``ValueError`` if it is not."""
    value = table[key]
    if type(value) is not int or value < 1:
        message = f"{key} is {value!r}, and must be a whole number of pixels, at least 1"
        raise ValueError(message)
    return value


def _is_number(value: object) -> bool:
    """Tell whether a value of TOML is a number that a float can be, and not infinite."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )


def _rgb(
    table: Mapping[str, Any], key: str, *, may_be_zero: bool = True
) -> tuple[float, float, float]:
    """Return a number for each of R, G and B, or raise a ``ValueError`` if they are not."""
    match table[key]:
        case [red, green, blue] if all(
            _is_number(value) and (value or may_be_zero) for value in (red, green, blue)
        ):
            return float(red), float(green), float(blue)
    wanted = "three numbers" if may_be_zero else "three numbers other than 0"
    message = f"{key} is {table[key]!r}, and must be {wanted}"
    raise ValueError(message)


def _choice(table: Mapping[str, Any], key: str, kind: type[Choice]) -> Choice:
    """Return one of the choices, or raise a ``ValueError`` that names them."""
    if table[key] not in [*kind]:
        message = f"{key} is {table[key]!r}, and must be {' or '.join(map(repr, map(str, kind)))}"
        raise ValueError(message)
    return kind(table[key])


def _share(table: Mapping[str, Any], key: str) -> float:
    """Return a number from 0 to 1, or raise a ``ValueError`` if it is not."""
    value = table.get(key, 0.0)
    if not _is_number(value) or not 0 <= value <= 1:
        message = f"{key} is {value!r}, and must be from 0 to 1"
        raise ValueError(message)
    return float(value)


def _truth(table: Mapping[str, Any], key: str) -> bool:
    """Return true or false, or raise a ``ValueError`` if it is neither."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        message = f"{key} is {value!r}, and must be true or false"
        raise ValueError(message)  # noqa: TRY004 - as every other wrong value in a card
    return value


def _is_point(row: object) -> bool:
    """Tell whether a row is two numbers."""
    match row:
        case [decided, iou]:
            return _is_number(decided) and _is_number(iou)
    return False


def _points(rows: Any) -> tuple[Point, ...]:
    """Return the points, or raise the ``ValueError`` that says what they lack."""
    points: tuple[Point, ...] = ()
    if isinstance(rows, list | tuple) and all(map(_is_point, rows)):
        points = tuple((float(decided), float(iou)) for decided, iou in rows)
    places, ious = [place for place, _ in points], [iou for _, iou in points]
    rising = all(one < following for one, following in pairwise(places))
    falls_nowhere = all(one <= following for one, following in pairwise((0.0, *ious, 1.0)))
    if not rising or not falls_nowhere or [*places[:1], *places[-1:]] != [0, 1]:
        message = f"confidence is {rows}, and must rise from [0, …] to [1, …], with IoUs 0 to 1"
        raise ValueError(message)
    return points
