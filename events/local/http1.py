"""HTTP/1.1 (RFC 9112) on a socket: strict in what it reads, and never in more than it may hold.

Python's ``http.server`` does not take its place: it answers malformed requests (two Host lines, a
space before a colon, control characters), reads no chunked bodies, and leaves a client that falls
silent in the middle of a request without an answer.
"""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import quote

from gateway import TOKEN, Reply, Request

# API Gateway takes 10,240 bytes of headers. What it answers above that is not documented, so this
# server only guards itself.
MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 64 * 1024
LINGER_S = 10.0  # how long the rest of a refused body is read and thrown away
LINGER_GAP_S = 1.0  # how long a client may be silent meanwhile


class Malformed(Exception):  # noqa: N818 # a fact about a request, no error here
    """The bytes on the wire are not an HTTP/1.1 request."""


class TooLarge(Exception):  # noqa: N818 # a fact about a request, no error here
    """The body does not fit into an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request, and what it says of the body and of the connection.

    ``length`` is ``None`` for a chunked body.
    """

    request: Request
    length: int | None
    awaits_continue: bool
    keep_alive: bool


class Wire:
    """One client's socket, read with limits and under a deadline.

    Reading and sending raise :exc:`TimeoutError` past the deadline, and :exc:`ConnectionError` when
    the client is gone. ``begun`` tells whether a request's first byte has come, ``in_step`` whether
    the next byte is a request's first.
    """

    def __init__(self, client: socket.socket, patience_s: float) -> None:
        """Read ``client``, giving it ``patience_s`` seconds for each head and each body."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._patience_s = patience_s
        self._deadline_s = 0.0
        self._unread = bytearray()
        self.in_step = True
        self.begun = False

    def _receive(self) -> None:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._client.settimeout(left_s)
        data = self._client.recv(READ_BYTES)
        if not data:
            raise ConnectionAbortedError
        self._unread += data

    def _restart_clock(self, allowed_s: float | None = None) -> None:
        allowed_s = self._patience_s if allowed_s is None else allowed_s
        self._deadline_s = time.monotonic() + allowed_s

    def _line(self, limit: int) -> bytes:
        """Return the next line without its end, which must be CRLF."""
        searched = 0
        while (end := self._unread.find(b"\n", searched)) < 0:
            searched = len(self._unread)
            if searched > limit:
                raise Malformed("a line is too long")
            self._receive()
        line = bytes(self._unread[: end + 1])
        del self._unread[: end + 1]
        if len(line) > limit or not line.endswith(b"\r\n"):
            raise Malformed("a line is too long, or does not end in CRLF")
        return line[:-2]

    def _take(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._receive()
        data = bytes(self._unread[:count])
        del self._unread[:count]
        return data

    def head(self, source_ip: str) -> Head:
        """Wait for the next request and return its head.

        :raises Malformed: the bytes are not the head of a request.
        """
        self.begun = False
        self._restart_clock()
        if not self._unread:
            self._receive()
        self.begun, self.in_step = True, False
        self._restart_clock()
        start = self._line(MAX_HEAD_BYTES) or self._line(MAX_HEAD_BYTES)  # RFC 9112, 2.2
        left = MAX_HEAD_BYTES - len(start)
        lines: list[bytes] = []
        while line := self._line(left):
            lines.append(line)
            left = max(left - len(line) - 2, 0)
        head = parse_head(start, lines, source_ip)
        self.in_step = head.length == 0
        return head

    def body(self, head: Head, limit: int) -> bytes:
        """Return the body, without ever holding more than ``limit`` bytes of it.

        :raises TooLarge: the body is larger; its rest is still on the wire.
        :raises Malformed: the chunks are not well-formed.
        """
        if head.length == 0:
            return b""
        if head.length is not None and head.length > limit:
            raise TooLarge
        if head.awaits_continue and not self._unread:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._restart_clock()
        body = b"".join(self._chunks(limit)) if head.length is None else self._take(head.length)
        self.in_step = True
        return body

    def _chunks(self, limit: int) -> Iterator[bytes]:
        while True:
            size = re.fullmatch(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?", self._line(1024))
            if not size:
                raise Malformed("a chunk has no size")
            count = int(size[1], 16)
            limit -= count
            if limit < 0:
                raise TooLarge
            if not count:
                break
            yield self._take(count)
            if self._take(2) != b"\r\n":
                raise Malformed("a chunk has no end")
        left = MAX_HEAD_BYTES
        while trailer := self._line(left):
            left = max(left - len(trailer) - 2, 0)

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._client.settimeout(self._patience_s)
        self._client.sendall(data)

    def end(self) -> None:
        """End the connection so that the client gets the last answer.

        Closing with bytes unread resets it, and many clients then lose an answer that came early:
        what they still send is read and thrown away, for a while.
        """
        self._client.shutdown(socket.SHUT_WR)
        end_s = time.monotonic() + LINGER_S
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end_s:
                self._unread.clear()
                self._restart_clock(LINGER_GAP_S)
                self._receive()


def parse_head(start: bytes, lines: list[bytes], source_ip: str) -> Head:
    """Return the head of a request: its first line and its headers' lines.

    :raises Malformed: they violate RFC 9112.
    """
    parts = re.fullmatch(rb"(\S+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])", start)
    if not parts or not TOKEN.fullmatch(parts[1].decode("latin-1")):
        raise Malformed("no request line")
    headers = []
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not TOKEN.fullmatch(name) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise Malformed("no header")
        headers.append((name, value.strip(" \t")))
    # What a client sends raw in the target, such as UTF-8, goes on percent-encoded. A target may
    # name the host too (RFC 9112, 3.2.2), and never has a fragment that means anything here.
    target = quote(parts[2], safe="".join(map(chr, range(0x21, 0x7F))))
    target = re.sub(r"(?i)^https?://[^/?#]*", "", target).partition("#")[0]
    path, _, query = target.partition("?")
    request = Request(
        method=parts[1].decode(),
        path=path or "/",
        query=query,
        headers=tuple(headers),
        source_ip=source_ip,
    )
    is_old = parts[3] == b"0"
    options = {
        option.strip().lower() for v in _all(headers, "connection") for option in v.split(",")
    }
    hosts = len(_all(headers, "host"))
    if hosts > 1 or not (hosts or is_old):
        raise Malformed("not one Host")
    return Head(
        request=request,
        length=_body_length(headers, is_old=is_old),
        awaits_continue=request.header("expect").lower() == "100-continue" and not is_old,
        keep_alive="keep-alive" in options if is_old else "close" not in options,
    )


def _all(headers: list[tuple[str, str]], name: str) -> list[str]:
    return [value for n, value in headers if n.lower() == name]


def _body_length(headers: list[tuple[str, str]], *, is_old: bool) -> int | None:
    """Return the body's length in bytes, ``None`` where it is chunked.

    Anything that two readers could read differently is refused, since one of them would take the
    rest of a body for a request.
    """
    lengths = set(_all(headers, "content-length"))
    codings = _all(headers, "transfer-encoding")
    if codings:
        if [coding.lower() for coding in codings] != ["chunked"] or lengths or is_old:
            raise Malformed("only Transfer-Encoding: chunked is read, and no length beside it")
        return None
    if not lengths:
        return 0
    (length, *others) = lengths
    if others or not re.fullmatch(r"[0-9]{1,15}", length):
        raise Malformed("Content-Length is not one number")
    return int(length)


def to_bytes(reply: Reply, request: Request, *, keep_alive: bool) -> bytes:
    """Return the bytes of the reply."""
    status = reply.status
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    headers = [
        *reply.headers,
        ("Date", formatdate(usegmt=True)),
        ("x-amzn-RequestId", request.request_id),
        ("Connection", "keep-alive" if keep_alive else "close"),
    ]
    has_no_body = status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    if not has_no_body:
        headers.append(("Content-Length", str(len(reply.body))))
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join([*lines, "", ""]).encode()
    return head if has_no_body or request.method == "HEAD" else head + reply.body
