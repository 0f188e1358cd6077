"""``Cutout`` + ``Options`` → :class:`ImageFile`: one table of formats."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutout.errors import InvalidOption
from cutout.image.compose import Cutout
from cutout.image.gif import write_gif
from cutout.image.hidden import hidden_filled
from cutout.image.memory import check_memory
from cutout.image.png import write_png
from cutout.image.rgba import is_opaque, packed
from cutout.image.shared import file_of, image_giving, image_of
from cutout.image.tiff_file import write_tiff
from cutout.image.webp import COLOUR_METHOD, write_webp
from cutout.options import Channels, Format, Options

# Near the encoder's fastest: its default, 6, takes four times longer for 10 % fewer bytes on a
# cutout of 12 MP.
_AVIF_SPEED = 9
# An option of libaom, the encoder, for alpha alone. Alpha of the colours' quality shows a haze of
# the removed background and makes the subject translucent: in tests/data/photo.jpg at quality 50, a
# twentieth of the transparent pixels become visible, with alpha up to 34. Exact alpha takes 3 to
# 19 % more bytes at quality 90.
_AVIF_EXACT_ALPHA = {"alpha:lossless": "1"}
_FULL_CHROMA_QUALITY = 90  # from here on JPEG keeps chroma at full resolution: clean edges


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFile:
    """An encoded result: ``format`` is the real one, never ``auto``; sizes in px."""

    body: bytes
    format: Format
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One row of the table: ``write`` takes uint8 (H, W, 4), straight alpha, and the quality.

    All alpha is 255 for a format that has none (``Format.has_alpha``).
    """

    media_type: str
    write: Callable[[NDArray[np.uint8], int], bytes]
    max_side_px: int


def encode(cutout: Cutout, options: Options) -> ImageFile:
    """Return the cutout in the format that ``options`` ask for.

    :raises InvalidOption: ``invalid_format``, a side is longer than the format can hold.
    """
    pixels = cutout.pixels
    height, width = pixels.shape[:2]
    chosen = _chosen_format(pixels, options)
    _refuse_long_sides(width, height, chosen)
    if options.channels is Channels.ALPHA:
        body = write_png(pixels[..., 3:])
    else:
        body = CODECS[chosen].write(pixels, options.quality)
    return ImageFile(
        body=body,
        format=chosen,
        media_type=CODECS[chosen].media_type,
        width=width,
        height=height,
    )


def longest_side_px(cutout: Cutout, options: Options) -> int:
    """Return the longest side that the format of the file can hold, in px."""
    return CODECS[_chosen_format(cutout.pixels, options)].max_side_px


def _chosen_format(pixels: NDArray[np.uint8], options: Options) -> Format:
    """Return the format of the file: the matte is a PNG, and ``auto`` depends on the pixels."""
    if options.channels is Channels.ALPHA:
        return Format.PNG
    if options.format is Format.AUTO:
        return Format.JPG if is_opaque(pixels) else Format.PNG
    return options.format


def check_sides(width: int, height: int, options: Options) -> None:
    """Refuse a photo, in px, whose result the format cannot hold, before any work is done.

    What depends on the subject (``crop``, ``auto``) is left to :func:`encode`.

    :raises InvalidOption: ``invalid_format``.
    """
    if options.channels is Channels.RGBA and not options.crop and options.format is not Format.AUTO:
        _refuse_long_sides(width, height, options.format)


def _refuse_long_sides(width: int, height: int, chosen: Format) -> None:
    """Refuse sides that a format cannot hold.

    :raises InvalidOption: ``invalid_format``.
    """
    limit = CODECS[chosen].max_side_px
    if max(width, height) > limit:
        raise InvalidOption(
            option="format",
            accepted=f"one that holds {width}x{height} px, such as png: {chosen} ends at "
            f"{limit} px a side",
        )


def _png(pixels: NDArray[np.uint8], _: int) -> bytes:
    return write_png(pixels[..., :3] if is_opaque(pixels) else pixels)


def _jpg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    subsampling = "4:4:4" if quality >= _FULL_CHROMA_QUALITY else "4:2:0"
    return file_of(image_of(pixels), "JPEG", quality=quality, subsampling=subsampling)


def _webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    if is_opaque(pixels):
        return file_of(image_of(pixels), "WEBP", quality=quality, method=COLOUR_METHOD)
    return write_webp(pixels, quality)


def _avif(pixels: NDArray[np.uint8], quality: int) -> bytes:
    check_memory(pixels.shape[0] * pixels.shape[1])  # libaom crashes where it gets too little
    with packed(pixels) if is_opaque(pixels) else hidden_filled(pixels) as given:
        return file_of(
            image_giving(given),
            "AVIF",
            quality=quality,
            speed=_AVIF_SPEED,
            advanced=_AVIF_EXACT_ALPHA,
        )


def _bmp(pixels: NDArray[np.uint8], _: int) -> bytes:
    return file_of(image_of(pixels).convert("RGB"), "BMP")


def _gif(pixels: NDArray[np.uint8], _: int) -> bytes:
    return write_gif(pixels)


def _tiff(pixels: NDArray[np.uint8], _: int) -> bytes:
    return write_tiff(pixels[..., :3] if is_opaque(pixels) else pixels)


def _zip(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return a zip of color.jpg and alpha.png, the same bytes for the same pixels."""
    with io.BytesIO() as file:
        # Both files are compressed already.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            color = _jpg(pixels, quality)
            for name, body in (("color.jpg", color), ("alpha.png", write_png(pixels[..., 3:]))):
                # ZipInfo's default date, 1980-01-01, instead of the clock's
                archive.writestr(zipfile.ZipInfo(name), body)
        return file.getvalue()


_ANY_SIDE_PX = 1 << 31
CODECS = {
    Format.PNG: Codec(media_type="image/png", write=_png, max_side_px=_ANY_SIDE_PX),
    Format.JPG: Codec(media_type="image/jpeg", write=_jpg, max_side_px=65_500),
    Format.WEBP: Codec(media_type="image/webp", write=_webp, max_side_px=16_383),
    Format.AVIF: Codec(media_type="image/avif", write=_avif, max_side_px=32_768),
    Format.BMP: Codec(media_type="image/bmp", write=_bmp, max_side_px=_ANY_SIDE_PX),
    Format.GIF: Codec(media_type="image/gif", write=_gif, max_side_px=65_535),
    Format.TIFF: Codec(media_type="image/tiff", write=_tiff, max_side_px=_ANY_SIDE_PX),
    Format.ZIP: Codec(media_type="application/zip", write=_zip, max_side_px=65_500),
}
"""Each format that is a file; ``auto`` chooses among them."""
