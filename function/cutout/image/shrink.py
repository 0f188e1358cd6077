"""``Cutout`` → a file within limits of bytes and of sides, scaled down just enough for them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from cutout.errors import OutOfTime, ResultTooLarge
from cutout.image.compose import Cutout, coverage_of, harden
from cutout.image.composite import OPAQUE
from cutout.image.encode import ImageFile, encode, longest_side_px
from cutout.image.place import Box, subject_of
from cutout.image.resample import resampled
from cutout.image.rgba import clear
from cutout.options import Channels, Format, Options, ShadowType

_MAX_TRIES = 3
"""How many smaller sizes are encoded at most, after the largest one."""
_GROWTH = 1.8
"""A file's bytes grow with about this power of the side: 2 for BMP and noise; a photograph has more
detail per pixel the smaller it gets. Only the first try depends on it."""
_AIM, _LAST_AIM = 0.92, 0.8
"""The share of the limit that a try aims at, since it is an estimate, and the last one aims at."""
_ENOUGH = 0.8
"""A file that fills this share of the limit is large enough: sides 1/10 longer would not fit."""


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
    size = len(largest.file.body)
    if size <= max_bytes:
        return largest
    best: Encoded | None = None
    tried = [(largest.scale, size)]
    for number in range(1, _MAX_TRIES + 1):
        if not has_time():
            break
        aim = max_bytes * (_LAST_AIM if number == _MAX_TRIES and best is None else _AIM)
        scale = _next_scale(tried, aim)
        smaller = scaled(cutout, scale, options)
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
        cutout = scaled(cutout, scale, options)
    return Encoded(file=encode(cutout, options), cutout=cutout, scale=scale)


def scaled(cutout: Cutout, scale: float, options: Options) -> Cutout:
    """Return the cutout with its sides times ``scale``, 0..1, each at least 1 px.

    Colours are weighted by alpha, so that nothing of a transparent pixel's shows; a zip's are not,
    since they are extended to where alpha is 0. Alpha is made hard again where ``options`` ask for
    hard edges.
    """
    pixels = cutout.pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    is_opaque = bool(pixels[..., 3].min() == OPAQUE)
    is_straight = is_opaque or options.format is Format.ZIP
    whole = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    smaller = resampled(pixels, whole, width, height, is_weighted=not is_straight)
    has_more = options.shadow_type is ShadowType.DROP or options.bg_color is not None
    if is_opaque or (has_more and options.channels is Channels.RGBA):
        # The matte cannot be told from the background or the shadow.
        return Cutout(
            pixels=smaller,
            subject=_scaled_box(cutout.subject, pixels.shape[:2], (height, width)),
            coverage=cutout.coverage,
        )
    alpha = smaller[..., 3]
    if not options.semitransparency:
        harden(alpha)
        if not is_straight:
            clear(smaller)
    return Cutout(pixels=smaller, subject=subject_of(alpha), coverage=coverage_of(alpha))


def _next_scale(tried: list[tuple[float, int]], aim: float) -> float:
    """Return the scale at which the file should have ``aim`` bytes, as far as ``tried`` tells.

    ``tried`` holds scales and bytes, the largest size first.
    """
    (scale, size), (other, other_size) = tried[-1], tried[0]
    growth = _GROWTH
    if scale != other and size != other_size:
        growth = math.log(other_size / size) / math.log(other / scale)
    estimate = scale * math.exp(math.log(aim / size) / max(growth, 0.5))
    # Four decimals, as the header tells it. A file too large is never followed by a larger one.
    ceiling = min((s for s, n in tried if n > aim), default=1.0)
    return max(1e-4, math.floor(min(estimate, ceiling * 0.99) * 10_000) / 10_000)


def _scaled_box(box: Box, old: tuple[int, int], new: tuple[int, int]) -> Box:
    """Return a box that holds all of ``box`` at another size; an empty one stays empty.

    ``old`` and ``new`` are the height and width of the canvas. Whole numbers are exact: in floating
    point 1500 * (102 / 1500) is more than 102, and the box would pass the edge.
    """
    if not box.width:
        return box
    (old_height, old_width), (height, width) = old, new
    top, left = box.top * height // old_height, box.left * width // old_width
    return Box(
        top=top,
        left=left,
        width=-(-(box.left + box.width) * width // old_width) - left,
        height=-(-(box.top + box.height) * height // old_height) - top,
    )
