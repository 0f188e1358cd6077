"""The function in AWS's own Runtime Interface Emulator: one Lambda environment, or a pool of them.

The emulator starts ``python -m awslambdaric``, the client that runs on Lambda, and answers HTTP. It
differs from Lambda in what :class:`Emulator` knows: it takes one request at a time (a second one
makes it panic), it reports a function's failure with status 200, it starts the function at the
first request, and it cuts requests over the limit instead of refusing them.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from lambda_build import Mounts
from lambda_function import FunctionFailed, FunctionLate

HOST = "127.0.0.1"
START_S = 10.0
"""It listens within 0.1 s; a machine at work on other things may need longer."""
STOP_S = 2.0


class EmulatorError(Exception):
    """The emulator did not start, or has gone in the middle of a request."""


@dataclass(eq=False)
class Emulator:
    """One Lambda environment. It starts with :meth:`start`, or as a context manager."""

    mounts: Mounts
    handler: str
    """Such as ``app.http_handler``."""
    _: KW_ONLY
    task: Path | None = None
    """The handler's folder, if not the function's."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The function's environment; what Lambda itself sets comes before it."""
    timeout_s: int = 28
    memory_mb: int = 1769
    prefix: tuple[str, ...] = ()
    """What goes before the command, such as ``taskset -c 1``."""
    echo: Callable[[str], None] = lambda _: None
    """Gets each line of the log."""
    log: list[str] = field(default_factory=list, init=False)
    """What the emulator and the function have written, by line."""

    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _reader: threading.Thread | None = field(default=None, init=False)
    _port: int = field(default=0, init=False)

    def _environment(self) -> dict[str, str]:
        mounts = self.mounts
        task = self.task or mounts.task
        return {
            "MODEL_DIR": str(mounts.opt / "models"),
            **self.variables,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": "/tmp",  # noqa: S108 # the one place that a function can write
            "PYTHONPATH": f"{mounts.opt / 'python'}:{mounts.runtime}",
            "PYTHONNOUSERSITE": "1",
            # Lambda's mounts are read-only; here root could write.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(mounts.runtime),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{mounts.python_version}",
            "AWS_LAMBDA_FUNCTION_NAME": "cutout",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator; the function itself starts at the first request.

        :raises EmulatorError: the emulator does not listen.
        """
        for _ in range(3):  # a port found free may be taken by now
            if self._try_to_start():
                return
            self.stop()
        raise EmulatorError("\n".join(["the emulator does not start", *self.log[-5:]]))

    def _try_to_start(self) -> bool:
        self._port, runtime_port = _free_ports()
        self._process = subprocess.Popen(  # noqa: S603 # the emulator
            [
                *self.prefix,
                *(str(self.mounts.emulator), "--log-level", "info"),
                *("--runtime-interface-emulator-address", f"{HOST}:{self._port}"),
                *("--runtime-api-address", f"{HOST}:{runtime_port}"),
                *(str(self.mounts.python), "-m", "awslambdaric", self.handler),
            ],
            cwd=self.task or self.mounts.task,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A session of its own: it is stopped with all that it started, and only by us.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), 1):
                return True
            time.sleep(0.01)
        return False

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.log.append(line.rstrip("\n"))
            self.echo(self.log[-1])

    def request(self, event: bytes) -> tuple[int, bytes]:
        """Send one event when the one before is done; return the emulator's status and body.

        :raises EmulatorError: the emulator has ended.
        """
        with self._lock:
            # The start counts too: Lambda gives it 10 s of its own, and the machine may be busy.
            connection = http.client.HTTPConnection(HOST, self._port, timeout=self.timeout_s + 30)
            try:
                connection.request("POST", "/2015-03-31/functions/function/invocations", event)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise EmulatorError(f"the emulator has gone: {error!r}") from error
            finally:
                connection.close()

    def __call__(self, event: bytes) -> bytes:
        """Return the JSON that the function returned.

        :raises FunctionFailed: it returned nothing.
        :raises EmulatorError: the emulator has ended.
        """
        status, body = self.request(event)
        if status != http.HTTPStatus.OK or not body.startswith((b"{", b"[", b'"', b"null")):
            raise FunctionFailed(body[:500].decode(errors="replace"))
        # What an exception becomes; a reply of ours has no such field.
        if b'"errorType"' in body[:100_000] and b'"statusCode"' not in body:
            raise FunctionFailed(body[:500].decode(errors="replace"))
        return body

    def handle(self, event: Any, context: object = None) -> Any:  # noqa: ARG002 # Lambda's own
        """Be the handler: take the event and return what the function returns.

        :raises FunctionFailed: it returned nothing.
        """
        return json.loads(self(json.dumps(event).encode()))

    def function_pid(self) -> int:
        """Return the process that runs the function.

        :raises EmulatorError: no process runs, as before the first request and after a crash.
        """
        session = self._process.pid if self._process else None
        function = [pid for pid in _session_of(session) if pid != session]
        if not function:
            raise EmulatorError("the function is not running")
        return function[-1]

    def cpu_ms(self) -> float:
        """Return the processor time that the function has used: other work disturbs it little."""
        stat = Path(f"/proc/{self.function_pid()}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")

    def peak_rss_mb(self) -> float:
        """Return the most memory that the function has had, in MB (the emulator's own is none)."""
        status = Path(f"/proc/{self.function_pid()}/status").read_text(encoding="utf-8")
        (found,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(found) * 1024 / 1e6

    def init_ms(self) -> list[float]:
        """Return how long each start of the function took, as measured; ask after the first reply.

        (The duration in its ``REPORT`` line is made up, and so is the memory.)
        """
        end_s = time.monotonic() + START_S
        while True:
            found = (re.search(r"INIT REPORT\(durationMs: ([\d.]+)", line) for line in [*self.log])
            starts = [float(match[1]) for match in found if match]
            # The log does not come with the reply, and may arrive later.
            if starts or time.monotonic() > end_s:
                return starts
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the emulator and the function, whatever they are doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()  # it stops the function too
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        # The function has a group of its own, and outlives an emulator that panicked.
        for pid in _session_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(STOP_S)
        end_s = time.monotonic() + STOP_S
        while _session_of(process.pid) and time.monotonic() < end_s:
            time.sleep(0.01)
        if self._reader:
            self._reader.join(STOP_S)
        if process.stdout:
            process.stdout.close()


def _session_of(leader: int | None) -> list[int]:
    """Return the living processes of a session, in the order of their numbers."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state parent group session …, and the name may hold anything.
            state, _, _, session = stat.read_text("utf-8").rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                members.append(int(stat.parent.name))
    return sorted(members)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind((HOST, 0))
        second.bind((HOST, 0))
        return first.getsockname()[1], second.getsockname()[1]


class Pool:
    """Several environments, each with one event at a time: event's JSON → reply's JSON."""

    def __init__(self, make: Callable[[], Emulator], size: int, *, wait_s: float) -> None:
        """Start ``size`` of them; an event waits ``wait_s`` seconds for a free one.

        :raises EmulatorError: one does not start.
        """
        self._wait_s = wait_s
        self._all = [make() for _ in range(size)]
        self._free: SimpleQueue[Emulator] = SimpleQueue()
        try:
            for emulator in self._all:
                emulator.start()
                self._free.put(emulator)
        except EmulatorError:
            self.stop()
            raise

    def __call__(self, event: bytes) -> bytes:
        """Return the JSON that the function returned.

        :raises FunctionFailed: it returned nothing.
        :raises FunctionLate: no environment was free in time.
        """
        try:
            emulator = self._free.get(timeout=self._wait_s)
        except Empty:
            raise FunctionLate from None
        try:
            return emulator(event)
        except EmulatorError as error:
            emulator.stop()
            emulator.start()
            raise FunctionFailed(str(error)) from error
        finally:
            self._free.put(emulator)

    def stop(self) -> None:
        """Stop all of them."""
        for emulator in self._all:
            emulator.stop()


def pinned() -> tuple[str, ...]:
    """Return what makes a command run on one core, as at 1769 MB; nothing where it cannot."""
    if not shutil.which("taskset"):
        return ()
    return ("taskset", "-c", str(max(os.sched_getaffinity(0))))
