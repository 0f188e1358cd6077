"""A small internet on loopback: names, public addresses, servers behind them, certificates.

The rule about public addresses is the real one and lets nothing of loopback through. The names here
resolve to public addresses, and only the connection itself is led to a server of the test instead
of to that address. So a test sees which addresses the code wanted to connect to.
"""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[socket.socket], None]
"""What a server does with a connection after it has read the request."""

PHOTOS = "93.184.215.14"
OTHER = "151.101.1.69"


class Server(threading.Thread):
    """One server on loopback; it keeps the requests that it got."""

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, listens: bool = True
    ) -> None:
        """Do the first script with the first connection, and so on; the last one for all others.

        One that does not listen does so at once, without having read a request.
        """
        super().__init__(daemon=True)
        self._scripts = scripts
        self._tls = tls
        self._listens = listens
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []
        self.start()

    def run(self) -> None:
        for turn in range(1_000):
            try:
                line, _ = self._listener.accept()
            except OSError:  # it is closed
                return
            script = self._scripts[min(turn, len(self._scripts) - 1)]
            with contextlib.suppress(OSError), line:
                line.settimeout(60)
                self._serve(line, script)

    def _serve(self, line: socket.socket, script: Script) -> None:
        if self._tls:
            with self._tls.wrap_socket(line, server_side=True) as secured:
                self._answer(secured, script)
        else:
            self._answer(line, script)

    def _answer(self, line: socket.socket, script: Script) -> None:
        request = b""
        while self._listens and b"\r\n\r\n" not in request:
            piece = line.recv(4096)
            if not piece:
                return
            request += piece
        self.requests.append(request.decode())
        script(line)

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept; close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join(5)


class Internet:
    """Names and servers. What is not told here has no name and no server."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.names: dict[str, list[list[str]]] = {}
        self.lookups: list[str] = []
        self.connections: list[tuple[str, int]] = []
        self._servers: dict[tuple[str, int], Server] = {}

    def name(self, host: str, *answers: list[str]) -> None:
        """Give a host these answers, one for each look-up; the last one for all others."""
        self.names[host] = list(answers)

    def serve(
        self,
        *scripts: Script,
        address: str = PHOTOS,
        port: int = 80,
        tls: ssl.SSLContext | None = None,
        listens: bool = True,
    ) -> Server:
        """Run a server at an address."""
        server = Server(*scripts, tls=tls, listens=listens)
        self._servers[address, port] = server
        return server

    def resolve(self, host: str, port: int) -> list[str]:
        """Resolve a host: one of the names here, or an address in any way that it can be written.

        The latter are read by the system's own resolver, without the network.
        """
        self.lookups.append(host)
        if host in self.names:
            answers = self.names[host]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in found]

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        """Record the address, and connect to the server that stands for it."""
        self.connections.append((address, port))
        if (address, port) not in self._servers:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self._servers[address, port].port), timeout_s)

    def close(self) -> None:
        """Stop the servers."""
        for server in self._servers.values():
            server.close()


@contextlib.contextmanager
def internet() -> Iterator[Internet]:
    """Make an internet and end it."""
    made = Internet()
    try:
        yield made
    finally:
        made.close()


def sends(*pieces: bytes) -> Script:
    """Return the script that sends bytes and ends the connection."""

    def script(line: socket.socket) -> None:
        for piece in pieces:
            line.sendall(piece)

    return script


def replies(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> Script:
    """Return the script of a whole reply; ``headers`` are further lines with "|" between them."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers.split("|")]
    head = "\r\n".join(line for line in lines if line) + "\r\n\r\n"
    return sends(head.encode(), body)


def redirects(location: str, status: str = "302 Found") -> Script:
    """Return the script of a redirect."""
    return replies(b"moved", status=status, headers=f"Location: {location}")


class Authority:
    """A certificate authority, which signs for names."""

    def __init__(self, folder: Path) -> None:
        """Keep its files in a folder."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self._own = self._signed("Test authority", self._key, is_authority=True)

    def trusted(self) -> ssl.SSLContext:
        """Return a client's TLS as the function's own, but with this authority alone."""
        text = self._own.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=text)

    def server(self, host: str, *, days: int = 1) -> ssl.SSLContext:
        """Return the TLS of a server with a certificate for a host, valid until in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(host, key, days=days)
        path = self._folder / f"{host}{days}.pem"
        pem = serialization.Encoding.PEM
        path.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + certificate.public_bytes(pem)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self,
        host: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        days: int = 1,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=30))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            # Python checks for these from 3.13 on (VERIFY_X509_STRICT).
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_authority,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if not is_authority:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())
