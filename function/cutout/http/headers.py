"""The headers of the replies: what each one tells. CORS and the OpenAPI document derive from it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def _header(description: str, **schema: Any) -> Mapping[str, Any]:
    return {"description": description, "schema": schema}


def _text(description: str, *, example: str) -> Mapping[str, Any]:
    return _header(description, type="string", examples=[example])


def _count(description: str) -> Mapping[str, Any]:
    return _header(description, type="integer", minimum=0)


HEADERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Access-Control-Allow-Origin": _text("CORS: whose pages may read the reply.", example="*"),
        "Access-Control-Expose-Headers": _text(
            "CORS: the headers that a page may read.", example="X-Request-Id"
        ),
        "Cache-Control": _header(
            "no-store: caches must not keep the reply. no-cache: they must ask whether it changed.",
            type="string",
            enum=["no-store", "no-cache"],
        ),
        "Content-Encoding": _header(
            "The document is compressed if the client accepts that.", const="gzip"
        ),
        "Content-Security-Policy": _text(
            "What the page may load and connect to.", example="default-src 'none'"
        ),
        "Content-Disposition": _text("The file's name.", example='inline; filename="cutout.png"'),
        "ETag": _text("The version of the document.", example='"5f6b1e0e6c0f4f57"'),
        "Location": _header("The URL of the result.", type="string", format="uri"),
        "Referrer-Policy": _header(
            "Links on the page do not send its address.", const="no-referrer"
        ),
        "Retry-After": _count("Seconds to wait before the next request."),
        "Server-Timing": _text("The time of each stage in ms.", example="decode;dur=5.2"),
        "Vary": _header(
            "The header of the request on which the reply depends.", const="Accept-Encoding"
        ),
        "X-Content-Type-Options": _header("Browsers must not guess the type.", const="nosniff"),
        "X-Credits-Charged": _header("Always 0: nothing is charged.", type="integer", const=0),
        "X-Foreground-Coverage": _header(
            "The mean of the matte over the result's canvas.", type="number", minimum=0, maximum=1
        ),
        "X-Foreground-Height": _count("Height of the subject's box in px, 0 without a subject."),
        "X-Foreground-Left": _count("Left edge of the subject's box in px of the result."),
        "X-Foreground-Top": _count("Top edge of the subject's box in px of the result."),
        "X-Foreground-Width": _count("Width of the subject's box in px, 0 without a subject."),
        "X-Height": _header("The result's height in px.", type="integer", minimum=1),
        "X-Ignored-Params": _text(
            "Names of the fields that were ignored, percent-encoded.", example="colour"
        ),
        "X-Matte-Confidence": _header(
            "The IoU with a perfect matte that this matte can be expected to have.",
            type="number",
            minimum=0,
            maximum=1,
        ),
        "X-Model": _text(
            "The model that made the matte, and its version.", example="erase-s/0.8.1"
        ),
        "X-RateLimit-Limit": _count(
            "A constant that clients read. The deployment has other limits."
        ),
        "X-RateLimit-Remaining": _count("A constant that clients read: the limit less one."),
        "X-RateLimit-Reset": _count("When the next minute begins, in seconds of Unix time."),
        "X-Request-Id": _text("The request's id, for questions to the operator.", example="c0ffee"),
        "X-Result-Scale": _header(
            "The result was scaled by this factor to fit the reply.",
            type="number",
            exclusiveMinimum=0,
            exclusiveMaximum=1,
        ),
        "X-Type": _header("Always other: what the subject is, is not recognised.", const="other"),
        "X-Width": _header("The result's width in px.", type="integer", minimum=1),
    }
)
"""Name → description and JSON Schema of the value, as OpenAPI writes a header."""

# These either are readable by every page, or concern nobody but the browser itself.
_NOT_EXPOSED = {
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Cache-Control",
    "Content-Encoding",
    "Content-Security-Policy",
    "ETag",
    "Referrer-Policy",
    "Vary",
}

EXPOSED_HEADERS = tuple(name for name in HEADERS if name not in _NOT_EXPOSED)
"""What a browser's script may read of a reply's headers."""

EVERY_REPLY = (
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "X-Content-Type-Options",
    "X-Request-Id",
)
"""The headers of every reply, those that API Gateway gives by itself included."""

RESULT_FACTS = (
    "Server-Timing",
    "X-Foreground-Coverage",
    "X-Foreground-Height",
    "X-Foreground-Left",
    "X-Foreground-Top",
    "X-Foreground-Width",
    "X-Height",
    "X-Matte-Confidence",
    "X-Model",
    "X-Width",
)
"""The headers of every reply that holds a result or leads to it."""

CHARGES = ("X-Credits-Charged", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
"""The headers that clients of remove.bg read together."""

CACHEABLE = ("ETag", "Vary")
"""The headers of a document that clients may keep, and of the answer that it has not changed."""

PAGE = (*CACHEABLE, "Content-Security-Policy", "Referrer-Policy")
"""The headers of a page, and of the answer that it has not changed."""

ALWAYS_SENT = frozenset({*EVERY_REPLY, *RESULT_FACTS, *PAGE, "Location", "X-Type"})
"""Headers that are never missing from the replies that can have them."""
