"""Requests of other services' clients that change only the URL; remove.bg's are in other files."""

import io

import numpy as np
import pytest
from client import ANY_PAYLOAD, Client, multipart
from PIL import Image

from make_events import PHOTO

JPEG = PHOTO.read_bytes()
AXIOS = {"Accept": "application/json, text/plain, */*"}


@pytest.mark.parametrize("headers", [{}, AXIOS, {"Accept": "image/png, application/json"}])
@ANY_PAYLOAD
def test_photoroom(client: Client, headers: dict[str, str]) -> None:
    """All fields of its reference, with their defaults written out as text."""
    fields = {"format": "png", "channels": "rgba", "size": "full", "crop": "false"}
    body = multipart(image_file=("photo.jpg", JPEG), despill="false", **fields)
    reply = client.post("/v2", headers=headers, **body)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert "x-ignored-params" not in reply.headers
    plain = client.post("/v2", **multipart(image_file=("photo.jpg", JPEG)))
    assert reply.body == plain.body


def test_rembgs_names_have_counterparts(client: Client) -> None:
    """The table of the document: a mask, a colour, and its own path is told to be elsewhere."""
    photo = ("photo.jpg", JPEG)
    mask = client.post("/v2", **multipart(image_file=photo, channels="alpha"))
    assert Image.open(io.BytesIO(mask.body)).mode == "L"
    white = client.post("/v2", **multipart(image_file=photo, bg_color="#FFFFFF"))
    corner = np.asarray(Image.open(io.BytesIO(white.body)).convert("RGBA"))[5, 40]
    assert tuple(corner) == (255, 255, 255, 255)
    refused = client.post("/v2", **multipart(file=photo))
    assert refused.status == 400
    assert refused.error()["message"].endswith(
        "A file was sent in the field file: name the field image_file."
    )
    gone = client.post("/api/remove", **multipart(file=photo))
    assert (gone.status, gone.error()["message"]) == (
        404,
        "There is nothing at this path. The main route is POST /v2.",
    )
