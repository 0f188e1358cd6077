"""The end of an invocation's time: work that is still going on then is interrupted.

The stages of a removal look at the clock between them. That is not enough where one of them takes
much longer than hoped: Lambda would kill the process, and the caller would get no answer of ours.
So both doors put all their work under one alarm.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cutout.errors import OutOfTime


class _Alarm(BaseException):
    """Not an ``Exception``, because libraries catch those and try again."""


@contextmanager
def interrupted_after(left_ms: float) -> Iterator[None]:
    """Interrupt the block when it has run for ``left_ms``; with nothing left it is not interrupted.

    Python code stops between two instructions, and a wait for the network stops at once. A call
    into a compiled library ends first. Only the main thread can be interrupted, where Lambda calls
    the handler: in other threads, and on systems without such timers, the block runs to its end.

    :raises OutOfTime: the block was interrupted.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if left_ms <= 0 or not in_main_thread or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _interrupt)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, left_ms / 1000)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Alarm as alarm:
        raise OutOfTime(before="the end of the work") from alarm
    finally:
        signal.signal(signal.SIGALRM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise _Alarm
