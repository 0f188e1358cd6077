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


CONFIDENCE = "X-Matte-Confidence"
"""It has a name because the line in the log has it too."""

HEADERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Access-Control-Allow-Origin": _text("CORS: the pages that may read it.", example="*"),
        "Access-Control-Expose-Headers": _text(
            "CORS: the headers that a page may read.", example="X-Request-Id"
        ),
        "Cache-Control": _header(
            "no-store: no cache keeps it. no-cache: whoever keeps it asks whether it has changed.",
            type="string",
            enum=["no-store", "no-cache"],
        ),
        "Content-Encoding": _header(
            "The document is compressed, where the client takes that.", const="gzip"
        ),
        "Content-Security-Policy": _text(
            "What the page may load and connect to.", example="default-src 'none'"
        ),
        "Content-Disposition": _text("The file's name.", example='inline; filename="cutout.png"'),
        "ETag": _text("The version of the document.", example='"5f6b1e0e6c0f4f57"'),
        "Location": _header("Where the result is.", type="string", format="uri"),
        "Referrer-Policy": _header("Links do not tell where they are.", const="no-referrer"),
        "Retry-After": _count("Seconds to wait before the next request."),
        "Server-Timing": _text("The time of each stage in ms.", example="decode;dur=5.2"),
        "Vary": _header("What of the request it depends on.", const="Accept-Encoding"),
        "X-Content-Type-Options": _header("No browser guesses the type.", const="nosniff"),
        "X-Credits-Charged": _header("Nothing is charged.", type="integer", const=0),
        "X-Foreground-Coverage": _header(
            "The matte's mean over the result.", type="number", minimum=0, maximum=1
        ),
        "X-Foreground-Height": _count("Height of the subject's box in px, 0 without a subject."),
        "X-Foreground-Left": _count("Left edge of the subject's box in px of the result."),
        "X-Foreground-Top": _count("Top edge of the subject's box in px of the result."),
        "X-Foreground-Width": _count("Width of the subject's box in px, 0 without a subject."),
        "X-Height": _header("The result's height in px.", type="integer", minimum=1),
        "X-Ignored-Params": _text(
            "Names of fields that have no meaning here, percent-encoded.", example="colour"
        ),
        CONFIDENCE: _header(
            "How well the matte can be expected to fit: its IoU with the truth.",
            type="number",
            minimum=0,
            maximum=1,
        ),
        "X-Model": _text(
            "The model that made the matte, and its version.", example="erase-s/0.5.0"
        ),
        "X-RateLimit-Limit": _count("Requests a minute."),
        "X-RateLimit-Remaining": _count("Requests that are left in this minute."),
        "X-RateLimit-Reset": _count("When the next minute begins, in seconds of Unix time."),
        "X-Request-Id": _text("The request's id, for questions to the operator.", example="c0ffee"),
        "X-Result-Scale": _header(
            "The result was scaled by this factor to fit the reply.",
            type="number",
            exclusiveMinimum=0,
            exclusiveMaximum=1,
        ),
        "X-Type": _header("What the subject is; nothing is told apart.", const="other"),
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
    CONFIDENCE,
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
