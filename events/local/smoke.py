"""``make smoke URL=… KEY=…``: requests to a deployment, and what must come back for each.

It is for the first minutes after a deployment: it shows what no test on one machine can, because
only AWS's own gateway decides it. It needs nothing but Python. Against ``make serve`` it runs too,
and marks the rows that only AWS can show. It exits with 1 where an answer is not the expected one.
"""

import argparse
import json
import os
import struct
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PHOTO = Path(__file__).resolve().parents[2] / "tests/data/photo.jpg"

TIMEOUT_S = 35  # API Gateway itself gives up after 29 s

OVER_LAMBDA_BYTES = 7_000_000
"""A body that API Gateway takes (10 MB) and Lambda does not (6 MB)."""

BURST = 60
"""Health checks at once: the template lets 10 of them through, and 5 a second after that."""

PAGE = "https://shop.example"

PNG = b"\x89PNG\r\n\x1a\n"


class Door(StrEnum):
    """Who answers at the URL."""

    REST = "REST API"
    HTTP = "HTTP API"
    LOCAL = "local server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object, empty where it is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def code(self) -> str:
        """The code of an error in the service's own form, else empty."""
        error = self.document.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    def __str__(self) -> str:
        """Say the status, and the code or the type of the body."""
        return f"{self.status} {self.code or self.headers.get('content-type', '')}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row: a request, and what makes its answers right.

    ``not_at`` says at which doors it is not sent, and why.
    """

    request: str
    expected: str
    is_right: Callable[[list[Answer]], bool]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    times: int = 1
    not_at: Mapping[Door, str] = field(default_factory=dict)


class Deployment:
    """A deployment by its base URL, with or without the name of a stage at its end."""

    def __init__(self, url: str) -> None:
        """Remember the URL; nothing is sent yet."""
        self._at = urlsplit(url.rstrip("/"))

    def send(self, check: Check) -> Answer:
        """Return the answer to one request.

        :raises OSError: there is none.
        :raises HTTPException: it is not HTTP.
        """
        method, path = check.request.split(" ")
        kind = HTTPSConnection if self._at.scheme == "https" else HTTPConnection
        connection = kind(self._at.netloc, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, self._at.path + path)
            for name, value in {**check.headers, "Content-Length": str(len(check.body))}.items():
                connection.putheader(name, value)
            # A server may refuse a body before it has read all of it, and says so.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(check.body)
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(status=reply.status, headers=headers, body=reply.read())
        finally:
            connection.close()

    def door(self) -> Door:
        """Tell who answers, by the headers that each kind of API Gateway adds.

        :raises OSError: nobody does.
        """
        headers = self.send(_anything("GET /v2/health")).headers
        if "x-amz-apigw-id" in headers:
            return Door.REST
        return Door.HTTP if "apigw-requestid" in headers else Door.LOCAL


def checks(key: str) -> list[Check]:
    """Return the rows, in the order in which they are sent."""
    keyed = {"x-api-key": key}
    photo = PHOTO.read_bytes()
    image = keyed | {"Content-Type": "image/jpeg", "Accept": "image/png"}
    no_throttle = {
        Door.LOCAL: "only AWS shows it: nothing is throttled locally",
        Door.HTTP: "an HTTP API has one limit for all routes",
    }
    return [
        Check(
            request="GET /v2/health?deep=1",
            expected='200, "status": "ok": the model runs',
            is_right=_one(_is_ok),
        ),
        Check(
            request="HEAD /v2/health",
            expected="200 without a body",
            is_right=_one(lambda a: (a.status, a.body) == (HTTPStatus.OK, b"")),
        ),
        Check(
            request="OPTIONS /v2",
            expected="204, a page may send X-Api-Key",
            headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"},
            is_right=_one(_is_preflight),
        ),
        Check(
            request="GET /v2/account",
            expected='200, "status": "ok": the key is accepted',
            headers=keyed,
            is_right=_one(_is_ok),
        ),
        Check(
            request="POST /v2",
            expected="401 invalid_api_key for a wrong key",
            headers=image | {"x-api-key": "not-a-key-of-this-deployment"},
            body=photo,
            is_right=_error(401, "invalid_api_key"),
        ),
        Check(
            request="GET /v2/nothing-is-here",
            expected="404 not_found",
            headers=keyed,
            is_right=_error(404, "not_found"),
        ),
        Check(
            request="POST /v2?format=png",
            expected="200, a PNG with transparency",
            headers=image,
            body=photo,
            is_right=_one(_is_cutout),
        ),
        Check(
            request="POST /v2?format=png&crop=true&crop_margin=5%25",
            expected="200: 5%25 arrives as 5%",
            headers=image,
            body=photo,
            is_right=_one(_is_cutout),
        ),
        Check(
            request="POST /v2/uploads",
            expected="200, an https form for a large image",
            headers=keyed,
            is_right=_one(_is_form),
            not_at={Door.LOCAL: "only AWS shows it: the local server has no bucket"},
        ),
        Check(
            request="POST /v2?format=jpg",
            expected="413 for a body of 7 MB, from a REST API payload_too_large",
            headers=image,
            body=bytes(OVER_LAMBDA_BYTES),
            is_right=_one(_is_too_large),
        ),
        Check(
            request="HEAD /v2/health",
            expected=f"429 with Retry-After among {BURST} at once",
            times=BURST,
            is_right=lambda answers: any(map(_is_throttled, answers)),
            not_at=no_throttle,
        ),
    ]


def run(url: str, key: str) -> tuple[list[tuple[str, str, str, str]], bool]:
    """Send every request; return the table's rows, and whether no answer was wrong.

    :raises OSError: nobody answers at the URL.
    """
    deployment = Deployment(url)
    door = deployment.door()
    rows = []
    for check in checks(key):
        if door in check.not_at:
            rows.append(("--", check.request, check.expected, check.not_at[door]))
            continue
        try:
            with ThreadPoolExecutor(check.times) as pool:
                answers = list(pool.map(deployment.send, [check] * check.times))
        except (OSError, HTTPException) as error:
            rows.append(("FAIL", check.request, check.expected, f"{type(error).__name__}: {error}"))
            continue
        outcome = "ok" if check.is_right(answers) else "FAIL"
        came = ", ".join(sorted({str(answer) for answer in answers}))
        rows.append((outcome, check.request, check.expected, came))
    return rows, all(row[0] != "FAIL" for row in rows)


def main() -> int:
    """Print the table; the exit status is 1 where an answer was wrong, and 2 where none came."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url", help="base URL, the output Url or HttpUrl of the stack")
    url = parser.parse_args().url
    if urlsplit(url).scheme not in {"http", "https"}:
        parser.error("URL must be the output Url of the stack, such as https://....../live")
    # From the environment, since everybody on a machine can read the arguments of a program.
    key = os.environ.get("KEY", "")
    if not key:
        parser.error("KEY must be an API key of the deployment; the output ReadKey prints it")
    try:
        rows, is_right = run(url, key)
    except (OSError, HTTPException) as error:
        print(f"Nobody answers at {url}: {error}", file=sys.stderr)
        return 2
    head = ("", "request", "must come back", "came back")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
    for row in [head, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]).rstrip())
    return 0 if is_right else 1


def _anything(request: str) -> Check:
    return Check(request=request, expected="", is_right=bool)


def _one(is_right: Callable[[Answer], bool]) -> Callable[[list[Answer]], bool]:
    return lambda answers: all(map(is_right, answers))


def _error(status: int, code: str) -> Callable[[list[Answer]], bool]:
    """Judge an error: its status, its code, and the request's id in it."""

    def is_right(answer: Answer) -> bool:
        if (answer.status, answer.code) != (status, code):
            return False
        return bool(answer.document["error"].get("request_id"))

    return _one(is_right)


def _is_ok(answer: Answer) -> bool:
    return answer.status == HTTPStatus.OK and answer.document.get("status") == "ok"


def _is_form(answer: Answer) -> bool:
    upload = answer.document.get("upload") or {}
    return answer.status == HTTPStatus.OK and str(upload.get("url")).startswith("https://")


def _is_throttled(answer: Answer) -> bool:
    return answer.status == HTTPStatus.TOO_MANY_REQUESTS and "retry-after" in answer.headers


def _is_too_large(answer: Answer) -> bool:
    """Tell whether a body was refused; an HTTP API does that with a text of its own."""
    refusal = answer.document.get("message") or answer.code
    is_known = refusal in {"Request Entity Too Large", "payload_too_large"}
    return answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and is_known


def _is_preflight(answer: Answer) -> bool:
    allowed = answer.headers.get("access-control-allow-headers", "").lower()
    origin = answer.headers.get("access-control-allow-origin")
    return answer.status == HTTPStatus.NO_CONTENT and "x-api-key" in allowed and origin is not None


def _is_cutout(answer: Answer) -> bool:
    """Tell whether an answer is a PNG file with an alpha channel."""
    if answer.status != HTTPStatus.OK or not answer.body.startswith(PNG):
        return False
    width, height, _, color_type = struct.unpack(">IIBB", answer.body[16:26])
    return width > 0 and height > 0 and color_type in {4, 6}


if __name__ == "__main__":
    sys.exit(main())
