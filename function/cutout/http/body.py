"""Content type + bytes → the image's source and the other fields, as they came."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from cutout.errors import (
    InvalidBase64,
    InvalidJson,
    InvalidMultipart,
    MissingImage,
    MultipleSources,
    UnsupportedMediaType,
)

Field = tuple[str, object]
"""A name and its value: text, ``bytes`` of a file part, or a JSON value."""

_MAX_PARTS = 64
_MAX_FORM_FIELDS = 256
_ALIASES = {"image_file_b64": "image_base64", "imageurl": "image_url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A parsed body: the fields in order, repetitions included; ``raw`` if it *is* the image.

    ``is_json`` says that the legacy JSON field ``image`` counts.
    """

    raw: bytes | None = None
    fields: tuple[Field, ...] = ()
    is_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the image is: ``name`` is the field in its one spelling, ``value`` as it came."""

    name: str
    value: object


def parse_body(content_type: str, body: bytes) -> Body:
    """Return the fields of a body.

    :raises UnsupportedMediaType: a content type that no parser takes.
    :raises InvalidMultipart: the body is no well-formed multipart/form-data.
    :raises InvalidJson: the body is no JSON object.
    """
    media_type, parameters = parse_options_header(content_type)
    if media_type == "multipart/form-data":
        return Body(fields=_multipart(body, parameters.get("boundary", "")))
    if media_type == "application/json":
        return Body(fields=_json(body), is_json=True)
    if media_type == "application/x-www-form-urlencoded":
        return Body(fields=_form(body), is_json=True)
    if media_type.startswith("image/") or media_type == "application/octet-stream":
        return Body(raw=body)
    if not media_type and not body:
        return Body()
    raise UnsupportedMediaType


def split_sources(body: Body, query: Iterable[Field]) -> tuple[list[Source], list[Field]]:
    """Return the image sources of a request, and its other fields, the query string's included.

    A source that is empty or ``null`` is absent.
    """
    sources = [] if body.raw is None else [Source(name="the body", value=body.raw)]
    others: list[Field] = []
    for name, value in (*body.fields, *query):
        lower = name.lower() if name.isascii() else name
        lower = _ALIASES.get(lower, lower)
        named = lower in {"image_base64", "image_url", "image_key"}
        legacy = lower == "image" and body.is_json
        if not (named or legacy or (lower == "image_file" and isinstance(value, bytes))):
            others.append((name, value))
        elif value is not None and value != "":
            sources.append(Source(name=lower, value=value))
    return sources, others


def only_source(sources: list[Source]) -> Source:
    """Return the one source.

    :raises MissingImage: there is none.
    :raises MultipleSources: there are several.
    """
    if not sources:
        raise MissingImage
    if len(sources) > 1:
        raise MultipleSources(given=" and ".join(source.name for source in sources[:4]))
    return sources[0]


def decode_base64(field: str, value: object) -> bytes:
    """Return the bytes of a base64 field; a ``data:`` prefix and white space are tolerated.

    The URL-safe alphabet and missing padding are accepted too.

    :raises InvalidBase64: it is not text, or not base64.
    """
    if not isinstance(value, str):
        raise InvalidBase64(field=field)
    if value[:5].lower() == "data:":
        prefix, comma, value = value.partition(",")
        if not comma or not prefix.lower().endswith(";base64"):
            raise InvalidBase64(field=field)
    try:
        text = value.encode("ascii").translate(_STANDARD_ALPHABET, b" \t\r\n\f\v").rstrip(b"=")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidBase64(field=field) from None


_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def _multipart(body: bytes, boundary: str) -> tuple[Field, ...]:
    """Return a part's bytes where it has a filename or is ``image_file``, else its text."""
    if not boundary:
        raise InvalidMultipart(reason="its Content-Type has no boundary")
    parts: list[tuple[MultipartSegment, list[bytes]]] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    parts.append((event, []))
                elif event is not None:
                    parts[-1][1].append(bytes(event))
    except (MultipartError, UnicodeError) as error:
        raise InvalidMultipart(reason="this body is not: check the boundary") from error
    fields: list[Field] = []
    for part, chunks in parts:
        content = b"".join(chunks)
        name = part.name or ""
        if part.filename == "" and not content:
            continue  # a browser's file input that was left empty
        if part.filename is not None or name.lower() == "image_file":
            fields.append((name, content))
        else:
            fields.append((name, content.decode(errors="replace")))
    return tuple(fields)


class _Pairs(tuple[Field, ...]):
    """A JSON object with its repetitions."""

    __slots__ = ()


def _json(body: bytes) -> tuple[Field, ...]:
    try:
        document = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(reason="it cannot be parsed") from error
    if not isinstance(document, _Pairs):
        raise InvalidJson(reason="it is another value")
    return document


def _form(body: bytes) -> tuple[Field, ...]:
    try:
        return tuple(
            parse_qsl(
                body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS
            )
        )
    except ValueError:
        raise InvalidMultipart(reason=f"it has more than {_MAX_FORM_FIELDS} fields") from None
