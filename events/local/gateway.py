"""What API Gateway does, as values and pure functions: request → event, function's JSON → reply.

:class:`RestGateway` is the REST API of ``template.yaml`` (payload format 1.0): its routes, its key
and its own answers are read from there. :class:`HttpGateway` is an HTTP API with the one route
``$default`` (2.0): everything goes to the function, and its own answers are AWS's.
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import yaml

LOCAL_KEY = "local"

MAX_EVENT_BYTES = 6_291_455
"""Lambda's limit on an event's JSON: "Request must be smaller than 6291456 bytes".

API Gateway by itself takes bodies of 10 MB; both limits have the same answer.
"""

MAX_REPLY_BYTES = 6_291_556
"""Lambda's limit on a reply's JSON, as its runtime enforces it: 100 bytes more."""

# The HTTP API passes these (and text/*) on as text, all others as base64: urlencoded forms and
# bodies without a Content-Type too. AWS documents no list; this one was observed on AWS
# (ministackorg/ministack pull request 766).
_TEXT_TYPES = {"application/json", "application/xml", "application/javascript"}

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


# --------------------------------------------------------------------------- template.yaml


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: ``!Ref x`` is read as ``{"Ref": "x"}``."""


def _short_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # a mapping
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


def read_template(path: Path) -> dict[str, Any]:
    """Return the template, with its short tags written out."""
    with path.open(encoding="utf-8") as file:
        template: dict[str, Any] = yaml.load(file, _Loader)  # noqa: S506 # a SafeLoader
    return template


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path; ``ANY`` stands for those that have none of their own."""

    method: str
    path: str
    keyed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RestGateway:
    """The REST API of a template: payload format 1.0."""

    stage: str
    routes: Mapping[tuple[str, str], Route]
    answers: Mapping[str, Reply]

    @classmethod
    def of(cls, template: Mapping[str, Any]) -> "RestGateway":
        """Return the one API of the template, with the parameters' defaults filled in."""
        resources: list[dict[str, Any]] = list(template["Resources"].values())
        apis = [r["Properties"] for r in resources if r["Type"] == "AWS::Serverless::Api"]
        (api,) = apis
        functions = [r["Properties"] for r in resources if r["Type"] == "AWS::Serverless::Function"]
        events = [e for f in functions for e in f.get("Events", {}).values() if e["Type"] == "Api"]
        routes = [_route(event["Properties"], api.get("Auth", {})) for event in events]
        values = {n: str(p.get("Default", "")) for n, p in template.get("Parameters", {}).items()}
        return cls(
            stage=api["StageName"],
            routes={(route.method, route.path): route for route in routes},
            answers={kind: _own(spec, values) for kind, spec in api["GatewayResponses"].items()},
        )

    def route(self, request: Request) -> Route | None:
        """Return the route of a request; a slash at the end makes no difference."""
        path = unquote(request.path).rstrip("/") or "/"
        own = self.routes.get((request.method, path))
        return own or self.routes.get(("ANY", path))

    def refusal(self, request: Request) -> str | None:
        """Refuse unknown routes and, on keyed ones, any key but the local one."""
        route = self.route(request)
        if route is None:
            return "MISSING_AUTHENTICATION_TOKEN"
        if route.keyed and request.header("x-api-key") != LOCAL_KEY:
            return "INVALID_API_KEY"
        return None

    def max_body_bytes(self, request: Request) -> int:  # noqa: ARG002 # the protocol's
        """Return what fits as base64."""
        return MAX_EVENT_BYTES * 3 // 4

    def event(self, request: Request) -> Event:
        """Return the event of payload format 1.0."""
        route = self.route(request)
        if route is None:
            raise LookupError(request.path)
        query = _several(parse_qsl(request.query, keep_blank_values=True))
        headers = _several(_forwarded(request))
        key = {"apiKey": LOCAL_KEY, "apiKeyId": LOCAL_KEY} if route.keyed else {}
        return {
            "resource": route.path,
            "path": request.path,
            "httpMethod": request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: v[-1] for name, v in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {
                "resourceId": "local",
                "resourcePath": route.path,
                "httpMethod": request.method,
                "extendedRequestId": request.request_id.replace("-", "")[:15] + "=",
                "requestTime": _clock(request),
                "path": request.path,
                "accountId": "000000000000",
                "protocol": "HTTP/1.1",
                "stage": self.stage,
                "requestTimeEpoch": round(request.received_s * 1000),
                "requestId": request.request_id,
                "identity": {
                    "cognitoIdentityPoolId": None,
                    "cognitoIdentityId": None,
                    **key,
                    "principalOrgId": None,
                    "cognitoAuthenticationType": None,
                    "userArn": None,
                    "userAgent": request.header("user-agent") or None,
                    "accountId": None,
                    "caller": None,
                    "sourceIp": request.source_ip,
                    "accessKey": None,
                    "cognitoAuthenticationProvider": None,
                    "user": None,
                },
                **_domain(request),
                "deploymentId": "local",
                "apiId": "local",
            },
            # The API's binary media type is */*, so every body is base64.
            "body": base64.b64encode(request.body).decode() if request.body else None,
            "isBase64Encoded": bool(request.body),
        }

    def reply(self, payload: bytes) -> Reply:
        """Return a reply of payload format 1.0."""
        answer = _parse(payload)
        if not isinstance(answer, dict):
            raise BadReply("not an object")
        single, multiple = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
        if not isinstance(single, dict) or not isinstance(multiple, dict):
            raise BadReply("headers are not an object")
        if not all(isinstance(values, list) for values in multiple.values()):
            raise BadReply("multiValueHeaders holds something else than lists")
        headers = [(n, value) for n, value in single.items() if n not in multiple]
        headers += [(n, value) for n, values in multiple.items() for value in values]
        return _reply(answer, headers, default_type="application/json")

    def answer(self, kind: str, request: Request) -> Reply:
        """Return the template's answer of this type, or its default."""
        default = "DEFAULT_5XX" if "INTEGRATION" in kind else "DEFAULT_4XX"
        own = self.answers.get(kind, self.answers[default])
        return Reply(
            status=own.status,
            headers=tuple((n, _fill(value, request)) for n, value in own.headers),
            body=_fill(own.body.decode(), request).encode(),
        )


def _route(event: Mapping[str, Any], auth: Mapping[str, Any]) -> Route:
    keyed = event.get("Auth", {}).get("ApiKeyRequired", auth.get("ApiKeyRequired", False))
    return Route(method=event["Method"].upper(), path=event["Path"], keyed=keyed)


def _own(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> Reply:
    """Return one of ``GatewayResponses`` as a reply whose ``$context.requestId`` is not filled."""
    headers = [("Content-Type", "application/json")]
    for name, given in spec["ResponseParameters"]["Headers"].items():
        value = given["Fn::Sub"] if isinstance(given, dict) else given
        value = re.sub(r"\$\{(\w+)\}", lambda match: parameters[match[1]], value)
        # Literals are in quotes; the only variable in use is context.requestId.
        headers.append((name, value[1:-1] if value.startswith("'") else f"${value}"))
    text = spec["ResponseTemplates"]["application/json"]
    return Reply(status=int(spec["StatusCode"]), headers=tuple(headers), body=text.encode())


def _fill(text: str, request: Request) -> str:
    return text.replace("$context.requestId", request.request_id)


# --------------------------------------------------------------------------- the HTTP API


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
        query = _several(parse_qsl(request.query, keep_blank_values=True))
        forwarded = [(name.lower(), value) for name, value in _forwarded(request)]
        headers = _several(pair for pair in forwarded if pair[0] != "cookie")
        cookies = [part.strip() for n, v in forwarded if n == "cookie" for part in v.split(";")]
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
                **_domain(request),
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
                "time": _clock(request),
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
        answer = _parse(payload)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return Reply(status=200, headers=(("Content-Type", "application/json"),), body=payload)
        single, cookies = answer.get("headers") or {}, answer.get("cookies") or []
        if not isinstance(single, dict) or not isinstance(cookies, list):
            raise BadReply("headers are not an object, or cookies are not a list")
        headers = [*single.items(), *(("Set-Cookie", cookie) for cookie in cookies)]
        return _reply(answer, headers, default_type="text/plain;charset=UTF-8")

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


# --------------------------------------------------------------------------- both


def _several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return each name with all of its values; names that differ in case only are kept apart."""
    several: dict[str, list[str]] = {}
    for name, value in pairs:
        several.setdefault(name, []).append(value)
    return several


def _forwarded(request: Request) -> list[tuple[str, str]]:
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


def _domain(request: Request) -> dict[str, str]:
    name = request.header("host").partition(":")[0]
    return {"domainName": name, "domainPrefix": name.partition(".")[0]}


def _clock(request: Request) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.received_s))


def _parse(payload: bytes) -> Any:
    """Return the function's answer, which its runtime wrote as JSON.

    :raises BadReply: Lambda does not carry it.
    """
    if len(payload) > MAX_REPLY_BYTES:
        raise BadReply(f"{len(payload)} bytes of JSON are more than {MAX_REPLY_BYTES}")
    return json.loads(payload)


def _reply(
    answer: Mapping[str, Any], headers: Iterable[tuple[str, Any]], *, default_type: str
) -> Reply:
    """Return what both payload formats have in common.

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
