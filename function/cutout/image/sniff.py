"""What format a file is, told by its first bytes, never by its name or type."""

from cutout.errors import InvalidImage, UnsupportedImageFormat

_READ = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
)
_NOT_READ = (
    (b"MM\0+", "big-endian BigTIFF"),  # Pillow takes it for a TIFF, and finds nothing in it
    (b"8BPS", "PSD"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"gimp xcf", "XCF"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    *((b"P%d" % kind, "Netpbm") for kind in range(1, 7)),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_MAX_BRANDS_BYTES = 512
_SVG_WITHIN_BYTES = 1024


def pillow_format_of(data: bytes) -> str:
    """Return Pillow's name of the file's format.

    :raises InvalidImage: the file is empty, or not an image.
    :raises UnsupportedImageFormat: the format of the image is not read.
    """
    if not data:
        raise InvalidImage(reason="it is empty")
    for signature, pillow_format in _READ:
        if data.startswith(signature):
            return pillow_format
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    for signature, name in _NOT_READ:
        if data.startswith(signature):
            raise UnsupportedImageFormat(found=name)
    if b"<svg" in data[:_SVG_WITHIN_BYTES].lower():
        raise UnsupportedImageFormat(found="SVG")
    raise InvalidImage(reason="it is not in a known image format")


def _brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file (ISO/IEC 14496-12, 4.3); none for other files.

    Its first box holds the length, "ftyp", the major brand, a version and the compatible brands.
    """
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), _MAX_BRANDS_BYTES)
    return {data[8:12]} | {data[start : start + 4] for start in range(16, end, 4)}
