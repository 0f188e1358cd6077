"""Ctrl-C, SIGTERM and SIGHUP: they end the process at once, and no unfinished file stays."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread

INTERRUPTED = 130
"""The exit status after a signal."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MESSAGE = b"\ncutout: interrupted; finished results are kept\n"
_STDERR = 2

_unfinished: set[Path] = set()
_making = Lock()
"""Held while a file is made or finished, and from a signal on to the end of the process."""


@cache  # a second call has nothing to do
def end_at_signals() -> None:
    """End the process at each of the signals, but those that it was started to ignore.

    nohup starts it so, and a shell's ``&``.

    A thread waits for them. Python's own handlers run in the main thread only, where one can be
    late (during a long call of a library), come for nothing (just before the wait for a lock) or
    be interrupted itself, and their exceptions end no other thread: one may wait for ever for a
    pipe that nobody writes to.
    """
    numbers = {number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # here, and in the threads that follow
    Thread(target=_end_at, args=(numbers,), daemon=True).start()


def _end_at(numbers: set[signal.Signals]) -> None:
    signal.sigwait(numbers)
    _making.acquire()  # and no release: no thread makes a file any more
    for path in _unfinished:
        with suppress(OSError):
            path.unlink()
    # Not by sys.stderr, which another thread may hold, and not into a pipe that is full.
    with suppress(OSError):
        if select.select([], [_STDERR], [], 0)[1]:
            os.write(_STDERR, _MESSAGE)
    os._exit(INTERRUPTED)  # sys.exit would wait for the threads, or abort in the middle of one


@contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """Make an empty file that is gone after the block, however it ends, if it has its name still.

    :raises OSError: it cannot be made.
    """
    try:
        with _making:
            _unfinished.add(path)
            path.touch(exist_ok=False)
        yield
    finally:
        path.unlink(missing_ok=True)
        with _making:
            _unfinished.discard(path)
