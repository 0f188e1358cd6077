"""A client of the handler: HTTP in, true API Gateway events to it, HTTP out."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import parse_qsl, urlencode

import pytest
from urllib3.filepost import encode_multipart_formdata

from context import LocalContext
from make_events import KEY, Event, Request, http_api_event, rest_event

Handler = Callable[[Event, LocalContext], dict[str, Any]]

ANY_PAYLOAD = pytest.mark.parametrize("client", ["1.0", "2.0"], indirect=True)
"""Runs a test behind a REST API and behind an HTTP API."""


class Content(TypedDict):
    """A body and its type."""

    body: bytes
    content_type: str


def multipart(*repeated: tuple[str, str], **fields: str | tuple[str, bytes]) -> Content:
    """Return a multipart body as requests and urllib3 write it; a file is (filename, bytes)."""
    body, content_type = encode_multipart_formdata([*fields.items(), *repeated])
    return Content(body=body, content_type=content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What the caller sees: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's document."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        """Return the error, which stands alone in its envelope and has exactly four fields."""
        document = self.json()
        assert list(document) == ["error"]
        assert list(document["error"]) == ["code", "message", "status", "request_id"]
        assert document["error"]["status"] == self.status
        assert document["error"]["request_id"] == self.headers["x-request-id"]
        return dict(document["error"])


class Client:
    """Speaks to one handler through one payload format."""

    def __init__(self, handler: Handler, payload: str = "1.0") -> None:
        """Send to ``handler``; ``timeout_s`` is the function's time limit."""
        self._handler = handler
        self.payload = payload
        self.timeout_s = 280.0  # ten times the deployed one: a busy machine changes no answer
        self.last_request_id = ""
        self._sent = 0

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        key: str | None = KEY,
    ) -> HttpReply:
        """Return the reply to one request; ``path`` may hold a query string."""
        path, _, query = path.partition("?")
        sent = dict(headers or {})
        if content_type:
            sent["Content-Type"] = content_type
        self._sent += 1
        request = Request(
            name=f"{method} {path} {self._sent}",  # each request has an id of its own
            method=method,
            path=path,
            headers=sent,
            query=parse_qsl(query, keep_blank_values=True),
            body=body,
            key=key,
        )
        event = rest_event(request) if self.payload == "1.0" else http_api_event(request)
        self.last_request_id = event["requestContext"]["requestId"]
        reply = self._handler(event, LocalContext(timeout_s=self.timeout_s))
        assert set(reply) <= {
            "statusCode",
            "headers",
            "multiValueHeaders",
            "body",
            "isBase64Encoded",
            "cookies",
        }
        content = reply["body"].encode()
        if reply["isBase64Encoded"]:
            content = base64.b64decode(content, validate=True)
        return HttpReply(
            status=reply["statusCode"],
            headers=dict(_headers(reply)),
            body=b"" if method == "HEAD" else content,  # as API Gateway leaves it out
        )

    def post(self, path: str, **request: Any) -> HttpReply:
        """Return the reply to a POST."""
        return self.send("POST", path, **request)

    def json(self, path: str, document: object, **request: Any) -> HttpReply:
        """Return the reply to a POST of a JSON document."""
        return self.post(
            path, body=json.dumps(document).encode(), content_type="application/json", **request
        )

    def form(self, path: str, fields: Mapping[str, str]) -> HttpReply:
        """Return the reply to a POST of an HTML form."""
        return self.post(
            path,
            body=urlencode(fields).encode(),
            content_type="application/x-www-form-urlencoded",
        )


def _headers(reply: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the headers of either format's reply; none of ours stands twice."""
    for name, values in (reply.get("multiValueHeaders") or {}).items():
        (value,) = values
        yield name.lower(), value
    for name, value in (reply.get("headers") or {}).items():
        yield name.lower(), value
