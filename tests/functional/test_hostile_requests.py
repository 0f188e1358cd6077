"""Requests that are made to cost time or memory: each is refused, or answered, within bounds.

What hostile images cost is in ``test_bombs`` and ``test_hostile_files``.
"""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest
from client import ANY_PAYLOAD, Client, Content
from PIL import Image

from image_files import encoded

MAX_CPU_S, MAX_MEMORY_BYTES = 5.0, 200_000_000
"""Bounds of what a request takes besides its image; the function has 1,769 MB and one processor."""

WHOLE_BYTES = 4_000_000


def multipart(*parts: bytes) -> Content:
    """Return a multipart body with the boundary ``x``."""
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return Content(body=body, content_type="multipart/form-data; boundary=x")


def part(name: bytes, content: bytes, more: bytes = b"") -> bytes:
    """Return a part."""
    return b'Content-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + content


def json_body(text: str) -> Content:
    """Return a JSON body."""
    return Content(body=text.encode(errors="surrogatepass"), content_type="application/json")


PHOTO = encoded(Image.new("RGB", (16, 16), (200, 90, 40)))
FILE = part(b"image_file", PHOTO, b'; filename="a.png"')
INSIDE = b"\r\n--y\r\n-x--\r\n--"

REQUESTS: dict[str, tuple[Callable[[], Content], str]] = {
    "10,000 parts": (
        lambda: multipart(FILE, *[part(b"a%d" % n, b"1") for n in range(10_000)]),
        "invalid_multipart",
    ),
    "a part of endless headers": (
        lambda: multipart(part(b"a", b"1", b"\r\nX-A: b" * (WHOLE_BYTES // 8))),
        "invalid_multipart",
    ),
    "one endless header": (
        lambda: multipart(part(b"a", b"1", b"\r\nX-A: " + b"b" * WHOLE_BYTES)),
        "invalid_multipart",
    ),
    "headers without an end": (
        lambda: Content(
            body=b"--x\r\n" + b"X-A: b\r\n" * (WHOLE_BYTES // 8),
            content_type="multipart/form-data; boundary=x",
        ),
        "invalid_multipart",
    ),
    "nothing but boundaries": (
        lambda: Content(
            body=b"--x\r\n" * (WHOLE_BYTES // 5), content_type="multipart/form-data; boundary=x"
        ),
        "invalid_multipart",
    ),
    "what only begins like a boundary, in the file": (
        lambda: multipart(part(b"image_file", PHOTO + INSIDE * 100_000, b'; filename="a"')),
        "",
    ),
    "the boundary itself in the file": (
        lambda: multipart(
            part(b"image_file", PHOTO[:40] + b"\r\n--x\r\n" + PHOTO[40:], b'; filename="a"')
        ),
        "invalid_multipart",
    ),
    "JSON, a million levels deep": (
        lambda: json_body('{"a":' * 500_000 + "[" * 500_000),
        "invalid_json",
    ),
    "JSON of a million fields": (
        lambda: json_body("{" + ",".join(f'"{n}":1' for n in range(400_000)) + "}"),
        "missing_image",
    ),
    "a number of a million digits": (
        lambda: json_body('{"quality":' + "9" * 1_000_000 + "}"),
        "invalid_json",
    ),
    "surrogates and NUL in names and values": (
        lambda: json_body(r'{"\ud800\u0000": "\udfff", "bg_color": "\ud800\u0000"}'),
        "invalid_bg_color",
    ),
    "half a surrogate pair, raw": (
        lambda: json_body('{"image_base64": "\ud800"}'),
        "invalid_base64",
    ),
    "a form of a million fields": (
        lambda: Content(
            body=b"a=1&" * (WHOLE_BYTES // 4), content_type="application/x-www-form-urlencoded"
        ),
        "invalid_form",
    ),
    "a form of nothing but percent signs": (
        lambda: Content(
            body=b"a=" + b"%" * WHOLE_BYTES, content_type="application/x-www-form-urlencoded"
        ),
        "invalid_form",
    ),
    "a form of as many percent signs as are read": (
        lambda: Content(
            body=b"a=" + b"%" * 500_000, content_type="application/x-www-form-urlencoded"
        ),
        "missing_image",
    ),
    "base64 that is nothing but white space": (
        lambda: json_body('{"image_base64": "' + " " * WHOLE_BYTES + '"}'),
        "invalid_image",
    ),
    "a content type of many parameters": (
        lambda: Content(body=b"x", content_type="image/png" + "; a=b" * 1_800),
        "invalid_image",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
@ANY_PAYLOAD
def test_a_hostile_request(client: Client, name: str) -> None:
    """It ends as the table says, within the bounds."""
    build, code = REQUESTS[name]
    content = build()
    start = time.process_time()
    reply = client.post("/v2?format=jpg", **content)
    seconds = time.process_time() - start
    tracemalloc.start()  # a second time, since it makes what it watches several times slower
    try:
        client.post("/v2?format=jpg", **content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (reply.error()["code"] if reply.status != 200 else "") == code
    assert seconds < MAX_CPU_S
    assert most < MAX_MEMORY_BYTES
    assert len(json.dumps(dict(reply.headers))) < 10_000  # API Gateway refuses more
