"""What both kinds of API Gateway do, as values and pure functions.

A gateway turns a request into an event and the function's JSON into a reply. :mod:`rest_gateway`
and :mod:`http_gateway` are the two.
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

LOCAL_KEY = "local"

MAX_EVENT_BYTES = 6_291_455
"""Lambda's limit on an event's JSON: "Request must be smaller than 6291456 bytes".

API Gateway by itself takes bodies of 10 MB; both limits have the same answer.
"""

MAX_REPLY_BYTES = 6_291_556
"""Lambda's limit on a reply's JSON, as its runtime enforces it: 100 bytes more."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method's or a header's name (RFC 9110, 5.6.2)."""

# Between two hops only (RFC 9110, 7.6.1): they reach neither the function nor, from it, the client.
_HOP_HEADERS = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# What the server writes itself.
_OWN_HEADERS = _HOP_HEADERS | {"content-length", "date"}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; ``path`` and ``query`` as they were sent, still percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    source_ip: str = "127.0.0.1"
    body: bytes = b""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    received_s: float = field(default_factory=time.time)

    def header(self, name: str) -> str:
        """Return a header, the last one where it is repeated; empty without one."""
        return next((value for n, value in reversed(self.headers) if n.lower() == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back to the client; a header may be repeated."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class BadReply(Exception):  # noqa: N818 # not an error of ours: of the function under test
    """The function's answer is not a proxy reply; ``kind`` is the gateway's answer to that."""

    def __init__(self, reason: str, kind: str = "DEFAULT_5XX") -> None:
        """Say why, for the log."""
        self.kind = kind
        super().__init__(reason)


class Gateway(Protocol):
    """What the server needs of either flavour."""

    def refusal(self, request: Request) -> str | None:
        """Return the type of answer to a request that goes no further, judged by its head."""

    def max_body_bytes(self, request: Request) -> int:
        """Return how large a body can be at most and still fit into an event."""

    def event(self, request: Request) -> Event:
        """Return the event that the function gets; only for requests without refusal."""

    def reply(self, payload: bytes) -> Reply:
        """Return the reply in the function's JSON.

        :raises BadReply: the JSON is not a reply.
        """

    def answer(self, kind: str, request: Request) -> Reply:
        """Return the gateway's own answer; ``kind`` is one of API Gateway's response types."""


def several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return each name with all of its values; names that differ in case only are kept apart."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def forwarded(request: Request) -> list[tuple[str, str]]:
    """Return the headers as API Gateway passes them on, with those that it adds."""
    added = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
    kept = [(n, v) for n, v in request.headers if n.lower() not in _HOP_HEADERS | added]
    came_from = request.header("x-forwarded-for")
    trace = f"Root=1-{round(request.received_s):08x}-{request.request_id.replace('-', '')[:24]}"
    return [
        *kept,
        ("X-Amzn-Trace-Id", request.header("x-amzn-trace-id") or trace),
        ("X-Forwarded-For", f"{came_from}, {request.source_ip}".removeprefix(", ")),
        ("X-Forwarded-Port", request.header("host").partition(":")[2] or "80"),
        ("X-Forwarded-Proto", "http"),
    ]


def domain(request: Request) -> dict[str, str]:
    """Return the fields of an event's context about the host."""
    name = request.header("host").partition(":")[0]
    return {"domainName": name, "domainPrefix": name.partition(".")[0]}


def clock(request: Request) -> str:
    """Return the time of a request as events write it."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.received_s))


def answer_of(payload: bytes) -> Any:
    """Return the function's answer, which its runtime wrote as JSON.

    :raises BadReply: Lambda does not carry it.
    """
    if len(payload) > MAX_REPLY_BYTES:
        raise BadReply(f"{len(payload)} bytes of JSON are more than {MAX_REPLY_BYTES}")
    return json.loads(payload)


def reply_of(
    answer: Mapping[str, Any], headers: Iterable[tuple[str, Any]], *, default_type: str
) -> Reply:
    """Return the reply in an answer; ``headers`` are those of its payload format.

    :raises BadReply: a part is not what API Gateway takes.
    """
    status, body = answer.get("statusCode"), answer.get("body")
    if not re.fullmatch(r"[2-5][0-9][0-9]", str(status)):
        raise BadReply("statusCode is not a status")
    if body is not None and not isinstance(body, str):
        raise BadReply("body is not a string")
    sent = []
    for name, value in headers:
        text = json.dumps(value) if isinstance(value, bool | int | float) else value
        if not isinstance(text, str) or not TOKEN.fullmatch(name) or re.search(r"[\r\n\0]", text):
            raise BadReply("a header is not a name with one line of text")
        if name.lower() not in _OWN_HEADERS:
            sent.append((name, text))
    try:
        data = (body or "").encode()
        data = base64.b64decode(data, validate=True) if answer.get("isBase64Encoded") else data
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadReply("body is not what it should be", "API_CONFIGURATION_ERROR") from error
    if data and not any(name.lower() == "content-type" for name, _ in sent):
        sent.append(("Content-Type", default_type))
    return Reply(status=int(str(status)), headers=tuple(sent), body=data)
