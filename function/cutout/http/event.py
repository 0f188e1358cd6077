"""What is read of an API Gateway event, and the type that each part of it has.

Only API Gateway itself is sure to send events as it documents them. Test tools and those who call
the function directly are told which part of theirs is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cutout.errors import InvalidEvent, UnknownEvent


class _Kind(NamedTuple):
    """A type: whether a value has it, and its name in a message."""

    has: Callable[[object], bool]
    name: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_lists(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(texts, list) and all(map(_is_text, texts)) for texts in value.values()
    )


_TEXT = _Kind(_is_text, "text")
_BOOLEAN = _Kind(lambda value: isinstance(value, bool), "true or false")
_OBJECT = _Kind(lambda value: isinstance(value, dict), "an object")
_TEXTS = _Kind(_are_texts, "an object of texts")
_LISTS = _Kind(_are_lists, "an object of lists of texts")

_OPTIONAL = {
    "body": _TEXT,
    "headers": _TEXTS,
    "isBase64Encoded": _BOOLEAN,
    "multiValueHeaders": _LISTS,
    "multiValueQueryStringParameters": _LISTS,
    "pathParameters": _TEXTS,
    "queryStringParameters": _TEXTS,
    "rawQueryString": _TEXT,
    "requestContext.identity": _OBJECT,
    "resource": _TEXT,
    "routeKey": _TEXT,
}
"""May be missing or ``null``, in either format."""

_NEEDED = {"requestContext": _OBJECT, "httpMethod": _TEXT, "path": _TEXT}
_NEEDED_IN_SECOND = {
    "requestContext": _OBJECT,
    "requestContext.http": _OBJECT,
    "requestContext.http.method": _TEXT,
    "rawPath": _TEXT,
}


def is_second_format(event: Mapping[str, Any]) -> bool:
    """Tell whether an event has the payload format 2.0."""
    return event.get("version") == "2.0"


def check_event(event: object) -> None:
    """Return if an event is as API Gateway sends it.

    :raises UnknownEvent: it is not about an HTTP request at all.
    :raises InvalidEvent: it is, but a part of it is missing or has another type.
    """
    if not isinstance(event, dict) or not {"httpMethod", "rawPath"} & event.keys():
        raise UnknownEvent(reason="it is not an HTTP request from API Gateway")
    needed = _NEEDED_IN_SECOND if is_second_format(event) else _NEEDED
    for name, kind in {**needed, **_OPTIONAL}.items():
        value = _found(event, name)
        if not kind.has(value) and (value is not None or name in needed):
            raise InvalidEvent(part=name, kind=kind.name)


def request_id_in(event: object) -> str:
    """Return the id that API Gateway gave to a request; empty if there is none."""
    found = _found(event, "requestContext.requestId")
    return found if isinstance(found, str) else ""


def _found(event: object, name: str) -> object:
    """Return a part of an event, ``None`` where there is none; dots lead to what is within."""
    found = event
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
