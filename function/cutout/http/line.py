"""A connection that is read and written until a deadline, whatever the other side does."""

import io
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

    from _typeshed import ReadableBuffer, WriteableBuffer


class TooMuchError(Exception):
    """The other side sends more bytes than were allowed. The text says what they belong to."""


class Deadline:
    """The point in time at which several steps together must be done."""

    def __init__(self, seconds: float) -> None:
        """Set the deadline to ``seconds`` from now."""
        self._end = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return the seconds that are left, more than 0.

        :raises TimeoutError: the deadline has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Line:
    """A connection that is read and written until a deadline, and read up to a number of bytes.

    It has what :class:`http.client.HTTPConnection` needs of a socket. A socket's own time limit is
    for each of its calls, so a server that sends a byte now and then could hold it forever.
    """

    def __init__(self, connection: "socket", deadline: Deadline) -> None:
        """Take over a connection; :meth:`hang_up` ends it."""
        self._connection = connection
        self._deadline = deadline
        self._allowed = 0
        self._excess = ""

    def allow(self, count: int, excess: str) -> None:
        """Allow ``count`` more bytes to be read; ``excess`` says what it means if more come."""
        self._allowed = count
        self._excess = excess

    def sendall(self, data: "ReadableBuffer") -> None:
        """Send bytes.

        :raises OSError: the connection fails; a ``TimeoutError`` where it takes too long.
        """
        self._connection.settimeout(self._deadline.left_s())
        self._connection.sendall(data)

    def receive(self, buffer: "WriteableBuffer") -> int:
        """Read what has come, at least a byte unless the other side has ended the connection.

        :raises TooMuchError: no more bytes are allowed.
        :raises OSError: the connection fails; a ``TimeoutError`` where it takes too long.
        """
        if self._allowed <= 0:
            raise TooMuchError(self._excess)
        self._connection.settimeout(self._deadline.left_s())
        count = self._connection.recv_into(memoryview(buffer)[: self._allowed])
        self._allowed -= count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a file from which the incoming bytes can be read."""
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """Do nothing: http.client closes its socket before it has read the file."""

    def hang_up(self) -> None:
        """End the connection."""
        self._connection.close()


class _Incoming(io.RawIOBase):
    """The incoming bytes of a line, as a file without a buffer."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._line.receive(buffer)
