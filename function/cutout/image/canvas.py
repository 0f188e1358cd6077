"""The photo's pixels → the canvas's, as a :class:`~cutout.image.place.Layout` places them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutout.image.decode import Photo
from cutout.image.place import Box, Layout
from cutout.image.resample import resampled

# Pixels of the coarser side that are read around the part that is scaled. The filter reaches 2.
_AROUND_PX = 3
_ROUNDING = 1e-6  # a pixel is shown if no more than this share of it is missing


def seen(layout: Layout, photo: Photo) -> Box:
    """Return the part of the photo from which the canvas is made.

    If nothing is scaled, the part has the canvas's size and may reach beyond the photo.
    """
    subject, target, canvas = layout.subject, layout.target, layout.canvas
    if not layout.is_scaled:
        return replace(canvas, top=subject.top - target.top, left=subject.left - target.left)
    across, down = subject.width / target.width, subject.height / target.height
    left, top = subject.left - target.left * across, subject.top - target.top * down
    first_row, last_row = _read(top, down, canvas.height, photo.height)
    first_column, last_column = _read(left, across, canvas.width, photo.width)
    return Box(
        top=first_row,
        left=first_column,
        width=last_column - first_column,
        height=last_row - first_row,
    )


def _read(start: float, step: float, side: int, photo_side: int) -> tuple[int, int]:
    """Return the pixels of a side of the photo that a side of the canvas is made of.

    The canvas begins at ``start``, and each of its pixels is ``step`` px of the photo.
    """
    around = _AROUND_PX * max(step, 1)
    return (
        max(0, math.floor(start - around)),
        min(photo_side, math.ceil(start + side * step + around)),
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
    subject, target, size = layout.subject, layout.target, layout.canvas
    across, down = subject.width / target.width, subject.height / target.height
    left = subject.left - source.left - target.left * across
    top = subject.top - source.top - target.top * down
    columns = _covered(left, across, source.width, size.width)
    rows = _covered(top, down, source.height, size.height)
    box = (
        max(0.0, left + columns.start * across),
        max(0.0, top + rows.start * down),
        min(float(source.width), left + columns.stop * across),
        min(float(source.height), top + rows.stop * down),
    )
    canvas = np.zeros((size.height, size.width, 4), np.uint8)
    canvas[rows, columns] = resampled(
        pixels, columns.stop - columns.start, rows.stop - rows.start, box=box
    )
    return canvas


def _covered(start: float, step: float, length: int, side: int) -> slice:
    """Return the pixels of a side of the canvas that lie within the source."""
    first = math.ceil(-start / step - _ROUNDING)
    last = math.floor((length - start) / step + _ROUNDING)
    return slice(max(0, first), min(side, last))
