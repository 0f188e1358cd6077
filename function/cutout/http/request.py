"""API Gateway event (REST 1.0, HTTP API and Function URL 2.0) → :class:`Request`."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cutout.errors import InvalidBase64, PayloadTooLarge
from cutout.http.body import Field

MAX_REQUEST_BYTES = 6 * 1024 * 1024 * 3 // 4
"""What Lambda's 6 MiB of event can carry as base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request.

    Header names are lower case; ``query`` holds decoded names and values, repetitions included.
    ``from_rest_api`` tells payload format 1.0.
    """

    request_id: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: tuple[Field, ...]
    encoded_body: str
    is_base64: bool
    from_rest_api: bool

    @classmethod
    def parse(cls, event: Mapping[str, Any], invocation_id: str) -> "Request":
        """Return the request in an event; its id is API Gateway's, else the invocation's.

        :raises KeyError: the event is no HTTP request's.
        """
        context = event["requestContext"]
        from_rest_api = event.get("version") != "2.0"
        http = event if from_rest_api else context["http"]
        return cls(
            request_id=str(context.get("requestId") or invocation_id),
            method=http["httpMethod" if from_rest_api else "method"],
            path=event["path" if from_rest_api else "rawPath"],
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            query=_rest_query(event) if from_rest_api else _raw_query(event),
            encoded_body=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
            from_rest_api=from_rest_api,
        )

    def body(self) -> bytes:
        """Return the body's bytes.

        :raises PayloadTooLarge: there are more than :data:`MAX_REQUEST_BYTES`.
        :raises InvalidBase64: the event says base64 and its body is not.
        """
        size = len(self.encoded_body) * 3 // 4 if self.is_base64 else len(self.encoded_body)
        if size > MAX_REQUEST_BYTES:
            raise PayloadTooLarge(max_bytes=MAX_REQUEST_BYTES)
        if not self.is_base64:
            return self.encoded_body.encode(errors="surrogatepass")
        try:
            return base64.b64decode(self.encoded_body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidBase64(field="The body") from None

    def wants_json(self) -> bool:
        """Tell whether ``Accept`` names application/json and takes no image."""
        accepted = set()
        for media_range in self.headers.get("accept", "").lower().split(","):
            name, *parameters = (part.strip() for part in media_range.split(";"))
            if not any(_is_zero(parameter) for parameter in parameters):
                accepted.add(name)
        takes_images = any(name == "*/*" or name.startswith("image/") for name in accepted)
        return "application/json" in accepted and not takes_images


def _is_zero(parameter: str) -> bool:
    """Tell whether a parameter is the weight 0, "not acceptable" (RFC 9110, 12.4.2)."""
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0").rstrip(".") in {"", "0"}


def _rest_query(event: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the query of a 1.0 event, which API Gateway has decoded."""
    several = event.get("multiValueQueryStringParameters")
    if several is None:
        return tuple((event.get("queryStringParameters") or {}).items())
    return tuple((name, value) for name, values in several.items() for value in values)


def _raw_query(event: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the query of a 2.0 event; its decoded form joins repetitions with commas."""
    return tuple(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True))
