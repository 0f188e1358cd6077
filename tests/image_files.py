"""Images as files, as Pillow, pillow-heif and tifffile write them, and some parts of such files."""

import io
import struct
import zlib
from typing import Any

import pillow_heif
import tifffile
from numpy.typing import NDArray
from PIL import Image


def encoded(image: Image.Image, pillow_format: str = "PNG", **settings: Any) -> bytes:
    """Return an image as a file, with settings of Pillow's ``save``."""
    with io.BytesIO() as file:
        image.save(file, pillow_format, **settings)
        return file.getvalue()


def heic_of(image: Image.Image, **settings: Any) -> bytes:
    """Return an image as HEIC, with settings of pillow-heif's ``save``."""
    with io.BytesIO() as file:
        pillow_heif.from_pillow(image).save(file, **settings)
        return file.getvalue()


def exif_of(orientation: int) -> bytes:
    """Return EXIF data that holds nothing but an orientation, from 1 to 8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def tiff(values: NDArray[Any], **settings: Any) -> bytes:
    """Return the values of pixels as a TIFF, with settings of tifffile's ``imwrite``."""
    with io.BytesIO() as file:
        tifffile.imwrite(file, values, **settings)
        return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG (ISO/IEC 15948): length, kind, body and checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum
