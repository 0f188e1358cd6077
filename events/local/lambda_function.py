"""The function as the local gateway calls it: an event's JSON in, its reply's JSON out."""

import json
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from queue import SimpleQueue
from typing import Any

from context import LocalContext

Invoke = Callable[[bytes], bytes]
"""Runs the function on an event's JSON and returns its reply's JSON."""


class FunctionFailed(Exception):  # noqa: N818 # a fact about the function, no error here
    """The function raised, crashed, ran out of time, or returned what cannot be passed on."""


class FunctionLate(Exception):  # noqa: N818 # a fact about the function, no error here
    """The function took longer than the gateway waits, or no environment was free in time."""


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

        :raises FunctionFailed: it raised an exception, or returned what cannot be JSON.
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
                reply.set_result(to_json(self._handler(json.loads(event), LocalContext())))
            except BaseException as error:  # noqa: BLE001 # whatever it is, Lambda lives on
                traceback.print_exc()
                reply.set_exception(FunctionFailed(type(error).__name__))
            self._began_s = None


def to_json(value: object) -> bytes:
    """Return a value as JSON, with nothing escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
