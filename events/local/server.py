"""The local gateway's server: HTTP requests to events, the function's replies to HTTP."""

import argparse
import contextlib
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TextIO

from gateway import MAX_EVENT_BYTES, BadReply, Gateway, Reply, Request
from http1 import Malformed, TooLarge, Wire, to_bytes
from lambda_function import FunctionFailed, FunctionLate, Invoke, to_json

HOST = "127.0.0.1"
GRACE_S = 3.0
"""How long a stop waits for the replies that are under way."""

_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A gateway in front of a function."""

    gateway: Gateway
    invoke: Invoke
    patience_s: float
    """How long a client may take to send the head of a request, and again its body."""
    busy: set[int] = field(default_factory=set)
    """The threads that have a request at hand."""

    def respond(self, request: Request) -> Reply:
        """Return the reply to a complete request, the function's or the gateway's own."""
        event = to_json(self.gateway.event(request))
        if len(event) > MAX_EVENT_BYTES:
            return self.gateway.answer("REQUEST_TOO_LARGE", request)
        try:
            return self.gateway.reply(self.invoke(event))
        except FunctionLate:
            return self.gateway.answer("INTEGRATION_TIMEOUT", request)
        except FunctionFailed:
            return self.gateway.answer("INTEGRATION_FAILURE", request)
        except BadReply as error:
            log(f"the function's answer is not a proxy reply: {error}")
            return self.gateway.answer(error.kind, request)


def serve_client(client: socket.socket, source_ip: str, service: Service) -> None:
    """Answer one client's requests in turn, until one of the two ends the connection."""
    wire = Wire(client, service.patience_s)
    with contextlib.suppress(OSError):  # the client is gone, or silent
        goes_on = True
        while goes_on:
            try:
                goes_on = _serve_request(wire, source_ip, service)
            finally:
                service.busy.discard(threading.get_ident())
        wire.end()


def _serve_request(wire: Wire, source_ip: str, service: Service) -> bool:
    """Answer one request; tell whether another may follow.

    :raises OSError: the client is gone, or silent.
    """
    request, keep_alive = Request(method="-", path="-", source_ip=source_ip), False
    try:
        head = wire.head(source_ip)
        service.busy.add(threading.get_ident())
        request, keep_alive = head.request, head.keep_alive
        refusal = service.gateway.refusal(request)
        if refusal:
            reply = service.gateway.answer(refusal, request)
        else:
            body = wire.body(head, service.gateway.max_body_bytes(request))
            request = replace(request, body=body)
            reply = service.respond(request)
    except TooLarge:
        reply = service.gateway.answer("REQUEST_TOO_LARGE", request)
    except (Malformed, TimeoutError) as error:
        if not wire.begun:
            raise
        log(f"a request cannot be read: {str(error) or 'it did not come to its end in time'}")
        reply = service.gateway.answer("DEFAULT_4XX", request)
    keep_alive = keep_alive and wire.in_step
    wire.send(to_bytes(reply, request, keep_alive=keep_alive))
    spent_s = time.time() - request.received_s
    asked = f"{request.method} {request.path[:100]}"
    log(f'{source_ip} "{asked}" {reply.status} {len(reply.body)} bytes {spent_s:.3f} s')
    return keep_alive


def log(line: str) -> None:
    """Write one line to standard error."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


class Server(socketserver.ThreadingTCPServer):
    """A thread per client."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, service: Service) -> None:
        """Listen on ``port``, on any free one if that is 0."""
        self.service = service
        super().__init__((HOST, port), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one client, in its own thread."""
        serve_client(request, client_address[0], self.service)


@contextlib.contextmanager
def listening(port: int, service: Service) -> Iterator[str]:
    """Answer requests meanwhile, at the URL that is given; at the end wait for the replies.

    :raises OSError: the port is taken.
    """
    server = Server(port, service)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        end_s = time.monotonic() + GRACE_S
        while service.busy and time.monotonic() < end_s:
            time.sleep(0.02)


def port_number(text: str) -> int:
    """Return the port in the value of an option of the command line; 0 is any free one.

    :raises argparse.ArgumentTypeError: there is no such port.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_PORT):
        raise argparse.ArgumentTypeError(
            f"{text} is not a port; choose one from 1 to {_MAX_PORT}, or 0 for any free one"
        )
    return int(text)


def cannot_listen(port: int, error: OSError, *, option: str, variable: str) -> str:
    """Return the sentence about a port that is taken or not allowed, and how to choose another."""
    return (
        f"cannot listen on port {port}: {error.strerror}. Choose another port: "
        f"{variable}=… for make, {option} for this program"
    )


def on_signals() -> Callable[[], None]:
    """Return what waits for SIGTERM or SIGINT; one that came before counts.

    The signals only leave a mark, so that none of them, and no second one, can interrupt the work.
    """
    reader, writer = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(writer, b"."))

    def wait() -> None:
        os.read(reader, 1)

    return wait


def run_and_exit(run: Callable[[TextIO], int]) -> NoReturn:
    """Run a program that serves, with its standard output, and end with the status it returns."""
    # What the function prints is its log, which Lambda keeps apart; here it goes to stderr.
    output, sys.stdout = sys.stdout, sys.stderr
    status = run(output)
    sys.stderr.flush()
    # Threads may still be inside the network's native code, which an ordinary exit tears down
    # under them.
    os._exit(status)
