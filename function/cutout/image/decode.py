"""Bytes → :class:`Photo`: the format told by bytes, limits before pixels, upright, sRGB.

Only the parsers that :mod:`cutout.image.sniff` names ever see a caller's bytes.
"""

import io
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin as _Avif
from PIL import BmpImagePlugin as _Bmp
from PIL import GifImagePlugin as _Gif
from PIL import Image
from PIL import JpegImagePlugin as _Jpeg
from PIL import PngImagePlugin as _Png
from PIL import TiffImagePlugin as _Tiff
from PIL import WebPImagePlugin as _WebP

from cutout.errors import (
    CutoutError,
    ImageTooLarge,
    ImageTooSmall,
    InvalidImage,
    SideTooLong,
    UnsupportedImageFormat,
)
from cutout.image.jpeg import BLOCK_PX, completed, lacks_rows, read_structure
from cutout.image.png_chunks import picture_chunks
from cutout.image.sniff import pillow_format_of
from cutout.image.tiff import check_tags
from cutout.image.tiles import STRIP_PX

# Imported by name so that a cold start loads these seven plugins and not Pillow's forty.
PLUGINS = (_Avif, _Bmp, _Gif, _Jpeg, _Png, _Tiff, _WebP)

MIN_SIDE_PX = 2
MAX_SIDE_PX = 65_535
"""JPEG's longest side. No photograph has a longer one, and ribbons cost more than their pixels."""

# Pillow's own guard would refuse what our limits, which are checked from the header, accept.
Image.MAX_IMAGE_PIXELS = None

_WHITES = {"I": (255.0, 65_535.0, 2.0**31 - 1), "F": (1.0, 255.0, 65_535.0, 2.0**31 - 1)}
_MAX_TILE_PX = 1 << 24  # a TIFF's tile may be this large, even if the image is smaller
# Pillow decodes the run lengths of BMP files in Python, at 140 ns for each pixel.
_BMP_RUN_LENGTHS = "bmp_rle"
_MAX_BMP_RUN_PX = 8_000_000

# Every scan of a progressive JPEG goes over all pixels of its components, and can be 75 bytes long.
# 5e9 pixels are about 3 s of libjpeg-turbo on a 2.6 GHz Xeon. Encoders write about 14 components.
_MAX_SCANNED_PX = 5_000_000_000

_ORIENTATION_TAG = 0x0112  # EXIF 2.32, table 4
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a deployment decodes at most."""

    max_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An upright photo.

    ``pixels`` uint8 (H, W, 3) sRGB; ``alpha`` uint8 (H, W), straight, or ``None`` without any.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None

    @property
    def width(self) -> int:
        """The photo's width in px."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """The photo's height in px."""
        return int(self.pixels.shape[0])


def decode(data: bytes, *, limits: Limits, cap_px: int | None = None) -> Photo:
    """Return the photo in ``data``: upright, in sRGB, its metadata gone.

    ``cap_px`` bounds the photo's width times height; a larger one is scaled down with its ratio
    kept. Grey of 16 bit is scaled to 8. For grey of 32 bit or float, white is the smallest of 1
    (float only), 255, 65 535 and 2³¹-1 that holds every value. A colour profile that
    cannot be read is taken as sRGB, as browsers do.

    A file that ends early is refused, with one exception: a JPEG whose end mark, or part of whose
    last row of blocks, is missing. Browsers show it, since cameras make such files. What follows
    the end of the picture is ignored, and so are damaged chunks of a PNG that hold no pixels.

    :raises InvalidImage: empty, truncated, or not an image.
    :raises UnsupportedImageFormat: an image of a format that is not read.
    :raises ImageTooSmall: a side under 2 px.
    :raises ImageTooLarge: by the header, more pixels than ``limits`` allow or a side over 65,535.
    """
    pillow_format = pillow_format_of(data)
    if pillow_format == "HEIF":
        _register_heif()
    elif pillow_format == "PNG":
        data = picture_chunks(data)
    elif pillow_format == "TIFF":
        check_tags(data)
    try:
        with warnings.catch_warnings():  # Pillow warns of odd metadata, which is dropped anyway
            warnings.simplefilter("ignore")
            return _decode(data, pillow_format, limits, cap_px)
    except (CutoutError, MemoryError):
        raise  # a lack of memory is not the file's fault
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to TypeError
        raise InvalidImage(reason=f"it is a damaged or truncated {pillow_format} file") from error


def _decode(data: bytes, pillow_format: str, limits: Limits, cap_px: int | None) -> Photo:
    jpeg = read_structure(data) if pillow_format == "JPEG" else None
    with _opened(data if jpeg is None else completed(data, jpeg), pillow_format) as image:
        width, height = image.size
        _check_size(image, limits)
        if jpeg is not None and jpeg.components * width * height > _MAX_SCANNED_PX:
            scans = len(jpeg.scan_ends)
            raise InvalidImage(reason=f"it has {scans} scans, which only a damaged file needs")
        size = _capped(width, height, cap_px)
        image.draft(None, size)  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough
        image.load()
        if jpeg is not None and (_ends_flat(image) or not jpeg.has_end) and lacks_rows(data, jpeg):
            raise InvalidImage(reason="it is a damaged or truncated JPEG file")
        orientation = _orientation(image)
        color, alpha = _to_srgb(image)
    planes = [color] if alpha is None else [color, alpha]
    for index, plane in enumerate(planes):
        if plane.size != size:
            plane = plane.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)  # noqa: PLW2901
        if orientation in _UPRIGHT:
            plane = plane.transpose(_UPRIGHT[orientation])  # noqa: PLW2901
        planes[index] = plane
    return Photo(pixels=_array(planes[0]), alpha=None if alpha is None else _array(planes[1]))


def _opened(data: bytes, pillow_format: str) -> Image.Image:
    """Return the image of a file, its header read and its pixels not yet decoded."""
    if pillow_format == "JPEG":  # Image.open would read the index of further pictures, if any
        return _Jpeg.JpegImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=(pillow_format,))


def _check_size(image: Image.Image, limits: Limits) -> None:
    """Hold an image's header to the limits.

    :raises ImageTooSmall: a side under :data:`MIN_SIDE_PX`.
    :raises ImageTooLarge: more pixels than ``limits`` allow, or a side over :data:`MAX_SIDE_PX`.
    """
    width, height = image.size
    if min(width, height) < MIN_SIDE_PX:
        raise ImageTooSmall(width=width, height=height)
    if width * height > limits.max_pixels:
        raise ImageTooLarge(width=width, height=height, max_pixels=limits.max_pixels)
    if max(width, height) > MAX_SIDE_PX:
        raise SideTooLong(width=width, height=height, max_side=MAX_SIDE_PX)
    # A TIFF's tile is decoded whole, however small the image is (TIFF 6.0, section 15).
    tags = getattr(image, "tag_v2", {})
    across, down = int(tags.get(322, 0)), int(tags.get(323, 0))
    if across * down > min(limits.max_pixels, max(_MAX_TILE_PX, 4 * width * height)):
        raise ImageTooLarge(width=across, height=down, max_pixels=limits.max_pixels)
    if any(tile.codec_name == _BMP_RUN_LENGTHS for tile in getattr(image, "tile", ())):
        most = min(limits.max_pixels, _MAX_BMP_RUN_PX)
        if width * height > most:
            raise ImageTooLarge(width=width, height=height, max_pixels=most)


def _ends_flat(image: Image.Image) -> bool:
    """Tell whether the last block has one colour: that is how decoders fill in what is missing."""
    width, height = image.size
    corner = image.crop((max(0, width - BLOCK_PX), max(0, height - BLOCK_PX), width, height))
    low_high = corner.getextrema()
    bands = low_high if isinstance(low_high[0], tuple) else (low_high,)
    return all(low == high for low, high in bands)


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image's pixels; Pillow's own conversion holds them three times, this one twice."""
    array = np.empty((image.height, image.width, *((3,) if image.mode == "RGB" else ())), np.uint8)
    for rows in _strips(image):
        array[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    return array


def _capped(width: int, height: int, cap_px: int | None) -> tuple[int, int]:
    """Return the size, at most the given one, that keeps the ratio and holds ``cap_px`` px."""
    if cap_px is None or width * height <= cap_px:
        return width, height
    scale = math.sqrt(cap_px / (width * height))
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation 1..8; a block that cannot be read counts as upright."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - any parser error; the picture itself is fine
        return 1


def _to_srgb(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the image as RGB in sRGB, and its alpha as L where it has any."""
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image, alpha = _eight_bit(image)
    elif image.mode == "LA":
        image, alpha = image.getchannel("L"), image.getchannel("A")
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image, alpha = rgba.convert("RGB"), rgba.getchannel("A")
    if image.mode not in {"L", "RGB", "CMYK"}:
        image = image.convert("RGB")
    if profile:
        image = _apply_profile(image, profile)
    return (image if image.mode == "RGB" else image.convert("RGB")), alpha


def _eight_bit(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return deep grey as L, and the alpha of PNG's one transparent value where it has one."""
    parts = list(_strips(image))
    top = 65_535.0
    if image.mode in _WHITES:  # they have no bit depth: the smallest white that holds every value
        greatest = max(float(_values(image, part).max()) for part in parts)
        top = next((white for white in _WHITES[image.mode] if greatest <= white), 2.0**31)
    transparent = image.info.get("transparency")
    grey = np.empty((image.height, image.width), np.uint8)
    opaque = np.empty_like(grey) if isinstance(transparent, int) else None
    for part in parts:  # strip by strip: a float copy of a whole photo would be four times its size
        values = _values(image, part)
        scaled = values * np.float32(255.0 / top) + np.float32(0.5)
        np.clip(scaled, 0, 255.5, out=grey[part], casting="unsafe")
        if opaque is not None:
            opaque[part] = np.where(values == transparent, 0, 255)
    return Image.fromarray(grey), None if opaque is None else Image.fromarray(opaque)


def _strips(image: Image.Image) -> Iterator[slice]:
    """Yield the rows of strips of about :data:`STRIP_PX` px."""
    rows = max(1, STRIP_PX // image.width)
    for top in range(0, image.height, rows):
        yield slice(top, min(top + rows, image.height))


def _values(image: Image.Image, rows: slice) -> NDArray[Any]:
    """Return some rows of an image of one band, with 0 for floats that are not numbers."""
    values = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return values


def _register_heif() -> None:
    """Make Pillow read HEIF, which not every deployment can, at the first HEIF image.

    :raises UnsupportedImageFormat: this one cannot.
    """
    try:
        import pillow_heif  # noqa: PLC0415 - an optional layer, and 20 ms of cold start
    except ImportError:
        raise UnsupportedImageFormat(found="HEIC") from None
    pillow_heif.register_heif_opener(thumbnails=False)


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the image in sRGB (relative colorimetric would clip: perceptual, as browsers do)."""
    from PIL import ImageCms  # noqa: PLC0415 - 10 ms of cold start that only some photos need

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted if converted is not None else image
