"""The end of an invocation's time: work that is still going on then is interrupted.

The stages of a removal look at the clock between them. That is not enough where one of them takes
much longer than hoped: Lambda would kill the process, and the caller would get no answer of ours.
So both doors put all their work under one alarm. An alarm does not end a call into a compiled
library, which can take seconds, so the doors have the image worked on in a thread and only wait.

An alarm can come between any two instructions of Python, also where a module of Python's own has
just taken a lock. Nobody would give that lock back, and whoever needs it next would wait for ever:
boto3 takes such locks for each call. So an alarm that comes while such a module is at work does
nothing, and the next one follows soon. To wait for the thread no such module is needed: a
``SimpleQueue`` is written in C, unlike the locks of a ``ThreadPoolExecutor`` and its futures.
"""

import atexit
import signal
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from types import FrameType
from typing import TypeVar

from cutout.errors import OutOfTime

_T = TypeVar("_T")

_AGAIN_S = 0.2
"""Between alarms: not each of them ends the work. Python drops an exception in a finalizer."""

_TAKING_LOCKS = {"logging", "queue", "threading"}
"""Python's modules that take locks in code of Python."""


class _Alarm(BaseException):
    """Not an ``Exception``, because libraries catch those and try again."""


def within(left_ms: float, work: Callable[[], _T]) -> _T:
    """Return what ``work`` returns, or interrupt it when it has run for ``left_ms``.

    With nothing left it is not interrupted. Python code stops between two instructions, and a wait
    for the network stops at once. A wait by means of ``threading`` or ``queue`` ends first, so it
    needs a limit of its own. A call into a compiled library ends first, but in
    :func:`interruptible`. Only the main thread can be interrupted, where Lambda calls the handler:
    in other threads, and on systems without such timers, the work runs to its end.

    This is a function and not a context manager, because an alarm can also come between the last
    instruction of a ``with`` block and the first one of the context manager, which could then not
    catch it. Here every instruction at which an alarm can come is inside the ``try``.

    :raises OutOfTime: the work was interrupted.
    """
    if left_ms <= 0 or not _has_alarms():
        return work()
    _orders()  # its thread starts before an alarm can come
    is_over = False

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        if not is_over and not _may_hold_a_lock(frame):
            raise _Alarm

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, left_ms / 1000, _AGAIN_S)
            return work()
        finally:
            is_over = True  # first: an alarm that comes from here on has no effect
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Alarm as alarm:
        raise OutOfTime(before="the end of the work") from alarm
    finally:
        signal.signal(signal.SIGALRM, before)


def interruptible(work: Callable[[], _T]) -> _T:
    """Return what ``work`` returns, and let :func:`within` interrupt it in any library.

    No thread can be stopped. An alarm ends the wait for it, and what the work returns is dropped.
    So the work must look at the clock itself, as often as it can, and change nothing outside.
    Where no alarm is set it is called as any function is.
    """
    if not _has_alarms() or signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        return work()
    waiting = [work]
    results: list[_T] = []
    errors: list[BaseException] = []
    is_done: SimpleQueue[None] = SimpleQueue()

    def order() -> None:
        try:
            results.append(waiting.pop()())
        except BaseException as error:  # noqa: BLE001 - whatever it is, who waits for it gets it
            errors.append(error)
        is_done.put(None)

    try:
        _orders().put(order)
        is_done.get()
    finally:
        waiting.clear()  # what has not begun yet never begins
    if errors:
        raise errors.pop()  # not kept by name: it holds this frame, which would then hold it
    return results.pop()


@cache
def _orders() -> "SimpleQueue[Callable[[], None] | None]":
    """Return the queue of what a thread does, one thing after the other.

    One thread, so that work which nobody waits for any more ends before other work begins. Both at
    once could need more memory than there is.
    """
    orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def work_off() -> None:
        while (order := orders.get()) is not None:
            order()
            del order  # and what it holds

    def end() -> None:
        orders.put(None)
        thread.join()

    thread = threading.Thread(target=work_off, name="interruptible", daemon=True)
    thread.start()
    # Python would end while the thread is still inside a library, which is then torn down under it.
    atexit.register(end)
    return orders


def _may_hold_a_lock(frame: FrameType | None) -> bool:
    """Tell whether a function of :data:`_TAKING_LOCKS` is running, be it this frame or a caller."""
    while frame is not None:
        if frame.f_globals.get("__name__") in _TAKING_LOCKS:
            return True
        frame = frame.f_back
    return False


def _has_alarms() -> bool:
    """Tell whether an alarm can be set here."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and hasattr(signal, "setitimer")
