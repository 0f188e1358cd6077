"""The URL of an image → its bytes, from hosts of the public internet only.

Whoever has an API key chooses the URL, so the function must not become their way into the
deployment's own network (server-side request forgery): :mod:`cutout.http.url` says what is fetched,
:mod:`cutout.http.connect` connects to public addresses only, and redirects are checked anew here.

``http.client`` is imported at the first fetch: a deployment that fetches nothing does not wait for
it at its cold start.
"""

from contextlib import closing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

from cutout.errors import ImageUrlFetchFailed, InvalidImageUrl
from cutout.http.connect import Connector, NotPublicError, WrongCertificateError
from cutout.http.line import Deadline, TooMuchError
from cutout.http.url import Target, parse_url

if TYPE_CHECKING:
    from http.client import HTTPResponse

MAX_FETCH_MS = 10_000
"""The most time that a fetch takes, its redirects included."""

MAX_REDIRECTS = 3
"""How many redirects are followed."""

_MAX_HEADER_BYTES = 32_768  # of one reply
_PIECE_BYTES = 65_536
_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200

_TOO_LARGE = "it is larger than {max_bytes} bytes"
_BAD_REDIRECT = "it redirects to a URL that is not fetched"


class _FailedError(Exception):
    """The reply is not accepted; the text says why."""


class Fetcher:
    """Fetches images. It keeps nothing between two fetches: no connection, no cookie."""

    def __init__(self, connector: Connector | None = None) -> None:
        """Fetch over the connections of ``connector``; without one, of the public internet."""
        self._connector = connector or Connector()

    def fetch(
        self, url: object, *, max_bytes: int, left_ms: float, field: str = "image_url"
    ) -> bytes:
        """Return the bytes at a URL, at least one and at most ``max_bytes``.

        It takes at most ``left_ms`` or :data:`MAX_FETCH_MS`, whichever is less. ``field`` is the
        name under which the caller gave the URL.

        :raises InvalidImageUrl: it is not an http(s) URL of a host with public addresses only.
        :raises ImageUrlFetchFailed: no image comes from there within the limits.
        """
        from http.client import HTTPException  # noqa: PLC0415 - see the module's docstring

        target = parse_url(url)
        if target is None:
            raise InvalidImageUrl(field=field)
        deadline = Deadline(min(left_ms, MAX_FETCH_MS) / 1000)
        try:
            return self._followed(target, deadline, max_bytes)
        except NotPublicError:
            raise InvalidImageUrl(field=field) from None
        except (_FailedError, TooMuchError) as error:
            reason = str(error)
        except TimeoutError:
            reason = "it took too long"
        except WrongCertificateError:
            reason = "the server's certificate is not valid for the host"
        except (OSError, HTTPException, ValueError):
            reason = "the connection failed, or the answer is not valid HTTP"
        raise ImageUrlFetchFailed(field=field, reason=reason)

    def _followed(self, target: Target, deadline: Deadline, max_bytes: int) -> bytes:
        """Return the bytes at a target, or at where it redirects to.

        :raises NotPublicError: the target itself is not fetched.
        :raises _FailedError: the fetch fails, at the target or after a redirect.
        """
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                answer = self._get(target, deadline, max_bytes)
            except NotPublicError:
                if redirects:
                    raise _FailedError(_BAD_REDIRECT) from None
                raise
            if isinstance(answer, bytes):
                return answer
            target = _redirected(target, answer)
        raise _FailedError(f"it redirects more than {MAX_REDIRECTS} times")

    def _get(self, target: Target, deadline: Deadline, max_bytes: int) -> bytes | str:
        """Return the bytes at a target, or the text of a redirect's ``Location``.

        :raises NotPublicError: an address of the host is not public, or it has no address.
        :raises WrongCertificateError: the host's certificate is not valid for it.
        :raises TooMuchError: the headers or the body are too large.
        :raises _FailedError: the reply is not accepted.
        :raises OSError: the connection fails; a ``TimeoutError`` where it takes too long.
        :raises HTTPException: the reply is not HTTP.
        """
        from http.client import HTTPConnection  # noqa: PLC0415 - see the module's docstring

        line = self._connector.open(target, deadline)
        try:
            line.allow(_MAX_HEADER_BYTES, "the headers of the answer are too large")
            connection = HTTPConnection(target.host, target.port)
            connection.sock = cast("Any", line)  # it has the methods that http.client calls
            # http.client itself adds "Accept-Encoding: identity".
            headers = {"Host": target.authority, "User-Agent": "Cutout", "Accept": "*/*"}
            connection.request("GET", target.path, headers={**headers, "Connection": "close"})
            with closing(connection.getresponse()) as response:
                location = response.headers["Location"]
                if response.status in _REDIRECTS and location:
                    return str(location)
                # This leaves room for the sizes between the chunks of a body, whose content is
                # counted separately.
                room = max_bytes + max_bytes // 4 + _PIECE_BYTES
                line.allow(room, _TOO_LARGE.format(max_bytes=max_bytes))
                return _body(response, max_bytes)
        finally:
            line.hang_up()


def _redirected(target: Target, location: str) -> Target:
    """Return the target of a redirect.

    :raises _FailedError: the target is not one that is fetched, or https becomes http.
    """
    # http.client reads headers as ISO 8859-1, and servers write UTF-8 where they write such signs.
    location = location.encode("latin-1", errors="replace").decode(errors="replace")
    try:
        followed = parse_url(urljoin(target.url, location))
    except ValueError:  # the brackets of an IPv6 address do not match
        followed = None
    if followed is None:
        raise _FailedError(_BAD_REDIRECT)
    if target.scheme == "https" and followed.scheme == "http":
        raise _FailedError("it redirects from https to http")
    return followed


def _body(response: "HTTPResponse", max_bytes: int) -> bytes:
    """Return the body of a reply.

    :raises _FailedError: the status is not 200, or the body is cut off, compressed or too large.
    """
    if response.status != _OK:
        raise _FailedError(f"the server answered with status {response.status}")
    lengths = set(response.headers.get_all("Content-Length", []))
    codings = {
        *response.headers.get_all("Content-Encoding", []),
        *(response.headers.get_all("Transfer-Encoding", []) if not response.chunked else []),
    }
    if any(coding.strip().lower() not in {"", "identity"} for coding in codings):
        raise _FailedError("the server sent it compressed, which was not asked for")
    if len(lengths) > 1 or not all(length.strip().isdecimal() for length in lengths):
        raise _FailedError("the answer's Content-Length is not valid")
    too_large = _TOO_LARGE.format(max_bytes=max_bytes)
    if response.length is not None and response.length > max_bytes:
        raise _FailedError(too_large)
    body = bytearray()
    while piece := response.read(_PIECE_BYTES):
        body += piece
        if len(body) > max_bytes:
            raise _FailedError(too_large)
    if response.length:  # the number of promised bytes that did not come
        raise _FailedError("the connection ended before the whole image came")
    if not body:
        raise _FailedError("the answer is empty")
    return bytes(body)
