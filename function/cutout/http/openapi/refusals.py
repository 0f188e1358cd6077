"""What the routes refuse: the tree of errors → replies and schemas of the document."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from cutout.errors import CutoutError, InvalidEvent, InvalidOption
from cutout.http import removebg
from cutout.http.headers import CHARGES, EVERY_REPLY
from cutout.http.openapi.replies import EXAMPLE_ID, Schema, exactly, header_references
from cutout.options import OPTIONS

_GATEWAY: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        400: {"bad_request": "API Gateway cannot read the request."},
        403: {"access_denied": "API Gateway does not let the caller in."},
        413: {"payload_too_large": "The request has more bytes than API Gateway accepts."},
        429: {
            "rate_limit_exceeded": "Too many requests at once: wait as long as Retry-After says.",
            "quota_exceeded": "The key's quota of the day is used up.",
        },
        500: {"internal_error": "The request failed on our side."},
        502: {"internal_error": "The request failed on our side."},
        503: {"internal_error": "The request failed on our side."},
        504: {"timeout": "The request took too long."},
    }
)
_NEVER_OVER_HTTP = {CutoutError, InvalidEvent}
_OF_NO_ROUTE = {"not_found", "method_not_allowed"}
# remove.bg's route has no image_key, takes no response, and scales a result down that is too large.
_NOT_OF_REMOVEBG = _OF_NO_ROUTE | {
    "invalid_image_key",
    "invalid_response",
    "result_too_large",
    "storage_disabled",
}
_OF_UPLOADS = "content_type"
_OF_HEALTH = "deep"
_OF_REMOVEBG = (removebg.ADD_SHADOW.name, *removebg.IGNORED_WORDS)


class Fault(NamedTuple):
    """One code that a status can have, and what it means."""

    status: int
    code: str
    meaning: str


def _tree(kind: type[CutoutError]) -> Iterator[type[CutoutError]]:
    """Yield a kind of failure and all kinds of it, the most general last."""
    for below in kind.__subclasses__():
        yield from _tree(below)
    yield kind


def _faults(*names: str) -> Iterator[Fault]:
    """Yield every failure of requests; that of an option for each option and each of ``names``."""
    for kind in _tree(CutoutError):
        first = (kind.__doc__ or "").partition("\n")[0].partition(":")[0]
        meaning = first.rstrip(".").replace("``", "") + "."
        if kind is InvalidOption:
            invalid = sorted({option.code or option.name for option in OPTIONS} | set(names))
            yield from (Fault(kind.status, f"invalid_{name}", meaning) for name in invalid)
        elif "code" in vars(kind) and kind not in _NEVER_OVER_HTTP:
            yield Fault(kind.status, kind.code, meaning)


def _answered_by_gateway() -> list[Fault]:
    return [Fault(status, *row) for status, rows in _GATEWAY.items() for row in rows.items()]


FAULTS: Sequence[Fault] = (*_faults(_OF_UPLOADS, _OF_HEALTH), *_answered_by_gateway())
"""What is answered in the envelope of errors."""

REMOVEBG_FAULTS: Sequence[Fault] = (
    *(
        Fault(removebg.status_told(status), removebg.CODES.get(code, code), meaning)
        for status, code, meaning in _faults(*_OF_REMOVEBG)
        if code not in _NOT_OF_REMOVEBG
    ),
    *_answered_by_gateway(),
)
"""What the routes of remove.bg answer, in its shape."""

GENERAL_CODES = frozenset(code for rows in _GATEWAY.values() for code in rows) - {
    "payload_too_large"
}
"""What any request can be answered."""

REMOVAL_CODES = (
    frozenset(fault.code for fault in FAULTS)
    - _OF_NO_ROUTE
    - {f"invalid_{_OF_UPLOADS}", f"invalid_{_OF_HEALTH}"}
)
"""What a request for a cutout can be answered."""

REMOVEBG_CODES = frozenset(fault.code for fault in REMOVEBG_FAULTS)
"""What a request of a client of remove.bg for a cutout can be answered."""


def refusals(codes: Collection[str]) -> dict[str, Any]:
    """Return the reply of each status that one of ``codes`` has."""
    return _replies([fault for fault in FAULTS if fault.code in codes], "Error")


def removebg_refusals(codes: Collection[str]) -> dict[str, Any]:
    """Return the reply of each status that one of ``codes`` has on a route of remove.bg."""
    faults = [fault for fault in REMOVEBG_FAULTS if fault.code in codes]
    return _replies(faults, "RemoveBgErrors")


def _replies(faults: Sequence[Fault], schema: str) -> dict[str, Any]:
    lines: dict[int, dict[str, str]] = {}
    for status, code, meaning in faults:
        lines.setdefault(status, {}).setdefault(code, meaning)
    return {str(status): _reply(lines[status], status, schema) for status in sorted(lines)}


def _reply(lines: Mapping[str, str], status: int, schema: str) -> dict[str, Any]:
    """Return the reply of one status, which tells its codes and what they mean."""
    names = [*EVERY_REPLY, "Cache-Control"]
    names += CHARGES if schema == "RemoveBgErrors" else ()
    names += ["Retry-After"] if status == 429 else []  # noqa: PLR2004 - too many requests
    return {
        "description": " ".join(f"{code}: {meaning}" for code, meaning in lines.items()),
        "headers": header_references(names),
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


_TEXT = {"type": "string"}


def _codes(faults: Sequence[Fault]) -> Schema:
    return {"type": "string", "enum": sorted({fault.code for fault in faults})}


_ENVELOPE = exactly(
    code=_codes(FAULTS),
    message=_TEXT,
    status={"type": "integer", "minimum": 400, "maximum": 599},
    request_id=_TEXT,
)
_REMOVEBG_LIST = {
    "type": "array",
    "minItems": 1,
    "items": exactly(title=_TEXT, code=_codes(REMOVEBG_FAULTS), detail=_TEXT),
}
_EXAMPLE = {
    "code": "invalid_bg_color",
    "message": "bg_color must be a valid hex or named color.",
    "status": 400,
    "request_id": EXAMPLE_ID,
}
_REMOVEBG_EXAMPLE = {
    "title": "Missing or invalid API key.",
    "code": "auth_failed",
    "detail": "a valid key in the header x-api-key",
}

# API Gateway knows nothing of routes: its own answers are in both shapes at once.
ERRORS: Mapping[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {"error": _ENVELOPE, "errors": _REMOVEBG_LIST},
        "examples": [{"error": _EXAMPLE}],
    },
    "RemoveBgErrors": {
        "type": "object",
        "required": ["errors"],
        "additionalProperties": False,
        "properties": {"errors": _REMOVEBG_LIST, "error": _ENVELOPE},
        "examples": [{"errors": [_REMOVEBG_EXAMPLE]}],
    },
}
"""The schemas of both shapes of an error."""
