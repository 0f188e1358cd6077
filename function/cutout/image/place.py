"""Where everything is: the crop, and the subject's size and place in the canvas.

Boxes are plain arithmetic in px. :class:`Layout` is all that the other steps need to know of it.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutout.errors import InvalidOption
from cutout.image.decode import Photo
from cutout.image.resample import resampled
from cutout.options import Margin, Options, Position

SUBJECT_ALPHA = 26
"""The least alpha, of 255, of a pixel that counts as subject (10 %)."""

_MAX_CANVAS_PX = 50_000_000  # 500 px around a ribbon would be a thousand times its pixels
_CENTER = Position(x=50, y=50)
_AROUND_PX = 24  # read around what is scaled; the filter reaches 2 px, at 1/10 of the size 20
_ROUNDING = 1e-6  # a pixel that is seen but for so much of it is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in px of an image; ``left + width`` is the first column behind it."""

    top: int = 0
    left: int = 0
    width: int = 0
    height: int = 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of a box that is within its image."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the photo is seen in the canvas.

    ``frame`` is what the crop keeps, in px of the photo; the canvas has its size. ``subject`` is
    the subject's box in the photo, and ``target`` where that box comes to lie in the canvas.
    """

    frame: Box
    subject: Box
    target: Box

    @property
    def is_scaled(self) -> bool:
        """Whether the subject has another size in the canvas than in the photo."""
        subject, target = self.subject, self.target
        return (subject.width, subject.height) != (target.width, target.height)


def subject_of(alpha: NDArray[np.uint8]) -> Box:
    """Return the box of the pixels that count as subject, of size 0 where there are none."""
    rows, columns = (np.flatnonzero(alpha.max(axis=axis) >= SUBJECT_ALPHA) for axis in (1, 0))
    if rows.size == 0:
        return Box()
    return Box(
        top=int(rows[0]),
        left=int(columns[0]),
        width=int(columns[-1] - columns[0]) + 1,
        height=int(rows[-1] - rows[0]) + 1,
    )


def lay_out(subject: Box, photo: Photo, options: Options) -> Layout:
    """Return where a subject at the box ``subject`` of the photo is to be seen.

    Without a subject the whole photo is seen as it is.

    :raises InvalidOption: ``invalid_crop_margin``, the canvas would be far larger than the photo.
    """
    frame = Box(width=photo.width, height=photo.height)
    if not subject.width:
        return Layout(frame=frame, subject=subject, target=subject)
    if options.crop:
        frame = _with_margin(subject, options.crop_margin)
        if frame.width * frame.height > max(_MAX_CANVAS_PX, photo.width * photo.height):
            raise InvalidOption(
                option="crop_margin",
                accepted=f"smaller: the canvas would be {frame.width}x{frame.height} px, and "
                f"{_MAX_CANVAS_PX} pixels are the most",
            )
    target = replace(subject, top=subject.top - frame.top, left=subject.left - frame.left)
    position = options.position
    if options.scale is not None:
        target = _fitted(target, frame, options.scale)
        position = position or _CENTER
    if position is not None and position.x is not None and position.y is not None:
        target = replace(
            target,
            top=round((frame.height - target.height) * position.y / 100),
            left=round((frame.width - target.width) * position.x / 100),
        )
    return Layout(frame=frame, subject=subject, target=target)


def _with_margin(subject: Box, margin: Margin | None) -> Box:
    """Return the crop's box; it may stand out of the photo, where the canvas is transparent."""
    if margin is None:
        return subject
    top, bottom = (side.pixels(subject.height) for side in (margin.top, margin.bottom))
    left, right = (side.pixels(subject.width) for side in (margin.left, margin.right))
    return Box(
        top=subject.top - top,
        left=subject.left - left,
        width=left + subject.width + right,
        height=top + subject.height + bottom,
    )


def _fitted(target: Box, canvas: Box, percent: float) -> Box:
    """Return the largest box of the same ratio within that share of the canvas's sides.

    Its centre stays where it was, unless the box would then stand out of the canvas.
    """
    factor = percent / 100 * min(canvas.width / target.width, canvas.height / target.height)
    width, height = (max(1, round(side * factor)) for side in (target.width, target.height))
    left = round(target.left + (target.width - width) / 2)
    top = round(target.top + (target.height - height) / 2)
    return Box(
        top=min(max(0, top), canvas.height - height),
        left=min(max(0, left), canvas.width - width),
        width=width,
        height=height,
    )


def seen(layout: Layout, photo: Photo) -> Box:
    """Return the part of the photo from which the canvas is made.

    Where nothing is scaled it has the canvas's size and may stand out of the photo.
    """
    subject, target, frame = layout.subject, layout.target, layout.frame
    if not layout.is_scaled:
        return replace(frame, top=subject.top - target.top, left=subject.left - target.left)
    top, height = _span(subject.top, subject.height, target.top, target.height, frame.height)
    left, width = _span(subject.left, subject.width, target.left, target.width, frame.width)
    first_row, last_row = _clipped(top, top + height, photo.height)
    first_column, last_column = _clipped(left, left + width, photo.width)
    return Box(
        top=first_row,
        left=first_column,
        width=last_column - first_column,
        height=last_row - first_row,
    )


def _span(start: int, length: int, place: int, size: int, side: int) -> tuple[float, float]:
    """Return where a side of the canvas begins in the photo, and how long it is there."""
    step = length / size
    return start - place * step, side * step


def _clipped(start: float, stop: float, side: int) -> tuple[int, int]:
    return (
        max(0, math.floor(start) - _AROUND_PX),
        min(side, math.ceil(stop) + _AROUND_PX),
    )


def window(plane: NDArray[Any], frame: Box) -> NDArray[Any]:
    """Return (H, W) or (H, W, C) as ``frame`` sees it, with 0 where it stands out."""
    height, width = plane.shape[:2]
    top, bottom = max(0, frame.top), min(height, frame.top + frame.height)
    left, right = max(0, frame.left), min(width, frame.left + frame.width)
    inside = plane[top:bottom, left:right]
    if inside.shape[:2] == (frame.height, frame.width):
        return inside
    result = np.zeros((frame.height, frame.width, *plane.shape[2:]), plane.dtype)
    result[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left] = inside
    return result


def scaled(pixels: NDArray[np.uint8], source: Box, layout: Layout) -> NDArray[np.uint8]:
    """Return the canvas, uint8 (H, W, 4), of the part ``source`` of the photo, uint8 (h, w, 4).

    The subject's box comes to lie exactly on ``layout.target``. What is beyond the photo is
    transparent.
    """
    subject, target, frame = layout.subject, layout.target, layout.frame
    across, down = subject.width / target.width, subject.height / target.height
    left = subject.left - source.left - target.left * across
    top = subject.top - source.top - target.top * down
    columns = _covered(left, across, source.width, frame.width)
    rows = _covered(top, down, source.height, frame.height)
    box = (
        max(0.0, left + columns.start * across),
        max(0.0, top + rows.start * down),
        min(float(source.width), left + columns.stop * across),
        min(float(source.height), top + rows.stop * down),
    )
    canvas = np.zeros((frame.height, frame.width, 4), np.uint8)
    canvas[rows, columns] = resampled(
        pixels, box, columns.stop - columns.start, rows.stop - rows.start
    )
    return canvas


def _covered(start: float, step: float, length: int, side: int) -> slice:
    """Return the pixels of a side of the canvas that lie within the source."""
    first = math.ceil(-start / step - _ROUNDING)
    last = math.floor((length - start) / step + _ROUNDING)
    return slice(max(0, first), min(side, last))
