"""JSON Schemas of what the routes answer, each with an example."""

from collections.abc import Iterable, Mapping
from typing import Any

from cutout.formats import FORMATS_IN
from cutout.http.removebg import ACCOUNT
from cutout.http.request import MAX_REQUEST_BYTES
from cutout.options import FORMATS_OUT

Schema = Mapping[str, Any]

_COUNT = {"type": "integer", "minimum": 0}
_SIDE = {"type": "integer", "minimum": 1}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_URL = {"type": "string", "format": "uri"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
EXAMPLE_ID = "5f6b1e0e-6c0f-4f57-9d4b-7c1f6f2f9a10"
"""The id of a request in every example."""


def exactly(**fields: Any) -> dict[str, Any]:
    """Return the schema of an object that has all of these fields, and no other."""
    return {
        "type": "object",
        "required": list(fields),
        "additionalProperties": False,
        "properties": fields,
    }


def header_references(names: Iterable[str]) -> dict[str, Any]:
    """Return the headers of a reply."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _with_example(schema: Schema, example: Any) -> Schema:
    return {**schema, "examples": [example]}


_BOX = {"top": 12, "left": 40, "width": 233, "height": 308}
_FOUND = {
    "format": "png",
    "width": 320,
    "height": 320,
    "foreground": _BOX,
    "coverage": 0.4127,
    "confidence": 0.93,
}
_DESCRIBED = {
    "format": {"enum": list(FORMATS_OUT), "type": "string"},
    "width": _SIDE,
    "height": _SIDE,
    "foreground": {"$ref": "#/components/schemas/Box"},
    "coverage": _SHARE,
    "confidence": _SHARE,
}
_CREDITS = ("total", "subscription", "payg", "enterprise")
_UPLOAD = {"url": "https://bucket.example/", "fields": {"key": "incoming/…/image"}}
_LIMITS = {
    "max_pixels": 50_000_000,
    "max_request_bytes": MAX_REQUEST_BYTES,
    "max_upload_bytes": 64_000_000,
    "formats_in": list(FORMATS_IN),
    "formats_out": list(FORMATS_OUT),
    "models": ["erase-s"],
}

REPLIES: Mapping[str, Schema] = {
    "Box": {
        **exactly(top=_COUNT, left=_COUNT, width=_COUNT, height=_COUNT),
        "description": "The subject's box in px of the result; all 0 without a subject.",
        "examples": [_BOX],
    },
    "Cutout": _with_example(
        exactly(image_base64=_BASE64, **_DESCRIBED, request_id=_TEXT),
        {"image_base64": "iVBORw0KGgo=", **_FOUND, "request_id": EXAMPLE_ID},
    ),
    "Mask": _with_example(
        exactly(mask=_BASE64, width=_SIDE, height=_SIDE),
        {"mask": "iVBORw0KGgo=", "width": 320, "height": 320},
    ),
    "Link": _with_example(
        exactly(url=_URL, expires_at=_TIME, **_DESCRIBED, request_id=_TEXT),
        {
            "url": "https://bucket.example/results/…/cutout.png",
            "expires_at": "2026-11-23T06:00:00Z",
            **_FOUND,
            "request_id": EXAMPLE_ID,
        },
    ),
    "Upload": _with_example(
        exactly(
            upload=exactly(
                url=_URL, fields={"type": "object", "additionalProperties": {"type": "string"}}
            ),
            image_key=_TEXT,
            expires_at=_TIME,
            max_bytes=_SIDE,
            request_id=_TEXT,
        ),
        {
            "upload": _UPLOAD,
            "image_key": "incoming/…/image",
            "expires_at": "2026-11-23T06:00:00Z",
            "max_bytes": 64_000_000,
            "request_id": EXAMPLE_ID,
        },
    ),
    "Account": _with_example(
        exactly(
            status={"const": "ok"},
            api_key=exactly(
                valid={"const": True},
                mode={"const": "live"},
                fingerprint={"type": "string", "pattern": "^[0-9a-f]{8}$"},
            ),
            account=exactly(
                plan={"const": "self-hosted"},
                email=_TEXT,
                subscription_status={"const": "active"},
                billing_model={"const": "self-hosted"},
                usage_unit={"const": "image"},
            ),
            limits=exactly(
                max_pixels=_SIDE,
                max_request_bytes=_SIDE,
                max_upload_bytes=_COUNT,
                formats_in={"type": "array", "items": {"enum": list(FORMATS_IN)}},
                formats_out={"type": "array", "items": {"enum": list(FORMATS_OUT)}},
                models={"type": "array", "minItems": 1, "items": _TEXT},
            ),
        ),
        {
            "status": "ok",
            "api_key": {"valid": True, "mode": "live", "fingerprint": "25bf8e1a"},
            "account": {
                "plan": "self-hosted",
                "email": "shop@shop.example",
                "subscription_status": "active",
                "billing_model": "self-hosted",
                "usage_unit": "image",
            },
            "limits": _LIMITS,
        },
    ),
    "Health": _with_example(
        exactly(status={"const": "ok"}, version=_TEXT, model={"type": ["string", "null"]}),
        {"status": "ok", "version": "0.1.0", "model": "erase-s/0.8.1"},
    ),
    "RemoveBgCutout": _with_example(
        exactly(
            data=exactly(
                result_b64=_BASE64,
                foreground_top=_COUNT,
                foreground_left=_COUNT,
                foreground_width=_COUNT,
                foreground_height=_COUNT,
            )
        ),
        {
            "data": {
                "result_b64": "iVBORw0KGgo=",
                **{f"foreground_{side}": value for side, value in _BOX.items()},
            }
        },
    ),
    "RemoveBgAccount": _with_example(
        exactly(
            data=exactly(
                attributes=exactly(
                    credits=exactly(**dict.fromkeys(_CREDITS, _COUNT)),
                    api=exactly(free_calls=_COUNT, sizes={"const": "all"}),
                )
            )
        ),
        ACCOUNT,
    ),
}
"""Name → schema."""
