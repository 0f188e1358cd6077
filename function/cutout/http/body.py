"""Content type + bytes → :class:`Body`: the fields of a request's body, as they came."""

import binascii
import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl

import pybase64
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
)

from cutout.errors import (
    InvalidBase64,
    InvalidForm,
    InvalidJson,
    InvalidMultipart,
    UnsupportedMediaType,
    told_name,
)

Field = tuple[str, object]
"""A name and its value: text, ``bytes`` of a file part, or a JSON value."""

# All options and sources together are under 40 fields. Parts cost more memory each than the fields
# of a form, which a page may send by the hundred.
_MAX_PARTS = 64
_FILE_NAMES = {"image_file", "bg_image_file"}
_MAX_FORM_FIELDS = 1_000
_MAX_ESCAPES = 500_000
"""Of a form. Base64 in the largest request has about 150,000, and each takes memory of its own."""
_LET_LIBRARY = "Let your HTTP library set Content-Type"
_IMAGE_BODY = "An image as the body needs its own Content-Type, such as image/jpeg"
REPLACED = "\ufffd".encode()
"""How a JPEG or PNG begins that was written as text in UTF-8, with this character for each byte
that is none: by a client, or by an HTTP API where the type of the body was JSON."""
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;]*))')
"""A parameter of Content-Type: its name, and its value, either in quotation marks or without."""
_SPECIAL = re.compile(r'[\s,;=:/\\"()<>@\[\]?{}]')
"""A sign that needs quotation marks in the value of a parameter (RFC 2045, 5.1)."""


class BodyKind(Enum):
    """How a body carries its fields."""

    NONE = auto()
    IMAGE = auto()
    MULTIPART = auto()
    JSON = auto()
    FORM = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A parsed body: the fields in order, repetitions included; ``raw`` if it *is* the image."""

    kind: BodyKind = BodyKind.NONE
    raw: bytes | None = None
    fields: tuple[Field, ...] = ()


def parse_body(content_type: str, body: bytes) -> Body:
    """Return the fields of a body.

    :raises UnsupportedMediaType: no parser takes this content type.
    :raises InvalidMultipart: the body is not well-formed multipart/form-data.
    :raises InvalidBase64: a part says that it is base64, and it is not.
    :raises InvalidJson: the body is not a JSON object.
    :raises InvalidForm: the body is not a form in UTF-8, or has too many fields.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    # A client that sets the header in two spellings of its name sends a list: "a/b, a/b; c=d".
    listed = {name.strip() for name in media_type.split(",")}
    if len(listed) == 1:
        media_type = listed.pop()
    if media_type == "multipart/form-data":
        return Body(kind=BodyKind.MULTIPART, fields=_multipart(body, _boundary(content_type, body)))
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return Body(kind=BodyKind.JSON, fields=_json(body))
    if media_type == "application/x-www-form-urlencoded":
        return Body(kind=BodyKind.FORM, fields=_form(body))
    if media_type.startswith("image/") or media_type == "application/octet-stream":
        return Body(kind=BodyKind.IMAGE, raw=body)
    if not media_type and not body:
        return Body()
    raise UnsupportedMediaType


_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: bytes, field: str) -> bytes:
    """Return the bytes that ``text`` holds; ``field`` is where it was found, for the message.

    White space, the URL-safe alphabet and missing padding are accepted.

    :raises InvalidBase64: it is not base64.
    """
    text = text.translate(_STANDARD_ALPHABET, b" \t\r\n\f\v").rstrip(b"=")
    try:
        return pybase64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise InvalidBase64(field=field) from None


def _boundary(content_type: str, body: bytes) -> str:
    """Return the boundary that a Content-Type names, empty without one.

    Without quotation marks it ends at the next semicolon. Many clients leave them out where signs
    such as "=" or "/" require them (RFC 2046, 5.1.1), and most servers read it all the same. Where
    the body has no such boundary, it ends at the first of these signs: a gateway joins two headers
    with a comma.
    """
    boundary = ""
    for name, quoted, plain in _PARAMETER.findall(content_type):
        if name.lower() == "boundary":
            boundary = re.sub(r"\\(.)", r"\1", quoted) or plain.rstrip()
    if f"--{boundary}".encode(errors="replace") in body:
        return boundary
    return _SPECIAL.split(boundary, maxsplit=1)[0] or boundary


def _multipart(body: bytes, boundary: str) -> tuple[Field, ...]:
    """Return the bytes of each part that is a file, and the text of each other part."""
    if not boundary:
        raise InvalidMultipart(reason=f"its Content-Type has no boundary. {_LET_LIBRARY}")
    parts: list[tuple[MultipartSegment, list[bytes]]] = []
    try:
        # A file's name may be in any charset, and ISO 8859-1 has a letter for every byte.
        with PushMultipartParser(
            boundary, header_charset="latin-1", max_segment_count=_MAX_PARTS
        ) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    parts.append((event, []))
                elif event is not None:
                    parts[-1][1].append(bytes(event))
    except ParserLimitReached as error:
        reason = f"it has more than {_MAX_PARTS} parts, or a part has very long or many headers"
        raise InvalidMultipart(reason=reason) from error
    except (MultipartError, UnicodeError) as error:
        raise InvalidMultipart(reason=_why_malformed(error)) from error
    fields: list[Field] = []
    for part, chunks in parts:
        name = (part.name or "").encode("latin-1").decode(errors="replace")
        content = _content(part, name, b"".join(chunks))
        is_file = _is_file(part, name)
        if is_file and not part.filename and not content:
            continue  # a file input that was left empty, as browsers and clients send it
        if is_file:
            fields.append((name, content))
        else:
            fields.append((name, content.decode(errors="replace")))
    return tuple(fields)


def _why_malformed(error: Exception) -> str:
    """Return what is wrong with a body, told by the words of the parser's error."""
    words = str(error).lower()
    if "line break" in words:
        return "its lines do not end with CR and LF"
    if "segment" in words:
        return (
            'a part lacks the header Content-Disposition: form-data; name="…", or another of its'
            " headers is wrong"
        )
    return (
        "it cannot be divided at the boundary that Content-Type names, or its end is missing."
        f" {_LET_LIBRARY}"
    )


def _is_file(part: MultipartSegment, name: str) -> bool:
    """Tell whether a part is a file, which is most often told by its filename.

    Some clients name no file, and some write the name as ``filename*`` only, which RFC 7578, 4.2
    forbids and the parser does not read.
    """
    is_image = (part.header("Content-Type") or "").lower().startswith("image/")
    return part.filename is not None or is_image or name.lower() in _FILE_NAMES


def _content(part: MultipartSegment, name: str, sent: bytes) -> bytes:
    """Return what a part holds, decoded as its Content-Transfer-Encoding says.

    Browsers do not send this header (RFC 7578, 4.7), but HTTP libraries that build on mail do.

    :raises InvalidBase64: the part says that it is base64, and it is not.
    :raises InvalidMultipart: the name of the encoding is unknown (RFC 2045, 6.1 has five).
    """
    encoding = (part.header("Content-Transfer-Encoding") or "binary").strip().lower()
    if encoding == "base64":
        return decode_base64(sent, told_name(name))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(sent)
    if encoding not in {"7bit", "8bit", "binary"}:
        raise InvalidMultipart(reason="a part has an unknown Content-Transfer-Encoding")
    return sent


class _Pairs(tuple[Field, ...]):
    """A JSON object in which a name may be repeated."""

    __slots__ = ()


def _json(body: bytes) -> tuple[Field, ...]:
    if not body.strip():
        raise InvalidJson(reason="it is empty")
    try:
        # Not strict: "base64 photo.jpg" breaks its lines, which shells put into a text as they are.
        document = json.loads(body, object_pairs_hook=_Pairs, strict=False)
    except json.JSONDecodeError as error:
        if body.startswith(REPLACED):
            raise InvalidJson(reason=f"it is not in UTF-8. {_IMAGE_BODY}") from error
        reason = f"it cannot be parsed: see line {error.lineno}, column {error.colno}"
        raise InvalidJson(reason=reason) from error
    except UnicodeDecodeError as error:
        raise InvalidJson(reason=f"it is not in UTF-8. {_IMAGE_BODY}") from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply, or a number in it has too many digits"
        raise InvalidJson(reason=reason) from error
    if not isinstance(document, _Pairs):
        raise InvalidJson(reason="it is another JSON value")
    return document


def _form(body: bytes) -> tuple[Field, ...]:
    """Return the fields of a form in UTF-8, raw or percent-encoded."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidForm(reason=f"it is not in UTF-8. {_IMAGE_BODY}") from None
    if text.count("&") >= _MAX_FORM_FIELDS:
        raise InvalidForm(reason=f"it has more than {_MAX_FORM_FIELDS} fields")
    if text.count("%") > _MAX_ESCAPES:
        raise InvalidForm(reason=f"it has more than {_MAX_ESCAPES} percent signs")
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise InvalidForm(reason="what is percent-encoded in it is not in UTF-8") from None
