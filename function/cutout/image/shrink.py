"""``Cutout`` → a file within limits of bytes and of sides, scaled down just enough for them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from cutout.errors import OutOfTime, ResultTooLarge
from cutout.image.compose import Cutout
from cutout.image.encode import ImageFile, encode, longest_side_px
from cutout.image.estimate import next_scale
from cutout.image.reduced import reduced
from cutout.options import Options

_MAX_TRIES = 3
"""How many smaller sizes are encoded at most, after the largest one."""
_AIM, _LAST_AIM = 0.98, 0.8
"""The share of the limit that a try aims at, since it is an estimate, and the last one aims at."""
_ENOUGH = 0.95
"""A file that fills this share of the limit is large enough: sides 1/40 longer would not fit."""
_GAIN = 1.01
"""By how much longer sides must be for one more try. Where nothing is scaled, a file can be larger
by a tenth and more than at 0.999 of that size, so that some limits cannot be filled."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """A file and the cutout in it; ``scale``, 0..1, is of its sides against the cutout's own."""

    file: ImageFile
    cutout: Cutout
    scale: float


def encode_within(
    cutout: Cutout, options: Options, *, max_bytes: int | None, has_time: Callable[[], bool]
) -> Encoded:
    """Return the cutout encoded as ``options`` say, smaller where it would pass ``max_bytes``.

    It is smaller too where a side is longer than the format can hold. ``None`` sets no limit, and
    then nothing is scaled. ``has_time`` is asked before each smaller size.

    :raises OutOfTime: there is no time left, and nothing fits yet.
    :raises ResultTooLarge: the last size that was tried does not fit either.
    :raises InvalidOption: ``invalid_format``, a side is longer than the format can hold, and there
        is no limit to scale for.
    """
    if max_bytes is None:
        return Encoded(file=encode(cutout, options), cutout=cutout, scale=1.0)
    largest = _largest(cutout, options)
    if len(largest.file.body) <= max_bytes:
        return largest
    return _smaller(cutout, options, largest, max_bytes, has_time)


def _smaller(
    cutout: Cutout,
    options: Options,
    largest: Encoded,
    max_bytes: int,
    has_time: Callable[[], bool],
) -> Encoded:
    """Return the cutout encoded within ``max_bytes``, which its ``largest`` file passes."""
    size = len(largest.file.body)
    best: Encoded | None = None
    tried = [(largest.scale, size)]
    as_is = replace(options, format=largest.file.format)  # a part can be opaque where all is not
    for number in range(1, _MAX_TRIES + 1):
        if not has_time():
            break
        aim = max_bytes * (_LAST_AIM if number == _MAX_TRIES and best is None else _AIM)
        scale = next_scale(tried, aim, cutout, as_is)
        if best is not None and scale < best.scale * _GAIN:
            break
        smaller = reduced(cutout, scale, options)
        file = encode(smaller, options)
        tried.append((scale, len(file.body)))
        if len(file.body) <= max_bytes:
            if best is None or scale > best.scale:
                best = Encoded(file=file, cutout=smaller, scale=scale)
            if len(file.body) >= _ENOUGH * max_bytes:
                break
    if best is not None:
        return best
    if len(tried) <= _MAX_TRIES:
        raise OutOfTime(before="encode")
    raise ResultTooLarge(size=size, max_bytes=max_bytes, help_with="a smaller size")


def _largest(cutout: Cutout, options: Options) -> Encoded:
    """Return the cutout encoded, its sides as long as the format can hold at most."""
    longest, limit = max(cutout.pixels.shape[:2]), longest_side_px(cutout, options)
    scale = 1.0
    if longest > limit:
        scale = math.floor(limit / longest * 10_000) / 10_000
        cutout = reduced(cutout, scale, options)
    return Encoded(file=encode(cutout, options), cutout=cutout, scale=scale)
