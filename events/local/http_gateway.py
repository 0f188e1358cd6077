"""An HTTP API with the one route ``$default``: payload format 2.0.

Everything goes to the function, and its own answers are AWS's.
"""

import base64
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from gateway import (
    MAX_EVENT_BYTES,
    BadReply,
    Event,
    Reply,
    Request,
    answer_of,
    clock,
    domain,
    forwarded,
    reply_of,
    several,
)

# The HTTP API passes these (and text/*) on as text, all others as base64: urlencoded forms and
# bodies without a Content-Type too. AWS documents no list; this one was observed on AWS
# (ministackorg/ministack pull request 766).
_TEXT_TYPES = {"application/json", "application/xml", "application/javascript"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGateway:
    """An HTTP API whose one route is ``$default``: payload format 2.0."""

    def refusal(self, request: Request) -> str | None:  # noqa: ARG002 # the protocol's
        """Refuse nothing: the function answers unknown routes and checks keys."""
        return None

    def max_body_bytes(self, request: Request) -> int:
        """Return what fits as it is, or as base64."""
        text = _is_text(request.header("content-type"))
        return MAX_EVENT_BYTES if text else MAX_EVENT_BYTES * 3 // 4

    def event(self, request: Request) -> Event:
        """Return the event of payload format 2.0."""
        query = several(parse_qsl(request.query, keep_blank_values=True))
        passed_on = [(name.lower(), value) for name, value in forwarded(request)]
        headers = several(pair for pair in passed_on if pair[0] != "cookie")
        cookies = [part.strip() for n, v in passed_on if n == "cookie" for part in v.split(";")]
        path = unquote(request.path)  # rawPath is decoded, in spite of its name
        event: Event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": request.query,
            "headers": {name: ",".join(values) for name, values in headers.items()},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                **domain(request),
                "http": {
                    "method": request.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.source_ip,
                    "userAgent": request.header("user-agent"),
                },
                "requestId": request.request_id,
                "routeKey": "$default",
                "stage": "$default",
                "time": clock(request),
                "timeEpoch": round(request.received_s * 1000),
            },
            "isBase64Encoded": False,
        }
        # What a request does not have is left out of its event.
        if cookies:
            event["cookies"] = cookies
        if query:
            event["queryStringParameters"] = {n: ",".join(values) for n, values in query.items()}
        if request.body and _is_text(request.header("content-type")):
            event["body"] = request.body.decode(errors="replace")
        elif request.body:
            event["body"] = base64.b64encode(request.body).decode()
            event["isBase64Encoded"] = True
        return event

    def reply(self, payload: bytes) -> Reply:
        """Return a reply of payload format 2.0; JSON without ``statusCode`` is the body itself."""
        answer = answer_of(payload)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return Reply(status=200, headers=(("Content-Type", "application/json"),), body=payload)
        single, cookies = answer.get("headers") or {}, answer.get("cookies") or []
        if not isinstance(single, dict) or not isinstance(cookies, list):
            raise BadReply("headers are not an object, or cookies are not a list")
        headers = [*single.items(), *(("Set-Cookie", cookie) for cookie in cookies)]
        return reply_of(answer, headers, default_type="text/plain;charset=UTF-8")

    def answer(self, kind: str, request: Request) -> Reply:
        """Return AWS's own short answer."""
        status, message = {
            "REQUEST_TOO_LARGE": (413, "Request Entity Too Large"),
            "DEFAULT_4XX": (400, "Bad Request"),
            "INTEGRATION_TIMEOUT": (503, "Service Unavailable"),
        }.get(kind, (500, "Internal Server Error"))
        headers = (("Content-Type", "application/json"), ("apigw-requestid", request.request_id))
        return Reply(status=status, headers=headers, body=json.dumps({"message": message}).encode())


def _is_text(content_type: str) -> bool:
    name = content_type.partition(";")[0].strip().lower()
    return name.startswith("text/") or name in _TEXT_TYPES
