"""The API on this machine: HTTP requests → API Gateway events → the function → HTTP replies.

``make serve PORT=3000 PAYLOAD=1.0|2.0`` runs it. Events, limits and refusals are those of API
Gateway (:mod:`gateway`); the function runs inside this process, one event at a time, as in one
Lambda environment. With ``RIE=1`` it is built, with its layers, and runs in a pool of AWS's runtime
emulators (:mod:`emulator`). Only this machine can reach it. The API key is ``local``.
"""

import argparse
import contextlib
import importlib
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from context import LocalContext, set_variables
from emulator import Emulator, EmulatorError, Failed, Late, Pool
from gateway import (
    LOCAL_KEY,
    MAX_EVENT_BYTES,
    BadReply,
    Gateway,
    HttpGateway,
    Reply,
    Request,
    RestGateway,
    read_template,
)
from http1 import Malformed, TooLarge, Wire, to_bytes
from lambda_build import build_mounts

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

GRACE_S = 3.0  # how long a stop waits for the replies that are under way

Invoke = Callable[[bytes], bytes]
"""Runs the function on an event's JSON and returns its reply's JSON."""


class FunctionFailed(Exception):  # noqa: N818 # a fact about the function, no error here
    """The function raised, or returned what is no JSON."""


class FunctionLate(Exception):  # noqa: N818 # a fact about the function, no error here
    """The function took longer than API Gateway waits."""


# --------------------------------------------------------------------------- the function


class InProcess:
    """The function in this process: an :data:`Invoke` that runs one event at a time.

    All of them run in one thread, which is as near as a process comes to a Lambda environment, and
    which keeps one heap in use instead of one for each client.
    """

    def __init__(self, handler: Callable[[Any, Any], Any], *, wait_s: float) -> None:
        """Run ``handler``, and wait ``wait_s`` seconds for each of its replies."""
        self._handler = handler
        self._wait_s = wait_s
        self._jobs: SimpleQueue[tuple[bytes, Future[bytes]]] = SimpleQueue()
        self._began_s: float | None = None  # when the running invocation began
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, event: bytes) -> bytes:
        """Return the reply.

        :raises FunctionFailed: it raised, or returned what is no JSON.
        :raises FunctionLate: it is still at work, on this event or on one before.
        """
        reply: Future[bytes] = Future()
        self._jobs.put((event, reply))
        while not wait_for([reply], timeout=0.1).done:
            # A thread cannot be killed as Lambda kills an environment, so whoever stands behind
            # an invocation that is over its time is sent away instead of waiting for ever.
            began_s = self._began_s
            if began_s is not None and time.monotonic() - began_s > self._wait_s:
                reply.cancel()
                raise FunctionLate
        return reply.result()

    def _work(self) -> None:
        while True:
            event, reply = self._jobs.get()
            if not reply.set_running_or_notify_cancel():
                continue
            self._began_s = time.monotonic()
            try:
                reply.set_result(_to_json(self._handler(json.loads(event), LocalContext())))
            except BaseException as error:  # noqa: BLE001 # whatever it is, Lambda lives on
                traceback.print_exc()
                reply.set_exception(FunctionFailed(type(error).__name__))
            self._began_s = None


@contextlib.contextmanager
def emulated(*, wait_s: float) -> Iterator[Invoke]:
    """Run the built function in a pool of emulators, one for each core."""
    mounts = build_mounts(os.environ.get("MODEL_NAME", "erase-s"))
    variables = {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}

    def make() -> Emulator:
        return Emulator(mounts, "app.http_handler", variables=variables, echo=log)

    pool = Pool(make, os.cpu_count() or 1, wait_s=wait_s)

    def invoke(event: bytes) -> bytes:
        try:
            return pool(event)
        except Failed as error:
            raise FunctionFailed(str(error)) from error
        except Late as error:
            raise FunctionLate from error

    try:
        yield invoke
    finally:
        pool.stop()


def _to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def load_handler(folder: Path) -> Callable[[Any, Any], Any]:
    """Import ``app`` from ``folder``."""
    sys.path.insert(0, str(folder))
    handler: Callable[[Any, Any], Any] = importlib.import_module("app").http_handler
    return handler


# --------------------------------------------------------------------------- the gateway


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
        event = _to_json(self.gateway.event(request))
        if len(event) > MAX_EVENT_BYTES:
            return self.gateway.answer("REQUEST_TOO_LARGE", request)
        try:
            return self.gateway.reply(self.invoke(event))
        except FunctionLate:
            return self.gateway.answer("INTEGRATION_TIMEOUT", request)
        except FunctionFailed:
            return self.gateway.answer("INTEGRATION_FAILURE", request)
        except BadReply as error:
            log(f"the function's answer is no proxy reply: {error}")
            return self.gateway.answer(error.kind, request)


# --------------------------------------------------------------------------- the server


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


# --------------------------------------------------------------------------- the program


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=3000, help="0 for any free one")
    parser.add_argument("--payload", choices=("1.0", "2.0"), default="1.0", help="format of events")
    parser.add_argument(
        "--emulated", action="store_true", help="build it and run it in AWS's runtime emulator"
    )
    parser.add_argument(
        "--function", type=Path, default=ROOT / "function", help="folder that holds app.py"
    )
    parser.add_argument(
        "--template", type=Path, default=ROOT / "template.yaml", help="routes and gateway answers"
    )
    parser.add_argument(
        "--timeout", type=float, default=29.0, metavar="S", help="longest wait for the function"
    )
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="longest wait for a client"
    )
    return parser.parse_args()


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


def run(arguments: argparse.Namespace, output: TextIO) -> int:
    """Serve until a signal comes; return the exit status."""
    wait_for_signal = on_signals()
    gateway: Gateway = HttpGateway()
    if arguments.payload == "1.0":
        gateway = RestGateway.of(read_template(arguments.template))
    set_variables(checked_by="gateway" if arguments.payload == "1.0" else "function")
    with contextlib.ExitStack() as stack:
        if arguments.emulated:
            try:
                invoke = stack.enter_context(emulated(wait_s=arguments.timeout))
            except (EmulatorError, OSError, subprocess.CalledProcessError) as error:
                log(f"cannot run the built function: {error}")
                return 1
        else:
            handler = load_handler(arguments.function.resolve())
            invoke = InProcess(handler, wait_s=arguments.timeout)
        service = Service(gateway=gateway, invoke=invoke, patience_s=arguments.patience)
        return _serve(service, arguments, output, wait_for_signal)


def _serve(
    service: Service,
    arguments: argparse.Namespace,
    output: TextIO,
    wait_for_signal: Callable[[], None],
) -> int:
    try:
        server = Server(arguments.port, service)
    except OSError as error:
        log(f"cannot listen on port {arguments.port}: {error.strerror}")
        return 1
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    url = f"http://{HOST}:{server.server_address[1]}"
    print(f"{url} (API key: {LOCAL_KEY}, payload {arguments.payload})", file=output, flush=True)
    wait_for_signal()
    server.shutdown()
    server.server_close()
    end_s = time.monotonic() + GRACE_S
    while service.busy and time.monotonic() < end_s:
        time.sleep(0.02)
    return 0


def main() -> None:
    """Run the program."""
    # What the function prints is its log, which Lambda keeps apart; here it goes to stderr.
    output, sys.stdout = sys.stdout, sys.stderr
    status = run(_arguments(), output)
    sys.stderr.flush()
    # Threads may still be inside the network's native code, which an ordinary exit tears down
    # under them.
    os._exit(status)


if __name__ == "__main__":
    main()
