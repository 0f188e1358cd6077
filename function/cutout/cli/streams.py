"""The standard streams: each may be closed, full, or a pipe whose reader went away."""

import re
import sys
from pathlib import Path

STDIN, STDOUT = "standard input", "standard output"
"""Their names in messages."""

_NOWHERE = Path("/dev/null")
# What ends a line, steers a terminal, or lets it show a name in another order than it has.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_kept_open: list[object] = []


def fill_closed() -> None:
    """Open /dev/null for each stream that is closed, which Python tells by ``None``.

    Otherwise the next file that is opened, such as a result, would get the stream's number, and
    what a library prints would go into it. Messages for a closed standard error are dropped.
    ``sys.stdin`` and ``sys.stdout`` stay ``None``, so that the command line can say it.
    """
    # Each file gets the lowest number that is free.
    _kept_open.extend(_NOWHERE.open("rb") for stream in (sys.stdin, sys.stdout) if stream is None)
    if sys.stderr is None:
        sys.stderr = _NOWHERE.open("w")


def tell(text: str) -> None:
    """Write to standard error. Where that fails, the work goes on without messages."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        sys.stderr = _NOWHERE.open("w")


def escaped(line: str) -> str:
    """Return one line of a message with the control characters of files' names escaped."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


def send(data: bytes) -> None:
    """Write all of ``data`` to standard output.

    :raises OSError: it is full, or nobody reads it any more.
    """
    # With PYTHONUNBUFFERED=1 a write to sys.stdout.buffer can end early without an error. And what
    # could not be written would stay in that buffer, and Python would try it again at its end.
    with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
        stream.write(data)


def flush() -> str:
    """Write what Python still holds of both outputs; return why standard output takes no more."""
    tell("")
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        sys.stdout = _NOWHERE.open("w")
        return f"{error.strerror or error} ({STDOUT})"
    return ""
