"""Bytes → :class:`Photo`: the format told by bytes, limits before pixels, upright, sRGB.

Only the parsers that :mod:`cutout.image.sniff` names ever see a caller's bytes.
"""

import io
import math
import warnings
from dataclasses import dataclass

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

from cutout.errors import ImageTooLarge, ImageTooSmall, InvalidImage, UnsupportedImageFormat
from cutout.image.sniff import pillow_format_of

# Imported by name so that a cold start loads these seven plugins and not Pillow's forty.
PLUGINS = (_Avif, _Bmp, _Gif, _Jpeg, _Png, _Tiff, _WebP)

MIN_SIDE_PX = 2

# Pillow's own guard would raise for what our limit, checked from the header, lets through.
Image.MAX_IMAGE_PIXELS = None

_WHITES = {"I": (255.0, 65_535.0, 2.0**31 - 1), "F": (1.0, 255.0, 65_535.0, 2.0**31 - 1)}
_STRIP_PX = 1 << 20
_MAX_TILE_PX = 1 << 24  # a TIFF's tile may be larger than a small image, by so much

# Every scan of a progressive JPEG goes over all pixels, and 75 bytes can be a scan: 5e9 are about
# 3 s of libjpeg-turbo on a 2.6 GHz Xeon. Encoders make 10 scans or so.
_MAX_SCANNED_PX = 5_000_000_000
_START_OF_SCAN = b"\xff\xda"

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
_SIDEWAYS = {5, 6, 7, 8}  # width and height change places


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a deployment decodes at most."""

    max_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An upright photo.

    ``pixels`` uint8 (H, W, 3) sRGB; ``alpha`` uint8 (H, W), straight, or ``None`` without any.
    ``original_size`` is its upright width and height in px before a cap, ``None`` where no cap
    changed it.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    original_size: tuple[int, int] | None = None

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
    kept. Grey of 16 bit is scaled to 8. Grey of 32 bit or float has no white of its own: it is the
    least of 1 (float only), 255, 65 535 and 2³¹-1 that holds every value. A colour profile that
    cannot be read is taken as sRGB, as browsers do.

    :raises InvalidImage: empty, truncated, or no image.
    :raises UnsupportedImageFormat: an image of a format that is not read.
    :raises ImageTooSmall: a side under 2 px.
    :raises ImageTooLarge: more pixels than ``limits`` allow, by the header.
    """
    pillow_format = pillow_format_of(data)
    if pillow_format == "HEIF":
        _register_heif()
    try:
        with warnings.catch_warnings():  # Pillow warns of odd metadata, which is dropped anyway
            warnings.simplefilter("ignore")
            return _decode(data, pillow_format, limits, cap_px)
    except (ImageTooSmall, ImageTooLarge, InvalidImage, MemoryError):
        raise  # out of memory is no fault of the file
    except Exception as error:  # Pillow's parsers raise anything, from struct.error to TypeError
        raise InvalidImage(reason=f"it is a damaged or truncated {pillow_format} file") from error


def _decode(data: bytes, pillow_format: str, limits: Limits, cap_px: int | None) -> Photo:
    with Image.open(io.BytesIO(data), formats=(pillow_format,)) as image:
        width, height = image.size
        if min(width, height) < MIN_SIDE_PX:
            raise ImageTooSmall(width=width, height=height)
        if width * height > limits.max_pixels:
            raise ImageTooLarge(width=width, height=height, max_pixels=limits.max_pixels)
        _check_tile(image, limits)
        if pillow_format == "JPEG":
            _check_scans(data, width * height)
        size = _capped(width, height, cap_px)
        image.draft(None, size)  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough
        image.load()
        orientation = _orientation(image)
        color, alpha = _to_srgb(image)
    planes = [color] if alpha is None else [color, alpha]
    for index, plane in enumerate(planes):
        if plane.size != size:
            plane = plane.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)  # noqa: PLW2901
        if orientation in _UPRIGHT:
            plane = plane.transpose(_UPRIGHT[orientation])  # noqa: PLW2901
        planes[index] = plane
    original = None if size == (width, height) else (width, height)
    if original is not None and orientation in _SIDEWAYS:
        original = (height, width)
    return Photo(
        pixels=_array(planes[0]),
        alpha=None if alpha is None else _array(planes[1]),
        original_size=original,
    )


def _check_tile(image: Image.Image, limits: Limits) -> None:
    """Hold a TIFF's tile, which is decoded whole however small the image is, to the same limit.

    :raises ImageTooLarge: it has more pixels than ``limits`` allow.
    """
    tags = getattr(image, "tag_v2", {})
    width, height = int(tags.get(322, 0)), int(tags.get(323, 0))  # TIFF 6.0, section 15
    if width * height > min(limits.max_pixels, max(_MAX_TILE_PX, 4 * image.width * image.height)):
        raise ImageTooLarge(width=width, height=height, max_pixels=limits.max_pixels)


def _check_scans(data: bytes, pixels: int) -> None:
    """Hold a JPEG's scans to what a photograph has; the marker cannot stand in compressed data.

    :raises InvalidImage: it has more.
    """
    scans = data.count(_START_OF_SCAN)
    if scans * pixels > _MAX_SCANNED_PX:
        raise InvalidImage(reason=f"it has {scans} scans, which only a damaged file needs")


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image's pixels; Pillow's own conversion holds them three times, this one twice."""
    array = np.empty((image.height, image.width, *((3,) if image.mode == "RGB" else ())), np.uint8)
    rows = max(1, _STRIP_PX // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
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
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = 65_535.0
    if image.mode in {"I", "F"}:  # no bit depth of their own: the least white that holds them
        top = next((white for white in _WHITES[image.mode] if values.max() <= white), 2.0**31)
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _STRIP_PX // values.shape[1])
    for first in range(0, len(values), rows):  # no float copy of a whole photo
        scaled = values[first : first + rows] * np.float32(255.0 / top) + np.float32(0.5)
        np.clip(scaled, 0, 255.5, out=grey[first : first + rows], casting="unsafe")
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return Image.fromarray(grey), None
    opaque = np.where(values == transparent, 0, 255).astype(np.uint8)
    return Image.fromarray(grey), Image.fromarray(opaque)


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
