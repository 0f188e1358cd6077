"""Valid inputs, from which the fuzzers begin: photographs in every format, bodies, whole events."""

import base64
import hashlib
import json
from collections.abc import Iterator

import skimage.data
from heif_files import wide
from PIL import Image

from cutout.options import OPTIONS
from image_files import encoded, exif_of, heic_of
from make_events import EVENTS, PHOTO_ETAG

PICTURE = Image.fromarray(skimage.data.astronaut()).resize((48, 40))


def saved(pillow_format: str, image: Image.Image = PICTURE, **settings: object) -> bytes:
    """Return an image as a file."""
    return encoded(image, pillow_format, **settings)


def images() -> dict[str, bytes]:
    """Return the picture in every format, and in the variants that take other ways through them."""
    exif = exif_of(6)
    turned = [PICTURE.rotate(90)]
    runs = saved("BMP", PICTURE.quantize(16))
    return {
        "jpeg": saved("JPEG", exif=exif),
        "jpeg, progressive": saved("JPEG", progressive=True),
        "jpeg, restarts": saved("JPEG", restart_marker_blocks=2),
        "jpeg, cmyk": saved("JPEG", PICTURE.convert("CMYK")),
        "png": saved("PNG", exif=exif),
        "png, palette": saved("PNG", PICTURE.quantize(16), transparency=3),
        "png, animated": saved("PNG", save_all=True, append_images=turned),
        "webp": saved("WEBP", exif=exif),
        "webp, animated": saved("WEBP", save_all=True, append_images=turned),
        "gif": saved("GIF", save_all=True, append_images=turned),
        "bmp": saved("BMP"),
        "bmp, runs": runs.replace(b"\x08\0\0\0\0\0", b"\x08\0\1\0\0\0", 1),
        "tiff": saved("TIFF", exif=exif),
        "tiff, lzw": saved("TIFF", compression="tiff_lzw"),
        "tiff, jpeg": saved("TIFF", compression="jpeg"),
        "tiff, float": saved("TIFF", PICTURE.convert("F")),
        "avif": saved("AVIF", exif=exif),
        "avif, animated": saved("AVIF", save_all=True, append_images=turned),
        "heic": heic_of(PICTURE),
        "heic, tiles and alpha": wide("HEIF"),
    }


SMALL = saved("PNG", PICTURE.resize((8, 8)))
ETAG = hashlib.md5(SMALL, usedforsecurity=False).hexdigest()


def events(*kinds: str) -> Iterator[bytes]:
    """Yield the sample events whose names begin so, with a body of some 300 bytes at most.

    A small PNG takes the place of longer bodies, so that mutation meets the rest of the event, and
    its ETag that of the samples.
    """
    small = base64.b64encode(SMALL).decode()
    for path in sorted(EVENTS.glob("*.json")):
        if path.name.startswith(kinds):
            event = json.loads(path.read_text(encoding="utf-8"))
            if len(event.get("body") or "") > 2_000:
                event |= {"body": small, "isBase64Encoded": True}
            yield json.dumps(event).replace(PHOTO_ETAG, ETAG).encode()


def bodies() -> Iterator[bytes]:
    """Yield a content type, a line feed and a body, of every kind."""
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + SMALL + b"\r\n--x\r\nContent-Disposition: form-data; "
        b'name="bg_color"\r\nContent-Transfer-Encoding: base64\r\n\r\nd2hpdGU=\r\n--x--\r\n'
    )
    document = {"image_base64": base64.b64encode(SMALL).decode(), "bg_color": "white", "roi": None}
    yield b"multipart/form-data; boundary=x\n" + parts
    yield b"application/json\n" + json.dumps(document).encode()
    yield b"application/x-www-form-urlencoded\nimage_base64=AAAA&bg_color=%23fff&size=hd"
    yield b"image/png\n" + SMALL
    yield b"\n"


def options() -> Iterator[bytes]:
    """Yield fields as JSON: pairs of names and values of every type."""
    yield json.dumps([[option.name, "1"] for option in OPTIONS]).encode()
    yield b'[["format","webp"],["bg_color","#fff8"],["roi","1 2 30% 40%"],["crop",true]]'
    yield b'[["quality",80],["scale","50%"],["position","10% 20%"],["crop_margin","10px 5%"]]'


def colors() -> Iterator[bytes]:
    """Yield colours in every notation."""
    yield from (b"white", b"#fff", b"81d4fa80", b"rgb(1, 2, 3)", b"rgba(1,2,3,0.5)", b"transparent")
