"""remove.bg's routes, as its clients use them: the bodies that they were seen to send."""

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from client import ANY_PAYLOAD, Client, HttpReply, multipart
from conftest import deployment
from numpy.typing import NDArray
from PIL import Image

import app
from image_files import encoded
from make_events import PHOTO, clear_png

JPEG = PHOTO.read_bytes()
ROUTE = "/v1.0/removebg"
FORM = "application/x-www-form-urlencoded"


def pixels(reply: HttpReply) -> NDArray[np.uint8]:
    """Return the reply's image as RGBA."""
    assert reply.status == 200, reply.body[:500]
    return np.asarray(Image.open(io.BytesIO(reply.body)).convert("RGBA"))


def fault(reply: HttpReply) -> dict[str, Any]:
    """Return the one error of remove.bg's shape, all of whose values are text."""
    document = reply.json()
    assert list(document) == ["errors"]
    (error,) = document["errors"]
    assert list(error) == ["title", "code", "detail"]
    assert all(isinstance(value, str) for value in error.values())
    return dict(error)


def cut(client: Client, **fields: str) -> HttpReply:
    """Return the reply to the photo with these fields."""
    return client.post(ROUTE, **multipart(image_file=("a.jpg", JPEG), **fields))


@ANY_PAYLOAD
def test_what_the_node_cli_sends(client: Client) -> None:
    """Nine empty parts with every call, which are absent, the colour's too."""
    names = ("type", "roi", "crop_margin", "scale", "position", "bg_color", "bg_image_url")
    empty = dict.fromkeys((*names, "add_shadow", "semitransparency"), "")
    reply = cut(client, size="auto", format="png", channels="rgba", **empty)
    assert reply.headers["content-type"] == "image/png"
    assert pixels(reply)[..., 3].min() == 0


def test_an_empty_file_is_absent_as_any_empty_part(client: Client) -> None:
    """It may stand beside the image, and alone it is no image at all."""
    text = base64.b64encode(JPEG).decode()
    both = multipart(image_file=("a.jpg", b""), image_file_b64=text)
    assert client.post(ROUTE, **both).body == cut(client).body
    alone = client.post(ROUTE, **multipart(image_file=("a.jpg", b"")))
    assert (alone.status, fault(alone)["code"]) == (400, "missing_source")


def test_what_the_go_and_php_clients_send(client: Client) -> None:
    """A base64 form, and remove.bg's own defaults written out."""
    text = base64.b64encode(JPEG).decode()
    form = client.form(ROUTE, {"image_file_b64": text, "size": "regular"})
    spelled = cut(
        client,
        type="auto",
        type_level="1",
        roi="0 0 100% 100%",
        crop="false",
        crop_margin="0",
        scale="original",
        position="original",
        size="preview",
        add_shadow="false",
        semitransparency="true",
        format="auto",
    )
    assert form.body == spelled.body == cut(client).body


def test_numbers_of_json_mean_what_they_mean_in_a_form(client: Client) -> None:
    """JSON does not tell 1.0 from 1; another number is refused as the same text would be."""
    photo = {"image_file_b64": base64.b64encode(JPEG).decode()}
    numbers = {"type_level": 1.0, "add_shadow": 0.0, "crop": 1.0, "quality": 80.0}
    texts = {"type_level": "1", "add_shadow": "0", "crop": "1", "quality": "80"}
    cut_out = client.json(ROUTE, photo | numbers)
    assert cut_out.status == 200
    assert cut_out.body == client.form(ROUTE, photo | texts).body
    for wrong in (1.5, [1], True):
        assert fault(client.json(ROUTE, {"type_level": wrong}))["code"] == "invalid_type_level"


def test_a_margin_does_not_pass_the_size(client: Client) -> None:
    """``size`` is ``preview`` by default: at most 0.25 megapixels, and the box lies in them."""
    reply = cut(client, crop="true", crop_margin="500px", format="png")
    height, width = pixels(reply).shape[:2]
    assert 248_000 < width * height <= 250_000
    whole = cut(client, crop="true", crop_margin="500px", format="png", size="full")
    box = {name: int(reply.headers[f"x-foreground-{name}"]) for name in ("top", "left", "width")}
    factor = width / int(whole.headers["x-width"])
    assert factor < 0.5
    for name, value in box.items():
        assert abs(value - int(whole.headers[f"x-foreground-{name}"]) * factor) <= 2


@ANY_PAYLOAD
def test_the_headers_of_an_image(client: Client) -> None:
    """Clients read integers from them, so they are always there."""
    reply = cut(client)
    height, width = pixels(reply).shape[:2]
    headers = reply.headers
    assert (headers["x-width"], headers["x-height"]) == (str(width), str(height))
    assert (headers["x-type"], headers["x-credits-charged"]) == ("other", "0")
    names = [f"x-ratelimit-{name}" for name in ("limit", "remaining", "reset")]
    for name in (*names, "x-foreground-top", "x-foreground-width"):
        assert headers[name].isdecimal()
        assert name in headers["access-control-expose-headers"].lower()


def test_the_default_format_is_auto_and_the_size_a_preview(client: Client) -> None:
    """An opaque result is a JPEG; a large photo is capped at 0.25 MP."""
    large = Image.open(io.BytesIO(JPEG)).resize((1000, 1000))
    data = encoded(large, "JPEG")
    reply = client.post(ROUTE, **multipart(image_file=("a.jpg", data), bg_color="white"))
    assert reply.headers["content-type"] == "image/jpeg"
    assert pixels(reply).shape[:2] == (500, 500)


@ANY_PAYLOAD
def test_the_json_reply(client: Client) -> None:
    """Where a client accepts nothing but JSON."""
    request = multipart(image_file=("a.jpg", JPEG))
    reply = client.post(ROUTE, headers={"Accept": "application/json"}, **request)
    data = reply.json()["data"]
    assert list(reply.json()) == ["data"]
    sides = ["foreground_top", "foreground_left", "foreground_width", "foreground_height"]
    assert list(data) == ["result_b64", *sides]
    assert base64.b64decode(data["result_b64"]) == cut(client).body
    assert reply.headers["x-credits-charged"] == "0"


@pytest.mark.parametrize(
    ("color", "rgba"),
    [
        ("81d4fa", (0x81, 0xD4, 0xFA, 255)),
        ("#ff0000", (255, 0, 0, 255)),
        ("#F008", (255, 0, 0, 0x88)),
        ("81d4fa77", (0x81, 0xD4, 0xFA, 0x77)),
        ("#FFFFFF00", (0, 0, 0, 0)),
        ("green", (0, 128, 0, 255)),
    ],
)
def test_a_background_colour_and_its_alpha(
    client: Client, color: str, rgba: tuple[int, int, int, int]
) -> None:
    """With an alpha the background is as translucent as the colour, and the subject is opaque."""
    image = pixels(cut(client, bg_color=color, format="png"))
    assert tuple(image[5, 40]) == rgba
    assert image[120, 140, 3] == 255


def test_a_translucent_colour_on_a_format_without_alpha(client: Client) -> None:
    """It is laid over white: half of red is pink."""
    image = pixels(cut(client, bg_color="#FF000080", format="bmp"))
    assert tuple(image[5, 40]) == (255, 127, 127, 255)


def test_without_semitransparency_alpha_is_hard(client: Client) -> None:
    """Divided at one half; colour is 0 where alpha is 0."""
    soft = pixels(cut(client, format="png"))
    hard = pixels(cut(client, format="png", semitransparency="false"))
    assert set(np.unique(hard[..., 3])) == {0, 255}
    assert np.array_equal(hard[..., 3] == 255, soft[..., 3] >= 128)
    assert not hard[hard[..., 3] == 0].any()
    small = pixels(cut(client, format="png", semitransparency="false", scale="50%"))
    assert set(np.unique(small[..., 3])) == {0, 255}
    assert not small[small[..., 3] == 0].any()


def test_add_shadow_is_the_shadow_type_drop(client: Client) -> None:
    """Unless the type is given."""
    drop = cut(client, shadow_type="drop")
    assert drop.body != cut(client).body
    assert cut(client, add_shadow="true").body == drop.body
    assert cut(client, add_shadow="true", shadow_type="none").body == cut(client).body


def test_fields_that_have_no_meaning_are_ignored(client: Client) -> None:
    """They are named in the header, and how a result travels cannot be chosen."""
    reply = cut(client, response="url", colour="red")
    assert reply.body == cut(client).body
    assert reply.headers["x-ignored-params"] == "colour,response"


@pytest.mark.parametrize(
    ("fields", "code", "detail"),
    [
        ({"bg_color": "bluish"}, "invalid_bg_color", "a valid hex or named color"),
        ({"bg_color": "#12345"}, "invalid_bg_color", "a valid hex or named color"),
        ({"add_shadow": "maybe"}, "invalid_add_shadow", "true or false"),
        ({"type_level": "9"}, "invalid_type_level", "one of none, latest, 1, 2"),
        ({"quality": "0"}, "invalid_quality", "an integer from 1 to 100"),
    ],
)
@ANY_PAYLOAD
def test_a_value_that_is_not_accepted(
    client: Client, fields: dict[str, str], code: str, detail: str
) -> None:
    """400, in remove.bg's shape."""
    reply = cut(client, **fields)
    assert reply.status == 400
    told = fault(reply)
    assert (told["code"], told["detail"]) == (code, detail)
    assert told["title"].endswith(f"must be {detail}.")


@ANY_PAYLOAD
def test_faults_of_the_image_are_all_400(client: Client) -> None:
    """With remove.bg's codes where it has one."""
    body = multipart(format="png")
    assert fault(client.post(ROUTE, **body))["code"] == "missing_source"
    expected = {
        b"nothing": "failed_to_read_image",
        JPEG[:2000]: "failed_to_read_image",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>': "invalid_file_type",
        clear_png(64, 64): "unknown_foreground",
    }
    for data, code in expected.items():
        reply = client.post(ROUTE, **multipart(image_file=("a.jpg", data)))
        assert (reply.status, fault(reply)["code"]) == (400, code)
    large = client.post(ROUTE, body=bytes(4_700_000), content_type="image/jpeg")
    assert (large.status, fault(large)["code"]) == (400, "file_too_large")
    text = client.post(ROUTE, body=b"cat", content_type="text/plain")
    assert (text.status, fault(text)["code"]) == (400, "unsupported_media_type")


FILE_OR_TEXT = "image_file (multipart/form-data) or image_file_b64"
SENT_AS_TEXT = (
    "image_file was sent as text: send it as a file part of multipart/form-data, or its base64 as"
    " image_file_b64."
)


@pytest.mark.parametrize(
    ("fields", "code", "title", "detail"),
    [
        (
            {"image_key": "incoming/x"},
            "missing_source",
            f"No image was sent. Send {FILE_OR_TEXT}.",
            FILE_OR_TEXT,
        ),
        (
            {"image_file": "/9j/"},
            "missing_source",
            f"No image was sent. Send {FILE_OR_TEXT}. {SENT_AS_TEXT}",
            FILE_OR_TEXT,
        ),
        (
            {"image_file_b64": "/9j/", "image_url": "https://a.example/b.jpg"},
            "multiple_sources",
            "Exactly one image source is accepted, but image_file_b64 and image_url were sent.",
            f"one of {FILE_OR_TEXT}",
        ),
        (
            {"image_file_b64": "!"},
            "invalid_base64",
            "image_file_b64 must be base64 (RFC 4648), with or without a data:…;base64, prefix.",
            "",
        ),
        (
            {"image_url": "https://a.example/b.jpg"},
            "image_url_disabled",
            "This deployment does not fetch image_url. Send the image itself.",
            "the image itself, as a file or as base64",
        ),
    ],
)
def test_messages_name_what_this_route_and_this_deployment_have(
    client: Client, fields: dict[str, str], code: str, title: str, detail: str
) -> None:
    """Fields of remove.bg, and no URL where none is fetched."""
    reply = client.form(ROUTE, fields)
    assert reply.status == 400
    assert fault(reply) == {"title": title, "code": code, "detail": detail}


def test_base64_where_the_image_itself_belongs(client: Client) -> None:
    """The message names remove.bg's field for it, which is the one of its reference."""
    text = base64.b64encode(JPEG)
    for reply in (
        client.post(ROUTE, **multipart(image_file=("a.jpg", text))),
        client.post(ROUTE, body=text, content_type="image/jpeg"),
    ):
        assert fault(reply)["code"] == "failed_to_read_image"
        assert fault(reply)["title"] == (
            "The image cannot be read: it is base64 text. Send that in the field image_file_b64."
            " Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
        )


def test_where_urls_are_fetched_they_are_offered() -> None:
    """By the message about a missing image."""
    settings = replace(app.settings, fetch_urls=True)
    client = Client(deployment(app.remover, settings))
    told = fault(client.form(ROUTE, {}))
    assert told["detail"] == "image_file (multipart/form-data), image_file_b64 or image_url"


def test_a_background_that_is_refused_is_told_what_is_accepted(client: Client) -> None:
    """Of a photo the same fault has the same detail: the formats, the size, or the kind of URL."""
    formats = "jpeg, png, webp, gif, bmp, tiff, avif, heic"
    narrow = encoded(Image.new("RGB", (1, 9)))
    photo = ("a.jpg", JPEG)
    for data, detail in ((b"%PDF-1.7", formats), (narrow, "sides of at least 2 px")):
        behind = multipart(image_file=photo, bg_image_file=("b.png", data))
        told = fault(client.post(ROUTE, **behind))
        assert (told["code"], told["detail"]) == ("invalid_bg_image", detail)
    fetching = Client(deployment(app.remover, replace(app.settings, fetch_urls=True)))
    told = fault(cut(fetching, bg_image_url="http://10.0.0.1/b.jpg"))
    detail = "an http or https URL of a public host"
    assert (told["code"], told["detail"]) == ("invalid_bg_image", detail)


def test_a_side_that_the_format_cannot_hold_is_scaled_down(client: Client) -> None:
    """As a file that is too large for the reply is; WebP ends at 16,383 px."""
    data = encoded(Image.new("RGB", (16_400, 16)))
    fields = {"size": "full", "format": "webp", "bg_color": "white", "on_empty": "image"}
    reply = client.post(ROUTE, **multipart(image_file=("a.png", data), **fields))
    assert pixels(reply).shape[:2] == (
        int(reply.headers["x-height"]),
        int(reply.headers["x-width"]),
    )
    scale = float(reply.headers["x-result-scale"])
    assert round(16_400 * scale) == int(reply.headers["x-width"]) <= 16_383
    same = {"body": data, "content_type": "image/png"}
    fit = client.post("/v2?format=webp&bg_color=white&response=fit", **same)
    assert (fit.status, fit.headers["x-width"]) == (200, reply.headers["x-width"])
    refused = client.post("/v2?format=webp&bg_color=white", **same)
    assert (refused.status, refused.error()["code"]) == (400, "invalid_format")


@ANY_PAYLOAD
def test_the_key_comes_in_three_ways(client: Client) -> None:
    """In its header, as a bearer's token, or as a field of any body."""
    image = multipart(image_file=("a.jpg", JPEG))
    field = multipart(image_file=("a.jpg", JPEG), api_key="local")
    empty = multipart(("api_key", ""), image_file=("a.jpg", JPEG), api_key="local")
    document = {"image_file_b64": base64.b64encode(JPEG).decode(), "api_key": "local"}
    bearer = {"Authorization": "Bearer local"}
    assert client.post(ROUTE, key=None, headers=bearer, **image).status == 200
    reply = client.post(ROUTE, key=None, **field)
    assert (reply.status, "x-ignored-params" in reply.headers) == (200, False)
    assert client.post(ROUTE, key=None, **empty).status == 200
    assert client.json(ROUTE, document, key=None).status == 200
    assert client.send("GET", "/v1.0/account", key=None, headers=bearer).status == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic bG9jYWw6"}, {"X-Api-Key": "no"}])
@ANY_PAYLOAD
def test_a_wrong_key_is_403(client: Client, headers: dict[str, str]) -> None:
    """Before anything of the body is judged."""
    for method, path in (("POST", ROUTE), ("GET", "/v1.0/account")):
        reply = client.send(
            method, path, key=None, headers=headers, body=b"{", content_type="application/json"
        )
        assert reply.status == 403
        assert fault(reply) == {
            "title": "Missing or invalid API key.",
            "code": "auth_failed",
            "detail": "a valid key in the header x-api-key",
        }


@ANY_PAYLOAD
def test_the_account_has_exactly_these_keys(client: Client) -> None:
    """The Ruby client raises on one too many; a CLI warns at 0 credits."""
    reply = client.send("GET", "/v1.0/account/")
    attributes = reply.json()["data"].pop("attributes")
    assert json.loads(reply.body).keys() == {"data"}
    assert set(attributes) == {"credits", "api"}
    assert set(attributes["credits"]) == {"total", "subscription", "payg", "enterprise"}
    assert attributes["credits"]["total"] >= 1000
    assert attributes["api"]["sizes"] == "all"
    assert attributes["api"]["free_calls"] > 0


@ANY_PAYLOAD
def test_another_method_in_remove_bgs_shape(client: Client) -> None:
    """405 with Allow, and a preflight that allows the bearer's header."""
    reply = client.send("GET", ROUTE)
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")
    assert fault(reply)["code"] == "method_not_allowed"
    preflight = client.send("OPTIONS", ROUTE, key=None)
    assert preflight.status == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
