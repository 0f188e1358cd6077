"""Bytes → :class:`Structure`: what a file says of its picture, read and checked before any decoder.

Each format's own module walks its segments, chunks or directory; this one asks the right module.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cutout.image.avif_file import still_of
from cutout.image.gif_blocks import first_picture_of
from cutout.image.header import check_size, header_size, profile_of_bmp
from cutout.image.heif_items import check_items
from cutout.image.jpeg import JpegImage, read_jpeg
from cutout.image.named_colors import profile_of_code_points
from cutout.image.png_chunks import read_png
from cutout.image.tiff import Directory, orientation_of, read_directory
from cutout.image.webp_chunks import needed_chunks_of

_STRIPPERS: Mapping[str, Callable[[bytes], bytes]] = {
    "GIF": first_picture_of,
    "WEBP": needed_chunks_of,
}
"""What leaves out of a file what its decoder does not need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A file within the limits, and what was read of it without Pillow.

    ``data`` is what Pillow gets, ``size_px`` how many pixels the picture has, or 0 if only Pillow
    can tell it. ``orientation`` is EXIF's 1 to 8, or ``None`` if Pillow's plugin is to find the
    EXIF block; ``jpeg`` and ``tiff`` are ``None`` for every other format. ``profile`` is an ICC
    profile, for RGB, of the colour space that the file names in a way that Pillow does not read, or
    empty for sRGB. It counts where Pillow finds no profile in ``data``.
    """

    data: bytes
    pillow_format: str
    size_px: int = 0
    orientation: int | None = None
    jpeg: JpegImage | None = None
    tiff: Directory | None = None
    profile: bytes = b""


def read_structure(data: bytes, pillow_format: str, *, max_pixels: int) -> Structure:
    """Return the structure of a file of the format that Pillow calls ``pillow_format``.

    :raises CutoutError: the file is damaged, too large or too small; see
        :func:`cutout.image.decode.decode`.
    :raises struct.error: its header is cut off.
    """
    jpeg = tiff = orientation = None
    profile = b""
    size = header_size(data, pillow_format)
    if pillow_format == "JPEG":
        jpeg = read_jpeg(data)
        size, orientation, data = (jpeg.width, jpeg.height), orientation_of(jpeg.exif), jpeg.data
    elif pillow_format == "PNG":
        png = read_png(data)
        size, orientation, data = (png.width, png.height), orientation_of(png.exif), png.data
        profile = png.profile
    elif pillow_format in _STRIPPERS:
        data = _STRIPPERS[pillow_format](data)
    elif pillow_format == "BMP":
        profile = profile_of_bmp(data)
    elif pillow_format == "TIFF":
        tiff = read_directory(data)
        size, orientation = tiff.size, 1  # Pillow itself turns a TIFF upright
        check_size(*size, max_pixels=max_pixels)
        tiff.check_kind(data)
        tiff.check_layout(data, max_pixels=max_pixels)
    elif pillow_format in {"HEIF", "AVIF"}:
        items = check_items(data, max_pixels=max_pixels)
        if items.primary in items.colours:
            profile = profile_of_code_points(*items.colours[items.primary])
        if pillow_format == "AVIF":
            data = still_of(data)
    if size is not None:
        check_size(*size, max_pixels=max_pixels)
    return Structure(
        data=data,
        pillow_format=pillow_format,
        size_px=math.prod(size or (0,)),
        orientation=orientation,
        jpeg=jpeg,
        tiff=tiff,
        profile=profile,
    )
