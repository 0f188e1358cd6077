"""A host of the public internet → a connection that has a deadline.

A host is resolved once, every address of the answer is checked, and one of those very addresses is
connected to. The name is used only for SNI and for the check of the certificate.

``socket`` and ``ssl`` are imported at the first connection: a deployment that fetches nothing does
not wait for them at its cold start.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING

from cutout.http.line import Deadline, Line
from cutout.http.url import Target, is_public

if TYPE_CHECKING:
    from socket import socket
    from ssl import SSLContext

_MAX_ADDRESSES = 3  # how many addresses of one host are tried
_MAX_CONNECT_S = 3.0  # how long each of them may take to accept a connection


class NotPublicError(Exception):
    """One of the host's addresses is not public, or the host has no address."""


class WrongCertificateError(Exception):
    """A server's certificate is not valid for the host, or no known authority vouches for it."""


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver gives for a host.

    :raises OSError: the resolver knows no address.
    """
    import socket  # noqa: PLC0415 - see the module's docstring

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _connection(address: str, port: int, timeout_s: float) -> "socket":
    """Return a TCP connection to an IP address; names are not resolved here.

    :raises OSError: the address accepts no connection within the time.
    """
    import socket  # noqa: PLC0415 - see the module's docstring

    return socket.create_connection((address, port), timeout_s)


@cache
def _tls() -> "SSLContext":
    """Return the settings of TLS: the system's certificate authorities are trusted."""
    import ssl  # noqa: PLC0415 - see the module's docstring

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector:
    """Connects to hosts of the public internet, and to no others."""

    def __init__(
        self,
        *,
        resolve: Callable[[str, int], list[str]] = _addresses,
        connect: Callable[[str, int, float], "socket"] = _connection,
        tls: Callable[[], "SSLContext"] = _tls,
    ) -> None:
        """Use these ways to resolve a host, to connect to an address, and to speak TLS."""
        self._resolve = resolve
        self._connect = connect
        self._tls = tls

    def open(self, target: Target, deadline: Deadline) -> Line:
        """Return a connection to the first address of the host that takes one.

        :raises NotPublicError: an address of the host is not public, or it has no address.
        :raises WrongCertificateError: the server's certificate is not valid for the host.
        :raises OSError: the connection or TLS fails; a ``TimeoutError`` where it takes too long.
        """
        failure = OSError()
        for address in self._public_addresses(target, deadline):
            timeout_s = min(deadline.left_s(), _MAX_CONNECT_S)
            try:
                connection = self._connect(address, target.port, timeout_s)
            except OSError as error:
                failure = error
            else:
                if target.scheme == "https":
                    connection = self._secured(connection, target, deadline)
                return Line(connection, deadline)
        raise failure

    def _public_addresses(self, target: Target, deadline: Deadline) -> list[str]:
        """Return the addresses of a host, after a check that all of them are public.

        A host that is not found gives the same error as one with a private address: otherwise a
        caller could find out which names the deployment's own network has.

        :raises NotPublicError: an address is not public, or the host has no address.
        :raises TimeoutError: the resolver, which has no time limit of its own, took too long.
        """
        found: list[str] = []

        def look_up() -> None:
            with suppress(OSError, ValueError):  # unknown, or a name that cannot be one
                found.extend(self._resolve(target.host, target.port))

        thread = Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(deadline.left_s())
        if thread.is_alive():
            raise TimeoutError
        if not found or not all(is_public(address) for address in found):
            raise NotPublicError
        return list(dict.fromkeys(found))[:_MAX_ADDRESSES]

    def _secured(self, connection: "socket", target: Target, deadline: Deadline) -> "socket":
        """Return the connection with TLS over it, after a check of the server's certificate.

        :raises WrongCertificateError: the certificate is not valid for the host.
        :raises OSError: the handshake fails.
        """
        import ssl  # noqa: PLC0415 - see the module's docstring

        try:
            connection.settimeout(deadline.left_s())
            name = target.host.removesuffix(".")
            return self._tls().wrap_socket(connection, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise WrongCertificateError from error
        except (OSError, ValueError):
            connection.close()
            raise
