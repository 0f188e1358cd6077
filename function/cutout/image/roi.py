"""The region of interest: the part of a photo that the network sees."""

import numpy as np

from cutout.errors import RoiExceedsBounds, RoiRegionEmpty
from cutout.image.decode import Photo
from cutout.image.matte import Matte
from cutout.image.place import Box
from cutout.options import Region


def edges_of(roi: Region, width: int, height: int) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 of the region of interest, in px of the upright, uncapped photo.

    :raises RoiExceedsBounds: it is not within the photo.
    :raises RoiRegionEmpty: it contains no pixel.
    """
    x1, x2 = roi.x1.pixels(width), roi.x2.pixels(width)
    y1, y2 = roi.y1.pixels(height), roi.y2.pixels(height)
    if max(x1, x2) > width or max(y1, y2) > height:
        raise RoiExceedsBounds(reason=f"the upright image is {width}x{height} px")
    if x1 >= x2 or y1 >= y2:
        raise RoiRegionEmpty
    return x1, y1, x2, y2


def region_of(roi: Region, photo: Photo) -> Box:
    """Return the region of interest in px of the photo, at least 1 px wide and high.

    :raises RoiExceedsBounds: it is not within the photo.
    :raises RoiRegionEmpty: it contains no pixel.
    """
    width, height = photo.original_size or (photo.width, photo.height)
    x1, y1, x2, y2 = edges_of(roi, width, height)
    left, right = _rescaled(x1, x2, width, photo.width)
    top, bottom = _rescaled(y1, y2, height, photo.height)
    return Box(top=top, left=left, width=right - left, height=bottom - top)


def _rescaled(first: int, last: int, side: int, other_side: int) -> tuple[int, int]:
    """Return a span of a side in px of another side of the same picture, at least 1 px long."""
    start = min(round(first * other_side / side), other_side - 1)
    return start, max(round(last * other_side / side), start + 1)


def part_of(photo: Photo, region: Box) -> Photo:
    """Return the photo's ``region`` as a photo; it shares the photo's memory."""
    alpha = None if photo.alpha is None else photo.alpha[region.slices]
    return Photo(pixels=photo.pixels[region.slices], alpha=alpha)


def matte_around(matte: Matte, region: Box, photo: Photo) -> Matte:
    """Return the matte of a photo's ``region`` as that of the whole photo: 0 outside."""
    if (region.width, region.height) == (photo.width, photo.height):
        return matte
    alpha = np.zeros((photo.height, photo.width), np.uint8)
    alpha[region.slices] = matte.alpha
    return Matte(alpha=alpha, confidence=matte.confidence)
