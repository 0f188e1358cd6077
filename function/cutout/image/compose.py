"""``Photo`` + ``Matte`` + ``Options`` → :class:`Cutout`: crop, colours, background, channels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cutout.color import Color
from cutout.errors import InvalidOption, UnknownForeground
from cutout.image.decode import Photo
from cutout.image.despill import remove_green_spill
from cutout.image.foreground import estimate_foreground, extend_foreground
from cutout.image.matte import Matte
from cutout.image.tiles import strips
from cutout.options import Channels, Format, Margin, OnEmpty, Options

OPAQUE = 255
WHITE = Color(r=255, g=255, b=255)
"""What a format without alpha is flattened on where no background is asked for."""
SUBJECT_ALPHA = 26
"""The least alpha, of 255, of a pixel that counts as subject (10 %)."""

_MAX_CANVAS_PX = 50_000_000  # 500 px around a ribbon would be a thousand times its pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in px of an image; ``left + width`` is the first column behind it."""

    top: int = 0
    left: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """The composed result.

    ``pixels`` uint8 (H, W, 4), sRGB with straight alpha, colour 0 where alpha is 0 (for ``zip``:
    the foreground's colours, extended). ``subject`` is the subject's box in it, of size 0 where
    there is none; ``coverage`` the matte's mean over it, 0..1, before any background.
    """

    pixels: NDArray[np.uint8]
    subject: Box
    coverage: float


def compose(photo: Photo, matte: Matte, options: Options) -> Cutout:
    """Return the cutout that ``options`` ask for.

    :raises UnknownForeground: no subject, and ``on_empty`` is ``error``.
    :raises InvalidOption: ``invalid_crop_margin``, the canvas would be far larger than the photo.
    """
    alpha = _quantized(matte.alpha)
    subject = subject_of(alpha)
    if subject.width == 0 and options.on_empty is OnEmpty.ERROR:
        raise UnknownForeground
    frame = Box(width=photo.width, height=photo.height)
    if options.crop and subject.width:
        frame = _with_margin(subject, options.crop_margin)
        if frame.width * frame.height > max(_MAX_CANVAS_PX, alpha.size):
            raise InvalidOption(
                option="crop_margin",
                accepted=f"smaller: the canvas would be {frame.width}x{frame.height} px, and "
                f"{_MAX_CANVAS_PX} pixels are the most",
            )
        subject = replace(subject, top=subject.top - frame.top, left=subject.left - frame.left)

    pixels = np.zeros((frame.height, frame.width, 4), np.uint8)
    pixels[..., 3] = _window(alpha, frame)
    coverage = coverage_of(pixels[..., 3])
    if options.channels is Channels.RGBA:
        color = estimate_foreground(photo, matte) if options.clean_edges else photo.pixels
        if options.despill:
            color = color if options.clean_edges else color.copy()
            remove_green_spill(color, photo, matte)
        pixels[..., :3] = _window(color, frame)
        del color
        whole = pixels.view(np.uint32)[..., 0]  # a pixel as one number: four times faster to clear
        for strip, opacity in zip(strips(whole), strips(pixels[..., 3]), strict=True):
            np.multiply(strip, opacity > 0, out=strip)
        background = options.bg_color or (None if options.format.has_alpha else WHITE)
        if background is not None:
            flatten(pixels, background)
        elif options.format is Format.ZIP:
            pixels[..., :3] = extend_foreground(pixels[..., :3], pixels[..., 3])
    return Cutout(pixels=pixels, subject=subject, coverage=coverage)


def flatten(pixels: NDArray[np.uint8], color: Color) -> None:
    """Composite ``pixels``, uint8 (H, W, 4) of straight alpha, on ``color`` in place.

    Every pixel ends opaque: round((F·α + B·(255 - α)) / 255) for each channel, in sRGB's own
    encoding as browsers and image editors composite.
    """
    background = np.array([color.r, color.g, color.b], np.uint16)
    for strip in strips(pixels):
        alpha = strip[..., 3:].astype(np.uint16)
        blend = strip[..., :3] * alpha + background * (OPAQUE - alpha)
        # round(x / 255) without a division, exact for all of 0 … 255²: Blinn 1995, "Three Wrongs
        # Make a Right". Nothing here passes uint16.
        blend += 128
        blend += blend >> 8
        blend >>= 8
        strip[..., :3] = blend
        strip[..., 3] = OPAQUE


def _quantized(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return alpha float32 (H, W) 0..1 as the nearest uint8 0..255."""
    quantized = np.empty(alpha.shape, np.uint8)
    for source, target in zip(strips(alpha), strips(quantized), strict=True):
        np.rint(source * np.float32(OPAQUE), out=target, casting="unsafe")
    return quantized


def subject_of(alpha: NDArray[np.uint8]) -> Box:
    """Return the box of the pixels that count as subject, of size 0 where there are none."""
    mask = alpha >= SUBJECT_ALPHA
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return Box()
    return Box(
        top=int(rows[0]),
        left=int(columns[0]),
        width=int(columns[-1] - columns[0]) + 1,
        height=int(rows[-1] - rows[0]) + 1,
    )


def coverage_of(alpha: NDArray[np.uint8]) -> float:
    """Return the mean of alpha, uint8 (H, W), as 0..1."""
    return float(alpha.mean(dtype=np.float64)) / OPAQUE


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


def _window(plane: NDArray[np.uint8], frame: Box) -> NDArray[np.uint8]:
    """Return uint8 (H, W) or (H, W, C) as ``frame`` sees it, with 0 where it stands out."""
    height, width = plane.shape[:2]
    top, bottom = max(0, frame.top), min(height, frame.top + frame.height)
    left, right = max(0, frame.left), min(width, frame.left + frame.width)
    inside = plane[top:bottom, left:right]
    if inside.shape[:2] == (frame.height, frame.width):
        return inside
    window = np.zeros((frame.height, frame.width, *plane.shape[2:]), np.uint8)
    window[top - frame.top : bottom - frame.top, left - frame.left : right - frame.left] = inside
    return window
