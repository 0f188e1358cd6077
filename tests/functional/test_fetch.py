"""``image_url``: what is fetched, and above all what is not.

The servers are this file's own, on loopback (see :mod:`internet`). They are reached because the
test's *connector* leads two public addresses to them, 93.184.215.14 and 151.101.1.69; the rule
about addresses is the deployed one, so that 127.0.0.1 itself is refused here too.
"""

import base64
import gzip
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import skimage.data
from client import Client, multipart
from conftest import deployment, logger_to
from internet import (
    OTHER,
    PHOTOS,
    Authority,
    Internet,
    Script,
    internet,
    redirects,
    replies,
    sends,
)
from PIL import Image

import app
from cutout.errors import ImageUrlFetchFailed, InvalidImageUrl
from cutout.http.connect import Connector
from cutout.http.fetch import Fetcher
from cutout.http.url import is_public, parse_url
from cutout.settings import Settings
from image_files import encoded

URL = "http://photos.example/cat.jpg"
PLENTY_MS = 600_000  # the fetcher's own limit holds
SOON_MS = 300  # of tests where the time runs out
MAX_BYTES = 100_000

NOT_PUBLIC = [
    # Loopback, unspecified, private, link-local and metadata, CGNAT, as they are usually written.
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",  # noqa: S104
    "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200",
    "192.0.0.192", "168.63.129.16",
    # Documentation, benchmarks, relays, multicast, reserved, broadcast.
    "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "198.19.255.255", "192.88.99.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    # IPv6: unspecified, loopback, unique local and AWS's metadata, link-local, site-local, multicast.
    "::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1",
    # IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo; public ones too.
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    # Documentation, ORCHID, discard-only, segment routing, not assigned.
    "2001:db8::1", "3fff::1", "2001:20::1", "100::1", "5f00::1", "4000::1",
    # No addresses at all.
    "", "localhost", "127.0.0.1:80", "2606:4700::1111%eth0",
]  # fmt: skip

REFUSED_URLS = [
    # Hosts that are addresses: the usual ways, then what resolvers make of other ways.
    "http://127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1:80/", "http://0.0.0.0/",
    "http://10.0.0.5/", "http://192.168.0.1/", "http://172.16.3.4/", "http://100.64.1.1/",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://169.254.170.2/v2/credentials", "http://100.100.100.200/latest/meta-data/",
    "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7F.1/",
    "http://127.1/", "http://127.0.1/", "http://0/", "http://0177.0.0.1/", "http://0x7f.0x0.0.1/",
    "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://169.16689662/",
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/", "http://[::ffff:0:7f00:1]/", "http://[::7f00:1]/",
    "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:7f00:1::]/",
    "http://[2001::1]/", "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://[fec0::1]/",
    "http://[fe80::1%25eth0]/", "http://[::1%1]/", "http://[ff02::1]/", "http://[2001:db8::1]/",
    # Letters that only look other: full width, circled, ideographic full stops.
    "http://１２７.0.0.1/", "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://127.0.0.1./",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://ｌocalhost/",
    # Names that resolve to what is not public, and a name that does not resolve.
    "http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://private.example/",
    "http://metadata.google.internal/computeMetadata/v1/", "http://mixed.example/",
    "http://mapped.example/", "http://nat64.example/", "http://6to4.example/",
    "http://unknown.example/", "http://empty.example/",
    # User names.
    "http://photos.example@127.0.0.1/", "http://user:password@photos.example/", "http://@photos.example/",
    "http://photos.example:80@127.0.0.1:80/", "http://127.0.0.1#@photos.example/",
    "http://photos.example\\@127.0.0.1/", "http://127.0.0.1\\@photos.example/",
    "http://photos.example%40127.0.0.1/", "http://photos.example＠127.0.0.1/",
    # Other schemes.
    "file:///etc/passwd", "ftp://photos.example/cat.jpg", "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/", "data:image/png;base64,iVBORw0KGgo=", "s3://bucket/cat.jpg",
    "jar:http://photos.example!/", "javascript:alert(1)", "ws://photos.example/",
    "//photos.example/cat.jpg", "photos.example/cat.jpg", "/cat.jpg", "http:photos.example", "http:/photos.example",
    # Other ports.
    "http://photos.example:22/", "http://photos.example:8080/", "http://photos.example:6379/",
    "http://photos.example:0/", "http://photos.example:65616/", "http://photos.example:-80/",
    "http://photos.example:80:80/", "http://photos.example:８０80/", "http://photos.example:x/",
    # Texts that parsers read in more than one way.
    "http:///", "http://", "http://?", "http://#", "http://.../", "http://[::1", "http://::1]/", "http://[photos.example]/",
    "http://photos.example\t@127.0.0.1/", "http://photos.example/\r\nX-Evil: 1", "http://photos.example/\x00",
    "ht\ntp://127.0.0.1/", "http://photos exa.mple/", "http://photos.example%00.127.0.0.1/", "http://photos.example,127.0.0.1/",
    "http://127.0.0.1%2f@photos.example/", "http://%31%32%37.0.0.1/", "http://photos.example/\ud800",
    "http://" + "a" * 300 + ".example/", "http://" + "a" * 64 + "é.example/", "http://photos.example/" + "a" * 9_000,
    # No texts.
    "", " ", None, 7, True, ["http://photos.example/"], {"url": "http://photos.example/"},
]  # fmt: skip


@pytest.fixture
def net() -> Iterator[Internet]:
    """Make an internet with the names that the tests know."""
    with internet() as net:
        net.name("photos.example", [PHOTOS])
        net.name("other.example", [OTHER])
        net.name("localhost", ["::1", "127.0.0.1"])
        net.name("localhost.", ["127.0.0.1"])
        net.name("private.example", ["10.1.2.3"])
        net.name("metadata.google.internal", ["169.254.169.254"])
        net.name("mixed.example", [PHOTOS, "127.0.0.1"])
        net.name("mapped.example", ["::ffff:10.0.0.1"])
        net.name("nat64.example", ["64:ff9b::a9fe:a9fe"])
        net.name("6to4.example", ["2002:a00:1::1"])
        net.name("empty.example", [])
        yield net


@pytest.fixture
def fetcher(net: Internet) -> Fetcher:
    """Fetch from that internet."""
    return Fetcher(Connector(resolve=net.resolve, connect=net.connect))


def fetched(
    fetcher: Fetcher, url: object = URL, *, left_ms: float = PLENTY_MS, max_bytes: int = MAX_BYTES
) -> bytes:
    """Return what is at a URL."""
    return fetcher.fetch(url, max_bytes=max_bytes, left_ms=left_ms)


def failure(fetcher: Fetcher, url: object = URL, *, left_ms: float = PLENTY_MS) -> str:
    """Return why nothing is fetched from a URL."""
    with pytest.raises(ImageUrlFetchFailed) as refusal:
        fetched(fetcher, url, left_ms=left_ms)
    assert refusal.value.status == 400
    start, end = "The image at image_url could not be fetched: ", "."
    text = str(refusal.value)
    assert text.startswith(start)
    assert text.endswith(end)
    return text.removeprefix(start).removesuffix(end)


# Which addresses and URLs


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public(address: str) -> None:
    """Of every range that IANA lists, in every form that a resolver can answer."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", PHOTOS, "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
        *("126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.0.1", "172.32.0.0"),
        *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
        *("2606:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2001:200::1"),
    ],
)
def test_addresses_that_are_public(address: str) -> None:
    """Right beside the ranges that are not."""
    assert is_public(address)


@pytest.mark.parametrize("url", REFUSED_URLS, ids=lambda url: ascii(url)[:50])
def test_what_is_never_connected_to(fetcher: Fetcher, net: Internet, url: object) -> None:
    """One error for all of them, and no connection is even tried."""
    with pytest.raises(InvalidImageUrl) as refusal:
        fetched(fetcher, url)
    assert (refusal.value.status, refusal.value.code) == (400, "invalid_image_url")
    assert str(refusal.value) == (
        "image_url must be an http or https URL, on port 80 or 443 and without a user name, of a"
        " host that has public addresses only."
    )
    assert net.connections == []


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://photos.example", "photos.example", "/"),
        ("HTTP://Photos.Example:80/a?b=c#d", "photos.example", "/a?b=c"),
        ("http://photos.example:/a", "photos.example", "/a"),
        ("http://photos.example:443/a", "photos.example:443", "/a"),
        ("https://photos.example:80/a", "photos.example:80", "/a"),
        (" https://photos.example/a \n", "photos.example", "/a"),
        ("http://photos.example?a=b", "photos.example", "/?a=b"),
        ("http://photos.example/größe 1.jpg", "photos.example", "/gr%C3%B6%C3%9Fe%201.jpg"),
        ("http://photos.example/a%2Fb%20c?d=%26", "photos.example", "/a%2Fb%20c?d=%26"),
        ("http://photos.example/?X-Amz=a%2F1/2+3==&b=é", "photos.example", None),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("http://[2606:4700:0::1111]:443/", "[2606:4700::1111]:443", "/"),
        ("http://my_shop.example/", "my_shop.example", "/"),
    ],
)
def test_urls_as_people_write_them(url: str, authority: str, path: str | None) -> None:
    """Escapes stay as they are, since a signature may cover them; other letters are escaped."""
    target = parse_url(url)
    assert target is not None
    assert target.authority == authority
    assert target.path == (path or "/?X-Amz=a%2F1/2+3==&b=%C3%A9")
    assert parse_url(target.url) == target


# What is sent, and what comes


def test_a_fetch(fetcher: Fetcher, net: Internet) -> None:
    """The bytes as they are, of one request that says no more than it must."""
    server = net.serve(replies(b"\x00\xffcat" * 999))
    assert fetched(fetcher, "http://photos.example/a/cat.jpg?size=1#top") == b"\x00\xffcat" * 999
    assert net.connections == [(PHOTOS, 80)]
    (request,) = server.requests
    assert sorted(request.strip().split("\r\n")) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Connection: close",
        "GET /a/cat.jpg?size=1 HTTP/1.1",
        "Host: photos.example",
        "User-Agent: Cutout",
    ]


@pytest.mark.parametrize(
    "script",
    [
        sends(b"HTTP/1.1 200 OK\r\n\r\ncat"),
        sends(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"c", b"at"),
        sends(
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n2;x=y\r\nat\r\n0\r\n\r\n"
        ),
        sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncats and dogs"),
        replies(b"cat", headers="Content-Encoding: identity"),
        replies(b"cat", headers="Content-Length: 3"),
    ],
    ids=["to-the-end", "http-1.0", "chunked", "continue", "more-than-said", "identity", "twice"],
)
def test_the_ways_in_which_a_body_comes(fetcher: Fetcher, net: Internet, script: Script) -> None:
    """All that HTTP/1.1 allows."""
    net.serve(script)
    assert fetched(fetcher) == b"cat"


def _forever(head: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
    """Return the script that sends a piece again and again, until the other side has gone."""

    def script(line: socket.socket) -> None:
        line.sendall(head)
        while True:
            line.sendall(piece)
            threading.Event().wait(pause_s)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADERS_TOO_LARGE = "the headers of the answer are too large"
NOT_HTTP = "the connection failed, or the answer is not valid HTTP"
TOO_LARGE = "it is larger than 100000 bytes"
NOT_WHOLE = "the connection ended before the whole image came"
COMPRESSED = "the server sent it compressed, which was not asked for"
BAD_LENGTH = "the answer's Content-Length is not valid"
BOMB = gzip.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (replies(status="204 No Content"), "the server answered with status 204"),
        (replies(b"part", status="206 Partial Content"), "the server answered with status 206"),
        (replies(b"see", status="300 Choices", headers="Location: /a"), "the server answered with status 300"),
        (replies(b"", status="302 Found"), "the server answered with status 302"),
        (replies(b"", status="304 Not Modified"), "the server answered with status 304"),
        (replies(b"who?", status="401 No", headers="WWW-Authenticate: Basic"), "the server answered with status 401"),
        (replies(b"secret text", status="404 Secret"), "the server answered with status 404"),
        (replies(b"secret text", status="500 Secret"), "the server answered with status 500"),
        (replies(b""), "the answer is empty"),
        (sends(b"HTTP/1.1 200 OK\r\n\r\n"), "the answer is empty"),
        (sends(CHUNKED + b"0\r\n\r\n"), "the answer is empty"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncat"), NOT_WHOLE),
        (sends(CHUNKED + b"5\r\ncat"), NOT_HTTP),
        (sends(CHUNKED + b"3\r\ncat\r\n"), NOT_HTTP),
        (sends(CHUNKED + b"many\r\ncat\r\n"), NOT_HTTP),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\ncats"), BAD_LENGTH),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\ncat"), BAD_LENGTH),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\ncat"), BAD_LENGTH),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"), TOO_LARGE),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), TOO_LARGE),
        (_forever(b"HTTP/1.1 200 OK\r\n\r\n", b"cat" * 1_000), TOO_LARGE),
        (_forever(CHUNKED, b"3e8\r\n" + b"c" * 1_000 + b"\r\n"), TOO_LARGE),
        (_forever(CHUNKED, b"1\r\nc\r\n"), TOO_LARGE),
        (_forever(CHUNKED + b"1" + b"0" * 30 + b"\r\n", b"c" * 1_000), TOO_LARGE),
        (_forever(CHUNKED + b"3\r\ncat\r\n0\r\n", b"X-Trailer: cat\r\n"), TOO_LARGE),
        (replies(BOMB, headers="Content-Encoding: gzip"), COMPRESSED),
        (replies(BOMB, headers="Content-Encoding: identity, br"), COMPRESSED),
        (replies(BOMB, headers="content-encoding: identity|content-encoding: zstd"), COMPRESSED),
        (sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BOMB), COMPRESSED),
        (replies(b"cat", headers="X-Long: " + "x" * 40_000), HEADERS_TOO_LARGE),
        (replies(b"cat", headers="|".join(f"X-{n}: {'x' * 1_000}" for n in range(50))), HEADERS_TOO_LARGE),
        (replies(b"cat", headers="|".join(f"X-{n}: x" for n in range(200))), NOT_HTTP),
        (_forever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1_000), HEADERS_TOO_LARGE),
        (_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), HEADERS_TOO_LARGE),
        (sends(), NOT_HTTP),
        (sends(b"\xff\xd8\xff\xe0 only a photo"), NOT_HTTP),
        (sends(b"SSH-2.0-OpenSSH_9.9\r\n"), NOT_HTTP),
        (sends(b"HTTP/1.1 two hundred\r\n\r\n"), NOT_HTTP),
        (sends(b"HTTP/2 200\r\n\r\ncat"), NOT_HTTP),
    ],
)  # fmt: skip
def test_answers_that_are_not_taken(
    fetcher: Fetcher, net: Internet, script: Script, reason: str
) -> None:
    """In words that hold nothing of what the server sent, and no address."""
    net.serve(script)
    assert failure(fetcher) == reason


def test_a_body_as_large_as_allowed(fetcher: Fetcher, net: Internet) -> None:
    """To the byte, with a Content-Length and without."""
    body = bytes(MAX_BYTES)
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    net.serve(replies(body), sends(head, body), sends(head, body, b"x"))
    assert fetched(fetcher) == body
    assert fetched(fetcher) == body
    assert failure(fetcher) == TOO_LARGE


def test_many_small_chunks_are_a_body_too(fetcher: Fetcher, net: Internet) -> None:
    """What frames them does not count as the image."""
    net.serve(sends(CHUNKED, b"10\r\n0123456789abcdef\r\n" * 3_000, b"0\r\n\r\n"))
    assert fetched(fetcher, max_bytes=48_000) == b"0123456789abcdef" * 3_000


@pytest.mark.parametrize(
    "script",
    [
        _forever(b"", b"", 0.01),
        _forever(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.01),
        _forever(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"x", 0.01),
        _forever(CHUNKED, b"1\r\nc\r\n", 0.01),
        _forever(CHUNKED + b"1", b"0", 0.01),
    ],
    ids=["nothing", "headers", "body", "chunks", "chunk-size"],
)
def test_slow_servers(fetcher: Fetcher, net: Internet, script: Script) -> None:
    """A byte now and then does not keep the function: the time is that of the whole fetch."""
    net.serve(script)
    assert failure(fetcher, left_ms=SOON_MS) == "it took too long"


def test_no_time_is_left(fetcher: Fetcher, net: Internet) -> None:
    """Then nothing is begun."""
    assert failure(fetcher, left_ms=0) == "it took too long"
    assert failure(fetcher, left_ms=-500) == "it took too long"
    assert net.connections == []


def test_a_slow_resolver(net: Internet) -> None:
    """The system's resolver takes its time, and cannot be given a limit."""
    never = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        never.wait(60)
        return [PHOTOS]

    fetcher = Fetcher(Connector(resolve=resolve, connect=net.connect))
    assert failure(fetcher, left_ms=SOON_MS) == "it took too long"
    never.set()
    assert net.connections == []


def test_the_next_address_of_a_host_is_tried(fetcher: Fetcher, net: Internet) -> None:
    """Where one does not answer, such as an IPv6 address in a network without IPv6."""
    net.name("photos.example", ["2606:4700::1111", PHOTOS])
    net.serve(replies(b"cat"))
    assert fetched(fetcher) == b"cat"
    assert net.connections == [("2606:4700::1111", 80), (PHOTOS, 80)]
    net.name("photos.example", [OTHER])
    assert failure(fetcher) == NOT_HTTP


def test_a_host_is_resolved_once(fetcher: Fetcher, net: Internet) -> None:
    """Rebinding: the second look-up would give loopback, and never happens."""
    net.name("photos.example", [PHOTOS], ["127.0.0.1"])
    net.serve(replies(b"cat"))
    assert fetched(fetcher) == b"cat"
    assert net.lookups == ["photos.example"]
    assert net.connections == [(PHOTOS, 80)]


def test_a_host_is_checked_at_every_redirect(fetcher: Fetcher, net: Internet) -> None:
    """Rebinding by a redirect to itself."""
    net.name("photos.example", [PHOTOS], ["127.0.0.1"])
    net.serve(redirects("/again"))
    assert failure(fetcher) == "it redirects to a URL that is not fetched"
    assert net.connections == [(PHOTOS, 80)]


def test_proxies_of_the_environment_are_ignored(
    fetcher: Fetcher, net: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name once more, and reach what the function may not."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{OTHER}:80")
        monkeypatch.setenv(name.upper(), f"http://{OTHER}:80")
    proxy = net.serve(replies(b"dog"), address=OTHER)
    net.serve(replies(b"cat"))
    assert fetched(fetcher) == b"cat"
    assert proxy.requests == []


def test_the_systems_own_resolver_and_connections(
    net: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployed parts: all addresses of the answer are seen, and one of them is connected to.

    Only what the operating system would do is replaced.
    """
    answers = {
        "photos.example": [(socket.AF_INET, PHOTOS), (socket.AF_INET6, "2606:4700::1111")],
        "mixed.example": [(socket.AF_INET, PHOTOS), (socket.AF_INET6, "::1")],
    }

    def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        if host not in answers:
            raise socket.gaierror
        tcp = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (family, *tcp, (address, port, 0, 0)[: 2 if family is socket.AF_INET else 4])
            for family, address in answers[host]
        ]

    server = net.serve(replies(b"cat"))

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        net.connections.append(address)
        line = socket.socket()
        line.settimeout(timeout)
        line.connect(("127.0.0.1", server.port))
        return line

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    assert fetched(Fetcher()) == b"cat"
    assert net.connections == [(PHOTOS, 80)]
    for host in ("mixed.example", "unknown.example"):
        with pytest.raises(InvalidImageUrl):
            fetched(Fetcher(), f"http://{host}/")
    assert net.connections == [(PHOTOS, 80)]


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "2130706433", "[::1]", "0"])
def test_loopback_as_the_system_itself_reads_it(host: str) -> None:
    """With nothing replaced."""
    with pytest.raises(InvalidImageUrl):
        fetched(Fetcher(), f"http://{host}/")


def test_the_name_of_the_field_is_in_the_message(fetcher: Fetcher, net: Internet) -> None:
    """It may be another one than image_url."""
    with pytest.raises(InvalidImageUrl, match=r"^bg_image_url must be an http or https URL"):
        fetcher.fetch("x", max_bytes=9, left_ms=PLENTY_MS, field="bg_image_url")
    net.serve(replies(b""))
    with pytest.raises(ImageUrlFetchFailed, match=r"^The image at bg_image_url could not be"):
        fetcher.fetch(URL, max_bytes=9, left_ms=PLENTY_MS, field="bg_image_url")


def test_a_cold_start_does_not_wait_for_what_fetches() -> None:
    """What only a fetch needs is imported by the first one."""
    program = (
        "import sys, cutout.http.api\n"
        "print([name for name in ('socket', 'ssl', 'http.client') if name in sys.modules])"
    )
    function = Path(app.__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=function, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/b/cat.jpg?c#d", "/b/cat.jpg?c"),
        ("cat.jpg", "/a/cat.jpg"),
        ("//photos.example/cat.jpg", "/cat.jpg"),
        ("HTTP://photos.example:80", "/"),
        ("/größe 2.jpg", "/gr%C3%B6%C3%9Fe%202.jpg"),
    ],
)
def test_redirects_are_followed(
    fetcher: Fetcher, net: Internet, status: int, location: str, asked: str
) -> None:
    """Every status that redirects, and every way to write the place."""
    server = net.serve(redirects(location, f"{status} There"), replies(b"cat"))
    assert fetched(fetcher, "http://photos.example/a/b.jpg") == b"cat"
    assert server.requests[1].startswith(f"GET {asked} HTTP/1.1\r\n")


def test_three_redirects_and_no_fourth(fetcher: Fetcher, net: Internet) -> None:
    """A loop ends as any other long way does."""
    moved = redirects("/next")
    server = net.serve(moved, moved, moved, replies(b"cat"), moved)
    assert fetched(fetcher) == b"cat"
    assert len(server.requests) == 4
    assert failure(fetcher) == "it redirects more than 3 times"
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    "location",
    [url for url in REFUSED_URLS if isinstance(url, str) and url.isascii() and url.isprintable()
     and "://" in url and url not in {"http://", "http://?", "http://#", "http:///"}],
    ids=lambda url: url[:50],
)  # fmt: skip
def test_redirects_to_what_is_not_fetched(fetcher: Fetcher, net: Internet, location: str) -> None:
    """The whole table again, told by a server."""
    net.serve(redirects(location))
    assert failure(fetcher) == "it redirects to a URL that is not fetched"
    assert net.connections == [(PHOTOS, 80)]


def test_nothing_of_one_host_is_told_to_the_next(fetcher: Fetcher, net: Internet) -> None:
    """No cookie, no credentials, no referrer, and none to the same host either."""
    here = redirects("http://other.example/", "302 Found")
    cookie = replies(
        status="302 Found",
        headers="Location: http://other.example/|Set-Cookie: session=secret; Domain=example",
    )
    net.serve(cookie, here, address=PHOTOS)
    other = net.serve(redirects("http://photos.example/"), replies(b"cat"), address=OTHER)
    assert fetched(fetcher, "http://photos.example/cat.jpg?token=secret") == b"cat"
    assert len(other.requests) == 2
    for request in other.requests:
        assert "secret" not in request
        assert "Referer" not in request


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make the authority that the tests' clients trust."""
    return Authority(tmp_path)


@pytest.fixture
def tls_fetcher(net: Internet, authority: Authority) -> Fetcher:
    """Fetch with trust in that authority, and in nothing else."""
    return Fetcher(Connector(resolve=net.resolve, connect=net.connect, tls=authority.trusted))


HTTPS = "https://photos.example/cat.jpg"
WRONG_CERTIFICATE = "the server's certificate is not valid for the host"


def test_https(tls_fetcher: Fetcher, net: Internet, authority: Authority) -> None:
    """On 443, with the name as SNI and in ``Host``; a dot at its end is not part of it."""
    names: list[str | None] = []
    context = authority.server("photos.example")
    context.sni_callback = lambda _line, name, _context: names.append(name)
    net.name("photos.example.", [PHOTOS])
    server = net.serve(replies(b"cat"), port=443, tls=context)
    assert fetched(tls_fetcher, HTTPS) == b"cat"
    assert fetched(tls_fetcher, "https://photos.example./cat.jpg") == b"cat"
    assert names == ["photos.example", "photos.example"]
    assert "\r\nHost: photos.example\r\n" in server.requests[0]
    assert net.connections == [(PHOTOS, 443)] * 2


def test_from_http_to_https_and_never_back(
    tls_fetcher: Fetcher, net: Internet, authority: Authority
) -> None:
    """What began encrypted stays so."""
    net.serve(redirects(HTTPS))
    net.serve(replies(b"cat"), redirects(URL), port=443, tls=authority.server("photos.example"))
    assert fetched(tls_fetcher) == b"cat"
    assert failure(tls_fetcher, HTTPS) == "it redirects from https to http"


def test_certificates_that_are_not_taken(
    tls_fetcher: Fetcher, net: Internet, authority: Authority, tmp_path: Path
) -> None:
    """Of another name, of an unknown authority, and one whose time is over."""
    (tmp_path / "unknown").mkdir()
    unknown = Authority(tmp_path / "unknown")
    for context in (
        authority.server("other.example"),
        authority.server("photos.example", days=-1),
        unknown.server("photos.example"),
    ):
        server = net.serve(replies(b"cat"), port=443, tls=context)
        assert failure(tls_fetcher, HTTPS) == WRONG_CERTIFICATE
        assert server.requests == []
        server.close()


def test_the_system_knows_which_authorities_to_trust(
    fetcher: Fetcher, net: Internet, authority: Authority
) -> None:
    """The deployed way to speak TLS does not know the test's authority, and refuses it."""
    net.serve(replies(b"cat"), port=443, tls=authority.server("photos.example"))
    assert failure(fetcher, HTTPS) == WRONG_CERTIFICATE


def test_a_server_that_speaks_no_tls(tls_fetcher: Fetcher, net: Internet) -> None:
    """What it says is not asked for in the open instead."""
    net.serve(replies(b"cat"), port=443, listens=False)
    assert failure(tls_fetcher, HTTPS) == NOT_HTTP


def test_a_handshake_that_does_not_end(tls_fetcher: Fetcher, net: Internet) -> None:
    """It counts towards the time limit, as everything else does."""
    net.serve(_forever(b"\x16\x03\x03\x40\x00", b"x", 0.01), port=443, listens=False)
    assert failure(tls_fetcher, HTTPS, left_ms=SOON_MS) == "it took too long"


# Through the handler


SOURCES = (
    "image_file (multipart/form-data), image_base64 or image_url (JSON or form fields), or the"
    " image's bytes as the body"
)


JPEG = encoded(Image.fromarray(skimage.data.astronaut()), "JPEG", quality=90)


@pytest.fixture(params=["1.0", "2.0"])
def fetching(request: pytest.FixtureRequest, fetcher: Fetcher) -> Client:
    """Speak to a deployment that fetches URLs, through each payload format."""
    settings = Settings(
        fetch_urls=True,
        api_key_hashes=app.settings.api_key_hashes,
        max_object_bytes=MAX_BYTES,
    )
    return Client(deployment(app.remover, settings, fetcher=fetcher), request.param)


def told(client: Client, fields: Mapping[str, object], query: str = "") -> tuple[int, str, str]:
    """Return the status, the code and the message of an error."""
    error = client.json(f"/v2{query}", fields).error()
    return error["status"], error["code"], error["message"]


def test_an_image_by_its_url(fetching: Client, net: Internet) -> None:
    """JSON, form, query string and file part, in either spelling, give what the file itself gives."""
    assert len(JPEG) <= MAX_BYTES
    net.serve(replies(JPEG, headers="Content-Type: text/plain"))
    expected = fetching.post("/v2?crop=true", body=JPEG, content_type="image/jpeg")
    assert expected.status == 200
    for reply in (
        fetching.json("/v2", {"image_url": URL, "crop": True}),
        fetching.json("/v2", {"imageUrl": URL, "crop": True}),
        fetching.form("/v2", {"image_url": URL, "crop": "true"}),
        fetching.post(f"/v2?crop=true&image_url={URL}"),
        fetching.post("/v2", **multipart(image_url=("image_url", URL.encode()), crop="true")),
    ):
        assert reply.status == 200, reply.body
        assert reply.body == expected.body
        assert "x-ignored-params" not in reply.headers


def test_a_photo_where_its_url_belongs(fetching: Client, net: Internet) -> None:
    """It is no URL, and is not taken for the photo."""
    reply = fetching.post("/v2", **multipart(image_url=("photo.jpg", JPEG)))
    assert reply.error()["code"] == "invalid_image_url"
    assert net.connections == []


def test_a_background_by_its_url(fetching: Client, net: Internet) -> None:
    """It fills the canvas; what is not fetched or does not come is the background's error."""
    blue = encoded(Image.new("RGB", (64, 64), (0, 0, 255)))
    net.serve(replies(blue), replies(b"", status="404 Not Found"))
    reply = fetching.post(f"/v2?bg_image_url={URL}", body=JPEG, content_type="image/jpeg")
    assert reply.status == 200, reply.body
    with Image.open(io.BytesIO(reply.body)) as image:
        assert image.convert("RGB").getpixel((2, 2)) == (0, 0, 255)
    for url, reason in (
        (URL, "The image at bg_image_url could not be fetched: "),
        ("http://127.0.0.1/x.png", "bg_image_url must be an http or https URL"),
    ):
        refused = fetching.post(f"/v2?bg_image_url={url}", body=JPEG, content_type="image/jpeg")
        error = refused.error()
        assert (error["status"], error["code"]) == (400, "invalid_bg_image")
        assert error["message"].startswith(f"The background image cannot be used. {reason}")


def test_a_long_url_is_fetched_for_the_photo_as_for_the_background(
    fetching: Client, net: Internet
) -> None:
    """A presigned URL holds a session token; white space around it comes from copying."""
    net.serve(replies(JPEG))
    token = f"{URL}?X-Amz-Security-Token="
    for url in (token + "a" * (8_192 - len(token)), f" {URL}\n"):
        assert fetching.json("/v2", {"image_url": url}).status == 200
        fields = {"image_base64": base64.b64encode(JPEG).decode(), "bg_image_url": url}
        assert fetching.json("/v2", fields).status == 200
    url = token + "a" * (8_193 - len(token))
    assert told(fetching, {"image_url": url})[1] == "invalid_image_url"
    assert told(fetching, {"bg_image_url": url})[1] == "invalid_bg_image"


def test_the_matte_alone_needs_no_background(fetching: Client, net: Internet) -> None:
    """``channels=alpha`` ignores a background, so nothing is fetched and nothing is refused."""
    matte = fetching.post("/v2?channels=alpha", body=JPEG, content_type="image/jpeg")
    reply = fetching.post(
        f"/v2?channels=alpha&bg_image_url={URL}", body=JPEG, content_type="image/jpeg"
    )
    assert (reply.status, reply.body) == (200, matte.body)
    assert not net.connections


def test_what_a_url_brings_is_checked_as_any_image(fetching: Client, net: Internet) -> None:
    """It is an image by its bytes, whatever the server calls it; its size has the same limits."""
    net.serve(
        replies(b"<html>not found</html>", headers="Content-Type: image/jpeg"),
        replies(bytes(MAX_BYTES + 1)),
        replies(b"secret of a server", status="403 Forbidden"),
    )
    assert told(fetching, {"image_url": URL})[:2] == (400, "invalid_image")
    code = "image_url_fetch_failed"
    start = "The image at image_url could not be fetched: "
    assert told(fetching, {"image_url": URL}) == (400, code, f"{start}{TOO_LARGE}.")
    message = f"{start}the server answered with status 403."
    assert told(fetching, {"image_url": URL}) == (400, code, message)


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://private.example/", "x", 7],
)
def test_refused_by_the_handler(fetching: Client, net: Internet, url: object) -> None:
    """One answer for all, and no connection."""
    status, code, message = told(fetching, {"image_url": url})
    assert (status, code) == (400, "invalid_image_url")
    assert message.startswith("image_url must be an http or https URL")
    assert net.connections == []


def test_the_order_of_the_checks(fetching: Client, net: Internet) -> None:
    """A URL is fetched after everything else about the request is right."""
    server = net.serve(replies(b"cat"))
    bad_color = {"image_url": URL, "bg_color": "bluish"}
    assert told(fetching, bad_color)[1] == "invalid_bg_color"
    assert told(fetching, {"image_url": URL}, "?size=huge")[1] == "invalid_size"
    assert told(fetching, {"image_url": URL, "image_base64": "AA"})[1] == "multiple_sources"
    assert told(fetching, {"image_url": URL, "imageUrl": URL})[1] == "multiple_sources"
    assert fetching.json("/v2", {"image_url": URL}, key="wrong").status == 401
    assert server.requests == []


def test_the_time_of_a_request_bounds_the_fetch(fetching: Client, net: Internet) -> None:
    """What is kept back for the reply is not spent on a slow server."""
    net.serve(_forever(b"", b"", 0.01))
    fetching.timeout_s = 2.0
    _, code, message = told(fetching, {"image_url": URL})
    assert code == "image_url_fetch_failed"
    assert message.endswith("it took too long.")


def test_the_message_offers_image_url(fetching: Client) -> None:
    """Where it is on."""
    assert told(fetching, {}) == (400, "missing_image", f"No image was sent. Send {SOURCES}.")


@pytest.mark.parametrize("payload", ["1.0", "2.0"])
def test_it_is_off_unless_it_is_turned_on(net: Internet, fetcher: Fetcher, payload: str) -> None:
    """Then nothing is resolved or fetched, and no message offers it."""
    client = Client(deployment(app.remover, fetcher=fetcher), payload)
    server = net.serve(replies(JPEG))
    off = (
        400,
        "image_url_disabled",
        "This deployment does not fetch image_url. Send the image itself.",
    )
    assert told(client, {"image_url": URL}) == off
    assert told(client, {"imageUrl": "http://169.254.169.254/"}) == off
    assert "image_url" not in told(client, {})[2]
    assert (net.lookups, net.connections, server.requests) == ([], [], [])


def test_the_log_holds_no_url(fetcher: Fetcher, net: Internet) -> None:
    """A signed URL is as good as a password; the log says why the fetch failed."""
    log = io.StringIO()
    settings = Settings(fetch_urls=True, api_key_hashes=app.settings.api_key_hashes)
    logger = logger_to(log)
    client = Client(deployment(app.remover, settings, logger=logger, fetcher=fetcher))
    net.serve(redirects("http://10.0.0.7/internal-secret"))
    told(client, {"image_url": f"{URL}?X-Amz-Signature=secret"})
    assert "it redirects to a URL that is not fetched" in log.getvalue()
    for secret in ("secret", "photos.example", PHOTOS, "10.0.0.7"):
        assert secret not in log.getvalue()
