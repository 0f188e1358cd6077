"""Requests as the HTTP libraries of remove.bg's clients write them, byte for byte.

Go's ``mime/multipart``, Ruby's Faraday, PHP's Guzzle and Node's superagent each have headers,
boundaries and an order of their own. The clients are remove.bg's for Go, Ruby and Node, and
``mtownsend/remove-bg`` for PHP.
"""

import base64
import io
import zipfile
from urllib.parse import urlencode

from client import ANY_PAYLOAD, Client, HttpReply
from PIL import Image

from make_events import PHOTO

JPEG = PHOTO.read_bytes()
ROUTE = "/v1.0/removebg"
Part = tuple[bytes, bytes]
"""The lines of a part's head, and its content."""


def post(client: Client, boundary: str, parts: list[Part], **headers: str) -> HttpReply:
    """Send a multipart body of these parts."""
    line = b"--" + boundary.encode()
    body = b"".join(line + b"\r\n" + head + b"\r\n\r\n" + text + b"\r\n" for head, text in parts)
    return client.post(
        ROUTE,
        body=body + line + b"--\r\n",
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def field(name: str) -> bytes:
    """Return the line that names a field."""
    return f'Content-Disposition: form-data; name="{name}"'.encode()


def file(name: str) -> bytes:
    """Return the line that names the image's file."""
    return field("image_file") + f'; filename="{name}"'.encode()


def image(data: bytes) -> Image.Image:
    """Return a picture."""
    return Image.open(io.BytesIO(data))


@ANY_PAYLOAD
def test_go(client: Client) -> None:
    """The file first, of no type; then only the options that were given, in any order."""
    parts = [
        (file("photo.jpg") + b"\r\nContent-Type: application/octet-stream", JPEG),
        (field("bg_color"), b"81d4fa"),
        (field("size"), b"auto"),
        (field("channels"), b"rgba"),
    ]
    boundary = "b7f2d9a1c3e4f5061728394a5b6c7d8e9f00112233445566778899aabbcc"
    reply = post(client, boundary, parts, User_Agent="Go-http-client/1.1", Accept_Encoding="gzip")
    assert reply.status == 200
    assert image(reply.body).format == "JPEG"  # every pixel is opaque
    assert image(reply.body).size == (320, 320)


@ANY_PAYLOAD
def test_ruby(client: Client) -> None:
    """The options first, and a file with a length and an encoding; a PNG is asked for as ZIP."""
    head = f"\r\nContent-Length: {len(JPEG)}\r\nContent-Type: image/jpeg".encode()
    parts = [
        (field("size"), b"auto"),
        (field("format"), b"zip"),
        (file("photo.jpg") + head + b"\r\nContent-Transfer-Encoding: binary", JPEG),
    ]
    boundary = "-----------RubyMultipartPost-0123456789abcdef0123456789abcdef"
    reply = post(client, boundary, parts, User_Agent="remove-bg-ruby-2.0.0", Accept="*/*")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]
        assert image(archive.read("alpha.png")).size == image(archive.read("color.jpg")).size
    assert reply.headers["x-type"] == "other"
    for name in ("x-width", "x-height", "x-credits-charged", "x-ratelimit-reset"):
        assert reply.headers[name].isdecimal()


@ANY_PAYLOAD
def test_ruby_without_a_file(client: Client) -> None:
    """Without a file Faraday sends a form; its client shows the first error's title."""
    reply = client.form(ROUTE, {"size": "auto", "image_url": "https://photos.example/cat.jpg"})
    (error,) = reply.json()["errors"]
    assert reply.status == 400
    assert error["title"] == "This deployment does not fetch image_url. Send the image itself."


@ANY_PAYLOAD
def test_php_with_a_file(client: Client) -> None:
    """Every part has a length; the JPEG is called a PNG in name and type."""
    head = f"\r\nContent-Length: {len(JPEG)}\r\nContent-Type: image/png".encode()
    parts = [
        (file("photo.png") + head, JPEG),
        (field("size") + b"\r\nContent-Length: 7", b"regular"),
        (field("crop") + b"\r\nContent-Length: 1", b"1"),
    ]
    boundary = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
    agent = "Mtownsend/RemoveBg (github.com/mtownsend5512/remove-bg)"
    reply = post(client, boundary, parts, User_Agent=agent)
    assert reply.status == 200
    assert image(reply.body).size == (int(reply.headers["x-width"]), int(reply.headers["x-height"]))
    assert image(reply.body).getchannel("A").getextrema()[1] == 255


@ANY_PAYLOAD
def test_php_with_base64(client: Client) -> None:
    """A form, and a reply in JSON where base64 is asked for."""
    fields = {"image_file_b64": base64.b64encode(JPEG).decode(), "size": "preview"}
    reply = client.post(
        ROUTE,
        body=urlencode(fields).encode(),
        content_type="application/x-www-form-urlencoded",
        headers={"Accept": "application/json"},
    )
    assert image(base64.b64decode(reply.json()["data"]["result_b64"])).size == (320, 320)


@ANY_PAYLOAD
def test_the_node_cli(client: Client) -> None:
    """The file first; its own defaults are written out."""
    parts = [
        (file("photo.jpg") + b"\r\nContent-Type: image/jpeg", JPEG),
        *((field(name), text) for name, text in [("size", b"auto"), ("format", b"zip")]),
        (field("type"), b"auto"),
    ]
    boundary = "--------------------------012345678901234567890123"
    reply = post(client, boundary, parts, User_Agent="remove-bg-cli-1.0.0")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/zip")
    assert zipfile.is_zipfile(io.BytesIO(reply.body))
