"""The REST API of ``template.yaml`` (payload format 1.0): its routes, its key, its own answers."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from gateway import (
    LOCAL_KEY,
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
        query = several(parse_qsl(request.query, keep_blank_values=True))
        headers = several(forwarded(request))
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
                "requestTime": clock(request),
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
                **domain(request),
                "deploymentId": "local",
                "apiId": "local",
            },
            # The API's binary media type is */*, so every body is base64.
            "body": base64.b64encode(request.body).decode() if request.body else None,
            "isBase64Encoded": bool(request.body),
        }

    def reply(self, payload: bytes) -> Reply:
        """Return a reply of payload format 1.0."""
        answer = answer_of(payload)
        if not isinstance(answer, dict):
            raise BadReply("not an object")
        single, multiple = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
        if not isinstance(single, dict) or not isinstance(multiple, dict):
            raise BadReply("headers are not an object")
        if not all(isinstance(values, list) for values in multiple.values()):
            raise BadReply("multiValueHeaders holds something else than lists")
        headers = [(n, value) for n, value in single.items() if n not in multiple]
        headers += [(n, value) for n, values in multiple.items() for value in values]
        return reply_of(answer, headers, default_type="application/json")

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
