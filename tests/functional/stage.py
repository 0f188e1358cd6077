"""A stage of API Gateway in front of the local API: a path before its paths, and faults to order.

``http://127.0.0.1:PORT/live/v2`` is the API's ``/v2``; anything outside ``/live`` is 404, as with
API Gateway. A test can make it slow or let it answer something else, and sees what was asked.
"""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PREFIX = "/live"

Answer = tuple[int, dict[str, str], bytes]
Asked = tuple[str, str, dict[str, str]]


@dataclass(slots=True, kw_only=True)
class Stage:
    """What goes through: ``asked`` are method, path and headers of the requests so far.

    ``answer`` may return an answer in the API's place; ``delay_s`` makes ``POST /v2`` slow, and
    ``most_at_once`` tells how many of those there were at one time.
    """

    target: str
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[str, str], Answer | None] = lambda *_: None
    delay_s: float = 0.0
    most_at_once: int = 0
    at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """Forget what was asked, and pass everything on."""
        self.asked.clear()
        self.answer = lambda *_: None
        self.delay_s = 0.0
        self.most_at_once = 0

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count one more request for a cutout meanwhile."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self.lock:
                self.at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    """Passes one request on."""

    stage: Stage
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = dict(self.headers.items())
        self.stage.asked.append((self.command, self.path, headers))
        inside, _, _ = self.path.partition("?")
        if inside != PREFIX and not inside.startswith(PREFIX + "/"):
            self._send(404, {"Content-Type": "application/json"}, b'{"message": "Forbidden"}')
            return
        path = self.path.removeprefix(PREFIX) or "/"
        own = self.stage.answer(self.command, path)
        if own:
            self._send(*own)
        elif self.command == "POST" and path == "/v2":
            with self.stage.counted():
                time.sleep(self.stage.delay_s)
                reply = self._ask(path, headers, body)
            self._send(*reply)
        else:
            self._send(*self._ask(path, headers, body))

    do_GET = do_HEAD = do_POST = do_OPTIONS = _pass_on  # noqa: N815 - the base class’s names

    def _ask(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.stage.target).netloc, timeout=120)
        with contextlib.closing(connection):
            connection.request(self.command, path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser has cancelled
            self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def staged(target: str) -> Iterator[Stage]:
    """Serve ``target`` under :data:`PREFIX` on a free port."""
    stage = Stage(target=target)
    handler = type("Handler", (_Handler,), {"stage": stage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stage.url = f"http://127.0.0.1:{server.server_port}{PREFIX}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield stage
    finally:
        server.shutdown()
        server.server_close()
