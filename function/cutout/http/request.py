"""API Gateway event (REST 1.0, HTTP API and Function URL 2.0) → :class:`Request`."""

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pybase64

from cutout.errors import InvalidBase64, PayloadTooLarge, UnsupportedContentEncoding
from cutout.http.body import Field
from cutout.http.event import check_event, is_second_format

# Lambda takes 6 MiB (6,291,456 bytes) of event. A REST API's event holds the body as base64, and
# the headers and the query string twice. API Gateway takes 10,240 bytes of request line and
# headers, and JSON may write a character as two: 40 KiB, and 8 KiB for the event's own fields.
_EVENT_BYTES = 6 * 1024 * 1024
_EVENT_RESERVE_BYTES = 48 * 1024

MAX_REQUEST_BYTES = (_EVENT_BYTES - _EVENT_RESERVE_BYTES) * 3 // 4
"""The largest body that reaches the function whatever headers come with it, in either format."""

_PARAMETER = re.compile(r"\{(\w+)\+?\}")
_COMPRESSIONS = {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"}
"""Values of Content-Encoding. Some clients write others there that mean nothing, such as UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request.

    ``path`` is the path that is routed: without the base path of a custom domain, without the name
    of a stage, and without slashes at its end. Header names are lower case; ``query`` holds decoded
    names and values, repetitions included. ``api_key_id`` is the id of the key that a REST API has
    checked, empty where none was checked. ``left_ms`` tells the time that is left to answer.
    ``base_path`` is what stands before ``path`` in the URL: a stage's name or a custom domain's.
    """

    request_id: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: tuple[Field, ...]
    api_key_id: str
    encoded: str
    is_base64: bool
    left_ms: Callable[[], int]
    base_path: str = ""

    @classmethod
    def parse(
        cls, event: Mapping[str, Any], *, request_id: str, left_ms: Callable[[], int]
    ) -> "Request":
        """Return the request in an event.

        :raises UnknownEvent: the event is not about an HTTP request.
        :raises InvalidEvent: it is, but it is not as API Gateway sends it.
        """
        check_event(event)
        context = event["requestContext"]
        is_second = is_second_format(event)
        identity = context.get("identity") or {}
        return cls(
            request_id=request_id,
            method=context["http"]["method"] if is_second else event["httpMethod"],
            path=_path(event, context),
            headers=_headers(event),
            query=_raw_query(event) if is_second else _decoded_query(event),
            api_key_id="" if is_second else str(identity.get("apiKeyId") or ""),
            encoded=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
            left_ms=left_ms,
            base_path=_base_path(event, context),
        )

    @property
    def body_bytes(self) -> int:
        """The size of what was sent, in bytes; of a body that is text, in characters."""
        size = len(self.encoded)
        return size * 3 // 4 - self.encoded[-2:].count("=") if self.is_base64 else size

    def content(self, *, instead: str) -> bytes:
        """Return the bytes that were sent; ``instead`` tells what to do with more than is taken.

        :raises PayloadTooLarge: there are more than :data:`MAX_REQUEST_BYTES`.
        :raises UnsupportedContentEncoding: they are compressed.
        :raises InvalidBase64: the event says base64 and its body is not.
        """
        if self.body_bytes > MAX_REQUEST_BYTES:
            raise PayloadTooLarge(max_bytes=MAX_REQUEST_BYTES, instead=instead)
        if self.encoded and self._listed("content-encoding") & _COMPRESSIONS:
            raise UnsupportedContentEncoding
        if not self.is_base64:
            return self.encoded.encode(errors="surrogatepass")
        try:
            return pybase64.b64decode(self.encoded, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidBase64(field="The body") from None

    def wants_json(self) -> bool:
        """Tell whether ``Accept`` names application/json and takes no image."""
        accepted = self._listed("accept")
        return "application/json" in accepted and not self.names_image() and "*/*" not in accepted

    def names_image(self) -> bool:
        """Tell whether ``Accept`` names ``image/*`` or a type of image."""
        return any(name.startswith("image/") for name in self._listed("accept"))

    def takes_gzip(self) -> bool:
        """Tell whether ``Accept-Encoding`` names gzip."""
        return "gzip" in self._listed("accept-encoding")

    def _listed(self, header: str) -> set[str]:
        """Return what a header such as ``Accept`` lists, without what has the weight 0."""
        names = set()
        for listed in self.headers.get(header, "").lower().split(","):
            name, *parameters = (part.strip() for part in listed.split(";"))
            if not any(_is_zero(parameter) for parameter in parameters):
                names.add(name)
        return names


def _path(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the path that is routed.

    The gateway's own route (``resource`` in format 1.0, ``routeKey`` in 2.0) is the surest source:
    it has neither the base path of a custom domain nor the name of a stage. A catch-all route
    (``$default``) says nothing; then the path itself counts, and a named stage begins it.
    """
    route = event.get("resource") or (event.get("routeKey") or "").partition(" ")[2]
    if route.startswith("/"):
        values = event.get("pathParameters") or {}
        path = _PARAMETER.sub(lambda match: str(values.get(match[1], match[0])), route)
    else:
        path = event["rawPath"] if is_second_format(event) else event["path"]
        stage = f"/{context.get('stage', '$default')}"
        if f"{path}/".startswith(f"{stage}/"):
            path = path[len(stage) :]
    return path.rstrip("/") or "/"


def _base_path(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return what the URL has before the routed path; empty where nothing or nothing known."""
    whole = str(context.get("path") or event.get("rawPath") or event.get("path") or "").rstrip("/")
    path = _path(event, context).rstrip("/")
    return whole.removesuffix(path) if whole.endswith(path) else ""


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers by their lower-case names.

    The values of a repeated header are one list (RFC 9110, 5.3). In format 2.0 API Gateway joins
    them; in format 1.0 ``headers`` has only the last one.
    """
    several = event.get("multiValueHeaders")
    if several:
        return {name.lower(): ",".join(values) for name, values in several.items()}
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def _is_zero(parameter: str) -> bool:
    """Tell whether a parameter is the weight 0, "not acceptable" (RFC 9110, 12.4.2)."""
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0").rstrip(".") in {"", "0"}


def _decoded_query(event: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the query of a 1.0 event, which API Gateway has decoded."""
    several = event.get("multiValueQueryStringParameters")
    if several is None:
        return tuple((event.get("queryStringParameters") or {}).items())
    return tuple((name, value) for name, values in several.items() for value in values)


def _raw_query(event: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the query of a 2.0 event; its decoded form joins repetitions with commas."""
    return tuple(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True))
