"""The photo's pixels → the canvas's, as a :class:`~cutout.image.place.Layout` places them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.place import Box, Layout
from cutout.image.resample import resampled

# Pixels that are read around the part that is scaled. The filter reaches 2 px, or 20 px when it
# scales to 1/10 of the size.
_AROUND_PX = 24
_ROUNDING = 1e-6  # a pixel is shown if no more than this share of it is missing


def seen(layout: Layout, photo: Photo) -> Box:
    """Return the part of the photo from which the canvas is made.

    If nothing is scaled, the part has the canvas's size and may reach beyond the photo.
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
    """Return (H, W) or (H, W, C) as ``frame`` sees it, with 0 beyond the photo."""
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
