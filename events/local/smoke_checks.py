"""What ``make smoke`` asks a deployment: each request, and what makes its answers right."""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any

PHOTO = Path(__file__).resolve().parents[2] / "tests/data/photo.jpg"

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


def checks(key: str) -> list[Check]:
    """Return the rows, in the order in which they are sent."""
    keyed = {"x-api-key": key}
    photo = PHOTO.read_bytes()
    image = keyed | {"Content-Type": "image/jpeg", "Accept": "image/png"}
    no_https = {Door.LOCAL: "only AWS shows it: no local bucket has https"}
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
            request="POST /v2?format=png&response=inline",
            expected="200, a PNG with transparency",
            headers=image,
            body=photo,
            is_right=_one(_is_cutout),
        ),
        Check(
            request="POST /v2?format=png&response=inline&crop=true&crop_margin=5%25",
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
            not_at=no_https,
        ),
        Check(
            request="POST /v2?format=png&response=url",
            expected="200, an https URL: the function may write results",
            headers=image,
            body=photo,
            is_right=_one(_is_link),
            not_at=no_https,
        ),
        # Without the right to list the bucket, S3 answers 403, which is an error on our side.
        Check(
            request="POST /v2",
            expected="400 invalid_image_key: S3 tells what is missing",
            headers=keyed | {"Content-Type": "application/json"},
            body=json.dumps({"image_key": "incoming/nothing-is-here"}).encode(),
            is_right=_error(400, "invalid_image_key"),
            not_at={Door.LOCAL: "only AWS shows it: no local bucket has rights"},
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


def _is_link(answer: Answer) -> bool:
    is_https = str(answer.document.get("url")).startswith("https://")
    return answer.status == HTTPStatus.OK and is_https


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
