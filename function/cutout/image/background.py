"""What is behind the subject: another image, or the photo's own background without the subject."""

import math

import numpy as np
from numpy.typing import NDArray

from cutout.errors import (
    ImageTooLarge,
    ImageTooSmall,
    InvalidBackground,
    InvalidImage,
    UnsupportedImageFormat,
)
from cutout.image.blur import blurred
from cutout.image.canvas import window
from cutout.image.composite import OPAQUE, WHITE, over
from cutout.image.decode import Limits, Photo, decode
from cutout.image.foreground import estimate_foreground, extend_foreground
from cutout.image.matte import Matte
from cutout.image.place import Box
from cutout.image.resample import resampled
from cutout.image.sniff import pillow_format_of
from cutout.image.tiles import strips

_FULL_BLUR = 0.04
"""The standard deviation of ``bg_blur=100`` in shares of the photo's size, the square root of its
area: shapes are gone, and light and dark are still where they were."""
_RIM, _RIM_BLURS = 0.01, 2
"""How far beside the subject colours count as mixed with its own: up to that share of the photo's
size, as the matte of a photograph is seldom exact, and up to two standard deviations of the blur,
which hide that the detail there is gone."""
_PURE = 128  # of 255: what is less background than subject shows the subject's colours


def read_background(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """Return the image in ``data`` as a background: uint8 (H, W, 3) sRGB, upright, on white.

    :raises InvalidBackground: it is not an image that this deployment accepts as a photo.
    """
    try:
        return photo_on_white(decode(data, limits=limits))
    except (InvalidImage, UnsupportedImageFormat, ImageTooSmall, ImageTooLarge) as error:
        raise InvalidBackground(reason=str(error), accepted=error.detail) from error


def check_background(data: bytes) -> None:
    """Look at the first bytes of a background, which say that it is an image.

    :raises InvalidBackground: they do not.
    """
    try:
        pillow_format_of(data)
    except (InvalidImage, UnsupportedImageFormat) as error:
        raise InvalidBackground(reason=str(error), accepted=error.detail) from error


def photo_on_white(photo: Photo) -> NDArray[np.uint8]:
    """Return a photo's pixels, uint8 (H, W, 3), on white where it has its own alpha."""
    if photo.alpha is None:
        return photo.pixels
    pixels = np.empty_like(photo.pixels)
    parts = zip(strips(photo.pixels), strips(photo.alpha), strips(pixels), strict=True)
    for colour, alpha, target in parts:
        target[:] = over(colour, alpha, WHITE)
    return pixels


def cover(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) scaled to cover ``width`` x ``height`` px, its middle kept."""
    rows, columns = picture.shape[:2]
    step = min(columns / width, rows / height)
    across, down = width * step, height * step
    left, top = max(0.0, (columns - across) / 2), max(0.0, (rows - down) / 2)
    box = (left, top, min(float(columns), left + across), min(float(rows), top + down))
    return resampled(picture, width, height, box=box)


def own_background(photo: Photo, matte: Matte, frame: Box, blur: int) -> NDArray[np.uint8]:
    """Return the photo's background in ``frame`` without the subject, blurred: uint8 (H, W, 3).

    The background's colours are spread to where the subject was, and to what is beyond the photo,
    so that neither the subject nor a black border glows through. ``blur`` is 0..100.
    """
    size = math.sqrt(photo.width * photo.height)
    sigma_px = blur / 100 * _FULL_BLUR * size
    inverse = Matte(alpha=OPAQUE - matte.alpha)
    colours = window(estimate_foreground(photo, inverse), frame)
    known = inverse.alpha
    pure = _lowest_around(known, round(min(_RIM_BLURS * sigma_px, _RIM * size)))
    pure *= pure >= _PURE
    if pure.any():  # otherwise all of the background is close to the subject
        known = pure
    colours = extend_foreground(colours, window(known, frame))
    return blurred(colours, sigma_px)


def _lowest_around(plane: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Return the lowest value of the square of 2·``radius`` + 1 px around each pixel.

    The square is cut at the border of ``plane``, uint8 (H, W).
    """
    height, width = plane.shape
    lowest = np.pad(plane, radius, constant_values=OPAQUE)
    for axis in (0, 1):
        lowest = np.moveaxis(lowest, axis, 0)
        length = 1  # each value is the lowest of this many, from its own place on
        while length < 2 * radius + 1:
            step = min(length, 2 * radius + 1 - length)
            np.minimum(lowest[:-step], lowest[step:], out=lowest[:-step])
            length += step
        lowest = np.moveaxis(lowest, 0, axis)
    return lowest[:height, :width]
