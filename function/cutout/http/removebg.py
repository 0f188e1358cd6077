"""remove.bg's routes: its names ↔ ours, its errors, its account.

Every option of ``POST /v2`` has the same meaning here, under remove.bg's name where it has one.
What differs are the defaults, and how the result travels: always in the reply.
"""

import base64
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from cutout.errors import SERVER_FAULT, CutoutError, DuplicateOption, InvalidOption
from cutout.http.body import Field, parse_body
from cutout.http.removal import Removal
from cutout.http.reply import Reply, error_reply, facts, ignored_header, image_reply, json_reply
from cutout.http.request import Request
from cutout.http.source import SourceNames, only_source, split_sources
from cutout.options import Delivery, Format, OnEmpty, Options, Size, parse_options
from cutout.remover import Result

DEFAULTS = Options(
    format=Format.AUTO, size=Size.PREVIEW, response=Delivery.FIT, on_empty=OnEmpty.ERROR
)
"""What a request of remove.bg's clients gets that says nothing."""

CREDITS = 1_000_000
"""What ``GET /v1.0/account`` shows: nothing is counted, and a client warns at 0."""

CODES = MappingProxyType(
    {
        "invalid_api_key": "auth_failed",
        "missing_image": "missing_source",
        "invalid_image": "failed_to_read_image",
        "unsupported_image_format": "invalid_file_type",
        "payload_too_large": "file_too_large",
        "image_too_large": "resolution_too_high",
    }
)
"""Our codes that have another name at remove.bg."""

_KEPT_STATUS = {404, 405, 429}  # of the faults of the caller; all others are 400
_FORBIDDEN, _UNAUTHORIZED, _BAD_REQUEST = 403, 401, 400

IGNORED_WORDS = {
    "type": ("auto", "person", "product", "animal", "car", "transportation", "graphic", "other"),
    "type_level": ("none", "latest", "1", "2"),
}
"""Fields that remove.bg's reference has and that have no effect here, with their values."""
_COLOR_WITH_ALPHA = re.compile(
    r"#?(?:([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})|([0-9A-Fa-f]{3})([0-9A-Fa-f]))"
)
_SOURCES = SourceNames(base64="image_file_b64")
_RATE_LIMIT = 500  # remove.bg's own number of requests a minute; API Gateway limits, nothing here


class RemoveBg:
    """Answers ``POST /v1.0/removebg``."""

    def __init__(self, removal: Removal) -> None:
        """Cut images out with ``removal``."""
        self._removal = removal

    def reply_to(self, request: Request) -> Reply:
        """Return the cutout of the request's image as remove.bg does.

        :raises CutoutError: the request or the image is refused, or something fails on our side.
        """
        content = request.content(instead="Send a smaller image.")
        body = parse_body(request.headers.get("content-type", ""), content)
        sources, fields = split_sources(body, request.query, _SOURCES)
        options, ignored = read_options(fields, self._removal.models)
        source = only_source(sources, fields, accepted=self._accepted(), names=_SOURCES)
        result = self._removal.result_of(source, options, request)
        if request.wants_json():
            reply = _document_reply(result, ignored)
        else:
            reply = image_reply(result, options, ignored)
        return replace(reply, headers={**reply.headers, "X-Type": "other", **_charges()})

    def _accepted(self) -> str:
        """Return the ways to send an image, for a message."""
        if self._removal.fetches_urls:
            return "image_file (multipart/form-data), image_file_b64 or image_url"
        return "image_file (multipart/form-data) or image_file_b64"


def read_options(
    fields: Iterable[Field], models: Sequence[str] = ()
) -> tuple[Options, tuple[str, ...]]:
    """Return the options in remove.bg's fields, and the names of the fields without a meaning.

    :raises DuplicateOption: an option is given twice.
    :raises MultipleBackgrounds: more than one ``bg_*`` option.
    :raises InvalidOption: a value is not accepted.
    """
    ours: list[Field] = []
    ignored: list[str] = []
    theirs: dict[str, object] = {}
    alpha = 255
    for field, value in fields:
        name = field.lower() if field.isascii() else field
        if name == "api_key" or value is None or value in ("", b""):
            continue
        if name == "response":  # there is one way here
            ignored.append(field)
        elif name in {"add_shadow", *IGNORED_WORDS}:
            if name in theirs:
                raise DuplicateOption(option=name)
            theirs[name] = value
        elif name == "bg_color" and isinstance(value, str):
            color, opacity = _split_color(value)
            alpha = min(alpha, opacity)
            ours.append((name, color))
        else:
            ours.append((field, value))
    _check_words(theirs)
    if _is_on(theirs.get("add_shadow", "false")) and not _names(ours, "shadow_type"):
        ours.append(("shadow_type", "drop"))
    options, unknown = parse_options(ours, DEFAULTS, models=models)
    if options.bg_color is not None:
        options = replace(options, bg_color=replace(options.bg_color, a=alpha))
    return options, (*unknown, *ignored)


def _check_words(fields: Mapping[str, object]) -> None:
    """Refuse a value of a field without effect that remove.bg's reference does not know.

    :raises InvalidOption: naming the field.
    """
    for name, words in IGNORED_WORDS.items():
        if str(fields.get(name, words[0])).lower() not in words:
            raise InvalidOption(option=name, accepted="one of " + ", ".join(words))


def key_sent(request: Request) -> str:
    """Return the key of a request, empty without one.

    It is in the header ``x-api-key``, in ``Authorization: Bearer``, or in the field ``api_key``.
    """
    if key := request.headers.get("x-api-key"):
        return key
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        content = request.content(instead="")
        body = parse_body(request.headers.get("content-type", ""), content)
    except CutoutError:  # a body that cannot be read holds no key
        return ""
    keys = [value for name, value in body.fields if name.lower() == "api_key"]
    return keys[0] if len(keys) == 1 and isinstance(keys[0], str) else ""


def show_credits(_: Request) -> Reply:
    """Return the account in exactly remove.bg's shape: a client raises on any other key."""
    credit = {"total": CREDITS, "subscription": 0, "payg": CREDITS, "enterprise": 0}
    attributes = {"credits": credit, "api": {"free_calls": CREDITS, "sizes": "all"}}
    return json_reply({"data": {"attributes": attributes}}, headers=_rate_limit())


def status_told(status: int) -> int:
    """Return the status that remove.bg has for one of ours: faults of the input are all 400."""
    if status == _UNAUTHORIZED:
        return _FORBIDDEN
    return status if status >= SERVER_FAULT or status in _KEPT_STATUS else _BAD_REQUEST


def removebg_error_reply(error: CutoutError, request_id: str) -> Reply:
    """Return an error as remove.bg's clients read it."""
    told = {
        "title": str(error),
        "code": CODES.get(error.code, error.code),
        "detail": error.detail,
    }
    headers = {**error_reply(error, request_id).headers, **_charges()}
    return json_reply({"errors": [told]}, status=status_told(error.status), headers=headers)


def _document_reply(result: Result, ignored: Iterable[str]) -> Reply:
    """Return the image inside JSON."""
    subject = result.report.subject
    data = {
        "result_b64": base64.b64encode(result.file.body).decode(),
        "foreground_top": subject.top,
        "foreground_left": subject.left,
        "foreground_width": subject.width,
        "foreground_height": subject.height,
    }
    return json_reply({"data": data}, headers=facts(result) | ignored_header(tuple(ignored)))


def _charges() -> dict[str, str]:
    """Return the headers about what a call costs: nothing."""
    return {"X-Credits-Charged": "0", **_rate_limit()}


def _rate_limit() -> dict[str, str]:
    """Return the three headers that clients read together. The function itself limits nothing."""
    return {
        "X-RateLimit-Limit": str(_RATE_LIMIT),
        "X-RateLimit-Remaining": str(_RATE_LIMIT - 1),
        "X-RateLimit-Reset": str(int(time.time()) // 60 * 60 + 60),
    }


def _split_color(text: str) -> tuple[str, int]:
    """Return a colour's text without its alpha, and the alpha, 0..255; other text as it is."""
    match = _COLOR_WITH_ALPHA.fullmatch(text)
    if match is None:
        return text, 255
    color, alpha = (match[1], match[2]) if match[1] else (match[3], match[4] * 2)
    return f"#{color}", int(alpha, 16)


def _is_on(value: object) -> bool:
    """Return the boolean of ``add_shadow``.

    :raises InvalidOption: it is none.
    """
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    word = str(value).lower()
    if word not in words:
        raise InvalidOption(option="add_shadow", accepted="true or false")
    return words[word]


def _names(fields: Iterable[Field], name: str) -> bool:
    """Tell whether a field has this name."""
    return any(field.lower() == name for field, _ in fields)
