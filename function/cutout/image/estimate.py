"""The scale at which a cutout's file should have a number of bytes, told from what was tried."""

import math

import numpy as np

from cutout.image.compose import Cutout
from cutout.image.encode import encode
from cutout.image.reduced import reduced
from cutout.options import Options

_GROWTH, _LEAST_GROWTH, _MOST_GROWTH = 1.9, 0.5, 4.0
"""A file's bytes grow with about this power of the side: 2 for BMP and noise; a photograph has more
detail per pixel the smaller it gets. What was seen counts within the other two."""
_CEILING = 0.998
"""A file too large is followed by one whose sides are shorter by this factor at least."""
_LEAST_SCALE = 1e-4
_PART, _LEAST_PART_PX = 8, 64
"""One in how many rows or columns a part of the cutout has, and how many it has at least."""
_MOST_PARTS = 4
"""How many smaller sizes of the part are encoded at most."""
_NEAR = 0.05
"""By what share of the wanted bytes a part's file may miss them: the scale that is left to go is so
short that it need not be tried."""


def next_scale(
    tried: list[tuple[float, int]], aim: float, cutout: Cutout, options: Options
) -> float:
    """Return the scale at which the cutout's file should have ``aim`` bytes.

    ``tried`` holds the scales and bytes of its files, the largest size first and too large. The
    first smaller size is told from smaller sizes of a part of the cutout, which take a fraction of
    the time. Scaling softens grain and hard edges, and that can change a file by more than the
    number of its pixels does. The other sizes are told from the smaller files.
    """
    whole, *smaller = tried
    if not smaller:
        estimate = _scale_of_part(_part_of(cutout), options, whole, aim)
    else:
        near, *others = sorted(smaller, key=lambda one: abs(math.log(one[1] / aim)))
        growth = _growth(near, others[0]) if others else _GROWTH
        estimate = near[0] * math.pow(aim / near[1], 1 / growth)
    # Four decimals, as the header tells it. A file too large is never followed by a larger one.
    ceiling = _CEILING * min(scale for scale, size in tried if size > aim)
    return max(_LEAST_SCALE, math.floor(min(estimate, ceiling) * 10_000) / 10_000)


def _growth(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the power of the scale with which the bytes grow between two scales and bytes."""
    if one[0] == other[0]:
        return _GROWTH
    growth = math.log(one[1] / other[1]) / math.log(one[0] / other[0])
    return min(max(growth, _LEAST_GROWTH), _MOST_GROWTH)


def _scale_of_part(part: Cutout, options: Options, whole: tuple[float, int], aim: float) -> float:
    """Return the scale at which the part's file shrinks as the whole's is to: to ``aim`` bytes."""

    def size_at(scale: float) -> int:
        smaller = part if scale == 1 else reduced(part, scale, options)
        return len(encode(smaller, options).body)

    scale, size = whole
    wanted = size_at(scale) * aim / size
    last: tuple[float, int] | None = None
    scale *= math.pow(aim / size, 1 / _GROWTH)
    for _ in range(_MOST_PARTS):
        scale = min(max(scale, _LEAST_SCALE), whole[0])
        found = scale, size_at(scale)
        growth = _GROWTH if last is None else _growth(last, found)
        last = found
        scale *= math.pow(wanted / found[1], 1 / growth)
        if abs(math.log(wanted / found[1])) < _NEAR:
            break
    return scale


def _part_of(cutout: Cutout) -> Cutout:
    """Return the rows around the middle of the subject, or the columns where those are longer."""
    box, pixels = cutout.subject, cutout.pixels
    axis = int(pixels.shape[1] > pixels.shape[0])
    side = pixels.shape[axis]
    length = min(side, max(_LEAST_PART_PX, side // _PART))
    middle = side // 2
    if box.width:
        middle = box.left + box.width // 2 if axis else box.top + box.height // 2
    start = min(max(0, middle - length // 2), side - length)
    part = pixels[:, start : start + length] if axis else pixels[start : start + length]
    return Cutout(pixels=np.ascontiguousarray(part), subject=box, coverage=cutout.coverage)
