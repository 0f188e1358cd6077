"""Bytes → :class:`Photo`: the format told by bytes, limits before pixels, upright, sRGB.

Only the parsers that :mod:`cutout.image.sniff` names ever see a caller's bytes, and of a JPEG or
PNG they see only what the picture needs.
"""

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin as _Avif
from PIL import BmpImagePlugin as _Bmp
from PIL import GifImagePlugin as _Gif
from PIL import Image, UnidentifiedImageError
from PIL import JpegImagePlugin as _Jpeg
from PIL import PngImagePlugin as _Png
from PIL import TiffImagePlugin as _Tiff
from PIL import WebPImagePlugin as _WebP

from cutout.errors import CutoutError, HeicNotDeployed, InvalidImage, UnsupportedImageFormat
from cutout.image.cap import capped, scaled_down
from cutout.image.composite import OPAQUE
from cutout.image.header import check_size, check_time
from cutout.image.libtiff import silence_libtiff
from cutout.image.memory import memory_shortage_told
from cutout.image.shared import decoded_into, pixels_of
from cutout.image.sniff import pillow_format_of
from cutout.image.srgb import grey_in_srgb, grey_of_8_bits, in_srgb, inks_in_srgb
from cutout.image.structure import Structure, read_structure
from cutout.image.tiff import orientation_of
from cutout.image.tiles import strip_rows
from cutout.image.truncation import check_rows, is_filler
from cutout.image.upright import is_sideways, upright

# Imported by name so that a cold start loads these seven plugins and not Pillow's forty.
PLUGINS = (_Avif, _Bmp, _Gif, _Jpeg, _Png, _Tiff, _WebP)

# Those of Pillow's codecs that are files of their own, and whether they are there.
_CODECS = {"AVIF": _Avif.SUPPORTED, "WEBP": _WebP.SUPPORTED}

_INTO_WORDS = {"AVIF", "BMP", "JPEG", "PNG", "WEBP"}
"""Formats whose plugins decode into memory that is prepared for them."""

# Pillow's own guard would raise for what our limit, checked from the header, lets through.
Image.MAX_IMAGE_PIXELS = None

_UNREAD_BMP = re.compile(
    r"Unsupported BMP (bitfields layout|pixel depth \(2\)|compression \([1-6]\))"
)
"""Pillow's messages about unusual masks, 2 bits a pixel, and compressions that it does not read."""

_BITS_TAG, _PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 258, 262, 0
_FORMAT_TAG, _UNSIGNED = 339, 1
"""What Pillow leaves out where a TIFF's grey has more than 8 bits (TIFF 6.0, sections 8 and 19)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an image may be in one deployment: ``max_pixels`` px are decoded at most."""

    max_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An upright photo.

    ``pixels`` uint8 (H, W, 3) sRGB; ``alpha`` uint8 (H, W), straight, or ``None`` without any.
    :func:`decode` makes ``pixels`` a view of four bytes for each pixel, which are copied as one
    word.
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


SizeCheck = Callable[[tuple[int, int], tuple[int, int]], None]
"""Refuses a photo by its upright width and height in px: before the cap on its size, and after."""


def decode(
    data: bytes,
    *,
    limits: Limits,
    cap_px: int | None = None,
    budget_ms: float | None = None,
    check: SizeCheck | None = None,
) -> Photo:
    """Return the photo in ``data``: upright, in sRGB, its metadata gone.

    ``cap_px`` bounds the photo's width times height; a larger one is scaled down with its ratio
    kept. ``budget_ms`` is the time that is left for the photo and all that is made of it; ``None``
    sets no limit. ``check`` is asked before the pixels are decoded. Grey of 16 bit is scaled to 8.
    Grey of 32 bit or float does not say what white is: it is the smallest of 1 (float only), 255,
    65,535, 2³¹-1 and 2³²-1 (unsigned only) that no value exceeds. A colour profile that cannot be
    read is taken as sRGB, as browsers do.
    Without one, colours are those of the code points in HEIC, AVIF and PNG, or of the gamma and
    chromaticities in PNG; see :mod:`cutout.image.named_colors`, also for HDR.

    A BMP whose alpha is 0 everywhere is opaque, as in browsers: many programs say that the fourth
    byte of a pixel is alpha, and leave it 0.

    Bytes after the end of the image are ignored. A JPEG whose last row of coded blocks (8 or 16 px)
    is damaged or missing is read, with grey there, and so are a JPEG or PNG without its end mark
    and a PNG with damaged ancillary chunks. Files that hold less of the picture are refused.

    :raises InvalidImage: the data is empty, truncated, or not an image.
    :raises UnsupportedImageFormat: the format of the image is not read.
    :raises ImageTooSmall: a side is under 2 px.
    :raises ImageTooLarge: by its header the image has more pixels than ``limits`` allow, a side
        over 65,535 px, or more than the format's decoder expands in time.
    :raises OutOfTime: by its header the image takes more time than is left; it is not decoded.
    :raises MemoryError: it needs more memory than there is.
    :raises ImportError: the deployment lacks a codec that it should have.
    :raises CutoutError: what ``check`` raises.
    """
    pillow_format = pillow_format_of(data)
    if pillow_format == "HEIF":
        _register_heif()
    elif pillow_format == "TIFF":
        silence_libtiff()
    elif not _CODECS.get(pillow_format, True):
        raise ImportError(f"Pillow lacks its codec for {pillow_format}")
    with warnings.catch_warnings():  # Pillow warns of odd metadata, which is dropped anyway
        warnings.simplefilter("ignore")
        with _damage_told(pillow_format):
            file = read_structure(data, pillow_format, max_pixels=limits.max_pixels)
        return _decode(file, limits, cap_px, budget_ms, check)


@contextmanager
def _damage_told(pillow_format: str) -> Iterator[None]:
    """Tell what the parsers of a file raise as damage of the file.

    They stumble over it in any way, from ``struct.error`` to ``TypeError``. So does a fault of our
    own, which is why nothing that does not read the file belongs in here.

    :raises InvalidImage: the parsers raised something.
    """
    try:
        yield
    except (CutoutError, MemoryError, ImportError):
        raise  # neither too little memory nor a missing codec is a fault of the file
    except Exception as error:
        raise InvalidImage(reason=f"it is a damaged or truncated {pillow_format} file") from error


def _decode(
    file: Structure,
    limits: Limits,
    cap_px: int | None,
    budget_ms: float | None,
    check: SizeCheck | None,
) -> Photo:
    """Return the photo in a file of sound structure; see :func:`decode`."""
    with _damage_told(file.pillow_format):
        with memory_shortage_told(file.size_px):  # WebP's decoder begins here
            opened = _opened(file)
        orientation = file.orientation
        if orientation is None:
            orientation = orientation_of(opened.info.get("exif") or b"")
    with opened as image:
        check_size(*image.size, max_pixels=limits.max_pixels)  # a GIF's frame can pass its screen
        width, height = image.size
        size = capped(width, height, cap_px)
        whole, kept = (width, height), size
        if is_sideways(orientation):
            whole, kept = whole[::-1], kept[::-1]
        if check is not None:
            check(whole, kept)
        check_time(file.pillow_format, width * height, math.prod(size), budget_ms)
        with _damage_told(file.pillow_format):
            box = _box_of_draft(image, file, size)
            words = decoded_into(image) if _fits_words(image) else None
            framed = _alpha_of_frame(image)
            with memory_shortage_told(width * height):
                image.load()
            if file.jpeg is not None and (
                not file.jpeg.is_complete or is_filler(_last_pixel(image))
            ):
                check_rows(file.jpeg)
            keyed = _alpha_of_deep_key(image, file)
            pixels, alpha = _converted(image, words, file.profile)
    if alpha is None:
        alpha = framed if keyed is None else keyed
    elif file.pillow_format == "BMP" and not alpha.any():
        alpha = None
    if pixels.shape[1::-1] != size:
        pixels, alpha = scaled_down(pixels, alpha, size, box)
    return Photo(
        pixels=upright(pixels, orientation)[..., :3],
        alpha=None if alpha is None else upright(alpha, orientation),
        original_size=None if kept == whole else whole,
    )


def _opened(file: Structure) -> Image.Image:
    """Return the image, whose pixels are not decoded yet.

    :raises UnsupportedImageFormat: it is a TIFF or a BMP of a kind that Pillow does not read.
    """
    try:
        image = Image.open(io.BytesIO(file.data), formats=(file.pillow_format,))
    except UnidentifiedImageError:
        if file.tiff is None or file.tiff.is_cut:  # Pillow reads no tag behind one that is cut off
            raise
        raise UnsupportedImageFormat(found=file.tiff.kind) from None
    except OSError as error:
        if _UNREAD_BMP.match(str(error)):
            found = "a BMP whose pixels are stored in a rare way"
            raise UnsupportedImageFormat(found=found) from None
        raise
    # While it decodes a TIFF without an orientation, Pillow would turn the picture as its XMP says,
    # which nothing else here does, and the size that was read before would be another one.
    image.info.pop("xmp", None)
    return image


def _box_of_draft(
    image: Image.Image, file: Structure, size: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 where that is enough for ``size``, in px.

    The last pixels are then partly outside the photo, whose box in them is returned. ``None`` is
    returned where that cannot be: of a lossless JPEG, and of other formats.
    """
    if file.jpeg is None or file.jpeg.is_lossless:
        return None
    drafted = image.draft(None, size)
    return None if drafted is None else drafted[1]


def _fits_words(image: Image.Image) -> bool:
    """Tell whether an image can be decoded into words of RGB and a fourth byte.

    A file without any compressed data cannot: Pillow refuses it only where it makes the memory
    itself.
    """
    has_key = "transparency" in image.info  # one colour that is transparent
    is_colour = image.mode in {"RGB", "RGBA"} and not has_key
    return image.format in _INTO_WORDS and is_colour and bool(getattr(image, "tile", ()))


def _alpha_of_frame(image: Image.Image) -> NDArray[np.uint8] | None:
    """Return the alpha, (H, W), of a GIF whose first frame is not the whole screen, else ``None``.

    Browsers show what is outside the frame as transparent. Pillow does that too where the frame has
    a transparent colour; where it has none, Pillow paints the first colour of the palette there.
    The image is not loaded yet.
    """
    extents = image.tile[0].extents if isinstance(image, _Gif.GifImageFile) else None
    if extents is None or extents == (0, 0, *image.size):
        return None
    left, top, right, bottom = extents
    alpha = np.zeros((image.height, image.width), np.uint8)
    alpha[top:bottom, left:right] = OPAQUE
    return alpha


def _alpha_of_deep_key(image: Image.Image, file: Structure) -> NDArray[np.uint8] | None:
    """Return the alpha, (H, W), of a PNG of 16 bits in which one colour is transparent, else None.

    Only pixels of which both bytes of each sample are the colour's are transparent (ISO/IEC 15948,
    11.3.2.1). Pillow keeps the high bytes alone, so the file is decoded once more for the low ones.
    The image is loaded, and its transparent colour is told here and nowhere else.
    """
    is_deep = image.format == "PNG" and image.mode == "RGB" and file.data[24] == 16  # noqa: PLR2004 - bits
    if not is_deep or "transparency" not in image.info:
        return None
    key = image.info.pop("transparency")
    low = _opened(file)
    # Read in the other order of bytes, the low byte of a sample is the high one.
    low.tile = [part._replace(args="RGB;16L") for part in low.tile]  # type: ignore[attr-defined]
    with memory_shortage_told(image.width * image.height):
        low.load()
    is_key = np.ones((image.height, image.width), np.bool_)
    for channel, value in enumerate(key):
        is_key &= np.asarray(image.getchannel(channel)) == value >> 8
        is_key &= np.asarray(low.getchannel(channel)) == value & 0xFF
    return np.where(is_key, np.uint8(0), np.uint8(OPAQUE))


def _last_pixel(image: Image.Image) -> bytes:
    last = image.crop((image.width - 1, image.height - 1, image.width, image.height))
    return last.tobytes()[: len(image.getbands())]


def _converted(
    image: Image.Image, words: NDArray[np.uint8] | None, named: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return words, (H, W, 4), of a loaded image in sRGB, and its alpha where it has any.

    ``words`` is the memory into which it was decoded, and ``named`` the profile of what has none of
    its own.
    """
    profile = image.info.get("icc_profile") or named
    alpha = None
    if words is not None:
        alpha = np.ascontiguousarray(words[..., 3]) if image.mode == "RGBA" else None
        return in_srgb(words, profile), alpha
    # Pillow converts La, a TIFF's premultiplied grey, to nothing but LA. Grey with one transparent
    # value stays grey, since its profile is one of grey.
    if image.mode == "La" or (image.mode in {"1", "L"} and image.has_transparency_data):
        image = image.convert("LA")
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        grey, alpha = _eight_bit(image)
        return grey_in_srgb(grey, profile), alpha
    if image.mode == "LA":
        image, alpha = image.getchannel("L"), pixels_of(image.getchannel("A"))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = pixels_of(image.getchannel("A"))
    if image.mode == "L":
        return grey_in_srgb(pixels_of(image), profile), alpha
    if image.mode == "CMYK":
        return inks_in_srgb(pixels_of(image), profile), alpha
    if image.mode != "RGB":  # Pillow would copy one that is RGB already
        image = image.convert("RGB")
    return in_srgb(pixels_of(image), profile), alpha


def _eight_bit(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return deep grey in 8 bits, and the alpha of PNG's one transparent value where it has one."""
    tags = getattr(image, "tag_v2", {})  # a TIFF's
    is_unsigned = tags.get(_FORMAT_TAG, (_UNSIGNED,))[0] == _UNSIGNED
    kinds = {"I": np.uint32 if is_unsigned else np.int32, "F": np.float32}
    values: NDArray[Any] = np.empty((image.height, image.width), kinds.get(image.mode, np.uint16))
    for rows in strip_rows(*values.shape):  # Pillow's copy of the whole takes twice the memory
        values[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    grey = grey_of_8_bits(
        values,
        white=None if image.mode in kinds else 2.0 ** tags.get(_BITS_TAG, (16,))[0] - 1,
        is_negative=tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO,
    )
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey, None
    return grey, np.where(values == transparent, np.uint8(0), np.uint8(OPAQUE))


def _register_heif() -> None:
    """Make Pillow read HEIF, which not every deployment can, at the first HEIF image.

    :raises HeicNotDeployed: this one cannot.
    """
    try:
        import pillow_heif  # noqa: PLC0415 - an optional layer, and 20 ms of cold start
    except ImportError:
        raise HeicNotDeployed from None
    pillow_heif.register_heif_opener(thumbnails=False)
