"""Images too large for a request or a reply, over HTTP: uploads, their keys, results by URL."""

import base64
import dataclasses
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
import requests
from client import ANY_PAYLOAD, Client, HttpReply, multipart
from cloud import DENIED, Call, Cloud, Fault, Proxy, png
from conftest import deployment
from PIL import Image

import app
from cutout.http.large_images import Transfer
from cutout.options import Delivery
from cutout.store import BRIEF, Store
from image_files import encoded
from make_events import PHOTO

JPEG = PHOTO.read_bytes()
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
UNKNOWN_KEY = (
    "image_key must be a key that POST /v2/uploads gave, under incoming/, whose upload is complete."
)


@pytest.fixture
def client(cloud: Cloud, request: pytest.FixtureRequest) -> Client:
    """Speak to a deployment with buckets, the real model and the real routes."""
    settings = dataclasses.replace(
        cloud.settings,
        keys_checked_by=app.settings.keys_checked_by,
        api_key_hashes=app.settings.api_key_hashes,
    )
    handler = deployment(app.remover, settings, transfer=Transfer(Store(BRIEF), settings))
    return Client(handler, getattr(request, "param", "1.0"))


def noise(side: int = 1500) -> bytes:
    """Return a transparent picture that no PNG makes small: its cutout passes the limit."""
    chance = np.random.default_rng(1)
    pixels = chance.integers(0, 256, (side, side, 4), dtype=np.uint8)
    pixels[..., 3] |= 1
    return encoded(Image.fromarray(pixels), "WEBP", lossless=True, quality=0, method=0)


def uploaded(client: Client, cloud: Cloud, body: bytes) -> str:
    """Return the key of a body that was sent with the form of ``POST /v2/uploads``."""
    document = client.post("/v2/uploads").json()
    answer = requests.post(
        document["upload"]["url"],
        data=document["upload"]["fields"],
        files={"file": ("cat.jpg", body)},
        timeout=30,
    )
    assert answer.status_code in {200, 201, 204}, answer.text
    assert document["image_key"] in cloud.keys(cloud.settings.input_bucket)
    return str(document["image_key"])


def seconds_until(text: str) -> float:
    """Return how far a time in RFC 3339 is away."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    then = datetime.fromisoformat(text)
    return (then - datetime.now(UTC)) / timedelta(seconds=1)


def fetched(url: str) -> requests.Response:
    """Return what anybody gets who has a URL."""
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def refused(reply: HttpReply, status: int, code: str, message: str) -> None:
    """Assert an error, to the letter."""
    error = reply.error()
    assert (reply.status, error["code"], error["message"]) == (status, code, message)


# --------------------------------------------------------------------------- uploads


@ANY_PAYLOAD
def test_an_upload_and_its_key(client: Client, cloud: Cloud) -> None:
    """A form that anybody can send, and then the key stands for the image."""
    reply = client.post("/v2/uploads")
    document = reply.json()
    assert reply.status == 200
    assert list(document) == ["upload", "image_key", "expires_at", "max_bytes", "request_id"]
    assert list(document["upload"]) == ["url", "fields"]
    assert re.fullmatch(f"incoming/{UUID}/image", document["image_key"])
    assert document["max_bytes"] == 64_000_000
    assert document["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["access-control-allow-origin"] == "*"
    assert 3_590 < seconds_until(document["expires_at"]) <= 3_600

    key = uploaded(client, cloud, JPEG)
    assert key != document["image_key"]
    by_key = client.json("/v2", {"image_key": key, "crop": True})
    direct = client.post("/v2?crop=true", body=JPEG, content_type="image/jpeg")
    assert by_key.status == 200
    assert by_key.body == direct.body
    assert client.form("/v2", {"image_key": key, "crop": "1"}).body == direct.body
    as_file = multipart(image_key=("image_key", key.encode()), crop="1")
    assert client.post("/v2", **as_file).body == direct.body


def test_what_the_form_lets_in(client: Client, cloud: Cloud) -> None:
    """One key, one bucket, images only, from one byte to the limit, for an hour: S3 holds it."""
    for content_type, accepted in {
        None: ["starts-with", "$Content-Type", "image/"],
        "image/jpeg": {"Content-Type": "image/jpeg"},
        "application/octet-stream": {"Content-Type": "application/octet-stream"},
        "IMAGE/PNG": {"Content-Type": "IMAGE/PNG"},
    }.items():
        document = client.json("/v2/uploads", {"content_type": content_type}).json()
        fields = document["upload"]["fields"]
        assert fields["key"] == document["image_key"]
        assert fields["Content-Type"] == (content_type or "image/*")
        policy = json.loads(base64.b64decode(fields["policy"]))
        assert ["content-length-range", 1, 64_000_000] in policy["conditions"]
        assert accepted in policy["conditions"]
        assert {"key": document["image_key"]} in policy["conditions"]
        assert {"bucket": cloud.settings.input_bucket} in policy["conditions"]
        assert 3_590 < seconds_until(policy["expiration"]) <= 3_600


@pytest.mark.parametrize(
    "value", ["text/html", "image/", "image/a b", "image/jpeg; x=y", "IMAGE", 5, ["image/png"]]
)
def test_an_upload_of_no_image_type(client: Client, value: object) -> None:
    """A browser that opens such an object must not run it."""
    reply = client.json("/v2/uploads", {"content_type": value})
    message = "content_type must be an image's media type, such as image/jpeg."
    refused(reply, 400, "invalid_content_type", message)


def test_fields_of_an_upload(client: Client) -> None:
    """Twice is an error, others are ignored and listed, empty is absent, bytes are no fields."""
    twice = client.post(
        "/v2/uploads?content_type=image/png",
        body=b'{"content_type": "image/png"}',
        content_type="application/json",
    )
    assert twice.error()["code"] == "duplicate_option"
    other = client.json("/v2/uploads", {"size": 5, "content_type": ""})
    assert other.status == 200
    assert other.headers["x-ignored-params"] == "size"
    raw = client.post("/v2/uploads", body=JPEG, content_type="image/jpeg")
    message = (
        "POST /v2/uploads takes no image: send it an empty body or JSON, and the image to the URL"
        " in the answer, with its fields."
    )
    refused(raw, 415, "unsupported_media_type", message)
    text = client.post(  # as fetch() in a browser names the type of a text
        "/v2/uploads",
        body=b'{"content_type": "image/png"}',
        content_type="text/plain;charset=UTF-8",
    )
    message = (
        "POST /v2/uploads takes an empty body, or the field content_type with the Content-Type"
        " application/json, application/x-www-form-urlencoded or multipart/form-data."
    )
    refused(text, 415, "unsupported_media_type", message)
    broken = client.post("/v2/uploads", body=b"{", content_type="application/json")
    assert broken.error()["code"] == "invalid_json"
    assert client.post("/v2/uploads", key=None).error()["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    "key",
    [
        "uploads/cat.jpg",
        "results/cat.jpg",
        "cat.jpg",
        "/incoming/cat.jpg",
        "Incoming/cat.jpg",
        " incoming/cat.jpg",
        "../incoming/cat.jpg",
        "incoming/../uploads/cat.jpg",
        "incoming/../../cat.jpg",
        "s3://bucket/incoming/cat.jpg",
        "incoming/" + "x" * 1016,
        "incoming/\x00",
        "incoming/\ud800",
        5,
        ["incoming/cat.jpg"],
    ],
)
def test_keys_that_are_no_uploads(client: Client, proxy: Proxy, key: object) -> None:
    """The function can read more than its callers may: S3 is not even asked."""
    refused(client.json("/v2", {"image_key": key}), 400, "invalid_image_key", UNKNOWN_KEY)
    assert proxy.calls == []


def test_an_upload_that_did_not_happen(client: Client) -> None:
    """The same answer: whether an object is there is not told to those who guess."""
    key = client.post("/v2/uploads").json()["image_key"]
    refused(client.json("/v2", {"image_key": key}), 400, "invalid_image_key", UNKNOWN_KEY)


@pytest.mark.parametrize("cloud", [{"max_object_bytes": 20_000}], indirect=True)
def test_an_upload_that_is_too_large(client: Client, cloud: Cloud, proxy: Proxy) -> None:
    """S3 refuses it by the form's policy; what got in otherwise is not read."""
    assert client.post("/v2/uploads").json()["max_bytes"] == 20_000
    cloud.put("incoming/x/image", JPEG)
    reply = client.json("/v2", {"image_key": "incoming/x/image"})
    refused(reply, 413, "payload_too_large", "The object is larger than 20000 bytes.")
    assert {call.method for call in proxy.calls} == {"HEAD"}


@pytest.mark.parametrize("cloud", [{"max_object_bytes": len(JPEG)}], indirect=True)
def test_an_upload_of_the_largest_size(client: Client, cloud: Cloud) -> None:
    """It is read, as the form promises."""
    assert client.post("/v2/uploads").json()["max_bytes"] == len(JPEG)
    cloud.put("incoming/x/image", JPEG)
    assert client.json("/v2", {"image_key": "incoming/x/image"}).status == 200


def test_the_order_of_checks(client: Client, proxy: Proxy) -> None:
    """A bad option is answered before S3 is asked for anything."""
    reply = client.json("/v2", {"image_key": "incoming/x/image", "bg_color": "bluish"})
    assert reply.error()["code"] == "invalid_bg_color"
    two = client.json("/v2", {"image_key": "incoming/x/image", "image_base64": "AAAA"})
    assert two.error()["code"] == "multiple_sources"
    assert proxy.calls == []


def test_an_upload_that_is_no_image(client: Client, cloud: Cloud) -> None:
    """The image's own errors, as over HTTP."""
    key = uploaded(client, cloud, b"no image")
    assert client.json("/v2", {"image_key": key}).error()["code"] == "invalid_image"


def test_an_upload_starts_nothing(client: Client, cloud: Cloud) -> None:
    """Its prefix is none of the worker's."""
    body = cloud.put("incoming/x/image", png())
    cloud.handle(body.created())
    assert cloud.keys() == []
    assert cloud.outcomes() == ["not_ours"]
    assert client.send("GET", "/v2/account").json()["limits"]["max_upload_bytes"] == 64_000_000


def test_what_is_on_is_offered(client: Client) -> None:
    """With a bucket, messages name image_key and POST /v2/uploads."""
    reply = client.json("/v2", {})
    message = (
        "No image was sent. Send image_file (multipart/form-data), image_base64 or image_key (JSON"
        " or form fields), or the image's bytes as the body."
    )
    refused(reply, 400, "missing_image", message)
    reply = client.post("/v2", body=bytes(4_700_000), content_type="image/png")
    message = (
        "The body is larger than 4681728 bytes. For larger images get an upload from"
        " POST /v2/uploads and send its image_key."
    )
    refused(reply, 413, "payload_too_large", message)


# --------------------------------------------------------------------------- results


@ANY_PAYLOAD
def test_a_result_by_url(client: Client, cloud: Cloud) -> None:
    """The document says where the image is and what is in it; the URL gives the same bytes."""
    fields = {"bg_color": "white", "format": "webp"}
    reply = client.post("/v2", **multipart(image_file=("cat.jpg", JPEG), response="url", **fields))
    document = reply.json()
    assert reply.status == 200
    assert list(document) == [
        *("url", "expires_at", "format", "width", "height", "foreground", "coverage"),
        *("confidence", "request_id"),
    ]
    direct = client.post("/v2", **multipart(image_file=("cat.jpg", JPEG), **fields))
    answer = fetched(document["url"])
    assert answer.content == direct.body
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Disposition"] == 'inline; filename="cutout.webp"'
    assert document["format"] == "webp"
    assert str(document["width"]) == direct.headers["x-width"] == reply.headers["x-width"]
    assert str(document["foreground"]["top"]) == direct.headers["x-foreground-top"]
    assert document["coverage"] == float(direct.headers["x-foreground-coverage"])
    assert document["confidence"] == float(direct.headers["x-matte-confidence"])
    assert document["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["x-model"] == direct.headers["x-model"]

    (key,) = cloud.keys()
    assert re.fullmatch(f"results/{UUID}/cutout.webp", key)
    assert unquote(urlsplit(document["url"]).path).endswith(key)
    query = parse_qs(urlsplit(document["url"]).query)
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert 3_590 < seconds_until(document["expires_at"]) <= 3_600


@pytest.mark.parametrize("cloud", [{"result_url_seconds": 90}], indirect=True)
def test_a_url_lives_as_long_as_the_deployment_says(client: Client) -> None:
    """And ``expires_at`` says the same as the URL."""
    document = client.post("/v2?response=url", body=JPEG, content_type="image/jpeg").json()
    assert parse_qs(urlsplit(document["url"]).query)["X-Amz-Expires"] == ["90"]
    assert 80 < seconds_until(document["expires_at"]) <= 90


def test_a_matte_by_url(client: Client) -> None:
    """Whatever the format says, it is a PNG, and its name tells it from a cutout."""
    reply = client.post(
        "/v2?response=url&channels=alpha&format=jpg", body=JPEG, content_type="image/jpeg"
    )
    answer = fetched(reply.json()["url"])
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="matte.png"'
    assert Image.open(io.BytesIO(answer.content)).mode == "L"


@ANY_PAYLOAD
def test_past_the_platforms_limit(client: Client, cloud: Cloud) -> None:
    """``auto`` sends the client on; who asked for JSON gets it; ``inline`` is refused."""
    key = uploaded(client, cloud, noise())
    job = {"image_key": key, "input_alpha": "keep"}
    reply = client.json("/v2", job)
    assert reply.status == 303
    document = reply.json()
    assert reply.headers["location"] == document["url"]
    answer = fetched(document["url"])
    assert len(answer.content) > 4_718_592
    assert answer.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (1500, 1500)
    assert (document["width"], document["height"], document["format"]) == (1500, 1500, "png")
    assert "location" in reply.headers["access-control-expose-headers"].lower()

    as_json = client.json("/v2", job, headers={"Accept": "application/json"})
    assert as_json.status == 200
    assert "location" not in as_json.headers
    assert as_json.json().keys() == document.keys()
    mask = client.json("/v2", {"image": base64.b64encode(JPEG).decode(), "response": "url"})
    assert mask.json()["format"] == "png"

    inline = client.json("/v2", {**job, "response": "inline"})
    assert (inline.status, inline.error()["code"]) == (413, "result_too_large")
    assert re.fullmatch(
        r"The result is \d{7} bytes, and a reply can carry 4712523\. Use format=webp, a smaller size"
        r" \(size=hd or size=medium\), response=fit or response=url instead\.",
        inline.error()["message"],
    )


@ANY_PAYLOAD
def test_a_result_that_is_made_to_fit(client: Client, cloud: Cloud) -> None:
    """Many clients follow no redirect: they get the image itself, smaller, and are told so."""
    job = {"image_key": uploaded(client, cloud, noise()), "input_alpha": "keep", "response": "fit"}
    reply = client.json("/v2", job)
    assert reply.status == 200
    image = Image.open(io.BytesIO(reply.body))
    scale = float(reply.headers["x-result-scale"])
    assert 0.5 < scale < 1
    assert image.size == (round(1500 * scale), round(1500 * scale))
    assert image.size == (int(reply.headers["x-width"]), int(reply.headers["x-height"]))
    assert 4_712_523 * 2 / 3 < len(reply.body) <= 4_712_523
    assert "x-result-scale" in reply.headers["access-control-expose-headers"].lower()
    alpha = np.asarray(image)[..., 3]
    rows, columns = (np.nonzero((alpha >= 26).any(axis=axis))[0] for axis in (1, 0))
    box = [rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1]
    sides = ("top", "left", "height", "width")
    assert [int(reply.headers[f"x-foreground-{side}"]) for side in sides] == box

    as_json = client.json("/v2", job, headers={"Accept": "application/json"})
    assert base64.b64decode(as_json.json()["image_base64"]) == reply.body
    assert as_json.headers["x-result-scale"] == reply.headers["x-result-scale"]
    assert cloud.keys() == []


@pytest.mark.parametrize("cloud", [{"default_response": Delivery.FIT}], indirect=True)
def test_the_deployments_default_response(client: Client, cloud: Cloud) -> None:
    """It holds where a request says nothing; what the request says is what counts."""
    job = {"image_key": uploaded(client, cloud, noise()), "input_alpha": "keep"}
    assert "x-result-scale" in client.json("/v2", job).headers
    assert "x-result-scale" in client.json("/v2", {**job, "response": ""}).headers
    assert client.json("/v2", {**job, "response": "auto"}).status == 303
    small = client.post("/v2", body=JPEG, content_type="image/jpeg")
    assert small.status == 200
    assert "x-result-scale" not in small.headers


def test_a_mask_that_is_too_large_is_a_link_in_json(client: Client, cloud: Cloud) -> None:
    """Who gets JSON is not redirected."""
    job = {"image_key": uploaded(client, cloud, noise(2400)), "input_alpha": "keep"}
    reply = client.json("/v2", {**job, "channels": "alpha"})
    assert reply.status == 200
    assert reply.json()["format"] == "png"
    assert fetched(reply.json()["url"]).headers["Content-Type"] == "image/png"
    inline = client.json("/v2", {**job, "channels": "alpha", "response": "inline"})
    assert "format=webp" not in inline.error()["message"]


def test_a_result_that_fits_is_not_stored(client: Client, cloud: Cloud) -> None:
    """Storage is for what needs it."""
    client.post("/v2", body=JPEG, content_type="image/jpeg")
    assert cloud.keys() == []


# --------------------------------------------------------------------------- faults


@pytest.mark.parametrize("holds", ["PUT", "HEAD"])
def test_a_storage_that_fails(client: Client, cloud: Cloud, proxy: Proxy, holds: str) -> None:
    """Our fault, in our envelope, and nothing in it of S3's, buckets or keys."""
    key = uploaded(client, cloud, JPEG)
    proxy.judge = lambda call: DENIED if call.method == holds else None
    reply = client.json("/v2", {"image_key": key, "response": "url"})
    message = "The request failed on our side. Please try again. If it keeps failing, report the request_id."
    refused(reply, 500, "internal_error", message)
    assert cloud.keys() == []


def test_a_storage_that_is_slow(client: Client, cloud: Cloud, proxy: Proxy) -> None:
    """What it takes is taken from the time that the image has; the answer still comes in time."""
    key = uploaded(client, cloud, JPEG)
    proxy.judge = lambda call: Fault(hang_s=1.0) if call.method in {"HEAD", "GET"} else None
    client.timeout_s = 3.0
    reply = client.json("/v2", {"image_key": key, "response": "url"})
    assert (reply.status, reply.error()["code"]) == (504, "timeout")
    assert cloud.keys() == []


def test_storage_that_hiccups(client: Client, cloud: Cloud, proxy: Proxy) -> None:
    """One failed call of each kind is not noticed, a lost answer to a write included."""
    key = uploaded(client, cloud, JPEG)
    left = {"HEAD", "GET", "PUT"}

    def judge(call: Call) -> Fault | None:
        if call.method not in left:
            return None
        left.discard(call.method)
        return Fault(status=500, code="InternalError", after=True)

    proxy.judge = judge
    reply = client.json("/v2", {"image_key": key, "response": "url"})
    assert left == set()
    assert fetched(reply.json()["url"]).headers["Content-Type"] == "image/png"
    assert len(cloud.keys()) == 1


def test_an_upload_replaced_while_it_is_read(client: Client, cloud: Cloud, proxy: Proxy) -> None:
    """One photo or the other, never a mixture: here neither, and the caller can send it again."""
    key = uploaded(client, cloud, JPEG)

    def judge(call: Call) -> Any:
        if call.method == "GET":
            cloud.put(key, png())

    proxy.judge = judge
    refused(client.json("/v2", {"image_key": key}), 400, "invalid_image_key", UNKNOWN_KEY)
