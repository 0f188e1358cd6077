"""What each route takes and answers, for the OpenAPI document: one row for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

ANSWERED_BY_GATEWAY: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        400: {"bad_request": "API Gateway cannot read the request."},
        403: {"access_denied": "API Gateway does not let the caller in."},
        429: {
            "rate_limit_exceeded": "Too many requests at once: wait as long as Retry-After says.",
            "quota_exceeded": "The key's quota of the day is used up.",
        },
        502: {"internal_error": "The request failed on our side."},
    }
)
"""Status → code → meaning of what API Gateway answers by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: ``errors`` are the statuses of refusals, whose schema is ``error``."""

    name: str
    summary: str
    replies: Mapping[str, Any]
    errors: tuple[int, ...]
    error: str = "Error"
    body: Mapping[str, Any] = field(default_factory=dict)


def _ref(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def _json(description: str, name: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": _ref(name)}}


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODIES = {
    "multipart/form-data": _ref("Form"),
    "application/json": _ref("Fields"),
    "application/x-www-form-urlencoded": _ref("Fields"),
}
_REMOVEBG_BODIES = {
    "multipart/form-data": _ref("RemoveBgForm"),
    "application/json": _ref("RemoveBgFields"),
    "application/x-www-form-urlencoded": _ref("RemoveBgFields"),
}
_FILES = {"image/*": _BINARY, "application/octet-stream": _BINARY}
_CUTOUT = {"image/*": _BINARY, "application/zip": _BINARY}
_ANY = {"application/json": {"schema": {"type": "object"}}}
_GENERAL = (400, 403, 429, 500, 502, 503, 504)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/v2"): Operation(
        name="removeBackground",
        summary="Removes the background of one image. Options may be in the query string too.",
        body={"required": True, "content": {**_BODIES, **_FILES}},
        replies={
            "200": {"description": "The cutout.", "content": {**_CUTOUT, **_ANY}},
            "303": {
                "description": "The cutout is too large for a reply, and is at Location.",
                "content": _ANY,
            },
        },
        errors=(*_GENERAL, 401, 413, 415, 422),
    ),
    ("POST", "/v2/uploads"): Operation(
        name="makeUpload",
        summary="Gives a form that takes an image too large for a request.",
        body={"required": False, "content": _ANY},
        replies={"200": {"description": "The form and the image_key.", "content": _ANY}},
        errors=(*_GENERAL, 401, 413, 415),
    ),
    ("GET", "/v2/account"): Operation(
        name="showAccount",
        summary="Tells whether the API key is valid, and the deployment's limits.",
        replies={"200": {"description": "The account.", "content": _ANY}},
        errors=(*_GENERAL, 401),
    ),
    ("GET", "/v2/health"): Operation(
        name="showHealth",
        summary="Tells the version and the model; with deep=1 it runs the model.",
        replies={"200": _json("The service answers.", "Health")},
        errors=_GENERAL,
    ),
    ("HEAD", "/v2/health"): Operation(
        name="headHealth",
        summary="As GET, without a body.",
        replies={"200": {"description": "The service answers."}},
        errors=_GENERAL,
    ),
    ("POST", "/v1.0/removebg"): Operation(
        name="removebg",
        summary="Removes the background of one image, for clients of remove.bg.",
        body={"required": True, "content": {**_REMOVEBG_BODIES, **_FILES}},
        replies={"200": {"description": "The cutout.", "content": {**_CUTOUT, **_ANY}}},
        errors=(*_GENERAL, 413),
        error="RemoveBgErrors",
    ),
    ("GET", "/v1.0/account"): Operation(
        name="showCredits",
        summary="Tells that there are credits left, for clients of remove.bg.",
        replies={"200": {"description": "The account.", "content": _ANY}},
        errors=_GENERAL,
        error="RemoveBgErrors",
    ),
    ("GET", "/openapi.json"): Operation(
        name="showOpenApi",
        summary="Returns this document.",
        replies={"200": {"description": "The document.", "content": _ANY}},
        errors=_GENERAL,
    ),
}
"""Method and path → what is told of them."""

SCHEMAS: Mapping[str, Any] = {
    "Health": {
        "type": "object",
        "required": ["status", "version", "model"],
        "properties": {
            "status": {"const": "ok"},
            "version": {"type": "string"},
            "model": {"type": ["string", "null"]},
        },
        "examples": [{"status": "ok", "version": "0.1.0", "model": "erase-s/1"}],
    },
    "RemoveBgErrors": {
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["title", "code", "detail"],
                    "additionalProperties": {"type": "string"},
                },
            }
        },
        "examples": [
            {
                "errors": [
                    {
                        "title": "Missing or invalid API key.",
                        "code": "auth_failed",
                        "detail": "a valid key in the header x-api-key",
                    }
                ]
            }
        ],
    },
}
"""The schemas that are written here; those of the options and of the errors are derived."""
