"""A stand-in for AWS that speaks real HTTP, a proxy in front of it that fails, and a deployment."""

import contextlib
import functools
import http.client
import io
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

import boto3
import numpy as np
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from numpy.typing import NDArray
from PIL import Image

import app
from context import LocalContext
from cutout.image.card import read_card
from cutout.image.decode import Limits
from cutout.image.model import Model
from cutout.remover import Remover
from cutout.s3.handler import Uploads
from cutout.s3.worker import Worker
from cutout.settings import Settings
from cutout.store import Store
from image_files import encoded
from make_events import Event, eventbridge_event, s3_batch_event, s3_put_event, sqs_event

REGION = "eu-west-1"
HOST = "127.0.0.1"

_SERVER = """
import sys
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""
_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>No permission for arn:aws:s3:::{name}</Message></Error>"""
"""S3's message about a refusal names the object."""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Run moto's server in a process of its own; yield its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(port), seconds=60)
        yield f"http://{HOST}:{port}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def wait_until(holds: Callable[[], object], *, seconds: float) -> None:
    """Wait until something holds.

    :raises TimeoutError: it does not, for so long.
    """
    end_s = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end_s:
            raise TimeoutError
        time.sleep(0.05)


# --------------------------------------------------------------------------- the proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to S3 as it passes the proxy."""

    method: str
    bucket: str
    key: str
    query: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a call instead: an answer of S3's, a delay, half a body, or another body.

    ``after`` lets the call take effect first. ``lost``: there is no answer, and the connection is
    reset. ``edit`` changes the body of the answer.
    """

    status: int = 0
    code: str = ""
    after: bool = False
    hang_s: float = 0.0
    cut: bool = False
    lost: bool = False
    edit: Callable[[bytes], bytes] | None = None

    def told(self, call: Call) -> bytes:
        """Return the body of an answer of S3's."""
        name = escape(f"{call.bucket}/{call.key}")
        return _ERROR.format(code=self.code, name=name).encode()


SLOW_DOWN = Fault(status=503, code="SlowDown")
INTERNAL = Fault(status=500, code="InternalError")
DENIED = Fault(status=403, code="AccessDenied")
HANG = Fault(hang_s=2.0)
CUT = Fault(cut=True)

TRUNCATED = Fault(
    edit=lambda body: re.sub(rb"<Contents>.*</Contents>", b"", body, flags=re.DOTALL).replace(
        b"<IsTruncated>false", b"<IsTruncated>true"
    )
)
"""A list whose first page is full of other keys."""

Judge = Callable[[Call], Fault | None]


class Moment:
    """A judge that lets something happen once, just before the call with this number (from 1).

    What happens may call S3 through the same proxy; those calls are not counted.
    """

    def __init__(self, number: int, happens: Callable[[], object]) -> None:
        self._left = number
        self._happens = happens
        self._happening = False

    @property
    def reached(self) -> bool:
        """Whether it has happened."""
        return self._left <= 0

    def __call__(self, _: Call) -> None:
        """Count a call."""
        if self._happening:
            return
        self._left -= 1
        if self._left == 0:
            self._happening = True
            self._happens()
            self._happening = False


class Proxy(ThreadingHTTPServer):
    """Stands before S3: ``judge`` sees each call first, and may fail it or do something else."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: str) -> None:
        """Listen on any free port, and pass calls on to ``target``."""
        self.target = urlsplit(target).netloc
        self.judge: Judge = lambda _: None
        self.calls: list[Call] = []
        super().__init__((HOST, 0), _Passing)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: some tests make them."""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path, _, query = self.path.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        call = Call(
            method=self.command,
            bucket=bucket,
            key=key,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        self.server.calls.append(call)
        fault = self.server.judge(call) or Fault()
        if fault.status and not fault.after:
            self._answer(fault.status, [], fault.told(call))
            return
        time.sleep(fault.hang_s)
        if fault.lost and not fault.after:
            self._reset()
            return
        onward = http.client.HTTPConnection(self.server.target, timeout=30)
        own = {"expect", "connection", "date", "server"}
        headers = {n: v for n, v in self.headers.items() if n.lower() not in own}
        onward.request(self.command, self.path, body, headers)
        answer = onward.getresponse()
        data = answer.read()
        if fault.edit:
            data, own = fault.edit(data), own | {"content-length"}
        kept = [header for header in answer.getheaders() if header[0].lower() not in own]
        onward.close()
        if fault.lost:
            self._reset()
        elif fault.status:
            self._answer(fault.status, [], fault.told(call))
        else:
            self._answer(answer.status, kept, data[: len(data) // 2] if fault.cut else data)
            self.close_connection = fault.cut or self.close_connection

    def _reset(self) -> None:
        """Close the connection in a way that the other side takes for an error."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 # http.server's names

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 # its name
        """Say nothing."""


def once(fault: Fault, holds: Callable[[Call], bool]) -> Callable[[Call], Fault | None]:
    """Return a judge that fails the first call of a kind."""
    left = [fault]
    return lambda call: left.pop() if left and holds(call) else None


def always(fault: Fault, holds: Callable[[Call], bool]) -> Callable[[Call], Fault | None]:
    """Return a judge that fails all calls of a kind."""
    return lambda call: fault if holds(call) else None


def kind_of(call: Call) -> str:
    """Return what a call does with which bucket, such as ``HEAD source`` or ``LIST result``."""
    method = "LIST" if "list-type" in call.query else call.method
    return f"{method} {'source' if call.bucket.endswith('-input') else 'result'}"


def is_source_read(call: Call) -> bool:
    """Tell whether a call reads the source."""
    return call.method == "GET" and call.bucket.endswith("-input")


def is_write(call: Call) -> bool:
    """Tell whether a call writes a result."""
    return call.method == "PUT" and call.bucket.endswith("-result")


# --------------------------------------------------------------------------- the deployment


def fake_remover(before: Callable[[], object] = lambda: None) -> Remover:
    """Return a remover whose network is next to free; ``before`` runs whenever it does."""
    card = replace(read_card(app.LOCAL_MODELS / "erase-s"), input_size=32)

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        before()
        return np.full((1, 1, *tensor.shape[2:]), 9, np.float32)

    return Remover(Model(card=card, network=network), Limits(max_pixels=1_000_000))


def break_down() -> None:
    """Fail in a way that no one thought of."""
    message = "wires crossed"
    raise RuntimeError(message)


def make_bucket(s3: Any, name: str) -> None:
    """Make a bucket in the region of all tests."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


@dataclass(slots=True, kw_only=True)
class Cloud:
    """A deployment with two buckets of its own."""

    s3: Any
    settings: Settings
    log: io.StringIO = field(default_factory=io.StringIO)
    remover: Remover = field(default_factory=fake_remover)
    timeout_s: float = 60.0
    store: Store = field(default_factory=Store)

    @classmethod
    def make(cls, url: str, name: str, *, versioned: bool = True, **settings: Any) -> "Cloud":
        """Make the buckets; ``url`` is S3's, without the proxy."""
        s3 = client("s3", url)
        for kind in ("input", "result"):
            make_bucket(s3, f"{name}-{kind}")
        if versioned:
            s3.put_bucket_versioning(
                Bucket=f"{name}-input", VersioningConfiguration={"Status": "Enabled"}
            )
        buckets = {"input_bucket": f"{name}-input", "result_bucket": f"{name}-result"}
        return cls(s3=s3, settings=Settings(**(buckets | settings)))

    def uploads(self) -> Uploads:
        """Return a worker of the deployment; its log goes to ``log``."""
        metrics: Any = EphemeralMetrics(namespace="Test", service="test")
        return Uploads(
            worker=Worker(remover=self.remover, store=self.store, settings=self.settings),
            settings=self.settings,
            logger=Logger(service=f"test-{id(self.log)}-{threading.get_ident()}", stream=self.log),
            metrics=metrics,
        )

    def handle(self, event: Event) -> Any:
        """Return what the function answers to an event."""
        return self.uploads().handle(event, LocalContext(timeout_s=self.timeout_s))

    def put(self, key: str, body: bytes, bucket: str = "", **metadata: str) -> "Uploaded":
        """Upload an object."""
        bucket = bucket or self.settings.input_bucket
        answer = self.s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
        return Uploaded(
            bucket=bucket,
            key=key,
            etag=answer["ETag"].strip('"'),
            version_id=answer.get("VersionId"),
            size=len(body),
        )

    def keys(self, bucket: str = "") -> list[str]:
        """Return all keys of the result bucket, or of another one."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket or self.settings.result_bucket
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def get(self, key: str) -> Any:
        """Return a result as S3 gives it, its body read."""
        answer = self.s3.get_object(Bucket=self.settings.result_bucket, Key=key)
        return {**answer, "Body": answer["Body"].read()}

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def outcomes(self) -> list[str]:
        """Return the messages that were logged."""
        return [line["message"] for line in self.lines()]


@functools.cache
def client(service: str, url: str) -> Any:
    """Return a client that reaches the stand-in directly."""
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


# --------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """One version of an object, and the events about it."""

    bucket: str
    key: str
    etag: str
    version_id: str | None
    size: int

    def notification(self, name: str = "ObjectCreated:Put") -> Event:
        """Return S3's own notification."""
        event = s3_put_event(self.bucket, self.key, self.size)
        (record,) = event["Records"]
        record["eventName"] = name
        self._name(record["s3"]["object"], etag="eTag", version="versionId")
        return event

    def created(self, name: str = "Object Created") -> Event:
        """Return EventBridge's event, whose key is raw."""
        event = eventbridge_event(self.bucket, self.key, self.size) | {"detail-type": name}
        self._name(event["detail"]["object"], etag="etag", version="version-id")
        return event

    def _name(self, entry: Event, *, etag: str, version: str) -> None:
        """Write this ETag and this version, if there is one, into what an event says of it."""
        entry[etag] = self.etag
        del entry[version]
        if self.version_id:
            entry[version] = self.version_id

    def task(self, *, schema: str = "1.0", version: bool = True) -> Event:
        """Return a task of a batch job."""
        (task,) = s3_batch_event(self.bucket, self.key, schema=schema)["tasks"]
        return {
            **task,
            "s3Key": quote(self.key, safe=""),  # no plus signs: both ways to encode a key are read
            "s3VersionId": self.version_id if version else None,
        }


def messages(*bodies: object) -> Event:
    """Return an SQS event with one message for each body; :func:`failures` names them."""
    event = sqs_event(*bodies)
    for number, record in enumerate(event["Records"]):
        record["messageId"] = f"message-{number}"
    return event


def batch(*tasks: Event, schema: str = "1.0", arguments: dict[str, str] | None = None) -> Event:
    """Return an invocation by an S3 Batch Operations job."""
    event = s3_batch_event("any", "any", schema=schema) | {"tasks": list(tasks)}
    if schema == "2.0":
        event["job"]["userArguments"] = arguments
    return event


def png(shade: int = 200, side: int = 12) -> bytes:
    """Return a small picture."""
    return encoded(Image.new("RGB", (side, side), (shade, 90, 40)))


def failures(*numbers: int) -> Event:
    """Return the answer that names the messages with these numbers."""
    return {"batchItemFailures": [{"itemIdentifier": f"message-{n}"} for n in numbers]}


def image(cloud: Cloud, key: str) -> Image.Image:
    """Return a result, fully decoded."""
    opened = Image.open(io.BytesIO(cloud.get(key)["Body"]))
    opened.load()
    return opened


def shade(cloud: Cloud, key: str) -> int:
    """Return by which source a result was made: the red of its middle."""
    middle = image(cloud, key).convert("RGB").getpixel((6, 6))
    assert isinstance(middle, tuple)
    return int(middle[0])
