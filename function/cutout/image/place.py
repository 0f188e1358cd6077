"""Where everything is: the crop, and the subject's size and place in the canvas.

Boxes are plain arithmetic in px. :class:`Layout` is all that the other steps need to know of it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cutout.errors import InvalidOption
from cutout.image.cap import capped
from cutout.image.decode import Photo
from cutout.options import Margin, Options, Position

SUBJECT_ALPHA = 26
"""The least alpha, of 255, of a pixel that counts as subject (10 %)."""

_MAX_CANVAS_PX = 50_000_000  # 500 px around a ribbon would be a thousand times its pixels
_CENTER = Position(x=50, y=50)


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

    ``frame`` is what the crop keeps, in px of the photo. ``canvas``, whose top and left are 0, has
    its size, or a smaller one of its ratio. ``subject`` is the subject's box in the photo, and
    ``target`` where that box comes to lie in the canvas.
    """

    frame: Box
    canvas: Box
    subject: Box
    target: Box

    @property
    def is_scaled(self) -> bool:
        """Whether the subject has another size in the canvas than in the photo."""
        subject, target = self.subject, self.target
        return (subject.width, subject.height) != (target.width, target.height)

    @property
    def is_reduced(self) -> bool:
        """Whether the canvas is smaller than what it shows of the photo."""
        frame, canvas = self.frame, self.canvas
        return (frame.width, frame.height) != (canvas.width, canvas.height)


def subject_of(alpha: NDArray[np.uint8]) -> Box:
    """Return the box of what counts as subject in uint8 (H, W); of size 0 if nothing does."""
    rows, columns = (np.flatnonzero(alpha.max(axis=axis) >= SUBJECT_ALPHA) for axis in (1, 0))
    if rows.size == 0:
        return Box()
    return Box(
        top=int(rows[0]),
        left=int(columns[0]),
        width=int(columns[-1] - columns[0]) + 1,
        height=int(rows[-1] - rows[0]) + 1,
    )


def lay_out(
    subject: Box, photo: Photo, options: Options, *, memory_pixels: int | None = None
) -> Layout:
    """Return where a subject at the box ``subject`` of the photo is to be seen.

    Without a subject the whole photo is seen as it is. A canvas that the crop's margin makes larger
    than ``size`` is scaled down to it, the subject with it. ``memory_pixels`` is the size of a
    canvas that fits into memory, ``None`` where that is not known.

    :raises InvalidOption: ``invalid_crop_margin``, the canvas would be larger than the photo, and
        larger than 50 megapixels or than what fits into memory.
    """
    frame = canvas = Box(width=photo.width, height=photo.height)
    if not subject.width:
        return Layout(frame=frame, canvas=canvas, subject=subject, target=subject)
    if options.crop:
        frame = _with_margin(subject, options.crop_margin)
        width, height = capped(frame.width, frame.height, options.size.max_pixels)
        canvas = Box(width=width, height=height)
        most = min(_MAX_CANVAS_PX, memory_pixels or _MAX_CANVAS_PX)
        if width * height > max(most, photo.width * photo.height):
            raise InvalidOption(
                option="crop_margin",
                accepted=f"smaller: the canvas would be {width}x{height} px, and {most} pixels are "
                "the most",
            )
    target = _shown(subject, frame, canvas)
    position = options.position
    if options.scale is not None:
        target = _fitted(target, canvas, options.scale)
        position = position or _CENTER
    if position is not None and position.x is not None and position.y is not None:
        target = replace(
            target,
            top=round((canvas.height - target.height) * position.y / 100),
            left=round((canvas.width - target.width) * position.x / 100),
        )
    return Layout(frame=frame, canvas=canvas, subject=subject, target=target)


def _with_margin(subject: Box, margin: Margin | None) -> Box:
    """Return the crop's box. It may reach beyond the photo, where the canvas is transparent."""
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


def _shown(subject: Box, frame: Box, canvas: Box) -> Box:
    """Return where a box within ``frame`` is in the canvas that shows all of it."""
    across, down = canvas.width / frame.width, canvas.height / frame.height
    width, height = max(1, round(subject.width * across)), max(1, round(subject.height * down))
    left, top = round((subject.left - frame.left) * across), round((subject.top - frame.top) * down)
    return Box(
        top=min(top, canvas.height - height),
        left=min(left, canvas.width - width),
        width=width,
        height=height,
    )


def _fitted(target: Box, canvas: Box, percent: float) -> Box:
    """Return the largest box of the same ratio within that share of the canvas's sides.

    Its centre stays where it was, unless the box would then reach beyond the canvas.
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
