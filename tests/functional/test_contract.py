"""The HTTP contract through the real handler: real events, the real model, exact error bodies."""

import base64
import copy
import gzip
import io
import json
import zipfile
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import pytest
import skimage.data
from client import ANY_PAYLOAD, Client, HttpReply, multipart
from conftest import LIMITS, deployment, logger_to
from numpy.typing import NDArray
from PIL import Image, ImageCms
from test_openapi import check, fetched

import app
from context import LocalContext
from cutout import __version__
from cutout.image.card import read_card
from cutout.image.model import Model
from cutout.remover import Remover
from cutout.settings import KeyCheck, Settings
from image_files import encoded
from make_events import Event, Request, http_api_event, rest_event

ASTRONAUT = Image.fromarray(skimage.data.astronaut())
BAD_COLORS = [
    "#FFFF", "##FFFFFF", "FFFFF", "#12345G", "bluish", "transparent", "255,255,255",
    "[255,255,255]", "rgb(255,255,255)", "hsl(0,0%,100%)", "#FFFFFFFF", "", " red", "red ",
    "blac\u212a", "red\x00", "#FFF" * 50_000,
]  # fmt: skip


JPEG = encoded(ASTRONAUT, "JPEG", quality=90)
SMALL = encoded(ASTRONAUT.resize((64, 48)))
SOURCES = (
    "image_file (multipart/form-data), image_base64 (JSON or form fields), or the image's bytes as"
    " the body"
)


def picture(reply: HttpReply) -> Image.Image:
    """Return the reply's image, fully decoded."""
    assert reply.status == 200, reply.body[:500]
    image = Image.open(io.BytesIO(reply.body))
    image.load()
    return image


# The way in


@ANY_PAYLOAD
def test_multipart_raw_json_and_form_give_the_same_bytes(client: Client) -> None:
    """One job, four bodies; events carry them as base64."""
    text = base64.b64encode(JPEG).decode()
    by_multipart = client.post("/v2", **multipart(image_file=("cat.jpg", JPEG), crop="true"))
    raw = client.post("/v2?crop=true", body=JPEG, content_type="image/jpeg")
    stream = client.post("/v2?crop=true", body=JPEG, content_type="application/octet-stream")
    as_json = client.json("/v2", {"image_base64": text, "crop": True})
    as_url = client.json("/v2", {"Image_File_B64": f"data:image/jpeg;base64,{text}", "CROP": "YES"})
    form = client.form("/v2", {"image_base64": text, "crop": "1"})
    assert picture(by_multipart).mode == "RGBA"
    for reply in (raw, stream, as_json, as_url, form):
        assert reply.body == by_multipart.body


def test_base64_of_several_lines_in_json(client: Client) -> None:
    """As a shell writes it: ``{"image_base64": "$(base64 photo.jpg)"}``. No colour has a line end."""
    text = base64.encodebytes(JPEG)
    assert text.count(b"\n") > 1
    wanted = client.post("/v2", body=JPEG, content_type="image/jpeg").body
    for lines in (text, text.replace(b"\n", b"\r\n"), b"data:image/jpeg;base64,\n\t" + text):
        body = b'{"image_base64": "' + lines + b'"}'
        reply = client.post("/v2", body=body, content_type="application/json")
        assert (reply.status, reply.body) == (200, wanted)
    body = b'{"image_base64": "' + text + b'", "bg_color": "white\n"}'
    reply = client.post("/v2", body=body, content_type="application/json")
    assert reply.error()["code"] == "invalid_bg_color"


def test_json_without_its_content_type(client: Client) -> None:
    """As ``curl -d`` sends it by itself: as a form."""
    body = json.dumps({"image_base64": base64.b64encode(JPEG).decode(), "format": "jpg"})
    kind = "application/x-www-form-urlencoded"
    reply = client.post("/v2", body=f" \n{body}".encode(), content_type=kind)
    assert reply.error()["code"] == "missing_image"
    assert reply.error()["message"] == (
        f"No image was sent. Send {SOURCES}. JSON was sent as a form: it needs the Content-Type"
        " application/json."
    )
    reply = client.post("/v2?%7Bx=", **multipart(photo=("a.jpg", JPEG)))
    assert reply.error()["message"] == (
        f"No image was sent. Send {SOURCES}. A file was sent in the field photo: name the field"
        " image_file."
    )


def test_the_field_of_base64_as_a_file(client: Client) -> None:
    """As ``curl -F image_base64=@photo.b64`` sends it; the photo itself in this field is clear too."""
    text = base64.b64encode(JPEG)
    wanted = client.post("/v2", body=JPEG, content_type="image/jpeg").body
    for sent in (text, b"data:image/jpeg;base64," + text, JPEG):
        reply = client.post("/v2", **multipart(image_base64=("photo", sent)))
        assert (reply.status, reply.body) == (200, wanted)


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_base64_where_the_image_itself_belongs(client: Client, pillow_format: str) -> None:
    """A frequent slip, which the reply names, with the field that takes it."""
    text = base64.b64encode(encoded(ASTRONAUT, pillow_format))
    for sent in (text, b"data:image/jpeg;base64," + text):
        for reply in (
            client.post("/v2", **multipart(image_file=sent.decode())),
            client.post("/v2", **multipart(image_file=("a.jpg", sent))),
            client.post("/v2", body=sent, content_type="image/jpeg"),
        ):
            assert (reply.status, reply.error()["code"]) == (400, "invalid_image")
            assert reply.error()["message"] == (
                "The image cannot be read: it is base64 text. Send that in the field"
                " image_base64. Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
            )


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG"])
@pytest.mark.parametrize(("charset", "errors"), [("utf-8", "replace"), ("latin-1", "strict")])
def test_an_image_that_was_written_as_text(
    client: Client, pillow_format: str, charset: str, errors: str
) -> None:
    """As Node does with ``"…" + fs.readFileSync("photo.jpg") + "…"``, of which nobody is told."""
    sent = encoded(ASTRONAUT, pillow_format).decode(charset, errors).encode()
    for reply in (
        client.post("/v2", **multipart(image_file=("a.jpg", sent))),
        client.post("/v2", body=sent, content_type="image/jpeg"),
    ):
        assert (reply.status, reply.error()["code"]) == (400, "invalid_image")
        assert reply.error()["message"] == (
            "The image cannot be read: its bytes were changed into text before they were sent. Read"
            " and send them as binary data. Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
        )


@pytest.mark.parametrize(
    "text", ["photos/b\u00fcro 1.jpg\n", "[object File]", "https://a.example/b"]
)
def test_a_line_of_text_where_the_image_itself_belongs(client: Client, text: str) -> None:
    """As ``curl -F image_file=photo.jpg`` without its @ sends it."""
    reply = client.post("/v2", **multipart(image_file=text))
    assert (reply.status, reply.error()["code"]) == (400, "invalid_image")
    assert reply.error()["message"] == (
        "The image cannot be read: image_file holds a line of text. Send the file itself, in curl"
        " with @ before its name. Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


@pytest.mark.parametrize(
    "sent", [b"a line\nand another", b"<html/>", b"\xff\xfe" + bytes(20), b"a" * 1025]
)
def test_what_is_no_line_of_text_is_no_known_format(client: Client, sent: bytes) -> None:
    """A page of HTML in place of a photo, or any other file."""
    reply = client.post("/v2", **multipart(image_file=("a.jpg", sent)))
    assert reply.error()["message"] == (
        "The image cannot be read: it is not in a known image format."
        " Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."
    )


def test_a_file_where_a_url_or_a_key_belongs(client: Client) -> None:
    """It is not taken for the photo."""
    reply = client.post("/v2", **multipart(image_url=("photo.jpg", JPEG)))
    assert reply.error()["code"] == "image_url_disabled"
    reply = client.post("/v2", **multipart(image_key=("photo.jpg", JPEG)))
    assert reply.error()["code"] == "storage_disabled"


@ANY_PAYLOAD
def test_a_cutout_and_what_its_headers_say(client: Client) -> None:
    """The headers tell what the picture shows."""
    reply = client.post("/v2", **multipart(image_file=("astronaut.jpg", JPEG)))
    pixels = np.asarray(picture(reply))
    alpha = pixels[..., 3]
    rows, columns = (
        np.nonzero((alpha >= 26).any(axis=1))[0],
        np.nonzero((alpha >= 26).any(axis=0))[0],
    )
    headers = reply.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == 'inline; filename="cutout.png"'
    assert (headers["x-width"], headers["x-height"]) == ("512", "512")
    assert int(headers["x-foreground-top"]) == rows[0]
    assert int(headers["x-foreground-left"]) == columns[0]
    assert int(headers["x-foreground-height"]) == rows[-1] - rows[0] + 1
    assert int(headers["x-foreground-width"]) == columns[-1] - columns[0] + 1
    assert float(headers["x-foreground-coverage"]) == pytest.approx(alpha.mean() / 255, abs=1e-4)
    assert float(headers["x-matte-confidence"]) == pytest.approx(0.98, abs=0.02)
    assert headers["x-model"].startswith("erase-s/")
    stages = [entry.split(";dur=") for entry in headers["server-timing"].split(", ")]
    assert [stage for stage, _ in stages] == ["decode", "matte", "compose", "encode"]
    assert all(float(elapsed_ms) >= 0 for _, elapsed_ms in stages)
    assert headers["access-control-allow-origin"] == "*"
    for name in (name for name in headers if name.startswith("x-")):
        assert name in headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize(("alpha", "told"), [(1.0, 0.97), (0.9, 0.79), (0.75, 0.5), (0.6, 0.2)])
def test_a_reply_says_how_sure_the_matte_is(log: io.StringIO, alpha: float, told: float) -> None:
    """In the image's headers, in JSON, under remove.bg's route and in the log; two decimals."""
    card = replace(
        read_card(app.LOCAL_MODELS / "erase-s"),
        input_size=32,
        confidence=((0.0, 0.0), (0.5, 0.5), (0.75, 0.75), (1.0, 0.97)),
    )
    network = Model(
        card=card, network=lambda tensor: np.full((1, 1, *tensor.shape[2:]), alpha, np.float32)
    )
    logger = logger_to(log)
    client = Client(deployment(Remover(network, LIMITS), logger=logger))
    image = client.post("/v2", body=SMALL, content_type="image/png")
    assert image.headers["x-matte-confidence"] == f"{told:.2f}"
    as_json = {"Accept": "application/json"}
    document = client.post("/v2", body=SMALL, content_type="image/png", headers=as_json).json()
    assert document["confidence"] == told
    mask = client.json("/v2", {"image": base64.b64encode(SMALL).decode()})
    assert mask.headers["x-matte-confidence"] == f"{told:.2f}"
    removebg = client.post("/v1.0/removebg", **multipart(image_file=("a.png", SMALL)))
    assert removebg.headers["x-matte-confidence"] == f"{told:.2f}"
    client.send("GET", "/v2/health", key=None)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line.get("confidence") for line in lines] == [told] * 4 + [None]


def test_it_is_the_astronaut_that_is_cut_out(client: Client) -> None:
    """Her face and suit are solid, the flag and the shuttle behind her are gone."""
    alpha = np.asarray(picture(client.post("/v2", **multipart(image_file=("a.jpg", JPEG)))))[..., 3]
    assert alpha[60:200, 190:260].mean() > 250
    assert alpha[400:500, 150:300].mean() > 220
    assert alpha[20:200, 10:60].mean() < 10
    assert alpha[20:150, 430:500].mean() < 10


def test_nothing_of_the_background_is_left(client: Client) -> None:
    """Colour is 0 where alpha is 0."""
    pixels = np.asarray(picture(client.post("/v2", **multipart(image_file=("a.jpg", JPEG)))))
    assert not pixels[pixels[..., 3] == 0].any()


@pytest.mark.parametrize("color", ["#FFFFFF", "fff", "White", "WHITE"])
def test_a_background_colour(client: Client, color: str) -> None:
    """Every pixel opaque, the corner exactly the colour."""
    image = picture(client.post("/v2", **multipart(image_file=("a.jpg", JPEG), bg_color=color)))
    assert image.mode == "RGB"
    assert image.getpixel((8, 200)) == (255, 255, 255)


def test_metadata_is_dropped_and_orientation_applied(client: Client) -> None:
    """GPS above all; neither as a parser reads a result, nor anywhere in its bytes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    data = encoded(
        ASTRONAUT.resize((300, 200)),
        "JPEG",
        exif=exif,
        xmp=b"<x:xmpmeta>SECRETAUTHOR</x:xmpmeta>",
        comment=b"SECRETCOMMENT",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    )
    traces = [
        b"SECRET",
        b"Exif",
        b"xmp",
        b"XMP",
        b"ICC_PROFILE",
        b"iCCP",
        b"ICCP",
        b"acsp",
        b"eXIf",
    ]
    assert [trace for trace in traces[:6] if trace in data] == [
        *(b"SECRET", b"Exif", b"xmp", b"ICC_PROFILE")
    ]
    for name in ("png", "jpg", "webp", "avif", "tiff", "bmp", "gif", "zip"):
        reply = client.post(f"/v2?format={name}", body=data, content_type="image/jpeg")
        assert [trace for trace in traces if trace in reply.body] == [], name
        if name == "zip":
            continue
        image = picture(reply)
        assert image.size == (200, 300)
        assert not {*image.getexif()} & {0x0112 if name != "tiff" else 0, 0x8825, 0x010F}
        assert not image.info.get("icc_profile")
        assert not image.info.get("exif")


@pytest.mark.parametrize(
    ("name", "pillow_format", "media_type", "mode"),
    [
        ("png", "PNG", "image/png", "RGBA"),
        ("webp", "WEBP", "image/webp", "RGBA"),
        ("avif", "AVIF", "image/avif", "RGBA"),
        ("tiff", "TIFF", "image/tiff", "RGBA"),
        ("jpg", "JPEG", "image/jpeg", "RGB"),
        ("jpeg", "JPEG", "image/jpeg", "RGB"),
        ("bmp", "BMP", "image/bmp", "RGB"),
        ("gif", "GIF", "image/gif", "P"),
        ("auto", "PNG", "image/png", "RGBA"),
    ],
)
def test_formats(client: Client, name: str, pillow_format: str, media_type: str, mode: str) -> None:
    """Each is what it says; those without alpha are flattened on white."""
    reply = client.post(f"/v2?format={name}", body=JPEG, content_type="image/jpeg")
    image = picture(reply)
    assert (image.format, image.mode, image.size) == (pillow_format, mode, (512, 512))
    assert reply.headers["content-type"] == media_type
    if mode != "RGBA":
        assert np.asarray(image.convert("RGB"))[200, 8].min() >= 253


def test_auto_is_jpg_where_every_pixel_is_opaque(client: Client) -> None:
    """A background colour leaves nothing to be transparent."""
    reply = client.post("/v2?format=auto&bg_color=teal", body=JPEG, content_type="image/jpeg")
    assert picture(reply).format == "JPEG"
    assert reply.headers["content-disposition"] == 'inline; filename="cutout.jpg"'


def test_zip_holds_color_and_alpha(client: Client) -> None:
    """The two together are the cutout; color.jpg alone shows no background."""
    reply = client.post("/v2?format=zip", body=JPEG, content_type="image/jpeg")
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        color = np.asarray(Image.open(io.BytesIO(archive.read("color.jpg"))))
        alpha = np.asarray(Image.open(io.BytesIO(archive.read("alpha.png"))))
    cutout = np.asarray(picture(client.post("/v2", body=JPEG, content_type="image/jpeg")))
    assert np.array_equal(alpha, cutout[..., 3])
    solid = alpha == 255
    assert np.abs(color[solid].astype(int) - cutout[solid][:, :3]).mean() < 4
    photo = np.asarray(ASTRONAUT)
    assert np.abs(color[alpha == 0].astype(int) - photo[alpha == 0]).mean() > 20
    kept = client.post("/v2?format=zip&clean_edges=0", body=JPEG, content_type="image/jpeg")
    assert kept.body == reply.body  # the photo's own colours would be its background


def test_quality_is_the_encoders(client: Client) -> None:
    """Lower quality, fewer bytes, in each format that has it."""
    for name in ("jpg", "webp", "avif"):
        sizes = [
            len(client.post(f"/v2?format={name}&quality={q}", body=JPEG, content_type="image/jpeg").body)
            for q in (20, 90)
        ]  # fmt: skip
        assert sizes[0] < sizes[1] * 0.7


def test_size_caps_the_result_and_never_enlarges(client: Client) -> None:
    """Preview is 0.25 MP; the astronaut has 0.26."""
    reply = client.post("/v2?size=preview", body=JPEG, content_type="image/jpeg")
    assert picture(reply).size == (500, 500)
    reply = client.post("/v2?size=hd", body=JPEG, content_type="image/jpeg")
    assert picture(reply).size == (512, 512)


def test_channels_alpha_is_the_matte_as_grey_png(client: Client) -> None:
    """Whatever format says, and without its background."""
    cutout = np.asarray(picture(client.post("/v2", body=JPEG, content_type="image/jpeg")))
    reply = client.post(
        "/v2?channels=alpha&format=jpg&bg_color=red", body=JPEG, content_type="image/jpeg"
    )
    image = picture(reply)
    assert (image.format, image.mode) == ("PNG", "L")
    assert np.array_equal(np.asarray(image), cutout[..., 3])
    assert reply.headers["content-disposition"] == 'inline; filename="matte.png"'


def test_crop_with_a_margin(client: Client) -> None:
    """The box of the headers, and 10 px around it."""
    whole = client.post("/v2", body=JPEG, content_type="image/jpeg")
    reply = client.post("/v2?crop=1&crop_margin=10px", body=JPEG, content_type="image/jpeg")
    width, height = (int(whole.headers[f"x-foreground-{side}"]) for side in ("width", "height"))
    assert picture(reply).size == (width + 20, height + 20)
    assert reply.headers["x-foreground-top"] == reply.headers["x-foreground-left"] == "10"


@pytest.mark.parametrize("mode", ["multiply", "keep", "discard"])
def test_input_alpha(client: Client, mode: str) -> None:
    """An image whose upper half is already transparent."""
    pixels = np.dstack([np.asarray(ASTRONAUT), np.full((512, 512), 255, np.uint8)])
    pixels[:256, :, 3] = 0
    data = encoded(Image.fromarray(pixels))
    reply = client.post(f"/v2?input_alpha={mode}", body=data, content_type="image/png")
    alpha = np.asarray(picture(reply))[..., 3]
    if mode == "keep":
        assert np.array_equal(alpha, pixels[..., 3])
    else:
        assert (alpha[:256].max() == 0) == (mode == "multiply")
        assert alpha[400:500, 150:300].mean() > 220


def test_no_subject(client: Client) -> None:
    """A picture that is transparent all over: an empty canvas, or the error."""
    clear = encoded(Image.new("RGBA", (200, 100), (9, 9, 9, 0)))
    data = {"image_base64": base64.b64encode(clear).decode(), "input_alpha": "keep"}
    reply = client.json("/v2", data | {"crop": True})
    assert picture(reply).size == (200, 100)
    assert {
        reply.headers[f"x-foreground-{side}"] for side in ("top", "left", "width", "height")
    } == {"0"}
    assert reply.headers["x-foreground-coverage"] == "0.0000"
    refused = client.json("/v2", data | {"on_empty": "error"})
    assert refused.status == 422
    assert refused.error()["code"] == "unknown_foreground"


def test_a_subject_that_vanishes_where_it_is_scaled_is_none(client: Client) -> None:
    """``on_empty`` is about the result: a line of one pixel is lost at a tenth of its size."""
    pixels = np.zeros((400, 600, 4), np.uint8)
    pixels[200] = pixels[:, 300] = (200, 10, 10, 40)
    data = {"image_base64": base64.b64encode(encoded(Image.fromarray(pixels))).decode()}
    asked = data | {"input_alpha": "keep", "scale": "10%"}
    refused = client.json("/v2", asked | {"on_empty": "error"})
    assert refused.status == 422
    assert refused.error()["code"] == "unknown_foreground"
    assert not np.asarray(picture(client.json("/v2", asked))).any()
    whole = client.json("/v2", asked | {"on_empty": "error", "scale": "original"})
    assert np.array_equal(np.asarray(picture(whole)), pixels)


@pytest.mark.parametrize("name", ["png", "jpg", "webp", "avif", "bmp", "gif", "tiff", "zip"])
def test_an_image_without_a_subject_shows_no_ghost(client: Client, name: str) -> None:
    """Alpha of 25 of 255 is no subject, so that nothing is left of it in any format."""
    ghost = encoded(Image.new("RGBA", (60, 40), (200, 10, 10, 25)))
    reply = client.post(f"/v2?format={name}&input_alpha=keep", body=ghost, content_type="image/png")
    assert reply.headers["x-foreground-coverage"] == "0.0000"
    if name == "zip":
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            alpha = np.asarray(Image.open(io.BytesIO(archive.read("alpha.png"))))
        assert not alpha.any()
        return
    image = picture(reply)
    has_alpha = name in {"png", "webp", "avif", "tiff"}
    shown = np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
    assert (shown == (0 if has_alpha else 255)).all()


# The JSON replies


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; q=0.9, text/plain", True),
        ("application/json, image/*;q=0", True),
        ("application/json, text/plain, */*", False),
        ("application/json, image/png", False),
        ("image/*", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_accept_chooses_between_json_and_the_image(
    client: Client,
    accept: str,
    is_json: bool,
) -> None:
    """JSON only for who names it and takes no image: axios sends */* and wants the image."""
    reply = client.post("/v2", body=SMALL, content_type="image/png", headers={"Accept": accept})
    assert (reply.headers["content-type"] == "application/json") == is_json


def test_the_json_reply(client: Client) -> None:
    """The same image, and what the headers say."""
    image = client.post("/v2?format=webp", body=SMALL, content_type="image/png")
    reply = client.post(
        "/v2?format=webp",
        body=SMALL,
        content_type="image/png",
        headers={"Accept": "application/json"},
    )
    document = reply.json()
    assert base64.b64decode(document["image_base64"]) == image.body
    assert list(document) == [
        "image_base64", "format", "width", "height", "foreground", "coverage", "confidence",
        "request_id",
    ]  # fmt: skip
    assert (document["format"], document["width"], document["height"]) == ("webp", 64, 48)
    assert document["foreground"] == {
        side: int(image.headers[f"x-foreground-{side}"])
        for side in ("top", "left", "width", "height")
    }
    assert document["coverage"] == float(image.headers["x-foreground-coverage"])
    assert document["confidence"] == float(image.headers["x-matte-confidence"])
    assert document["request_id"] == reply.headers["x-request-id"]


def test_the_legacy_field_image_answers_the_mask(client: Client) -> None:
    """BackgroundErase's first JSON interface."""
    text = base64.b64encode(SMALL).decode()
    document = client.json("/v2", {"image": text, "format": "jpg"}).json()
    assert list(document) == ["mask", "width", "height"]
    mask = Image.open(io.BytesIO(base64.b64decode(document["mask"])))
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (64, 48))
    assert (document["width"], document["height"]) == (64, 48)


@ANY_PAYLOAD
@pytest.mark.parametrize(
    ("accept", "is_mask"),
    [
        ("", True),
        ("*/*", True),
        ("application/json, text/plain, */*", True),
        ("application/json", True),
        ("image/*", False),
        ("image/png", False),
        ("application/json, image/png", False),
        ("image/png;q=0, */*", True),
    ],
)
def test_a_json_request_for_a_mask_is_answered_in_json(
    client: Client, accept: str, is_mask: bool
) -> None:
    """As BackgroundErase does, unless Accept names an image."""
    request = {"image_base64": base64.b64encode(SMALL).decode(), "channels": "alpha"}
    reply = client.json("/v2", request, headers={"Accept": accept})
    image = reply.body
    if is_mask:
        document = reply.json()
        assert list(document) == ["mask", "width", "height"]
        assert (document["width"], document["height"]) == (64, 48)
        image = base64.b64decode(document["mask"])
    raw = client.post("/v2?channels=alpha", body=SMALL, content_type="image/png")
    assert picture(raw).mode == "L"
    assert image == raw.body


def test_only_json_requests_are_answered_with_a_mask(client: Client) -> None:
    """A form that asks for the matte gets the image."""
    fields = {"image_base64": base64.b64encode(SMALL).decode(), "channels": "alpha"}
    assert picture(client.form("/v2", fields)).mode == "L"
    upload = multipart(image_file=("a.png", SMALL), channels="alpha")
    assert picture(client.post("/v2", **upload)).mode == "L"


@ANY_PAYLOAD
def test_headers_of_every_reply(client: Client) -> None:
    """Nothing is kept by caches, and no browser guesses at a type."""
    for reply in (
        client.post("/v2", body=SMALL, content_type="image/png"),
        client.post("/v2", body=b"junk", content_type="image/png"),
        client.send("GET", "/v2/health", key=None),
        client.send("HEAD", "/v2/health", key=None),
        client.send("OPTIONS", "/v2", key=None),
        client.send("GET", "/v3", key=None),
    ):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-request-id"] == reply.headers["x-request-id"].strip() != ""


# Refusals, in the order of the checks


@ANY_PAYLOAD
@pytest.mark.parametrize("color", BAD_COLORS, ids=lambda color: repr(color)[:20])
def test_a_bad_colour_is_refused_without_decoding_the_image(client: Client, color: str) -> None:
    """Beside a broken image, and beside none at all: the image's turn never comes."""
    for image in ({"image_file": ("broken.jpg", JPEG[:3000])}, {}):
        reply = client.post("/v2", **multipart(**image, bg_color=color))
        assert reply.status == 400
        assert reply.json() == {
            "error": {
                "code": "invalid_bg_color",
                "message": "bg_color must be a valid hex or named color.",
                "status": 400,
                "request_id": reply.headers["x-request-id"],
            }
        }


@pytest.mark.parametrize("path", ["/v2", "/v1.0/removebg"])
def test_a_background_that_is_no_image_is_refused_in_the_options_turn(
    client: Client, path: str
) -> None:
    """Beside a broken image, beside two, and beside none; with the matte alone it is not used."""
    junk = {"bg_image_file": ("b.jpg", b"no image")}
    text = base64.b64encode(JPEG).decode()
    two = {"image_file": ("a.jpg", JPEG), "image_file_b64": text}
    for images in ({"image_file": ("broken.jpg", JPEG[:3000])}, two, {}):
        reply = client.post(path, **multipart(**images, **junk))
        assert reply.status == 400
        assert b'"code": "invalid_bg_image"' in reply.body
    unused = multipart(image_file=("a.jpg", JPEG), channels="alpha", **junk)
    assert client.post(path, **unused).status == 200


@pytest.mark.parametrize("color", [0, 16777215, 1.5, True, {}, {"r": 1}, [], [255, 255, 255]])
def test_a_colour_that_is_no_json_string(client: Client, color: object) -> None:
    """Numbers, booleans, objects and arrays are never guessed at."""
    reply = client.json("/v2", {"bg_color": color})
    assert (reply.status, reply.error()["code"]) == (400, "invalid_bg_color")


def test_bg_color_twice_in_any_two_places(client: Client) -> None:
    """In the body, in the query, in both, in one JSON object."""
    twice = multipart(("bg_color", "red"), ("bg_color", "red"), image_file=("a.jpg", JPEG))
    replies = [
        client.post("/v2", **twice),
        client.post("/v2?bg_color=red&bg_color=red", body=JPEG, content_type="image/jpeg"),
        client.post("/v2?bg_color=red", **multipart(image_file=("a.jpg", JPEG), bg_color="red")),
        client.post(
            "/v2", body=b'{"bg_color":"red","bg_color":"red"}', content_type="application/json"
        ),
    ]
    assert [reply.error()["code"] for reply in replies] == ["invalid_bg_color"] * 4
    message = "bg_color must be a valid hex or named color."
    assert [reply.error()["message"] for reply in replies] == [message] * 4


@ANY_PAYLOAD
def test_an_option_twice_in_any_two_places(client: Client) -> None:
    """duplicate_option, a repeated name in a JSON object included."""
    replies = [
        client.post("/v2?crop=1&crop=1", body=JPEG, content_type="image/jpeg"),
        client.post("/v2?CROP=1", **multipart(image_file=("a.jpg", JPEG), crop="1")),
        client.post("/v2", body=b'{"crop":true,"Crop":true}', content_type="application/json"),
    ]
    for reply in replies:
        assert reply.status == 400
        assert reply.error()["code"] == "duplicate_option"
        assert reply.error()["message"] == (
            "crop is given more than once. Send it once, in the body or in the query string."
        )


@pytest.mark.parametrize(
    ("request_of", "status", "code", "message"),
    [
        ({}, 400, "missing_image", f"No image was sent. Send {SOURCES}."),
        ({"body": b"{}", "content_type": "application/json"}, 400, "missing_image", None),
        ({"body": b'{"image_base64": ""}', "content_type": "application/json"}, 400, "missing_image", None),
        (multipart(crop="1", image_file=""), 400, "missing_image", f"No image was sent. Send {SOURCES}."),
        (multipart(crop="1", photo=("cat.jpg", JPEG)), 400, "missing_image", f"No image was sent. Send {SOURCES}. A file was sent in the field photo: name the field image_file."),
        ({"body": b'{"image_file": "/9j/"}', "content_type": "application/json"}, 400, "missing_image", f"No image was sent. Send {SOURCES}. image_file was sent as text: send it as a file part of multipart/form-data, or its base64 as image_base64."),
        ({"body": b"x=gr%FCn", "content_type": "application/x-www-form-urlencoded"}, 400, "invalid_form", "The body must be a form (application/x-www-form-urlencoded) in UTF-8, but what is percent-encoded in it is not in UTF-8."),
        ({"body": b"&".join([b"a=1"] * 1001), "content_type": "application/x-www-form-urlencoded"}, 400, "invalid_form", "The body must be a form (application/x-www-form-urlencoded) in UTF-8, but it has more than 1000 fields."),
        ({"path": "/v2?crop=1", "body": b'{"crop": true}', "content_type": "application/vnd.api+json"}, 400, "duplicate_option", None),
        ({"body": b'{"image_base64": "AA", "image_url": "x"}', "content_type": "application/json"}, 400, "multiple_sources", "Exactly one image source is accepted, but image_base64 and image_url were sent."),
        ({"body": b'{"image_base64": "A"}', "content_type": "application/json"}, 400, "invalid_base64", "image_base64 must be base64 (RFC 4648), with or without a data:…;base64, prefix."),
        ({"body": b'{"image_base64": 7}', "content_type": "application/json"}, 400, "invalid_base64", None),
        ({"body": b'{"image_url": "http://169.254.169.254/"}', "content_type": "application/json"}, 400, "image_url_disabled", "This deployment does not fetch image_url. Send the image itself."),
        ({"body": b'{"image_key": "incoming/x"}', "content_type": "application/json"}, 400, "storage_disabled", "This deployment has no bucket: image_key, response=url and /v2/uploads are off. Send the image in the request and use response=inline."),
        ({"body": b'{"image_base64": "AA==", "response": "url"}', "content_type": "application/json"}, 400, "storage_disabled", None),
        ({"body": b"{", "content_type": "application/json"}, 400, "invalid_json", "The body must be one JSON object, but it cannot be parsed: see line 1, column 2."),
        ({"body": b"x", "content_type": "multipart/form-data"}, 400, "invalid_multipart", "The body must be well-formed multipart/form-data (RFC 7578), but its Content-Type has no boundary. Let your HTTP library set Content-Type."),
        ({"body": b"x", "content_type": "text/plain"}, 415, "unsupported_media_type", "Content-Type must be multipart/form-data, application/json, application/x-www-form-urlencoded, image/* or application/octet-stream."),
        ({"body": gzip.compress(b"{}"), "content_type": "application/json", "headers": {"Content-Encoding": "GZip"}}, 415, "unsupported_media_type", "The body must not be compressed: send it without Content-Encoding."),
        ({"body": b"{}", "content_type": "application/json", "headers": {"Content-Encoding": "UTF-8"}}, 400, "missing_image", None),
        ({"body": b"hello", "content_type": "image/png"}, 400, "invalid_image", None),
        ({"body": b"", "content_type": "image/png"}, 400, "invalid_image", None),
        ({"body": JPEG[:2000], "content_type": "image/jpeg"}, 400, "invalid_image", "The image cannot be read: its header says 512 rows and its data ends at row 16. Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."),
        ({"body": b"8BPS" + bytes(50), "content_type": "image/png"}, 415, "unsupported_image_format", None),
        ({"body": encoded(Image.new("L", (1, 9))), "content_type": "image/png"}, 400, "image_too_small", None),
        ({"body": encoded(Image.new("1", (8000, 8000))), "content_type": "image/png"}, 413, "image_too_large", "The image is 8000x8000 px; at most 50000000 pixels are accepted."),
        ({"path": "/v2?format=webp", "body": encoded(Image.new("L", (16_384, 2))), "content_type": "image/png"}, 400, "invalid_format", "format must be one that holds 16384x2 px, such as png: webp ends at 16383 px a side."),
        ({"path": "/v2?shadow_type=3d", "body": JPEG, "content_type": "image/jpeg"}, 400, "invalid_shadow_type", "shadow_type must be one of none, drop."),
        ({"path": "/v2?roi=0+0+9px", "body": JPEG, "content_type": "image/jpeg"}, 400, "invalid_roi", "roi must be 4 lengths x1 y1 x2 y2, such as 0px 0px 400px 300px or 10% 10% 90% 90%."),
        ({"path": "/v2?roi=0+0+9999px+9px", "body": JPEG, "content_type": "image/jpeg"}, 400, "roi_exceeds_bounds", None),
        ({"path": "/v2?roi=9px+0+9px+9px", "body": JPEG, "content_type": "image/jpeg"}, 400, "roi_region_empty", None),
        (multipart(image_file=("a.jpg", JPEG), bg_image_file=("b.jpg", b"no image")), 400, "invalid_bg_image", None),
        ({"body": b'{"bg_image_file": "text"}', "content_type": "application/json"}, 400, "invalid_bg_image", "bg_image_file must be an image in a file part of multipart/form-data."),
        (multipart(image_file=("a.jpg", JPEG), bg_image_file="text"), 400, "invalid_bg_image", "The background image cannot be used. The image cannot be read: it is not in a known image format. Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."),
        (multipart(image_file=("a.jpg", JPEG), crop=("crop", b"true")), 400, "invalid_crop", "crop must be a text part of the form, and it was sent as a file."),
        (multipart(image_file=("a.jpg", JPEG), model=("model", b"erase-s")), 400, "invalid_model", "model must be a text part of the form, and it was sent as a file."),
        (multipart(image_file=("a.jpg", JPEG), bg_color=("bg_color", b"white")), 400, "invalid_bg_color", "bg_color must be a valid hex or named color."),
        (multipart(image_file=("a.jpg", JPEG), bg_image_url="https://example.com/b.jpg"), 400, "invalid_bg_image", "bg_image_url must be left out: this deployment does not fetch URLs."),
        ({"path": "/v2?bg_color=red&bg_blur=3", "body": JPEG, "content_type": "image/jpeg"}, 400, "multiple_bg_sources", None),
        ({"path": "/v2/uploads", "body": b"{}", "content_type": "application/json"}, 400, "storage_disabled", None),
        ({"path": "/v2/nothing"}, 404, "not_found", "There is nothing at this path. The main route is POST /v2."),
    ],
)  # fmt: skip
@ANY_PAYLOAD
def test_refusals(
    client: Client, request_of: dict[str, object], status: int, code: str, message: str | None
) -> None:
    """Status, code and, where the words are the contract's or are made of facts, the message."""
    request = {"path": "/v2", **request_of}
    reply = client.post(**request)  # type: ignore[arg-type]
    assert (reply.status, reply.error()["code"]) == (status, code)
    assert message is None or reply.error()["message"] == message
    assert reply.headers["access-control-allow-origin"] == "*"


@ANY_PAYLOAD
def test_options_are_checked_before_the_number_of_sources(client: Client) -> None:
    """And the sources before the image."""
    reply = client.json("/v2", {"quality": 0})
    assert reply.error()["code"] == "invalid_quality"
    reply = client.json("/v2", {"image_base64": "!", "image_url": "x"})
    assert reply.error()["code"] == "multiple_sources"


@pytest.mark.parametrize("url", ["https://a.example/b.png", "b.png"])
@ANY_PAYLOAD
def test_a_background_url_that_is_off_is_refused_as_an_option(client: Client, url: str) -> None:
    """Before there is an image, and no form of it is offered instead; on both routes."""
    message = "bg_image_url must be left out: this deployment does not fetch URLs."
    reply = client.json("/v2", {"bg_image_url": url})
    assert (reply.status, reply.error()["code"]) == (400, "invalid_bg_image")
    assert reply.error()["message"] == message
    reply = client.json("/v1.0/removebg", {"bg_image_url": url})
    (error,) = reply.json()["errors"]
    assert (reply.status, error["code"], error["title"]) == (400, "invalid_bg_image", message)


@ANY_PAYLOAD
def test_a_body_over_the_limit(client: Client) -> None:
    """Checked before it is decoded; one byte less has the next check's answer."""
    reply = client.post("/v2?bg_color=nope", body=bytes(4_681_729), content_type="image/png")
    assert reply.status == 413
    assert reply.error()["code"] == "payload_too_large"
    assert (
        reply.error()["message"] == "The body is larger than 4681728 bytes. Send a smaller image."
    )
    reply = client.post("/v2?bg_color=nope", body=bytes(4_681_728), content_type="image/png")
    assert reply.error()["code"] == "invalid_bg_color"


def test_the_largest_request_that_is_promised_passes_the_platform(client: Client) -> None:
    """With all the headers and the query that API Gateway takes (10,240 bytes), as one event."""
    limit = client.send("GET", "/v2/account").json()["limits"]["max_request_bytes"]
    query = [("a" * 100, "ü" * 300), ("response", "inline")]
    rest = 10_240 - len("POST /v2? HTTP/1.1") - len(urlencode(query)) - 600  # for our own headers
    headers = {"Content-Type": "image/png"} | {f"X-{n}": '"' * 100 for n in range(rest // 107)}
    request = Request(name="full", headers=headers, query=query, body=bytes(limit))
    for make in (rest_event, http_api_event):
        event = make(request)
        assert len(json.dumps(event).encode()) <= 6 * 1024 * 1024
        reply = app.http_handler(event, LocalContext())
        assert json.loads(reply["body"])["error"]["code"] == "invalid_image"
    full = rest_event(request)
    full["body"] += "A" * (6_291_556 - len(json.dumps(full)))  # more than Lambda lets in
    assert len(json.dumps(full)) == 6_291_556
    reply = app.http_handler(full, LocalContext())
    assert json.loads(reply["body"])["error"]["code"] == "payload_too_large"


@ANY_PAYLOAD
def test_forms_as_clients_send_them(client: Client) -> None:
    """Hundreds of fields, UTF-8 that is not escaped, base64 whose "+" is not escaped."""
    text = base64.b64encode(SMALL).decode()
    assert "+" in text
    body = "&".join([f"n{n}=1" for n in range(300)] + ["grün=grün", f"image_base64={text}"])
    kind = "application/x-www-form-urlencoded"
    reply = client.post("/v2?size=preview", body=body.encode(), content_type=kind)
    raw = client.post("/v2?size=preview", body=SMALL, content_type="image/png")
    assert picture(reply).size == (64, 48)
    assert reply.body == raw.body
    assert reply.headers["x-ignored-params"].endswith(",n18,n19,...+281")


def test_a_result_over_the_limit_says_what_helps(client: Client) -> None:
    """Noise does not compress: 3 MB of JPEG come out as more than 6 MB of BMP."""
    noise = np.random.default_rng(1).integers(0, 256, (1300, 1300, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", quality=60)
    reply = client.post("/v2?format=bmp", body=data, content_type="image/jpeg")
    assert reply.status == 413
    assert reply.error()["code"] == "result_too_large"
    message = reply.error()["message"]
    assert message.endswith(
        " bytes, and a reply can carry 4712523. Use format=webp, a smaller size (size=hd or"
        " size=medium) or response=fit instead."
    )
    fitted = client.post("/v2?format=bmp&response=fit", body=data, content_type="image/jpeg")
    assert picture(fitted).format == "BMP"
    assert float(fitted.headers["x-result-scale"]) < 1
    assert 0.96 * 4_712_523 < len(fitted.body) <= 4_712_523  # no smaller than it must be
    assert (
        client.post("/v2?format=jpg&quality=50", body=data, content_type="image/jpeg").status == 200
    )


# Routes, keys, headers


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v2", "POST, OPTIONS"),
        ("HEAD", "/v2", "POST, OPTIONS"),
        ("PUT", "/v2", "POST, OPTIONS"),
        ("DELETE", "/v2/uploads", "POST, OPTIONS"),
        ("POST", "/v2/account", "GET, OPTIONS"),
        ("PATCH", "/v2/health", "GET, HEAD, OPTIONS"),
        ("PUT", "/v2/", "POST, OPTIONS"),
    ],
)
@ANY_PAYLOAD
def test_another_method(client: Client, method: str, path: str, allow: str) -> None:
    """405 with Allow, before any key."""
    reply = client.send(method, path, headers={"x-api-key": "wrong"})
    assert reply.status == 405
    assert reply.headers["allow"] == allow
    if method == "HEAD":
        assert reply.body == b""
        return
    assert reply.error()["code"] == "method_not_allowed"
    assert reply.error()["message"] == f"This path accepts the methods {allow}."


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/uploads", "/v2/account", "/v2/health"])
@ANY_PAYLOAD
def test_preflight(client: Client, path: str) -> None:
    """Keyless, empty, with what a browser asks for."""
    reply = client.send(
        "OPTIONS",
        path,
        headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"},
        key=None,
    )
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    allowed = reply.headers["access-control-allow-headers"].lower().split(", ")
    assert {"x-api-key", "cache-control", "x-requested-with"} <= set(allowed)  # upload widgets' too
    assert "OPTIONS" in reply.headers["access-control-allow-methods"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v2"), ("POST", "/v2/uploads"), ("GET", "/v2/account")])  # fmt: skip
@pytest.mark.parametrize("key", [None, "", "wrong", "LOCAL", "lo\u212acal"])
@ANY_PAYLOAD
def test_a_keyed_route_without_an_accepted_key(
    client: Client, method: str, path: str, key: str | None
) -> None:
    """The function checks it, whichever gateway is in front: only a deployment can say otherwise."""
    reply = client.send(
        method, path, key=key, body=b"not even json", content_type="application/json"
    )
    assert (reply.status, reply.error()["code"]) == (401, "invalid_api_key")
    assert reply.error()["message"] == "Missing or invalid API key."


@ANY_PAYLOAD
def test_the_keys_header_is_found_in_any_case(client: Client) -> None:
    """remove.bg's clients send X-Api-Key."""
    reply = client.send("GET", "/v2/account", headers={"X-API-KEY": "local"}, key=None)
    assert reply.status == 200


def test_a_key_that_the_gateway_checked(gateway_checked: Client) -> None:
    """KEYS_CHECKED_BY=gateway holds for the REST API's events, and for no others."""
    assert gateway_checked.send("GET", "/v2/account", key="of the usage plan").status == 200
    gateway_checked.payload = "2.0"
    assert gateway_checked.send("GET", "/v2/account", key="of the usage plan").status == 401


def test_without_hashes_every_keyed_route_is_closed(keyless: Client) -> None:
    """No configuration is no open door."""
    for key in ("local", "", None):
        assert keyless.send("GET", "/v2/account", key=key).status == 401
    assert keyless.send("GET", "/v2/health", key=None).status == 200


def test_a_header_that_comes_twice_is_one_list() -> None:
    """Behind either gateway: whoever takes an image too gets the image."""
    headers = {"Accept": "application/json", "Content-Type": "image/jpeg"}
    request = Request(name="twice", headers=headers, body=JPEG)
    rest, http_api = rest_event(request), http_api_event(request)
    rest["multiValueHeaders"]["Accept"] = ["image/png", "application/json"]
    (name,) = (name for name in http_api["headers"] if name.lower() == "accept")
    http_api["headers"][name] = "image/png,application/json"
    for event in (rest, http_api):
        reply = app.http_handler(event, LocalContext())
        assert reply["headers"]["Content-Type"] == "image/png"


def refused_event(event: Event, remover: Remover = app.remover) -> tuple[int, str]:
    """Return status and code of an event's answer where the gateway is said to check the keys."""
    settings = Settings(keys_checked_by=KeyCheck.GATEWAY)
    reply = deployment(remover, settings)(event, LocalContext())
    return reply["statusCode"], json.loads(reply["body"]).get("error", {}).get("code", "")


def test_only_a_keys_id_shows_that_the_gateway_checked_a_key() -> None:
    """A load balancer's event and an HTTP API's in format 1.0 look like a REST API's."""
    request = Request(name="a", method="GET", path="/v2/account", headers={}, key="any")
    keyed = rest_event(request)
    assert refused_event(keyed) == (200, "")

    keyless = rest_event(replace(request, key=None))
    keyless["headers"]["x-api-key"] = "any"
    assert refused_event(keyless) == (401, "invalid_api_key")

    unchecked = rest_event(replace(request, path="/v1.0/account"))  # the function checks this one
    assert refused_event(unchecked) == (403, "")

    empty = copy.deepcopy(keyed)
    empty["requestContext"]["identity"]["apiKeyId"] = ""
    assert refused_event(empty) == (401, "invalid_api_key")

    http_api = copy.deepcopy(keyless)
    http_api |= {"version": "1.0", "resource": "$default"}
    http_api["requestContext"] |= {"resourcePath": "$default", "stage": "$default"}
    assert refused_event(http_api) == (401, "invalid_api_key")

    balancer = {name: keyless[name] for name in ("path", "httpMethod", "headers", "body")}
    group = (
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/cutout/6d0ecf831eec9f09"
    )
    balancer |= {"requestContext": {"elb": {"targetGroupArn": group}}, "isBase64Encoded": False}
    assert refused_event(balancer) == (401, "invalid_api_key")
    balancer["multiValueHeaders"] = {n: [v] for n, v in balancer.pop("headers").items()}
    assert refused_event(balancer) == (401, "invalid_api_key")

    second = http_api_event(request)
    second["requestContext"]["identity"] = {"apiKeyId": "k7w2m9x4qa"}
    assert refused_event(second) == (401, "invalid_api_key")


def status_at(**changes: object) -> int:
    """Return the status of GET /v2/health whose event is changed as a gateway would send it."""
    request = Request(name="a", method="GET", path="/v2/health", headers={}, key=None)
    event = http_api_event(request) if "rawPath" in changes else rest_event(request)
    event["requestContext"]["stage"] = changes.pop("stage", event["requestContext"]["stage"])
    return int(app.http_handler({**event, **changes}, LocalContext())["statusCode"])


def test_a_base_path_and_a_stage_are_not_part_of_the_route() -> None:
    """A custom domain puts its base path before the path, an HTTP API the name of its stage."""
    proxied = {"resource": "/{proxy+}", "pathParameters": {"proxy": "v2/health/"}}
    assert status_at(path="/cutout/v2/health", resource="/v2/health") == 200
    assert status_at(path="/cutout/v2/health/", resource="/v2/health") == 200
    assert status_at(path="/cutout/v2/health", **proxied) == 200
    assert status_at(path="/v2/health", resource="/v3") == 404
    assert status_at(path="/cutout/v2/health", resource="$default") == 404
    assert status_at(path="/prod/v2/health", resource="$default", stage="prod") == 200
    assert status_at(rawPath="/prod/v2/health/", stage="prod") == 200
    assert status_at(rawPath="/v2/health", stage="prod") == 200
    assert status_at(rawPath="/v2/health", stage="v2") == 404
    assert status_at(rawPath="/v2/v2/health", stage="v2") == 200
    assert status_at(rawPath="/production/v2/health", stage="prod") == 404
    assert status_at(rawPath="/cutout/v2/health", routeKey="GET /v2/health") == 200
    assert status_at(rawPath="/v2/health/deeper") == 404


@ANY_PAYLOAD
def test_account(client: Client) -> None:
    """Clients test their key with it, and show whose it is."""
    settings = replace(app.settings, account_label="photos@shop.example")
    labelled = Client(deployment(app.remover, settings), client.payload)
    assert client.send("GET", "/v2/account").json()["account"]["email"] == ""
    assert labelled.send("GET", "/v2/account").json() == {
        "status": "ok",
        "api_key": {"valid": True, "mode": "live", "fingerprint": "25bf8e1a"},
        "account": {
            "plan": "self-hosted",
            "email": "photos@shop.example",
            "subscription_status": "active",
            "billing_model": "self-hosted",
            "usage_unit": "image",
        },
        "limits": {
            "max_pixels": 50_000_000,
            "max_request_bytes": 4_681_728,
            "max_upload_bytes": 0,
            "formats_in": ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "heic"],
            "formats_out": ["png", "jpg", "webp", "avif", "bmp", "gif", "tiff", "zip"],
            "models": ["erase-s"],
        },
    }


@pytest.mark.parametrize("path", ["/v2/health", "/v2/health/", "/v2/health?deep=1"])
@ANY_PAYLOAD
def test_health(client: Client, path: str) -> None:
    """Keyless; HEAD answers with the same headers and no body."""
    reply = client.send("GET", path, key=None)
    card = read_card(app.LOCAL_MODELS / "erase-s")
    assert reply.status == 200
    assert reply.json() == {
        "status": "ok",
        "version": __version__,
        "model": f"{card.name}/{card.version}",
    }
    head = client.send("HEAD", path, key=None)
    assert (head.status, head.body) == (200, b"")
    assert head.headers.keys() == reply.headers.keys()


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("deep=x", "invalid_deep", "deep must be true or false."),
        ("deep=2", "invalid_deep", "deep must be true or false."),
        ("DEEP=%2B1", "invalid_deep", "deep must be true or false."),
        (
            "deep=1&deep=1",
            "duplicate_option",
            "deep is given more than once. Send it once, in the body or in the query string.",
        ),
    ],
)
@ANY_PAYLOAD
def test_a_health_check_that_is_neither_deep_nor_not(
    client: Client, query: str, code: str, message: str
) -> None:
    """It is refused: an alarm that means to run the model must not be told that all is well."""
    reply = client.send("GET", f"/v2/health?{query}", key=None)
    assert (reply.status, reply.error()["code"]) == (400, code)
    assert reply.error()["message"] == message
    check(fetched(client), "GET", "/v2/health", reply)


@pytest.mark.parametrize("query", ["deep=", "deep=no", "_=123", "depth=9"])
@ANY_PAYLOAD
def test_a_health_check_that_is_not_deep(client: Client, query: str) -> None:
    """Without a value it is none, and other names mean nothing."""
    assert client.send("GET", f"/v2/health?{query}", key=None).status == 200


def test_a_deep_health_check_runs_the_network_at_most_once_in_ten_seconds() -> None:
    """Nobody needs a key for it; the outcome is answered from memory, a failure anew each time."""
    runs, now, is_broken = [], [100.0], [False]

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        runs.append(tensor.shape)
        if is_broken[0]:
            raise RuntimeError
        return np.zeros((1, 1, *tensor.shape[2:]), np.float32)

    card = read_card(app.LOCAL_MODELS / "erase-s")
    remover = Remover(Model(card=card, network=network), LIMITS)
    client = Client(deployment(remover, clock=lambda: now[0]))
    for query, seconds, expected_runs, status in [
        ("", 100.0, 0, 200),
        ("?deep=0", 100.0, 0, 200),
        ("?deep=1", 100.0, 1, 200),
        ("?deep=YES", 109.9, 1, 200),
        ("?deep=true", 110.0, 2, 200),
    ]:
        now[0] = seconds
        assert client.send("GET", f"/v2/health{query}", key=None).status == status
        assert len(runs) == expected_runs
    is_broken[0] = True
    for seconds, expected_runs, status in [(115, 2, 200), (121, 3, 503), (122, 3, 503)]:
        now[0] = seconds
        reply = client.send("HEAD", "/v2/health?deep=1", key=None)
        assert (reply.status, len(runs)) == (status, expected_runs)
    broken = client.send("GET", "/v2/health?deep=1", key=None)
    assert broken.error()["code"] == "model_unavailable"
    assert client.send("GET", "/v2/health", key=None).status == 200


def test_a_missing_model_is_said_everywhere_it_matters(without_model: Client) -> None:
    """Health is 200, deep health 503; a good request is 503 and a bad one still 400."""
    health = without_model.send("GET", "/v2/health")
    assert (health.status, health.json()["model"]) == (200, None)
    for reply in (
        without_model.send("GET", "/v2/health?deep=1"),
        without_model.post("/v2", body=JPEG, content_type="image/jpeg"),
    ):
        assert reply.status == 503
        assert reply.error()["code"] == "model_unavailable"
        assert reply.error()["message"] == (
            "This deployment's model cannot be used. Whoever runs it finds the reason in the"
            " function's log."
        )
    assert without_model.post("/v2", body=b"junk", content_type="image/png").status == 400


def test_a_background_image_comes_as_a_file_part(client: Client) -> None:
    """Beside the photo; the subject is in front of it where it was asked to be, with its shadow."""
    green = encoded(Image.new("RGB", (30, 20), (10, 200, 30)))
    reply = client.post(
        "/v2?scale=50%25&position=0%25+100%25&shadow_type=drop",
        **multipart(image_file=("a.png", encoded(ASTRONAUT)), bg_image_file=("b", green)),
    )
    assert reply.status == 200
    with Image.open(io.BytesIO(reply.body)) as image:
        assert (image.mode, image.size) == ("RGB", ASTRONAUT.size)
        assert image.getpixel((500, 5)) == (10, 200, 30)
    box = {side: int(reply.headers[f"x-foreground-{side}"]) for side in ("left", "top", "height")}
    assert box["left"] == 0
    assert box["top"] + box["height"] == ASTRONAUT.height


def test_ignored_fields_are_listed(client: Client) -> None:
    """From the body and the query string, each once, encoded."""
    reply = client.post(
        "/v2?add_shadow=1&x=1", **multipart(image_file=("a.png", SMALL), x="2", **{"ü, ~": "3"})
    )
    assert reply.status == 200
    assert reply.headers["x-ignored-params"] == "x,%C3%BC%2C%20%7E,add_shadow"
    assert (
        "x-ignored-params" not in client.post("/v2", body=SMALL, content_type="image/png").headers
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"n{i}" for i in range(25)], ",".join(f"n{i}" for i in range(20)) + ",...+5"),
        (["a" * 600, "b" * 600, "c"], "a" * 600 + ",...+2"),
        (["\ud800"], "%ED%A0%80"),
        (["a" * 5000], "...+1"),
    ],
)
def test_the_list_of_ignored_fields_is_bounded(
    client: Client, names: list[str], expected: str
) -> None:
    """20 names, 1,000 bytes, then how many more."""
    text = base64.b64encode(SMALL).decode()
    reply = client.json("/v2", {**dict.fromkeys(names, 1), "image_base64": text})
    assert reply.headers["x-ignored-params"] == expected


@ANY_PAYLOAD
def test_the_request_id_is_the_gateways(client: Client) -> None:
    """In the header, in the envelope, and in every line of the log."""
    reply = client.post("/v2", body=b"junk", content_type="image/png")
    assert reply.headers["x-request-id"] == client.last_request_id
    assert reply.error()["request_id"] == client.last_request_id


@pytest.mark.parametrize("logging", ["1.0", "2.0"], indirect=True)
def test_the_log_tells_the_request_and_never_its_content(logging: Client, log: io.StringIO) -> None:
    """Structured lines with the request's id; no key, no image, no field's value."""
    secret = base64.b64encode(JPEG).decode()
    logging.json("/v2", {"image_base64": secret, "note": "very private"})
    first_id = logging.last_request_id
    logging.json("/v2", {"image_base64": secret[:999], "bg_color": "very private"})
    second_id = logging.last_request_id
    assert first_id != second_id
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["answered", "refused", "answered"]
    assert [line["request_id"] for line in lines] == [first_id, second_id, second_id]
    assert lines[1]["kind"] == "InvalidOption"
    assert [line.get("status") for line in lines] == [200, None, 400]
    assert lines[1]["code"] == "invalid_bg_color"
    assert "very private" not in log.getvalue()
    assert secret[:40] not in log.getvalue()
    assert '"local"' not in log.getvalue()


def test_metrics_are_emitted(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """CloudWatch's embedded format: stages, pixels, confidence, requests, errors by code."""
    client.post("/v2", body=JPEG, content_type="image/jpeg")
    client.post("/v2?bg_color=no", body=JPEG, content_type="image/jpeg")
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    metrics = [line for line in lines if "_aws" in line]
    done = next(line for line in metrics if "Pixels" in line)
    assert done["Pixels"] == [512 * 512]
    assert done["Requests"] == [1]
    (confidence,) = done["Confidence"]
    assert confidence == pytest.approx(0.98, abs=0.02)
    assert {"DecodeTime", "MatteTime", "ComposeTime", "EncodeTime"} <= set(done)
    failed = next(line for line in metrics if "Errors" in line)
    assert (failed["code"], failed["service"]) == ("invalid_bg_color", "cutout")


def test_a_request_without_time_left_answers_before_the_platform_does(client: Client) -> None:
    """A stage cannot be stopped, so none is begun too late."""
    client.timeout_s = 1.0
    reply = client.post("/v2", body=JPEG, content_type="image/jpeg")
    assert (reply.status, reply.error()["code"]) == (504, "timeout")


def test_a_fault_of_ours_is_told_without_its_details(broken: Client, log: io.StringIO) -> None:
    """The caller gets an id; the log gets the traceback."""
    reply = broken.post("/v2", body=JPEG, content_type="image/jpeg")
    assert reply.status == 500
    assert reply.error()["code"] == "internal_error"
    assert "wires crossed" not in reply.body.decode()
    (failure,) = (
        line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "ERROR"
    )
    assert "wires crossed" in failure["exception"]
    assert failure["request_id"] == reply.headers["x-request-id"]
