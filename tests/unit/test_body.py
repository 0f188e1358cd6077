"""Bodies: every content type, every way to send an image, every malformed one."""

import base64
import json
from urllib.parse import urlencode

import pytest

from cutout.errors import (
    InvalidBase64,
    InvalidJson,
    InvalidMultipart,
    MissingImage,
    MultipleSources,
    UnsupportedMediaType,
)
from cutout.http.body import Body, Source, decode_base64, only_source, parse_body, split_sources

BOUNDARY = "----cutout7MA4YWxkTrZu0gW"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JPEG = b"\xff\xd8\xff\xe0 not really\r\n\r\n--a " + BOUNDARY.encode() + b" jpeg--\r\n--"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    """Return one part of a multipart body."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def test_multipart_gives_files_as_bytes_and_fields_as_text() -> None:
    """What only looks like a boundary is content: no byte of the file is lost."""
    body = (
        part('name="image_file"; filename="cat.jpg"', JPEG, "Content-Type: image/jpeg")
        + part('name="bg_color"', b"#FFFFFF")
        + part('name="crop"', b"true", "Content-Type: text/plain; charset=utf-8")
        + part('name="note"', "größe".encode())
        + END
    )
    assert parse_body(MULTIPART, body) == Body(
        fields=(
            ("image_file", JPEG),
            ("bg_color", "#FFFFFF"),
            ("crop", "true"),
            ("note", "größe"),
        )
    )


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data; Boundary={BOUNDARY}",
        f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
    ],
)
def test_the_content_type_is_read_as_the_rfc_says(content_type: str) -> None:
    """Types and parameter names are case-insensitive, values may be quoted."""
    body = part('name="image_file"; filename="a.png"', b"x") + END
    assert parse_body(content_type, body).fields == (("image_file", b"x"),)


def test_image_file_is_bytes_without_a_filename_too() -> None:
    """Some clients name no file; the image is still no text."""
    body = part('name="image_file"', b"\x89PNG") + END
    assert parse_body(MULTIPART, body).fields == (("image_file", b"\x89PNG"),)


def test_a_browsers_empty_file_input_is_absent() -> None:
    """It sends a part with filename="" and no content."""
    body = part('name="image_file"; filename=""', b"") + part('name="crop"', b"1") + END
    assert parse_body(MULTIPART, body).fields == (("crop", "1"),)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", END),
        ("multipart/form-data; boundary=", END),
        (MULTIPART, b""),
        (MULTIPART, b"hello"),
        (MULTIPART, part('name="image_file"; filename="a.jpg"', JPEG)),
        (MULTIPART, part('name="crop"', b"1")[:-10]),
        (MULTIPART, b"--" + BOUNDARY.encode() + b"\r\nno header here\r\n\r\nx\r\n" + END),
        (MULTIPART, b"--" + BOUNDARY.encode() + b"\r\nX-Only: 1\r\n\r\nx\r\n" + END),
        (MULTIPART, part('name="crop"', b"1") * 65 + END),
        (MULTIPART, part('name="' + "n" * 5000 + '"', b"1") + END),
        (MULTIPART, part('name="crop"', b"1", *(f"X-{n}: 1" for n in range(20))) + END),
        ("multipart/form-data; boundary=other", part('name="crop"', b"1") + END),
        (f"multipart/form-data; boundary={'b' * 500}", b"x"),
        ("multipart/form-data; boundary=\u00e9", b"x"),
    ],
)
def test_malformed_multipart(content_type: str, body: bytes) -> None:
    """Cut off, without boundary, without names, with too many parts or headers."""
    with pytest.raises(InvalidMultipart) as refusal:
        parse_body(content_type, body)
    assert refusal.value.code == "invalid_multipart"


def test_json_keeps_types_and_repetitions() -> None:
    """Repetitions are an error of the option, and only the options know which fields are theirs."""
    body = b'{"image_base64": "AA==", "crop": true, "quality": 90, "crop": null, "x": {"a": [1]}}'
    parsed = parse_body("application/json; charset=utf-8", body)
    assert parsed.is_json
    assert [name for name, _ in parsed.fields] == ["image_base64", "crop", "quality", "crop", "x"]
    assert [value for _, value in parsed.fields[:4]] == ["AA==", True, 90, None]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b"\xff\xfe{",
        b"{'a': 1}",
        b'{"a": 1} x',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"quality": ' + b"9" * 5000 + b"}",
    ],
)
def test_malformed_json(body: bytes) -> None:
    """Not JSON, not an object, nested to the moon, a number without end."""
    with pytest.raises(InvalidJson) as refusal:
        parse_body("application/json", body)
    assert refusal.value.code == "invalid_json"
    assert str(refusal.value).startswith("The body must be one JSON object, and ")


def test_forms_are_read_as_json_is() -> None:
    """Percent-encoded, plus for a space, empty values kept."""
    body = urlencode([("image_base64", "a+/="), ("bg_color", ""), ("n", "ä b")]).encode()
    parsed = parse_body("application/x-www-form-urlencoded", body)
    assert parsed.fields == (("image_base64", "a+/="), ("bg_color", ""), ("n", "ä b"))


@pytest.mark.parametrize("content_type", ["image/jpeg", "IMAGE/heic", "application/octet-stream"])
def test_a_raw_body_is_the_image(content_type: str) -> None:
    """The format is told by the bytes, so any image type and none in particular will do."""
    assert parse_body(content_type, JPEG) == Body(raw=JPEG)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "nonsense", ";;", "\u212a"]
)
def test_other_content_types(content_type: str) -> None:
    """The message names the ones that are read."""
    with pytest.raises(UnsupportedMediaType) as refusal:
        parse_body(content_type, JPEG)
    assert "multipart/form-data, application/json" in str(refusal.value)


def test_no_body_at_all_has_no_fields() -> None:
    """So that the answer is missing_image, not a lecture on content types."""
    assert parse_body("", b"") == Body()


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("image_base64", "image_base64"),
        ("image_base64", "IMAGE_FILE_B64"),
        ("image_url", "imageUrl"),
        ("image_url", "Image_URL"),
        ("image_key", "image_key"),
    ],
)
def test_sources_have_other_spellings(name: str, spelling: str) -> None:
    """Wherever they stand: the body or the query string."""
    wanted = [Source(name=name, value="v")]
    assert split_sources(Body(fields=((spelling, "v"), ("crop", "1"))), []) == (
        wanted,
        [("crop", "1")],
    )
    assert split_sources(Body(), [(spelling, "v")]) == (wanted, [])


def test_the_legacy_field_image_counts_in_json_only() -> None:
    """Elsewhere ``image`` is a field like any unknown one."""
    fields = (("image", "AA=="),)
    assert split_sources(Body(fields=fields, is_json=True), []) == (
        [Source(name="image", value="AA==")],
        [],
    )
    assert split_sources(Body(fields=fields), []) == ([], [("image", "AA==")])


def test_empty_sources_are_absent_but_an_empty_file_is_not() -> None:
    """A file of 0 bytes was chosen by someone, and is an invalid image."""
    fields = (("image_url", ""), ("image_key", None), ("image_file", b""))
    assert split_sources(Body(fields=fields), [])[0] == [Source(name="image_file", value=b"")]


def test_exactly_one_source() -> None:
    """None, one, the same twice, two kinds."""
    file = Source(name="image_file", value=b"x")
    url = Source(name="image_url", value="http://example.com")
    assert only_source([file]) is file
    with pytest.raises(MissingImage, match="No image was sent"):
        only_source([])
    for sources in ([file, url], [file, file], [url] * 50):
        with pytest.raises(MultipleSources) as refusal:
            only_source(sources)
        assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "data:image/jpeg;base64,{}",
        "DATA:;BASE64,{}",
        "data:image/png;charset=utf-8;base64,{}",
        " {} \r\n",
        "\t{}",
    ],
)
def test_base64_forms(form: str) -> None:
    """A data: prefix, white space, RFC 4648's other alphabet and a missing end are tolerated."""
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    wrapped = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    urlsafe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    for variant in (text, wrapped, urlsafe):
        assert decode_base64("image_base64", form.format(variant)) == data


@pytest.mark.parametrize(
    "value",
    [
        "A",
        "AAAAA",
        "A=A=",
        "äöü",
        "data:image/png,AAAA",
        "data:;base64",
        "{}",
        5,
        True,
        [],
        {},
        b"AA",
    ],
)
def test_what_is_no_base64(value: object) -> None:
    """The field is named; its content is not repeated."""
    with pytest.raises(InvalidBase64) as refusal:
        decode_base64("image_base64", value)
    assert str(refusal.value) == (
        "image_base64 must be base64 (RFC 4648), with or without a data:…;base64, prefix."
    )


def test_a_large_json_body_is_parsed_within_bounds() -> None:
    """4 MB of base64 in JSON, as large as a request may be."""
    data = bytes(3_000_000)
    body = json.dumps({"image_base64": base64.b64encode(data).decode()}).encode()
    ((name, value),) = parse_body("application/json", body).fields
    assert decode_base64(name, value) == data
