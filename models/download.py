"""Gets a model's file, from the network or the disk: whole and the right one, or not at all."""

import hashlib
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 30
"""Of a file whose size nobody said; four times what a deployment takes."""

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0  # of silence
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_STEP_PERCENT = 10  # between the lines of a progress that is not on a terminal


class Refused(Exception):  # noqa: N818 # it is what the program says before it ends
    """The model is not added; the message says why, and what to do."""


class Unreachable(Refused):
    """A file that no server gives."""


def checked_url(url: str) -> str:
    """Return a URL that may be fetched: https, or http on this machine.

    :raises Refused: any other.
    """
    parts = urllib.parse.urlsplit(url)
    if (parts.scheme == "https" and parts.hostname) or (
        parts.scheme == "http" and parts.hostname in _LOOPBACK
    ):
        return url
    raise Refused(f"{url} is not fetched: a URL must begin with https://")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to where a URL may lead, too: a release's file lies on another host."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        """Return the next request; its URL stands last in ``args``."""
        checked_url(args[-1])
        return super().redirect_request(*args)


def download(url: str, target: Path, *, name: str, size: int | None, sha256: str) -> None:
    """Write the file at ``url`` to ``target``; the progress goes to standard error.

    No more than ``size`` bytes are read.

    :raises Unreachable: it cannot be had.
    :raises Refused: it is cut off or is another file.
    """
    try:
        opener = urllib.request.build_opener(_Redirects)
        with opener.open(checked_url(url), timeout=_TIMEOUT_S) as reply:
            total = size or _length(reply.headers)
            read = _told(reply.read, name, total)
            digest = _write(read, target, name=name, total=total)
    except (OSError, HTTPException) as error:  # URLError and time-outs are OSErrors
        raise Unreachable(_unreachable(name, url, error)) from error
    if digest != sha256:
        raise Refused(
            f"{name} is another file: its SHA-256 is {digest}, and {sha256} is expected. It was"
            " deleted."
        )


def copy(file: Path, target: Path, *, name: str) -> None:
    """Write a file of the disk to ``target``.

    :raises Refused: it cannot be read.
    """
    try:
        with file.open("rb") as source:
            chunks = iter(lambda: source.read(_CHUNK_BYTES), b"")
            _write(chunks, target, name=name, total=file.stat().st_size)
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from error


def sha256_of(file: Path) -> str:
    """Return a file's SHA-256 in hex.

    :raises Refused: it cannot be read.
    """
    try:
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from error


def _length(headers: Mapping[str, str]) -> int | None:
    """Return what a server says a file's size is, where it does."""
    length = headers.get("Content-Length") or ""
    return int(length) if length.isdecimal() else None


def _write(chunks: Iterator[bytes], target: Path, *, name: str, total: int | None) -> str:
    """Write the chunks; return their SHA-256.

    :raises Refused: they are too many or too few, or the disk does not take them.
    """
    digest, done, most = hashlib.sha256(), 0, total or MAX_BYTES
    with target.open("wb") as output:
        for chunk in chunks:
            done += len(chunk)
            if done > most:
                raise Refused(f"{name} is another file: it goes on after {most:,} bytes.")
            digest.update(chunk)
            try:
                output.write(chunk)
                output.flush()  # so that a full disk is told here, and not as a fault of the source
            except OSError as error:
                raise Refused(f"{name} cannot be written to the disk: {error.strerror}.") from error
    if total is not None and done < total:
        raise Refused(f"{name} is not whole: it ends after {done:,} of {total:,} bytes.")
    return digest.hexdigest()


def _told(read: Callable[[int], bytes], name: str, total: int | None) -> Iterator[bytes]:
    """Yield what ``read`` gives, and say how far it is: in one line, or every tenth in a log."""
    done, next_percent = 0, _STEP_PERCENT
    on_terminal = sys.stderr.isatty()
    while chunk := read(_CHUNK_BYTES):
        done += len(chunk)
        yield chunk
        percent = min(100, 100 * done // total) if total else 0
        if on_terminal or percent >= next_percent:
            next_percent = percent - percent % _STEP_PERCENT + _STEP_PERCENT
            of = f" of {total / 1e6:.1f}" if total else ""
            line = f"{name}: {done / 1e6:.1f}{of} MB ({percent} %)"
            print(line, end="\r" if on_terminal else "\n", file=sys.stderr, flush=True)
    if on_terminal:
        print(file=sys.stderr)


def _unreachable(name: str, url: str, error: OSError | HTTPException) -> str:
    """Say why a download failed."""
    if isinstance(error, urllib.error.HTTPError):
        reason = f"the server answered {error.code} {error.reason}"
    else:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"{name} cannot be downloaded from {url}: {reason}."
