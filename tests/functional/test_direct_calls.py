"""Events that API Gateway does not send: those of direct calls and of test tools."""

import copy
import json
from typing import Any

import pytest

import app
from context import LocalContext
from cutout.errors import UnknownEvent
from make_events import Event, Request, http_api_event, rest_event

REQUEST = Request(
    name="direct", path="/v2", headers={"Content-Type": "application/json"}, body=b"{}"
)
EVENTS = {"1.0": rest_event(REQUEST), "2.0": http_api_event(REQUEST)}

TEXTS = "an object of texts"
LISTS = "an object of lists of texts"
Parts = dict[str, tuple[str, list[Any]]]
BOTH: Parts = {
    "requestContext": ("an object", [None, "x", 5, []]),
    "headers": (TEXTS, ["x", 5, ["a"], {"content-type": 5}, {"content-type": None}]),
    "queryStringParameters": (TEXTS, ["format=jpg", [["format", "jpg"]], {"format": ["jpg"]}]),
    "pathParameters": (TEXTS, ["v2", ["v2"], {"proxy": 2}]),
    "body": ("text", [5, True, ["{}"], {}]),
    "isBase64Encoded": ("true or false", ["yes", 0, 1, [], {}]),
}
PARTS: dict[str, Parts] = {
    "1.0": BOTH
    | {
        "httpMethod": ("text", [None, 5, ["GET"]]),
        "path": ("text", [None, 5, ["v2"]]),
        "resource": ("text", [5, True, ["/v2"]]),
        "requestContext.identity": ("an object", ["x", 5, ["a"]]),
        "multiValueHeaders": (LISTS, ["x", 5, ["a"], {"accept": "*/*"}, {"accept": [None]}]),
        "multiValueQueryStringParameters": (LISTS, ["format=jpg", [], {"format": "jpg"}]),
    },
    "2.0": BOTH
    | {
        "requestContext.http": ("an object", [None, "GET", 5, []]),
        "requestContext.http.method": ("text", [None, 5, ["GET"]]),
        "rawPath": ("text", [None, 5, ["v2"]]),
        "rawQueryString": ("text", [5, {"format": "jpg"}]),
        "routeKey": ("text", [5, ["$default"]]),
    },
}
CASES = [
    (payload, part, kind, value)
    for payload, parts in PARTS.items()
    for part, (kind, values) in parts.items()
    for value in values
]


def changed(event: Event, part: str, value: object) -> Event:
    """Return the event with another value in one place."""
    other = copy.deepcopy(event)
    *above, name = part.split(".")
    place: Any = other
    for step in above:
        place = place[step]
    place[name] = value
    return other


@pytest.mark.parametrize(("payload", "part", "kind", "value"), CASES)
def test_a_part_of_another_type_is_named(payload: str, part: str, kind: str, value: object) -> None:
    """In the envelope of every error, with API Gateway's id where that can be read."""
    event = changed(EVENTS[payload], part, value)
    context = LocalContext(timeout_s=60)
    told = event["requestContext"]
    request_id = told["requestId"] if isinstance(told, dict) else context.aws_request_id
    for handler in (app.http_handler, app.lambda_handler):
        reply = handler(event, context)
        assert reply is not None
        assert (reply["statusCode"], reply["isBase64Encoded"]) == (400, False)
        assert reply["headers"]["Content-Type"] == "application/json"
        assert reply["headers"]["X-Request-Id"] == request_id
        assert reply["headers"]["Access-Control-Allow-Origin"] == "*"
        assert json.loads(reply["body"]) == {
            "error": {
                "code": "bad_request",
                "message": f"The event is not as API Gateway sends it: {part} must be {kind}.",
                "status": 400,
                "request_id": request_id,
            }
        }


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
def test_a_part_that_can_be_absent_can_be_null(payload: str) -> None:
    """As the console of API Gateway sends ``headers``, and its REST API nearly all of them."""
    event = EVENTS[payload]
    for name in event.keys() - {"requestContext", "httpMethod", "path", "rawPath", "version"}:
        reply = app.http_handler(changed(event, name, None), LocalContext(timeout_s=60))
        assert json.loads(reply["body"])["error"]["code"] != "bad_request"


@pytest.mark.parametrize("event", [None, "GET /v2", 5, [], [{}], {}, {"key": "value"}])
def test_what_is_no_request_at_all_is_unknown(
    event: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lambda tells the one who called the function; nobody reads a reply of HTTP."""
    with pytest.raises(UnknownEvent, match=r"it is not an HTTP request from API Gateway$"):
        app.http_handler(event, LocalContext(timeout_s=60))
    assert '"kind":"UnknownEvent"' in capfd.readouterr().out


def test_a_context_alone_is_no_request() -> None:
    """Events of Lambda's destinations and of WebSockets have one, too."""
    event = {"requestContext": {"condition": "Success"}, "requestPayload": {}}
    with pytest.raises(UnknownEvent, match=r"it is not an HTTP request from API Gateway$"):
        app.lambda_handler(event, LocalContext(timeout_s=60))
