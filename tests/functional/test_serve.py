"""``events/local/serve.py`` as its callers meet it: real HTTP to a real process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import parse_headers
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import IO, Any, Self
from urllib.parse import urlencode

import pytest
import requests
from cloud import wait_until

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "tests/data/photo.jpg"
ALL_BYTES = bytes(range(256)) * 4
KEY = {"x-api-key": "local"}
FUNCTION = '''
import base64, json, os, time

def http_handler(event, context):
    """Do what the query says, by default return the event."""
    query = event.get("queryStringParameters") or {}
    do = query.get("do")
    if do == "answer":
        return json.loads(query["answer"])
    if do == "bytes":
        headers = {"Content-Type": "application/x-test"}
        body = event["body"]
        return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}
    if do == "raise":
        raise SystemExit("as bad as it gets")
    if do == "set":
        return {"statusCode": 200, "headers": {}, "body": {1, 2}}
    if do == "sleep":
        time.sleep(float(query["s"]))
    if do == "large":
        return {"statusCode": 200, "body": "x" * int(query["size"])}
    if do == "print":
        print("printed by the function")
    document = {"event": event, "environment": dict(os.environ), "context": {
        "aws_request_id": context.aws_request_id,
        "function_name": context.function_name,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "invoked_function_arn": context.invoked_function_arn,
        "left_ms": context.get_remaining_time_in_millis(),
    }}
    headers = {"Content-Type": "application/json"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(document)}
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    log: IO[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """End it as a terminal would; return its status, its last output and its log."""
        os.killpg(self.process.pid, number)
        output, _ = self.process.communicate(timeout=20)
        self.log.seek(0)
        return self.process.returncode, output, self.log.read()


@contextmanager
def serve(*arguments: str | Path, variables: dict[str, str] | None = None) -> Iterator[Served]:
    """Run the server on a free port, in a process group of its own as ``make`` would."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"KEYS_CHECKED_BY", "API_KEY_HASHES"}
    }
    with (
        TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, ROOT / "events/local/serve.py", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env=environment | (variables or {}),
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"http://127\.0\.0\.1:\d+", line)
            assert found, line
            yield Served(url=found[0], process=process, log=log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a function that does what the query says."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "app.py").write_text(FUNCTION)
    return folder


@pytest.fixture(scope="module")
def rest(function: Path) -> Iterator[Served]:
    """Serve payload format 1.0."""
    with serve("--function", function) as server:
        yield server


@pytest.fixture(scope="module")
def http_api(function: Path) -> Iterator[Served]:
    """Serve payload format 2.0."""
    with serve("--function", function, "--payload", "2.0") as server:
        yield server


@pytest.fixture(scope="module")
def hasty(function: Path) -> Iterator[Served]:
    """Serve with hardly any patience, neither for clients nor for the function."""
    with serve("--function", function, "--timeout", "0.4", "--patience", "0.4") as server:
        yield server


@pytest.fixture(params=["1.0", "2.0"])
def server(request: pytest.FixtureRequest) -> Served:
    """Serve either payload format."""
    fixture = "rest" if request.param == "1.0" else "http_api"
    served: Served = request.getfixturevalue(fixture)
    return served


class Connection:
    """A client that decides about every byte."""

    def __init__(self, server: Served) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def read(self, method: str = "POST") -> SimpleNamespace:
        """Return the next reply."""
        status = int(self.file.readline().split()[1])
        headers = parse_headers(self.file)
        length = 0 if method == "HEAD" else int(headers.get("Content-Length", 0))
        return SimpleNamespace(status=status, headers=headers, body=self.file.read(length))

    def is_closed(self) -> bool:
        return self.file.read(1) == b""


def head(line: str = "POST /v2 HTTP/1.1", *headers: str, key: bool = True) -> bytes:
    """Return the head of a request."""
    lines = [line, "Host: 127.0.0.1", *(["x-api-key: local"] if key else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def assert_envelope(reply: Any, status: int, code: str) -> None:
    """Check a gateway's own answer: exactly four fields, CORS, and one id in both places."""
    body = reply.content if isinstance(reply, requests.Response) else reply.body
    error = json.loads(body)["error"]
    assert list(error) == ["code", "message", "status", "request_id"]
    got = reply.status_code if isinstance(reply, requests.Response) else reply.status
    assert (got, error["status"], error["code"]) == (status, status, code)
    assert reply.headers["x-request-id"] == error["request_id"]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"


# ---- events


def test_a_rest_event_is_complete(rest: Served) -> None:
    """Every field of payload format 1.0 is there, and repeated headers and options are kept."""
    with Connection(rest) as client:
        client.send(
            head(
                "POST /v2?bg_color=%23fff&crop=a+b&crop=%C3%A9&empty= HTTP/1.1",
                "X-Two: first",
                "X-Two: second",
                "User-Agent: test",
                "Content-Length: 3",
                "X-Forwarded-For: 192.0.2.7",
            ),
            b"\xff\x00a",
        )
        event = json.loads(client.read().body)["event"]
    context, identity = event["requestContext"], event["requestContext"]["identity"]
    assert set(event) == {
        "resource",
        "path",
        "httpMethod",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "requestContext",
        "body",
        "isBase64Encoded",
    }
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/v2", "/v2", "POST")
    assert event["headers"]["X-Two"] == "second"
    assert event["multiValueHeaders"]["X-Two"] == ["first", "second"]
    assert event["headers"]["x-api-key"] == "local"
    assert event["headers"]["X-Forwarded-For"] == "192.0.2.7, 127.0.0.1"
    assert event["queryStringParameters"] == {"bg_color": "#fff", "crop": "é", "empty": ""}
    assert event["multiValueQueryStringParameters"]["crop"] == ["a b", "é"]
    assert (event["body"], event["isBase64Encoded"]) == ("/wBh", True)
    assert context["resourcePath"] == "/v2"
    assert context["stage"] == "live"
    assert context["domainName"] == "127.0.0.1"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", context["requestId"])
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])
    assert identity["sourceIp"] == "127.0.0.1"
    assert identity["userAgent"] == "test"
    assert (identity["apiKey"], identity["apiKeyId"]) == ("local", "local")


def test_a_rest_event_says_null_where_there_is_nothing(rest: Served) -> None:
    """No query and no body are null, and a keyless route has no key in its event."""
    event = requests.get(f"{rest.url}/v2/health", timeout=20).json()["event"]
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    assert "apiKey" not in event["requestContext"]["identity"]


def test_an_http_api_event_is_complete(http_api: Served) -> None:
    """Names are lower case, repetitions are joined, cookies stand apart, the query is raw too."""
    with Connection(http_api) as client:
        client.send(
            head(
                "PUT /any/p%20ath?a=%23&a=2&b HTTP/1.1",
                "X-Two: first",
                "x-two: second",
                "Cookie: a=1; b=2",
                "Content-Type: text/plain",
                "Content-Length: 2",
            ),
            "é".encode(),
        )
        event = json.loads(client.read().body)["event"]
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert event["rawPath"] == "/any/p ath"
    assert event["rawQueryString"] == "a=%23&a=2&b"
    assert event["queryStringParameters"] == {"a": "#,2", "b": ""}
    assert event["headers"]["x-two"] == "first,second"
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ("é", False)
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["requestContext"]["stage"] == "$default"
    assert event["requestContext"]["requestId"]


def test_an_http_api_event_leaves_out_what_is_not_there(http_api: Served) -> None:
    """No body, no query and no cookies have no keys."""
    event = requests.get(f"{http_api.url}/", timeout=20).json()["event"]
    assert not {"body", "queryStringParameters", "cookies", "pathParameters"} & set(event)
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("content_type", "is_base64"),
    [
        ("text/csv; charset=utf-8", False),
        ("application/json", False),
        ("Application/JSON;charset=utf-8", False),
        ("application/xml", False),
        ("application/javascript", False),
        ("application/x-www-form-urlencoded", True),
        ("multipart/form-data; boundary=x", True),
        ("image/png", True),
        (None, True),
    ],
)
def test_the_http_api_passes_text_as_text(
    http_api: Served, content_type: str | None, *, is_base64: bool
) -> None:
    """The content type decides what is base64, as on AWS."""
    headers = {"Content-Type": content_type} if content_type else {}
    reply = requests.post(f"{http_api.url}/v2", data=b"abc", headers=headers, timeout=20)
    event = reply.json()["event"]
    assert event["isBase64Encoded"] is is_base64
    assert event["body"] == ("YWJj" if is_base64 else "abc")


@pytest.mark.parametrize("fixture", ["rest", "http_api"])
def test_the_function_finds_its_context_and_variables(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    """The context is Lambda's, and the variables make the function accept the key ``local``."""
    server: Served = request.getfixturevalue(fixture)
    document = requests.get(f"{server.url}/v2/health", timeout=20).json()
    assert document["context"]["function_name"] in document["context"]["invoked_function_arn"]
    assert document["context"]["memory_limit_in_mb"] == 1769
    assert document["context"]["aws_request_id"]
    assert document["context"]["left_ms"] > 0
    gateway = "gateway" if fixture == "rest" else "function"
    assert document["environment"]["KEYS_CHECKED_BY"] == gateway
    assert document["environment"]["API_KEY_HASHES"] == (
        "25bf8e1a2393f1108d37029b3df5593236c755742ec93465bbafa9b290bddcf6"
    )


def test_variables_of_the_caller_are_kept(function: Path) -> None:
    """What the environment says, an empty value included, is not overridden."""
    variables = {"KEYS_CHECKED_BY": "function", "API_KEY_HASHES": ""}
    with serve("--function", function, variables=variables) as server:
        environment = requests.get(f"{server.url}/v2/health", timeout=20).json()["environment"]
    assert {name: environment[name] for name in variables} == variables


# ---- replies


@pytest.mark.parametrize("body", [ALL_BYTES, PHOTO.read_bytes(), b"\xff" * 4_600_000])
def test_bytes_pass_unchanged(server: Served, body: bytes) -> None:
    """What is sent comes out of the function's base64 byte for byte."""
    reply = requests.post(f"{server.url}/v2?do=bytes", data=body, headers=KEY, timeout=20)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/x-test"
    assert reply.headers["content-length"] == str(len(body))
    assert reply.content == body


def answered(server: Served, answer: object, method: str = "POST") -> SimpleNamespace:
    """Return the reply to a request that makes the function return ``answer``."""
    query = urlencode({"do": "answer", "answer": json.dumps(answer)})
    with Connection(server) as client:
        client.send(head(f"{method} /v2?{query} HTTP/1.1"))
        return client.read(method)


def test_headers_of_both_kinds_are_sent(rest: Served) -> None:
    """``multiValueHeaders`` win over ``headers``, and each of their values is a line."""
    reply = answered(
        rest,
        {
            "statusCode": 418,
            "headers": {"X-One": "1", "X-Two": "lost", "Content-Length": "99"},
            "multiValueHeaders": {"X-Two": ["a", "b"], "Connection": ["close"]},
            "body": "grüße",
        },
    )
    assert reply.status == 418
    assert reply.headers["X-One"] == "1"
    assert reply.headers.get_all("X-Two") == ["a", "b"]
    assert reply.headers["Connection"] == "keep-alive"
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body == "grüße".encode()


def test_cookies_of_the_http_api_are_sent(http_api: Served) -> None:
    """Each cookie is a Set-Cookie line."""
    reply = answered(http_api, {"statusCode": 200, "cookies": ["a=1", "b=2"], "body": ""})
    assert reply.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_the_http_api_takes_any_json_for_a_body(http_api: Served) -> None:
    """An answer without ``statusCode`` is itself the body of a 200."""
    reply = answered(http_api, {"hello": 1})
    assert (reply.status, json.loads(reply.body)) == (200, {"hello": 1})


def test_204_has_neither_body_nor_length(server: Served) -> None:
    """A reply without content ends with its head."""
    reply = answered(server, {"statusCode": 204, "headers": {"Allow": "POST"}}, "OPTIONS")
    assert (reply.status, reply.body, reply.headers["Allow"]) == (204, b"", "POST")
    assert reply.headers["Content-Length"] is None


def test_head_has_no_body(server: Served) -> None:
    """The length is said and nothing follows, so that the next reply is found."""
    with Connection(server) as client:
        client.send(head("HEAD /v2/health HTTP/1.1"), head("GET /v2/health HTTP/1.1"))
        first = client.read("HEAD")
        assert (first.status, first.body) == (200, b"")
        assert int(first.headers["Content-Length"]) > 0
        assert json.loads(client.read("GET").body)["event"]


# ---- the gateway's own answers


@pytest.mark.parametrize("path", ["/page.js", "/v1", "/v2/nothing", "/v2x", "//v2", "/V2"])
def test_unknown_routes_are_404(rest: Served, path: str) -> None:
    """The gateway answers them, key or not."""
    for key in (False, True):
        with Connection(rest) as client:
            client.send(head(f"GET {path} HTTP/1.1", key=key))
            assert_envelope(client.read("GET"), 404, "not_found")


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}])
@pytest.mark.parametrize("route", ["POST /v2", "POST /v2/uploads", "GET /v2/account"])
def test_keyed_routes_need_the_key(rest: Served, route: str, headers: dict[str, str]) -> None:
    """Without it, or with another, the answer is 401 and the function does not run."""
    method, path = route.split()
    reply = requests.request(method, rest.url + path, headers=headers, timeout=20)
    assert_envelope(reply, 401, "invalid_api_key")
    assert reply.json()["error"]["message"] == "Missing or invalid API key."


def test_the_name_of_the_key_is_case_insensitive(rest: Served) -> None:
    """remove.bg's clients write X-Api-Key."""
    reply = requests.post(f"{rest.url}/v2", headers={"X-Api-Key": "local"}, timeout=20)
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "route", ["OPTIONS /v2", "GET /v2", "DELETE /v2/account", "GET /v2/health"]
)
def test_keyless_methods_reach_the_function(rest: Served, route: str) -> None:
    """The function answers what a path's own methods do not."""
    method, path = route.split()
    event = requests.request(method, rest.url + path, timeout=20).json()["event"]
    assert (event["httpMethod"], event["resource"]) == (method, path)


def test_a_slash_at_the_end_makes_no_difference(rest: Served) -> None:
    """The route is the same, and the path is what was sent."""
    event = requests.get(f"{rest.url}/v2/health/", timeout=20).json()["event"]
    assert (event["resource"], event["path"]) == ("/v2/health", "/v2/health/")


def test_the_http_api_leaves_everything_to_the_function(http_api: Served) -> None:
    """Unknown routes and requests without a key reach it."""
    reply = requests.delete(f"{http_api.url}/nothing", timeout=20)
    assert reply.json()["event"]["rawPath"] == "/nothing"


@pytest.mark.parametrize(
    "query",
    [
        "do=raise",
        "do=set",
        "do=large&size=6400000",
        "do=answer&answer=null",
        "do=answer&answer=[]",
        'do=answer&answer={"body":"x"}',
        'do=answer&answer={"statusCode":"many"}',
        'do=answer&answer={"statusCode":200,"body":{"an":"object"}}',
        'do=answer&answer={"statusCode":200,"headers":["X"]}',
        'do=answer&answer={"statusCode":200,"headers":{"X":"a%5Cr%5Cnb"}}',
        'do=answer&answer={"statusCode":200,"headers":{"X Y":"a"}}',
        'do=answer&answer={"statusCode":200,"multiValueHeaders":{"X":"a"}}',
    ],
)
def test_a_failing_function_is_502(rest: Served, query: str) -> None:
    """The gateway answers for a crash, for a bad answer and for one that is too large."""
    reply = requests.post(f"{rest.url}/v2?{query}", headers=KEY, timeout=20)
    assert_envelope(reply, 502, "internal_error")


def test_a_body_that_is_no_base64_is_500(rest: Served) -> None:
    """API Gateway takes that for a wrong configuration."""
    reply = answered(rest, {"statusCode": 200, "body": "é", "isBase64Encoded": True})
    assert_envelope(reply, 500, "internal_error")


@pytest.mark.parametrize("query", ["do=raise", "do=large&size=6400000"])
def test_a_failing_function_is_500_behind_an_http_api(http_api: Served, query: str) -> None:
    """There the answer is AWS's."""
    reply = requests.post(f"{http_api.url}/v2?{query}", timeout=20)
    assert (reply.status_code, reply.json()) == (500, {"message": "Internal Server Error"})


def test_a_late_function_is_504_and_comes_back(hasty: Served) -> None:
    """The gateway does not wait for ever, and serves again once the function is done."""
    slow = f"{hasty.url}/v2?do=sleep&s=1.5"
    with ThreadPoolExecutor() as pool:  # the second stands behind the first
        for reply in pool.map(lambda _: requests.post(slow, headers=KEY, timeout=20), range(2)):
            assert_envelope(reply, 504, "timeout")
    wait_until(lambda: requests.get(f"{hasty.url}/v2/health", timeout=20).ok, seconds=20)


# ---- limits


def in_chunks(body: bytes, size: int = 50_000) -> Iterator[bytes]:
    """Return the body in pieces, which makes a client send it chunked."""
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("size", [4_720_000, 12_000_000, 40_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(rest: Served, size: int, *, chunked: bool) -> None:
    """A client that sends all of it, whatever we say, still gets the answer."""
    body = bytes(size)
    data = in_chunks(body) if chunked else body
    reply = requests.post(f"{rest.url}/v2?do=bytes", data=data, headers=KEY, timeout=60)
    assert_envelope(reply, 413, "payload_too_large")
    assert "/v2/uploads" in reply.json()["error"]["message"]


def test_a_body_over_the_limit_is_413_behind_an_http_api(http_api: Served) -> None:
    """There the answer is AWS's."""
    reply = requests.post(f"{http_api.url}/v2", data=bytes(5_000_000), timeout=20)
    assert (reply.status_code, reply.json()) == (413, {"message": "Request Entity Too Large"})


def test_the_event_counts_and_not_the_body_alone(rest: Served) -> None:
    """A body just under the limit is over it with the event around it."""
    reply = requests.post(f"{rest.url}/v2?do=bytes", data=bytes(4_718_500), headers=KEY, timeout=20)
    assert_envelope(reply, 413, "payload_too_large")


def test_text_may_be_larger_behind_an_http_api(http_api: Served) -> None:
    """It is not base64 there."""
    headers = {"Content-Type": "text/plain"}
    url = f"{http_api.url}/v2?do=large&size=1"
    reply = requests.post(url, data=b"x" * 6_000_000, headers=headers, timeout=20)
    assert reply.status_code == 200


def test_a_refused_body_is_not_read_to_its_end(rest: Served) -> None:
    """The answer comes at once, even where the body never does."""
    with Connection(rest) as client:
        client.send(head("POST /v2 HTTP/1.1", "Content-Length: 99999999999"))
        assert_envelope(client.read(), 413, "payload_too_large")
    with Connection(rest) as client:
        client.send(head("POST /v2 HTTP/1.1", "Transfer-Encoding: chunked"), b"7fffffff\r\nabc")
        assert_envelope(client.read(), 413, "payload_too_large")


def test_the_key_comes_before_the_size(rest: Served) -> None:
    """A large body without a key is 401."""
    reply = requests.post(f"{rest.url}/v2", data=bytes(12_000_000), timeout=20)
    assert_envelope(reply, 401, "invalid_api_key")


# ---- the wire


def test_100_continue_comes_before_the_body(server: Served) -> None:
    """A client that asks is told to go on, and then answered."""
    with Connection(server) as client:
        client.send(head("POST /v2?do=bytes HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
        assert client.file.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.read().body == b"hello"
        client.send(head("GET /v2/health HTTP/1.1"))
        assert client.read("GET").status == 200


def test_a_client_that_does_not_wait_is_not_told_to_continue(rest: Served) -> None:
    """Once the body has begun to come, 100 says nothing any more."""
    with Connection(rest) as client:
        expecting = head("POST /v2?do=bytes HTTP/1.1", "expect: 100-Continue", "Content-Length: 5")
        client.send(expecting + b"hello")
        assert client.socket.recv(100, socket.MSG_PEEK).startswith(b"HTTP/1.1 200")
        assert client.read().body == b"hello"


@pytest.mark.parametrize(
    ("lines", "key", "status"),
    [
        (["Content-Length: 4800000"], True, 413),
        (["Content-Length: 12000000"], True, 413),
        (["Content-Length: 5"], False, 401),
        (["Transfer-Encoding: chunked"], False, 401),
    ],
)
def test_a_refusal_comes_instead_of_100_continue(
    rest: Served, lines: list[str], status: int, *, key: bool
) -> None:
    """The client is spared the body, and the connection ends."""
    with Connection(rest) as client:
        client.send(head("POST /v2 HTTP/1.1", "Expect: 100-continue", *lines, key=key))
        assert client.socket.recv(12, socket.MSG_PEEK) == f"HTTP/1.1 {status}".encode()
        reply = client.read()
        assert (reply.status, reply.headers["Connection"]) == (status, "close")
        assert client.is_closed()


def test_chunked_bodies_are_put_together(server: Served) -> None:
    """Extensions and trailers are read over, and the next request is found."""
    with Connection(server) as client:
        client.send(
            head("POST /v2?do=bytes HTTP/1.1", "Transfer-Encoding: Chunked"),
            b"3;name=value\r\nabc\r\n00A \r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n",
        )
        assert client.read().body == b"abc0123456789"
        client.send(head("GET /v2/health HTTP/1.1"))
        assert client.read("GET").status == 200


def test_packets_may_be_split_anywhere(rest: Served) -> None:
    """A request that comes byte by byte is the same request."""
    message = head("POST /v2?do=bytes HTTP/1.1", "Transfer-Encoding: chunked")
    message += b"5\r\nab\r\nc\r\n0\r\n\r\n"
    with Connection(rest) as client:
        for number in message:
            client.send(bytes([number]))
        assert client.read().body == b"ab\r\nc"


def test_pipelined_requests_are_answered_in_order(server: Served) -> None:
    """Requests that come at once are answered one after the other, on one connection."""
    texts = [f"request {number}".encode() for number in range(5)]
    messages = [
        head("POST /v2?do=bytes HTTP/1.1", f"Content-Length: {len(text)}") + text for text in texts
    ]
    with Connection(server) as client:
        client.send(b"\r\n" + b"".join(messages))  # an empty line may stand before a request
        assert [client.read().body for _ in texts] == texts


@pytest.mark.parametrize(
    ("line", "header", "goes_on"),
    [
        ("GET /v2/health HTTP/1.1", "X: y", True),
        ("GET /v2/health HTTP/1.1", "Connection: TE, Close", False),
        ("GET /v2/health HTTP/1.0", "X: y", False),
        ("GET /v2/health HTTP/1.0", "Connection: Keep-Alive", True),
        ("GET /nothing HTTP/1.1", "X: y", True),
    ],
)
def test_connections_are_kept_as_agreed(
    rest: Served, line: str, header: str, *, goes_on: bool
) -> None:
    """HTTP/1.1 goes on unless told to close, HTTP/1.0 ends unless asked to go on."""
    with Connection(rest) as client:
        client.send(head(line, header))
        assert client.read("GET").headers["Connection"] == ("keep-alive" if goes_on else "close")
        if goes_on:
            client.send(head("GET /v2/health HTTP/1.1"))
            assert client.read("GET").status == 200
        else:
            assert client.is_closed()


@pytest.mark.parametrize(
    "target", ["http://example.test/v2/health?a=1", "/v2/health?a=1#part", "/v2/%68ealth?a=1"]
)
def test_targets_may_take_other_forms(rest: Served, target: str) -> None:
    """A target with its host, with a fragment or with escapes is the same route."""
    with Connection(rest) as client:
        client.send(head(f"GET {target} HTTP/1.1"))
        event = json.loads(client.read("GET").body)["event"]
    assert event["resource"] == "/v2/health"
    assert event["queryStringParameters"] == {"a": "1"}


def test_raw_utf8_in_a_target_is_taken_as_if_escaped(server: Served) -> None:
    """A query may come as it was typed, as curl sends it."""
    with Connection(server) as client:
        client.send(head("GET /v2/health?a=blac\u212a HTTP/1.1"))
        event = json.loads(client.read("GET").body)["event"]
    assert event["queryStringParameters"] == {"a": "blac\u212a"}


MALFORMED = {
    "no request line": b"hello\r\n\r\n",
    "two words": b"GET /v2/health\r\n\r\n",
    "four words": head("GET /v2/health more HTTP/1.1"),
    "no method": head("G(T /v2/health HTTP/1.1"),
    "another version": head("GET /v2/health HTTP/2.0"),
    "a control character in the target": head("GET /v2/\x01health HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    "no colon": head("GET /v2/health HTTP/1.1", "X-Header"),
    "a space before the colon": head("GET /v2/health HTTP/1.1", "X-Header : 1"),
    "a folded header": head("GET /v2/health HTTP/1.1", "X-Header: 1", " more"),
    "a lone CR": head("GET /v2/health HTTP/1.1", "X-Header: 1\r2"),
    "a zero byte": head("GET /v2/health HTTP/1.1", "X-Header: \0"),
    "lines without CR": b"GET /v2/health HTTP/1.1\nHost: x\n\n",
    "no Host": b"GET /v2/health HTTP/1.1\r\n\r\n",
    "two Hosts": head("GET /v2/health HTTP/1.1", "Host: two"),
    "a long target": head(f"GET /{'x' * 70_000} HTTP/1.1"),
    "a long head": head("GET /v2/health HTTP/1.1", *(["X: " + "y" * 5_000] * 14)),
    "no length": head("POST /v2 HTTP/1.1", "Content-Length: five"),
    "a negative length": head("POST /v2 HTTP/1.1", "Content-Length: -1"),
    "a signed length": head("POST /v2 HTTP/1.1", "Content-Length: +5"),
    "two lengths": head("POST /v2 HTTP/1.1", "Content-Length: 5", "Content-Length: 6"),
    "length and chunks": head(
        "POST /v2 HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"
    ),
    "another coding": head("POST /v2 HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    "chunks in HTTP/1.0": head("POST /v2 HTTP/1.0", "Transfer-Encoding: chunked"),
    "no chunk size": head("POST /v2 HTTP/1.1", "Transfer-Encoding: chunked") + b"x\r\nabc\r\n",
    "a signed chunk size": head("POST /v2 HTTP/1.1", "Transfer-Encoding: chunked") + b"-1\r\n",
    "a chunk without end": head("POST /v2 HTTP/1.1", "Transfer-Encoding: chunked")
    + b"1\r\nabc\r\n",
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_requests_are_400_and_end_the_connection(rest: Served, message: bytes) -> None:
    """What follows cannot be told apart any more."""
    with Connection(rest) as client:
        client.send(message)
        reply = client.read()
        assert_envelope(reply, 400, "bad_request")
        assert reply.headers["Connection"] == "close"


def test_malformed_requests_are_400_behind_an_http_api(http_api: Served) -> None:
    """There the answer is AWS's."""
    with Connection(http_api) as client:
        client.send(MALFORMED["no Host"])
        reply = client.read()
    assert (reply.status, json.loads(reply.body)) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /v2 HT",
        head("POST /v2 HTTP/1.1")[:-2],
        head("POST /v2 HTTP/1.1", "Content-Length: 5") + b"abc",
        head("POST /v2 HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nabc",
    ],
)
def test_a_client_that_stops_sending_is_answered_400(hasty: Served, beginning: bytes) -> None:
    """A request that never ends holds no connection for ever."""
    with Connection(hasty) as client:
        client.send(beginning)
        assert_envelope(client.read(), 400, "bad_request")
        assert client.is_closed()


def test_a_silent_client_is_closed(hasty: Served) -> None:
    """A connection on which nothing is asked ends without a word."""
    with Connection(hasty) as client:
        assert client.is_closed()


def test_a_client_that_goes_away_does_no_harm(rest: Served) -> None:
    """The next one is served."""
    for message in (b"POST", head("POST /v2 HTTP/1.1", "Content-Length: 9") + b"abc", head()):
        with Connection(rest) as client:
            client.send(message)
    assert requests.get(f"{rest.url}/v2/health", timeout=20).ok


def test_parallel_requests_get_their_own_replies(server: Served) -> None:
    """Many clients at once, some of them slow, are never mixed up."""

    def ask(number: int) -> bool:
        body = b"%d " % number * 20_000
        reply = requests.post(
            f"{server.url}/v2?do=bytes",
            data=in_chunks(body) if number % 2 else body,
            headers=KEY,
            timeout=60,
        )
        return reply.content == body

    with Connection(server) as slow, ThreadPoolExecutor(16) as pool:
        slow.send(b"POST /v2")  # holds its thread and no other
        assert all(pool.map(ask, range(48)))


# ---- the process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_ends_it_cleanly(function: Path, number: signal.Signals) -> None:
    """The status is 0 and nothing is left, whoever is connected; a repeated signal is no matter."""
    with serve("--function", function) as server, Connection(server) as idle:
        idle.send(head("GET /v2/health HTTP/1.1"))
        assert idle.read("GET").status == 200
        os.killpg(server.process.pid, number)
        status, output, log = server.stop(number)
        assert (status, output) == (0, "")
        assert "Traceback" not in log
        with pytest.raises(ConnectionRefusedError):
            Connection(server)


def test_a_request_under_way_is_answered_before_the_end(function: Path) -> None:
    """A stop waits a moment for the replies that are under way."""
    with serve("--function", function) as server, Connection(server) as client:
        client.send(
            head("POST /v2?do=sleep&s=1 HTTP/1.1", "Expect: 100-continue", "Content-Length: 1")
        )
        assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert client.file.readline() == b"\r\n"
        client.send(b"x")
        assert server.stop()[0] == 0
        assert client.read().status == 200


def test_standard_output_holds_the_address_and_nothing_else(function: Path) -> None:
    """The function's output and the access log go to standard error; no key stands in it."""
    with serve("--function", function) as server:
        requests.post(f"{server.url}/v2?do=print", headers=KEY, timeout=20)
        _, output, log = server.stop()
    assert output == ""
    assert "printed by the function" in log
    assert '"POST /v2" 200' in log
    assert "local" not in log


def test_a_taken_port_is_said(function: Path, rest: Served) -> None:
    """It ends with a sentence, not with a stack trace."""
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "events/local/serve.py"),
            *("--port", str(rest.port), "--function", function),
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert (
        f"cannot listen on port {rest.port}: Address already in use. Choose another port: "
        "PORT=… for make, --port for this program\n"
    ) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "option"),
    [("serve.py", "--port"), ("serve_s3.py", "--port"), ("serve_s3.py", "--s3-port")],
)
@pytest.mark.parametrize("port", ["99999", "65536", "-1", "x", "", "٣٠٠٠"])
def test_a_port_that_does_not_exist_is_said(program: str, option: str, port: str) -> None:
    """Before anything starts, with what is accepted."""
    done = subprocess.run(
        [sys.executable, ROOT / "events/local" / program, f"{option}={port}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        f"error: argument {option}: {port} is not a port; choose one from 1 to 65535, or 0 for any"
        " free one\n"
    )
    assert "Traceback" not in done.stderr


# ---- with the function of this repository


@pytest.fixture(scope="module", params=["1.0", "2.0"])
def real(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve the real function."""
    with serve("--payload", request.param) as server:
        yield server


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/v2/health"])
def test_head_tells_the_length_that_get_has(real: Served, path: str, coding: str) -> None:
    """All headers are those of GET, of which the request's own id and date differ."""
    url, headers = real.url + path, {"Accept-Encoding": coding}
    whole = requests.get(url, headers=headers, timeout=20)
    head = requests.head(url, headers=headers, timeout=20)
    assert (head.status_code, whole.status_code, head.content) == (200, 200, b"")
    assert int(head.headers["Content-Length"]) > 0
    own = {"Date", "X-Request-Id", "x-amzn-RequestId", "X-Amzn-Trace-Id", "x-amz-apigw-id"}
    for reply in (head, whole):
        for name in own & reply.headers.keys():
            del reply.headers[name]
    assert head.headers == whole.headers


def test_a_photograph_is_cut_out(real: Served) -> None:
    """A multipart form goes in and a PNG comes out."""
    with PHOTO.open("rb") as file:
        reply = requests.post(
            f"{real.url}/v2",
            files={"image_file": file},
            data={"size": "preview"},
            headers=KEY,
            timeout=60,
        )
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    assert reply.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v2/health", {}, 200),
        ("GET", "/v2/account", KEY, 200),
        ("OPTIONS", "/v2", {}, 204),
        ("GET", "/v2", {}, 405),
        ("POST", "/v2", KEY, 400),
        ("POST", "/v2", {}, 401),
        ("POST", "/v2", {"x-api-key": "wrong"}, 401),
        ("POST", "/v2/uploads", KEY, 400),
        ("GET", "/nothing", {}, 404),
    ],
)
def test_the_contract_holds_at_either_door(
    real: Served, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Gateway or function: the caller sees the same status and the same envelope."""
    reply = requests.request(method, real.url + path, headers=headers, timeout=20)
    assert reply.status_code == status
    assert reply.headers["access-control-allow-origin"] == "*"
    if status >= 400:
        error = reply.json()["error"]
        assert list(error) == ["code", "message", "status", "request_id"]
        assert (error["status"], error["request_id"]) == (status, reply.headers["x-request-id"])


def test_a_second_model_that_is_not_there_is_missed_by_its_users_only() -> None:
    """The default one works; the request that names the other is a fault of the deployment."""
    headers = {**KEY, "content-type": "image/jpeg"}
    with serve(variables={"MODEL_NAME": "erase-s,nowhere"}) as server:
        for query, status in {"": 200, "?model=nowhere": 503, "?model=erase-s": 200}.items():
            url, data = f"{server.url}/v2{query}", PHOTO.read_bytes()
            reply = requests.post(url, headers=headers, data=data, timeout=60)
            assert reply.status_code == status
        _, _, log = server.stop()
    assert str(ROOT / "models/nowhere") in log


def test_a_model_that_is_not_there_is_said_at_the_start() -> None:
    """With every folder that was looked for; a request is told that the deployment lacks it."""
    with serve(variables={"MODEL_NAME": "nowhere"}) as server:
        reply = requests.get(f"{server.url}/v2/health?deep=1", timeout=60)
        _, _, log = server.stop()
    assert reply.status_code == 503
    assert "model cannot be used" in reply.json()["error"]["message"]
    first = log.splitlines()[0]
    assert "/opt/models/nowhere" in first
    assert str(ROOT / "models/nowhere") in first
