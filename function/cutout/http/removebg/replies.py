"""What remove.bg's clients read: its account, its errors, its JSON and its headers."""

import time
from collections.abc import Iterable
from types import MappingProxyType

import pybase64

from cutout.errors import SERVER_FAULT, CutoutError
from cutout.http.reply import Reply, error_reply, facts, ignored_header, json_reply
from cutout.http.request import Request
from cutout.remover import Result

_CREDITS = 1_000_000  # nothing is counted, and a client warns at 0

ACCOUNT = {
    "data": {
        "attributes": {
            "credits": {"total": _CREDITS, "subscription": 0, "payg": _CREDITS, "enterprise": 0},
            "api": {"free_calls": _CREDITS, "sizes": "all"},
        }
    }
}
"""What ``GET /v1.0/account`` answers: exactly remove.bg's keys, since a client raises on others."""

CODES = MappingProxyType(
    {
        "invalid_api_key": "auth_failed",
        "missing_image": "missing_source",
        "invalid_image": "failed_to_read_image",
        "unsupported_image_format": "invalid_file_type",
        "payload_too_large": "file_too_large",
        "image_too_large": "resolution_too_high",
    }
)
"""Our codes that have another name at remove.bg."""

_KEPT_STATUS = {404, 405, 429}  # of the faults of the caller; all others are 400
_FORBIDDEN, _UNAUTHORIZED, _BAD_REQUEST = 403, 401, 400
_RATE_LIMIT = 500  # remove.bg's own number of requests a minute; API Gateway limits, nothing here


def show_credits(_: Request) -> Reply:
    """Return the account."""
    return json_reply(ACCOUNT, headers=_rate_limit())


def status_told(status: int) -> int:
    """Return the status that remove.bg has for one of ours: faults of the input are all 400."""
    if status == _UNAUTHORIZED:
        return _FORBIDDEN
    return status if status >= SERVER_FAULT or status in _KEPT_STATUS else _BAD_REQUEST


def removebg_error_reply(error: CutoutError, request_id: str) -> Reply:
    """Return an error as remove.bg's clients read it."""
    told = {
        "title": str(error),
        "code": CODES.get(error.code, error.code),
        "detail": error.detail,
    }
    headers = {**error_reply(error, request_id).headers, **charges()}  # Allow is among the former
    return json_reply({"errors": [told]}, status=status_told(error.status), headers=headers)


def document_reply(result: Result, ignored: Iterable[str]) -> Reply:
    """Return the image inside JSON."""
    subject = result.report.subject
    data = {
        "result_b64": pybase64.b64encode_as_string(result.file.body),
        "foreground_top": subject.top,
        "foreground_left": subject.left,
        "foreground_width": subject.width,
        "foreground_height": subject.height,
    }
    return json_reply({"data": data}, headers=facts(result) | ignored_header(tuple(ignored)))


def charges() -> dict[str, str]:
    """Return the headers about what a call costs: nothing."""
    return {"X-Credits-Charged": "0", **_rate_limit()}


def _rate_limit() -> dict[str, str]:
    """Return the three headers that clients read together. The function itself limits nothing."""
    return {
        "X-RateLimit-Limit": str(_RATE_LIMIT),
        "X-RateLimit-Remaining": str(_RATE_LIMIT - 1),
        "X-RateLimit-Reset": str(int(time.time()) // 60 * 60 + 60),
    }
