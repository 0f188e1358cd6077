"""The text of an image's URL → :class:`Target`, and which addresses are of the public internet.

What is parsed here is what is connected to: no other parser ever sees the text.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, urlsplit

from cutout.options.parsers import MAX_URL_CHARACTERS

_PORTS = {"http": 80, "https": 443}
_REFUSED_SIGNS = re.compile(r"[\x00-\x1f\x7f\\]")  # parsers disagree about them
_NAME = re.compile(r"[a-z0-9._-]{1,253}")
_KEPT = "%/:?@!$&'()*+,;=~[]|"  # beside letters, digits and "_.-"; what is escaped stays as it is

# IANA's registries of special-purpose addresses (RFC 6890), multicast, and Azure's metadata.
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # unspecified, "this network"
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host
        "169.254.0.0/16",  # link-local: the metadata of AWS, Google and Azure
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Only this block holds global addresses. Everything else is refused with it: ::, ::1, IPv4-mapped
# (::ffff:0:0/96), IPv4-compatible (::/96), NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local
# (fc00::/7, with the metadata of AWS), link-local (fe80::/10), site-local (fec0::/10), multicast.
_GLOBAL_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an HTTP(S) URL says: where to connect to, and what to ask for there.

    ``host`` is an ASCII name or an address without brackets, ``path`` the escaped path and query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL again, for redirects that are relative to it."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: object) -> Target | None:
    """Return what a URL says; ``None`` where it is not one that may be fetched.

    Only http and https, ports 80 and 443, and no user name or password. Its host is not resolved
    here, so it may still be one of no public address. Other letters than ASCII's are escaped (in
    the path) or written in Punycode (in the host), as browsers do.
    """
    if not isinstance(text, str) or len(text) > MAX_URL_CHARACTERS:
        return None
    if _REFUSED_SIGNS.search(text.strip()):
        return None
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = _host(parts.hostname or "")
        path = quote(parts.path or "/", safe=_KEPT)
        query = quote(parts.query, safe=_KEPT)
    except ValueError:  # UnicodeError is one too
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or not host:
        return None
    port = _PORTS[parts.scheme] if port is None else port
    if port not in _PORTS.values():
        return None
    path += f"?{query}" if query else ""
    return Target(scheme=parts.scheme, host=host, port=port, path=path)


def _host(name: str) -> str:
    """Return a host in ASCII, in lower case; empty where it is neither a name nor an address.

    :raises ValueError: the same, told by a parser.
    """
    if ":" in name:
        address = IPv6Address(name)
        return "" if address.scope_id else str(address)
    if not name.isascii():
        name = name.encode("idna").decode()
    name = name.lower()
    return name if _NAME.fullmatch(name) else ""


def is_public(address: str) -> bool:
    """Tell whether an IPv4 or IPv6 address is one of the public internet.

    An address that holds an IPv4 address (mapped, 6to4, Teredo, NAT64) is not.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in block for block in _NOT_PUBLIC_V4)
    if parsed.scope_id or parsed not in _GLOBAL_V6:
        return False
    return not any(parsed in block for block in _NOT_PUBLIC_V6)
