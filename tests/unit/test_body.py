"""Bodies: every content type, every way to send an image, every malformed one."""

import base64
import binascii
import json
from urllib.parse import urlencode

import pytest

from cutout.errors import (
    InvalidBase64,
    InvalidForm,
    InvalidJson,
    InvalidMultipart,
    MissingImage,
    MultipleSources,
    UnsupportedMediaType,
)
from cutout.http.body import Body, BodyKind, decode_base64, parse_body
from cutout.http.source import Source, image_bytes, only_source, split_sources

BOUNDARY = "----cutout7MA4YWxkTrZu0gW"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JPEG = b"\xff\xd8\xff\xe0 not really\r\n\r\n--a " + BOUNDARY.encode() + b" jpeg--\r\n--"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    """Return one part of a multipart body."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
NOT_UTF8 = "it is not in UTF-8. An image as the body needs its own Content-Type, such as image/jpeg"


def test_multipart_gives_files_as_bytes_and_fields_as_text() -> None:
    """What only looks like a boundary is content: no byte of the file is lost."""
    body = (
        part('name="image_file"; filename="cat.jpg"', JPEG, "Content-Type: image/jpeg")
        + part('name="bg_color"', b"#FFFFFF")
        + part('name="crop"', b"true", "Content-Type: text/plain; charset=utf-8")
        + part('name="note"', "größe".encode())
        + part('name="latin"', "größe".encode("latin-1"))
        + END
    )
    assert parse_body(MULTIPART, body) == Body(
        kind=BodyKind.MULTIPART,
        fields=(
            ("image_file", JPEG),
            ("bg_color", "#FFFFFF"),
            ("crop", "true"),
            ("note", "größe"),
            ("latin", "gr\ufffd\ufffde"),
        ),
    )


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        rf'multipart/form-data; boundary="\{BOUNDARY}"',
        f"Multipart/Form-Data; Boundary={BOUNDARY}",
        f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
        f"multipart/form-data, Multipart/form-data; boundary={BOUNDARY}",
    ],
)
def test_the_content_type_is_read_as_the_rfc_says(content_type: str) -> None:
    """Types and parameter names are case-insensitive, values may be quoted, and signs escaped then.

    A header that was set twice is a list, as ``fetch`` sends ``Content-Type`` and ``content-type``.
    """
    body = part('name="image_file"; filename="a.png"', b"x") + END
    assert parse_body(content_type, body).fields == (("image_file", b"x"),)


@pytest.mark.parametrize(
    "boundary",
    [
        "----=_Part_0_12.34",
        "===1700000000000===",
        "a/b",
        "a:b",
        "a(b)",
        "a,b",
        "a?b",
        "a b",
        "'a'",
        'a"b',
    ],
)
def test_a_boundary_without_quotation_marks(boundary: str) -> None:
    """It needs them where it has signs such as "=", but many clients leave them out."""
    body = part('name="image_file"; filename="a.png"', b"x") + END
    body = body.replace(BOUNDARY.encode(), boundary.encode())
    for content_type in (
        f"multipart/form-data; boundary={boundary}",
        f"multipart/form-data;\tboundary={boundary} ; charset=utf-8",
        f'multipart/form-data; title="; boundary=b"; boundary={boundary}',
    ):
        assert parse_body(content_type, body).fields == (("image_file", b"x"),)


@pytest.mark.parametrize(
    "behind", [f", {MULTIPART}", f",{MULTIPART}", ",charset=utf-8", " charset=utf-8"]
)
def test_what_follows_a_boundary_is_not_of_it(behind: str) -> None:
    """A header that comes twice is joined with a comma; of two boundaries the last one counts."""
    body = part('name="image_file"; filename="a.png"', b"x") + END
    for content_type in (
        MULTIPART + behind,
        f"multipart/form-data; boundary=b; boundary={BOUNDARY}",
    ):
        assert parse_body(content_type, body).fields == (("image_file", b"x"),)


@pytest.mark.parametrize(
    ("disposition", "headers"),
    [
        ('name="image_file"', ()),
        ('name="bg_image_file"', ()),
        ('name="BG_Image_File"', ()),
        ("name=\"bg_image_file\"; filename*=UTF-8''%E5%86%99.png", ()),
        ("name=\"photo\"; filename*=UTF-8''%E5%86%99.png", ("Content-Type: image/png",)),
        ('name="photo"', ("content-type: Image/PNG",)),
    ],
)
def test_an_image_is_bytes_without_a_filename_too(
    disposition: str, headers: tuple[str, ...]
) -> None:
    """Some clients name no file, or in a way that no standard allows; it is still no text."""
    body = part(disposition, b"\x89PNG", *headers) + END
    ((_, value),) = parse_body(MULTIPART, body).fields
    assert value == b"\x89PNG"


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1252", "shift_jis"])
def test_a_file_may_have_a_name_in_any_charset(charset: str) -> None:
    """As curl on Windows sends it; the name of a field itself is UTF-8."""
    name = "größe" if charset != "shift_jis" else "写真"
    header = b'Content-Disposition: form-data; name="image_file"; filename="NAME.jpg"'
    header = header.replace(b"NAME", name.encode(charset))
    body = f"--{BOUNDARY}\r\n".encode() + header + b"\r\n\r\n" + JPEG + b"\r\n"
    fields = parse_body(MULTIPART, body + part('name="größe"', b"1") + END).fields
    assert fields == (("image_file", JPEG), ("größe", "1"))


@pytest.mark.parametrize("disposition", ['name="image_file"; filename=""', 'name="Image_File"'])
def test_an_empty_file_input_is_absent(disposition: str) -> None:
    """A browser sends a part with filename="" and no content, some clients no filename at all."""
    body = part(disposition, b"") + part('name="bg_color"', b"") + END
    assert parse_body(MULTIPART, body).fields == (("bg_color", ""),)


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("base64", base64.encodebytes(JPEG * 9)),
        ("BASE64", base64.b64encode(JPEG * 9)),
        ("quoted-printable", binascii.b2a_qp(JPEG * 9, istext=False)),
        ("binary", JPEG * 9),
        ("binary ", JPEG * 9),
        ("8bit", JPEG * 9),
        ("7bit", JPEG * 9),
    ],
)
def test_a_part_is_decoded_as_it_says(encoding: str, sent: bytes) -> None:
    """Content-Transfer-Encoding, which RFC 7578 deprecates and some libraries still send."""
    header = f"Content-Transfer-Encoding: {encoding}"
    body = part('name="image_file"; filename="a.jpg"', sent, header)
    body += part('name="crop"', base64.b64encode(b"yes"), "content-transfer-encoding: base64") + END
    assert parse_body(MULTIPART, body).fields == (("image_file", JPEG * 9), ("crop", "yes"))


@pytest.mark.parametrize(
    ("disposition", "told"),
    [
        ('name="image_file"; filename="a.jpg"', "image_file"),
        ('name="größe"', "gr%C3%B6%C3%9Fe"),
        ('name="a/b c"', "a%2Fb%20c"),
        (f'name="{"n" * 50}"', "n" * 40),
        ('filename="x"', ""),
    ],
)
def test_a_part_that_is_not_the_base64_that_it_says(disposition: str, told: str) -> None:
    """The message has its name: escaped, since it is the caller's text, and not at length."""
    body = part(disposition, b"=?=", "Content-Transfer-Encoding: base64") + END
    with pytest.raises(InvalidBase64, match=f"^{told} must be base64"):
        parse_body(MULTIPART, body)


LET_LIBRARY = "Let your HTTP library set Content-Type"
NO_BOUNDARY = f"its Content-Type has no boundary. {LET_LIBRARY}"
NOT_DIVIDED = (
    "it cannot be divided at the boundary that Content-Type names, or its end is missing. "
    + LET_LIBRARY
)
WRONG_HEAD = (
    'a part lacks the header Content-Disposition: form-data; name="…", or another of its headers'
    " is wrong"
)
WRONG_LINES = "its lines do not end with CR and LF"
TOO_MUCH = "it has more than 64 parts, or a part has very long or many headers"
CROP = part('name="crop"', b"1")


@pytest.mark.parametrize(
    ("content_type", "body", "cause"),
    [
        ("multipart/form-data", END, NO_BOUNDARY),
        ("multipart/form-data; boundary=", END, NO_BOUNDARY),
        (MULTIPART, b"", NOT_DIVIDED),
        (MULTIPART, b"hello", NOT_DIVIDED),
        (MULTIPART, part('name="image_file"; filename="a.jpg"', JPEG), NOT_DIVIDED),
        (MULTIPART, CROP[:-10], NOT_DIVIDED),
        *[
            (MULTIPART, f"--{BOUNDARY}\r\n{head}\r\n\r\nx\r\n".encode() + END, WRONG_HEAD)
            for head in (
                "no header here",
                "X-Only: 1",
                "Content-Type: image/jpeg",
                'Content-Disposition: attachment; name="image_file"',
                'Content-Disposition: form-data; name="image_file"\r\nContent-Length: 2',
            )
        ],
        *[(MULTIPART, (CROP + END).replace(b"\r\n", b"\n", n), WRONG_LINES) for n in (1, 5)],
        ("multipart/form-data; boundary=other", CROP + END, NOT_DIVIDED),
        (f"multipart/form-data; boundary={'b' * 500}", b"x", NOT_DIVIDED),
        ("multipart/form-data; boundary=\u00e9", b"x", NOT_DIVIDED),
        ("multipart/form-data; boundary=\ud800", b"x", NOT_DIVIDED),
        (MULTIPART, CROP * 65 + END, TOO_MUCH),
        (MULTIPART, part('name="' + "n" * 5000 + '"', b"1") + END, TOO_MUCH),
        (MULTIPART, part('name="crop"', b"1", *(f"X-{n}: 1" for n in range(20))) + END, TOO_MUCH),
        *[
            (
                MULTIPART,
                part('name="image_file"; filename="a.jpg"', JPEG, header) + END,
                "a part has an unknown Content-Transfer-Encoding",
            )
            for header in ("Content-Transfer-Encoding: gzip", "Content-Transfer-Encoding: rot13")
        ],
    ],
)
def test_malformed_multipart(content_type: str, body: bytes, cause: str) -> None:
    """Cut off, without a boundary or names, with wrong, long or too many parts, or encoded."""
    with pytest.raises(InvalidMultipart) as refusal:
        parse_body(content_type, body)
    assert refusal.value.code == "invalid_multipart"
    assert str(refusal.value) == (
        f"The body must be well-formed multipart/form-data (RFC 7578), but {cause}."
    )


def test_a_multipart_body_may_have_64_parts() -> None:
    """All of them are kept."""
    assert parse_body(MULTIPART, CROP * 64 + END).fields == (("crop", "1"),) * 64


def test_a_text_of_json_may_have_its_lines_broken() -> None:
    """As shells put the output of ``base64 photo.jpg`` into it."""
    body = b'{"image_base64": "/9j/\r\n\t4AAQ\n"}'
    assert parse_body("application/json", body).fields == (("image_base64", "/9j/\r\n\t4AAQ\n"),)


def test_json_keeps_types_and_repetitions() -> None:
    """Repetitions are an error of the option, and only the options know which fields are theirs."""
    body = b'{"image_base64": "AA==", "crop": true, "quality": 90, "crop": null, "x": {"a": [1]}}'
    parsed = parse_body("application/json; charset=utf-8", body)
    assert parsed.kind is BodyKind.JSON
    assert [name for name, _ in parsed.fields] == ["image_base64", "crop", "quality", "crop", "x"]
    assert [value for _, value in parsed.fields[:4]] == ["AA==", True, 90, None]


NO_END = "it is nested too deeply, or a number in it has too many digits"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"{", "it cannot be parsed: see line 1, column 2"),
        (b'{"a": 1,\n "b": x}', "it cannot be parsed: see line 2, column 7"),
        *[(body, "it is another JSON value") for body in (b"[]", b'"text"', b"null", b"1")],
        (JPEG, NOT_UTF8),
        (JPEG.decode(errors="replace").encode(), NOT_UTF8),  # as an HTTP API passes it on
        ('{"a": "ü"}'.encode("latin-1"), NOT_UTF8),
        (b"\xff\xfe{", NOT_UTF8),
        (b"{'a': 1}", "it cannot be parsed: see line 1, column 2"),
        (b'{"a": 1} x', "it cannot be parsed: see line 1, column 10"),
        (b"[" * 100_000, NO_END),
        (b'{"a":' * 100_000, NO_END),
        (b'{"quality": ' + b"9" * 5000 + b"}", NO_END),
    ],
)
def test_malformed_json(body: bytes, cause: str) -> None:
    """Not JSON, not an object, nested to the moon, a number without end."""
    with pytest.raises(InvalidJson) as refusal:
        parse_body("application/json", body)
    assert refusal.value.code == "invalid_json"
    assert str(refusal.value) == f"The body must be one JSON object, but {cause}."


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON; charset=utf-8",
        "application/vnd.api+json",
        "application/json, application/json",
    ],
)
def test_json_by_every_name(content_type: str) -> None:
    """A structured suffix says that the body is JSON (RFC 6839)."""
    body = parse_body(content_type, b'{"crop": true}')
    assert body == Body(kind=BodyKind.JSON, fields=(("crop", True),))


FORM = "application/x-www-form-urlencoded"


def test_forms_are_read_as_json_is() -> None:
    """Percent-encoded, plus for a space, empty values kept."""
    body = urlencode([("image_base64", "a+/="), ("bg_color", ""), ("n", "ä b")]).encode()
    parsed = parse_body(FORM, body)
    assert parsed.kind is BodyKind.FORM
    assert parsed.fields == (("image_base64", "a+/="), ("bg_color", ""), ("n", "ä b"))


def test_forms_are_in_utf_8_escaped_or_not() -> None:
    """As curl's -d sends it."""
    assert parse_body(FORM, "grün=grün&e=%C3%A9".encode()).fields == (("grün", "grün"), ("e", "é"))
    escaped = "what is percent-encoded in it is not in UTF-8"
    for body, cause in ((b"a=gr\xfcn", NOT_UTF8), (b"a=gr%FCn", escaped), (b"gr%FCn=1", escaped)):
        with pytest.raises(InvalidForm) as refusal:
            parse_body(FORM, body)
        assert (refusal.value.status, refusal.value.code) == (400, "invalid_form")
        assert str(refusal.value) == (
            f"The body must be a form (application/x-www-form-urlencoded) in UTF-8, but {cause}."
        )


def test_a_form_has_a_thousand_fields_at_most() -> None:
    """All of them are kept, and one more is told with the limit."""
    fields = [(f"n{number}", "1") for number in range(1_000)]
    assert parse_body(FORM, urlencode(fields).encode()).fields == tuple(fields)
    with pytest.raises(InvalidForm, match=r"but it has more than 1000 fields\.$"):
        parse_body(FORM, urlencode([*fields, ("crop", "1")]).encode())


def test_a_form_has_half_a_million_percent_signs_at_most() -> None:
    """Each of them takes memory, and base64 in the largest request has fewer."""
    most = b"%41" * 500_000
    assert parse_body(FORM, b"note=" + most).fields == (("note", "A" * 500_000),)
    with pytest.raises(InvalidForm, match=r"but it has more than 500000 percent signs\.$"):
        parse_body(FORM, b"note=" + most + b"%41")


def test_a_photo_that_is_sent_as_a_form_is_told_what_it_needs() -> None:
    """``curl --data-binary @photo.jpg`` says by itself that it sends a form."""
    with pytest.raises(InvalidForm) as refusal:
        parse_body(FORM, JPEG + b"&" * 2_000)
    assert str(refusal.value).endswith(f"in UTF-8, but {NOT_UTF8}.")


@pytest.mark.parametrize("content_type", ["image/jpeg", "IMAGE/heic", "application/octet-stream"])
def test_a_raw_body_is_the_image(content_type: str) -> None:
    """The format is told by the bytes, so any image type and none in particular will do."""
    assert parse_body(content_type, JPEG) == Body(kind=BodyKind.IMAGE, raw=JPEG)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/xml",
        "nonsense",
        ";;",
        ",",
        "\u212a",
        "application/json, multipart/form-data; boundary=x",
    ],
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
    wanted = [Source(name=name, value="v", is_urlencoded=True)]
    assert split_sources(Body(), [(spelling, "v")]) == (wanted, [])


def test_names_of_sources_are_matched_in_ascii_only() -> None:
    """Python lower-cases U+212A, the Kelvin sign, to a plain k."""
    assert "image_\u212aey".lower() == "image_key"
    fields = (("image_\u212aey", "v"), ("IMAGE_KEY", "w"))
    sources, others = split_sources(Body(fields=fields), [])
    assert [source.value for source in sources] == ["w"]
    assert others == [fields[0]]


def test_the_legacy_field_image_counts_in_json_and_forms_only() -> None:
    """Elsewhere ``image`` is a field like any unknown one."""
    fields = (("image", "AA=="),)
    for kind in BodyKind:
        sources, others = split_sources(Body(kind=kind, fields=fields), [])
        counts = kind in {BodyKind.JSON, BodyKind.FORM}
        assert [source.name for source in sources] == (["image"] if counts else [])
        assert others == ([] if counts else [("image", "AA==")])


def test_empty_sources_are_absent_but_an_empty_file_is_not() -> None:
    """A file of 0 bytes was chosen by someone, and is an invalid image."""
    fields = (("image_url", ""), ("image_key", None), ("image_file", b""))
    assert split_sources(Body(fields=fields), [])[0] == [Source(name="image_file", value=b"")]


@pytest.mark.parametrize("value", [None, ""])
def test_an_image_file_of_json_that_says_nothing_is_absent(value: object) -> None:
    """As from a client that sends all its fields: it is neither a source nor an unknown field."""
    body = Body(kind=BodyKind.JSON, fields=(("image_file", value), ("crop", "1")))
    assert split_sources(body, [("Image_File", "")]) == ([], [("crop", "1")])


ACCEPTED = "image_file or the image's bytes as the body"


def test_exactly_one_source() -> None:
    """None, one, the same twice, two kinds."""
    file = Source(name="image_file", value=b"x")
    url = Source(name="image_url", value="http://example.com")
    assert only_source([file], [], body=Body(), accepted=ACCEPTED) is file
    ((raw,), _) = split_sources(Body(kind=BodyKind.IMAGE, raw=b"x"), [])
    for sources, given in (
        ([raw, url], "the body and image_url were sent"),
        ([file, *[url] * 50], "image_file and image_url were sent"),
        (
            [file] * 3,
            "image_file was sent 3 times. Send a request of its own for each image",
        ),
    ):
        with pytest.raises(MultipleSources) as refusal:
            only_source(sources, [], body=Body(), accepted=ACCEPTED)
        assert str(refusal.value) == f"Exactly one image source is accepted, but {given}."


def test_an_image_file_that_is_text_is_not_a_source() -> None:
    """Nor are the bytes of any other field."""
    fields = (("image_file", "/9j/"), ("image_fil", b"x"), ("photo", b"x"))
    assert split_sources(Body(kind=BodyKind.JSON, fields=fields), []) == ([], list(fields))


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ([], ""),
        ([("crop", "1"), ("photo", "text")], ""),
        ([("crop", "1"), ("photo", b"x")], " A file was sent in the field photo: name the field image_file."),
        ([("BG_image_file", b"x")], ""),
        ([("bg_image_file", b"x"), ("photo", b"x")], " A file was sent in the field photo: name the field image_file."),
        ([("a", b""), ("b", b"")], " A file was sent in the fields a, b: name the field image_file."),
        ([("", b"x")], ' A file was sent in the field "": name the field image_file.'),
        ([("\ud800", b"x")], " A file was sent in the field %3F: name the field image_file."),
        ([("<ü>", b"x")], " A file was sent in the field %3C%C3%BC%3E: name the field image_file."),
        ([(letter * 99, b"") for letter in "abcd"], f" A file was sent in the fields {'a' * 40}, {'b' * 40}, {'c' * 40}: name the field image_file."),
        ([("Image_File", "/9j/")], " image_file was sent as text: send it as a file part of multipart/form-data, or its base64 as image_base64."),
    ],
)  # fmt: skip
def test_a_missing_image_names_the_file_fields_that_were_found(
    others: list[tuple[str, object]], found: str
) -> None:
    """A wrong field name is the usual reason; the caller's names are cut and escaped."""
    with pytest.raises(MissingImage) as refusal:
        only_source([], others, body=Body(), accepted=ACCEPTED)
    assert str(refusal.value) == f"No image was sent. Send {ACCEPTED}.{found}"


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "data:image/jpeg;base64,{}",
        "DATA:;BASE64,{}",
        "data:image/png;charset=utf-8;base64,{}",
        " {} \r\n",
        "\t{}",
        "\r\n data:image/png;base64,{}",
    ],
)
def test_base64_forms(form: str) -> None:
    """A data: prefix, white space, RFC 4648's other alphabet and a missing end are tolerated."""
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    wrapped = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    urlsafe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    for variant in (text, wrapped, urlsafe):
        value = form.format(variant)
        for sent in (value, value.encode()):
            assert image_bytes(Source(name="image_base64", value=sent)) == data


@pytest.mark.parametrize("prefix", ["", " \r\n", "data:image/png; charset=utf-8;base64,"])
def test_a_plus_that_was_not_escaped_in_a_form(prefix: str) -> None:
    """It arrives as a space, which in base64 from a form or a query can mean nothing else."""
    data = b"BM\x00" + b"\xfb\xef\xbe" * 99  # no format's first bytes make a "+", the others do
    text = base64.b64encode(data).decode()
    assert text.count("+") > 300
    body = Body(kind=BodyKind.FORM, fields=(("image_base64", prefix + text.replace("+", " ")),))
    ((source,), _) = split_sources(body, [])
    assert image_bytes(source) == data
    ((source,), _) = split_sources(Body(), body.fields)
    assert image_bytes(source) == data
    ((source,), _) = split_sources(Body(kind=BodyKind.JSON, fields=body.fields), [])
    assert image_bytes(source) != data  # in JSON white space is white space


@pytest.mark.parametrize(
    "value",
    [
        "A",
        "AAAAA",
        "A=A=",
        "äöü",
        "\ud800",
        "data:image/png,AAAA",
        "data:;base64",
        "{}",
        5,
        True,
        [],
        {},
        b"A",
        b"GIF89a;",
    ],
)
def test_what_is_no_base64(value: object) -> None:
    """The field is named; its content is not repeated."""
    with pytest.raises(InvalidBase64) as refusal:
        image_bytes(Source(name="image_base64", value=value))
    assert str(refusal.value) == (
        "image_base64 must be base64 (RFC 4648), with or without a data:…;base64, prefix."
    )


def test_a_large_json_body_is_parsed_within_bounds() -> None:
    """4 MB of base64 in JSON, as large as a request may be."""
    data = bytes(3_000_000)
    body = json.dumps({"image_base64": base64.b64encode(data).decode()}).encode()
    ((name, value),) = parse_body("application/json", body).fields
    assert image_bytes(Source(name=name, value=value)) == data


def test_a_file_of_many_chunks_is_whole() -> None:
    """A megabyte of bytes, line ends and beginnings of boundaries among them."""
    photo = bytes(range(256)) * 4_000 + b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n" + bytes(99)
    body = part('name="image_file"; filename="x"', photo) + END
    assert parse_body(MULTIPART, body).fields == (("image_file", photo),)


def test_a_name_that_is_not_in_utf_8_is_an_unknown_field() -> None:
    """It is kept, with a sign in place of what cannot be read."""
    body = part('name="NAME"', b"1").replace(b"NAME", "größe".encode("latin-1"))
    assert parse_body(MULTIPART, body + END).fields == (("gr\ufffd\ufffde", "1"),)


def test_a_part_without_a_name_has_an_empty_one() -> None:
    """It is an unknown field."""
    assert parse_body(MULTIPART, part('filename="x"', b"y") + END).fields == (("", b"y"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(b"QQ", b"A"), (b"QQ=", b"A"), (b"QQ==", b"A"), (b"QQ===", b"A")],
        *[(b"QUI", b"AB"), (b"QUI=", b"AB"), (b"QUJD", b"ABC"), (b"QUJX", b"ABW")],
    ],
)
def test_the_padding_of_base64_may_be_missing(text: bytes, expected: bytes) -> None:
    """Whole, in part, all of it, or more than that."""
    assert decode_base64(text, "image") == expected


@pytest.mark.parametrize("text", [b"=QQ", b"Q", b"QQQQQ="])
def test_padding_is_at_the_end_only(text: bytes) -> None:
    """What has it elsewhere, or one digit too many, is not base64."""
    with pytest.raises(InvalidBase64):
        decode_base64(text, "image")
