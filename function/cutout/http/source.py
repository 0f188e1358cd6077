"""A body's fields → the image's :class:`Source`, and the fields of everything else."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from cutout.errors import InvalidBase64, InvalidImage, MissingImage, MultipleSources, told_name
from cutout.http.body import REPLACED, Body, BodyKind, Field, decode_base64
from cutout.options import OPTIONS, lowered

_BASE64_NAMES = {"image_base64", "image_file_b64"}
_BODY = "the body"
_WHOLE_IMAGES = {_BODY, "image_file"}
_BASE64_STARTS = (b"data:", b"/9j/", b"iVBORw0KGgo", b"UklGR", b"R0lGOD")
"""How base64 begins: as a data: URL, or as a JPEG, PNG, WebP or GIF."""
_AS_TEXT_STARTS = (REPLACED, b"\xc3\xbf\xc3\x98\xc3\xbf", b"\xc2\x89PNG")
"""How an image begins that was written as text: one whose bytes were taken for UTF-8, and a JPEG
and a PNG whose bytes were taken for ISO 8859-1."""
_MAX_LINE_BYTES = 1024  # the name of a file, or most URLs, which came in place of the image
_MAX_TOLD_FIELDS = 3  # in a message: their names are the caller's data
_OPTION_NAMES = {option.name for option in OPTIONS}
_JSON_AS_FORM = " JSON was sent as a form: it needs the Content-Type application/json."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNames:
    """What the sources are called on one route, beside ``image_file`` and ``image_url``.

    ``base64`` is the field that holds base64, and ``others`` are sources that only this route has.
    With ``skips_empty_files`` a file of 0 bytes is absent, else it is an invalid image.
    """

    base64: str
    others: frozenset[str] = frozenset()
    skips_empty_files: bool = False


OWN_NAMES = SourceNames(base64="image_base64", others=frozenset({"image_key", "image"}))
"""The names of ``POST /v2``. BackgroundErase's first interface had the field ``image``, in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the image is: ``name`` is the field in its one spelling, ``value`` as it came.

    ``is_urlencoded`` tells that it came in a form or a query string, where "+" means a space.
    ``base64`` is the field in which the route that was asked takes base64.
    """

    name: str
    value: object
    is_urlencoded: bool = False
    base64: str = OWN_NAMES.base64


def split_sources(
    body: Body, query: Iterable[Field], names: SourceNames = OWN_NAMES
) -> tuple[list[Source], list[Field]]:
    """Return the image sources of a request, and its other fields, the query string's included.

    A source that is empty or ``null`` is absent.
    """
    as_named = partial(Source, base64=names.base64)
    sources = [] if body.raw is None else [as_named(name=_BODY, value=body.raw)]
    others: list[Field] = []
    is_form = body.kind is BodyKind.FORM
    known = {"image_file", names.base64, "image_url", *names.others}
    if not is_form and body.kind is not BodyKind.JSON:
        known.discard("image")
    placed = [(field, is_form) for field in body.fields] + [(field, True) for field in query]
    for (name, value), is_urlencoded in placed:
        own = _own_name(name, names)
        is_absent = value is None or value == "" or (names.skips_empty_files and value == b"")
        is_text = not (is_absent or isinstance(value, bytes))
        if own not in known or (own == "image_file" and is_text):
            others.append((name, value))
        elif not is_absent:
            sources.append(as_named(name=own, value=value, is_urlencoded=is_urlencoded))
    return sources, others


def _own_name(name: str, names: SourceNames) -> str:
    """Return the one spelling of a field's name that a route has for it."""
    lower = lowered(name)
    if lower in _BASE64_NAMES:
        return names.base64
    return "image_url" if lower == "imageurl" else lower


def only_source(
    sources: list[Source],
    others: Iterable[Field],
    *,
    body: Body,
    accepted: str,
    names: SourceNames = OWN_NAMES,
) -> Source:
    """Return the one source; ``others`` are the other fields of the body and of the query string.

    ``accepted`` says which sources this deployment takes.

    :raises MissingImage: there is no source; the message tells what came instead.
    :raises MultipleSources: there are several.
    """
    if not sources:
        is_json = body.kind is BodyKind.FORM and any(
            name.lstrip().startswith("{")  # browsers and libraries escape it in a form
            for name, _ in body.fields
        )
        found = _JSON_AS_FORM if is_json else _found(others, names)
        raise MissingImage(accepted=accepted, found=found)
    if len(sources) > 1:
        raise MultipleSources(accepted=accepted, given=_given(sources))
    return sources[0]


def _given(sources: list[Source]) -> str:
    """Return the words of a message about several sources."""
    names = list(dict.fromkeys(source.name for source in sources))
    if len(names) > 1:
        return " and ".join(names) + " were sent"
    return f"{names[0]} was sent {len(sources)} times. Send a request of its own for each image"


def accepted_sources(*, has_storage: bool, fetches_urls: bool) -> str:
    """Return the ways to send an image to this deployment, for a message."""
    fields = ["image_base64"]
    fields += ["image_url"] if fetches_urls else []
    fields += ["image_key"] if has_storage else []
    named = ", ".join(fields[:-1]) + " or " + fields[-1] if fields[1:] else fields[0]
    return (
        f"image_file (multipart/form-data), {named} (JSON or form fields), or the image's bytes as"
        " the body"
    )


def _found(others: Iterable[Field], names: SourceNames) -> str:
    """Return the end of a message: why what was sent is no source, empty where nobody knows."""
    files: list[str] = []
    for name, value in others:
        if name.lower() == "image_file":
            return (
                " image_file was sent as text: send it as a file part of multipart/form-data, or"
                f" its base64 as {names.base64}."
            )
        if isinstance(value, bytes) and lowered(name) not in _OPTION_NAMES:
            files.append(told_name(name) or '""')
    if not files:
        return ""
    listed = ", ".join(files[:_MAX_TOLD_FIELDS])
    fields = "field" if len(files) == 1 else "fields"
    return f" A file was sent in the {fields} {listed}: name the field image_file."


def image_bytes(source: Source) -> bytes:
    """Return the bytes of the image that a request brings: a file, or base64.

    Base64 may have a ``data:`` prefix, and may come in a file too. A file in its field that cannot
    be text is taken for the image itself. In a form or a query string a space within the text can
    only be a "+" that was not escaped.

    :raises InvalidBase64: the field of base64 holds something else.
    :raises InvalidImage: text came where the image itself belongs.
    """
    text = source.value
    if isinstance(text, bytes):
        if source.name in _WHOLE_IMAGES:
            _check_whole(source, text)
        if source.name in _WHOLE_IMAGES or not text.isascii():
            return text
        text = text.decode()
    if not isinstance(text, str):
        raise InvalidBase64(field=source.name)
    text = text.lstrip()
    if text[:5].lower() == "data:":
        prefix, comma, text = text.partition(",")
        if not comma or not prefix.lower().endswith(";base64"):
            raise InvalidBase64(field=source.name)
    if source.is_urlencoded:
        text = text.lstrip().replace(" ", "+")
    return decode_base64(text.encode(errors="replace"), source.name)


def _check_whole(source: Source, sent: bytes) -> None:
    """Refuse text where the image itself belongs, in words that say what was sent.

    :raises InvalidImage: it is base64, an image that was written as text, or a line of text.
    """
    if sent.startswith(_BASE64_STARTS):
        raise InvalidImage(reason=f"it is base64 text. Send that in the field {source.base64}")
    if sent.startswith(_AS_TEXT_STARTS):
        raise InvalidImage(
            reason="its bytes were changed into text before they were sent. Read and send them as"
            " binary data"
        )
    if source.name != _BODY and _is_line(sent):
        raise InvalidImage(
            reason="image_file holds a line of text. Send the file itself, in curl with @ before"
            " its name"
        )


def _is_line(sent: bytes) -> bool:
    """Tell whether this is one line of text, such as the name of a file.

    An image that is read never is. SVG can be, which has an error of its own.
    """
    if len(sent) > _MAX_LINE_BYTES:
        return False
    try:
        line = sent.decode().strip()
    except UnicodeDecodeError:
        return False
    return line != "" and line.isprintable() and not line.startswith("<")
