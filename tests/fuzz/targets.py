"""What is fuzzed: for each target its seeds, and a check that raises where an answer is wrong.

Everything that a stranger can send goes through one of these. A caller's input never ends in an
error of ours, and an event of S3 ends in an answer or in an error of the tree.
"""

import base64
import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import seeds
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from drawn_models import card_of

from context import LocalContext
from cutout.color import parse_color
from cutout.errors import CutoutError, UnknownEvent, UploadsFailed
from cutout.http.api import Api
from cutout.http.body import parse_body
from cutout.image.decode import Limits, decode
from cutout.image.model import Model
from cutout.options import parse_options
from cutout.remover import Remover
from cutout.s3.handler import Uploads
from cutout.s3.worker import Worker
from cutout.settings import KeyCheck, Settings
from cutout.store import ObjectRef
from fake_store import Bucket, FakeStore

CAP_PX = 1_000
LIMITS = Limits(max_pixels=4_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``check`` takes one input and raises ``AssertionError``, or whatever it did not foresee.

    ``is_document``: the seeds are JSON, whose values are damaged too.
    """

    seeds: tuple[bytes, ...]
    check: Callable[[bytes], None]
    max_bytes: int
    is_document: bool = False


def refused(error: CutoutError, *statuses: int) -> None:
    """Hold a refusal to the statuses that a caller's input can have."""
    assert error.status in statuses, (error.status, error.code, error.facts)
    str(error).encode()


def check_body(data: bytes) -> None:
    """Any content type and any body are parsed, or are the caller's fault."""
    content_type, _, body = data.partition(b"\n")
    try:
        parsed = parse_body(content_type.decode("latin-1"), body)
    except CutoutError as error:
        refused(error, 400, 415)
    else:
        assert all(isinstance(name, str) for name, _ in parsed.fields)


def check_options(data: bytes) -> None:
    """Any fields are options, or are the caller's fault."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(fields, list):
        return
    pairs = [tuple(field) for field in fields if isinstance(field, list) and len(field) == 2]
    try:
        parse_options([(name, value) for name, value in pairs if isinstance(name, str)])
    except CutoutError as error:
        refused(error, 400)


def check_color(data: bytes) -> None:
    """Any text is a colour or is the caller's fault."""
    try:
        color = parse_color(data.decode("utf-8", "surrogateescape"))
    except CutoutError as error:
        refused(error, 400)
    else:
        assert all(0 <= value <= 255 for value in (color.r, color.g, color.b))


def check_decode(data: bytes) -> None:
    """Any bytes are a photo within the limits or are the caller's fault."""
    try:
        photo = decode(data, limits=LIMITS, cap_px=CAP_PX)
    except CutoutError as error:
        refused(error, 400, 413, 415)
    else:
        assert photo.width * photo.height <= CAP_PX
        assert photo.pixels.shape == (photo.height, photo.width, 3)


HALF = np.zeros((1, 1, 32, 32), np.float32)
HALF[..., :16] = 1
REMOVER = Remover(Model(card=card_of(32), network=lambda _: HALF), Limits(max_pixels=100_000))
METRICS: Any = EphemeralMetrics(namespace="Fuzz", service="fuzz")
LOG = io.StringIO()
LOGGER = Logger(service="fuzz", stream=LOG)
API = Api(
    remover=REMOVER,
    settings=Settings(keys_checked_by=KeyCheck.GATEWAY),
    logger=LOGGER,
    metrics=METRICS,
)


def event_in(data: bytes) -> dict[str, Any] | None:
    """Return the event that the input is, if it is one."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def check_http(data: bytes) -> None:
    """Any request that API Gateway can send is answered, and never with an error of ours."""
    event = event_in(data)
    if event is None or not is_request(event):
        return
    with contextlib.redirect_stdout(io.StringIO()):
        reply = API.handle(event, LocalContext())
    reset_log()
    assert reply["statusCode"] < 500, reply["body"][:300]
    if reply["isBase64Encoded"]:
        base64.b64decode(reply["body"], validate=True)
    for name, value in reply["headers"].items():
        assert value.isascii(), (name, value)
        assert value.isprintable(), (name, value)
    json.dumps(reply).encode()


def is_request(event: dict[str, Any]) -> bool:
    """Tell whether API Gateway can have made the event: its fields have their types."""

    def texts(value: object) -> bool:
        return value is None or (
            isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
        )

    def lists(value: object) -> bool:
        return value is None or (
            isinstance(value, dict)
            and all(
                isinstance(several, list) and all(isinstance(text, str) for text in several)
                for several in value.values()
            )
        )

    context = event.get("requestContext")
    if not isinstance(context, dict):
        return False
    second = event.get("version") == "2.0"
    http = context.get("http") if second else event
    words = ("rawPath", "rawQueryString") if second else ("path", "resource")
    request_id = context.get("requestId")
    return (
        isinstance(http, dict)
        and isinstance(http.get("method" if second else "httpMethod"), str)
        and ("rawPath" in event or "path" in event)
        and isinstance(request_id, str)
        and request_id.isascii()
        and request_id.isprintable()
        and isinstance(context.get("identity") or {}, dict)
        and all(isinstance(event.get(word, ""), str) for word in words)
        and all(isinstance(value, str | None) for value in (event.get("body"), context.get("path")))
        and isinstance(context.get("stage", ""), str)
        and texts(event.get("headers"))
        and texts(event.get("queryStringParameters"))
        and texts(event.get("pathParameters"))
        and lists(event.get("multiValueHeaders"))
        and lists(event.get("multiValueQueryStringParameters"))
    )


INPUT, RESULT, CATALOGUE = "cutout-input", "cutout-result", "shop-photos"
UPLOADS = (
    ObjectRef(bucket=INPUT, key="uploads/a cat.jpg"),
    ObjectRef(bucket=INPUT, key="uploads/büro/100% + 1.png"),
    ObjectRef(bucket=INPUT, key="uploads/test+b 100%.png"),
    ObjectRef(bucket=CATALOGUE, key="2026/a cat.jpg"),
)
"""What the sample events are about."""


def check_s3(data: bytes) -> None:
    """Any event ends in an answer in its own form, or in an error that keeps the event."""
    event = event_in(data)
    if event is None:
        return
    store = FakeStore({name: Bucket() for name in (INPUT, RESULT, CATALOGUE)})
    for ref in UPLOADS:
        store.put(ref, seeds.SMALL, format="webp")
    settings = Settings(
        input_bucket=INPUT, result_bucket=RESULT, catalogue_buckets=frozenset({CATALOGUE})
    )
    uploads = Uploads(
        worker=Worker(remover=REMOVER, store=store, settings=settings),
        settings=settings,
        logger=LOGGER,
        metrics=METRICS,
    )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = uploads.handle(event, LocalContext())
    except (UnknownEvent, UploadsFailed):
        return
    finally:
        reset_log()
    json.dumps(answer)
    if "tasks" in event:
        assert answer is not None
        assert [result["taskId"] for result in answer["results"]] == [
            task["taskId"] for task in event["tasks"]
        ]


def reset_log() -> None:
    """Hold every line of the log to JSON, and forget it."""
    for line in LOG.getvalue().splitlines():
        json.loads(line)
    LOG.seek(0)
    LOG.truncate()


TARGETS = {
    "body": Target(seeds=tuple(seeds.bodies()), check=check_body, max_bytes=4_096),
    "options": Target(seeds=tuple(seeds.options()), check=check_options, max_bytes=4_096),
    "color": Target(seeds=tuple(seeds.colors()), check=check_color, max_bytes=64),
    "decode": Target(seeds=tuple(seeds.images().values()), check=check_decode, max_bytes=16_384),
    "http": Target(
        seeds=tuple(seeds.events("rest-", "http-")),
        check=check_http,
        max_bytes=16_384,
        is_document=True,
    ),
    "s3": Target(
        seeds=tuple(seeds.events("s3", "sqs")),
        check=check_s3,
        max_bytes=16_384,
        is_document=True,
    ),
}
