"""Addresses: what a token URL or API URL may look like, and which hosts a list allows.

RFC 3986 syntax, narrowed: https everywhere, http only to this machine's loopback; no userinfo
(RFC 3986 §3.2.1 warns of it, and HTTP libraries would turn it into credentials of their own), no
fragment (RFC 6749 §3.1, §3.2), hosts in one canonical spelling, so that comparing is safe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\Z")
_NUMERIC_LABEL = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
# Cloud metadata services that lie outside the link-local ranges.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
# IPv4-mapped, IPv4-translated, and the two prefixes of NAT64: the last four bytes are an IPv4 address.
_STANDS_FOR_IPV4 = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_NEVER_SERVERS: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    ipaddress.IPv4Network("0.0.0.0/8"),
    ipaddress.IPv4Network("240.0.0.0/4"),
    ipaddress.IPv6Network("2001::/32"),  # Teredo
    ipaddress.IPv6Network("2002::/16"),  # 6to4
    ipaddress.IPv6Network("fec0::/10"),  # site-local, before RFC 3879
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible, and unspecified; loopback is asked for before
)


class UrlError(ValueError):
    """The text is no acceptable address; the message never repeats it."""


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port: what a token is bound to (RFC 6454 §4)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``, as it stands in a URL."""
        return self._host if self.port == _DEFAULT_PORTS[self.scheme] else self.host_and_port

    @property
    def host_and_port(self) -> str:
        """``host:port``, whichever the port is."""
        return f"{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True)
class Url:
    """A checked, normalised absolute URL."""

    origin: Origin
    path: str
    query: str = ""

    def __str__(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")


def with_scheme(text: str, scheme: str = "https") -> str:
    """Return an address that may lack its scheme with one."""
    return text if _SCHEME.match(text) else f"{scheme}://{text}"


@lru_cache(512)
def parse_url(text: str, *, query_allowed: bool = True) -> Url:
    """Check and normalise an absolute URL.

    :param text: with its scheme; hosts may be internationalised.
    :param query_allowed: false where a query could not survive (a base URL).
    :raises UrlError: saying what is wrong, never repeating the text.
    """
    check_characters(text)
    parts, port = _split(text)
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UrlError("must be an https:// URL with a host")
    if "@" in parts.netloc:
        raise UrlError(
            f"must not contain a user name or password before the host {_host_text(parts.hostname)}: "
            "they have fields of their own"
        )
    if parts.fragment or text.endswith("#"):
        raise UrlError("must not contain a fragment (#…) (RFC 6749 §3.2)")
    if parts.query and not query_allowed:
        raise UrlError("must not contain a query (?…)")
    if port == 0:
        raise UrlError("has port 0: a port is 1 to 65535")
    if "[" in parts.netloc and ":" not in parts.hostname:
        raise UrlError("has brackets around what is no IPv6 address")
    host = canonical_host(parts.hostname)
    if host in _DEFAULT_PORTS:
        # What is left of https:/idp.example or https//idp.example when a scheme is put before it.
        raise UrlError(f"has the host {host}: write {host}:// with a colon and two slashes before the host")
    if scheme == "http" and not is_loopback(host):
        raise UrlError(f"must be https (host {host}): plain http is accepted to loopback addresses only")
    return Url(Origin(scheme, host, port or _DEFAULT_PORTS[scheme]), parts.path or "/", parts.query)


def _split(text: str) -> tuple[SplitResult, int | None]:
    """Take an address apart; the standard library's own error would repeat it."""
    with suppress(ValueError):
        parts = urlsplit(text)
        return parts, parts.port
    raise UrlError("is not a valid URL: check host and port (1 to 65535)")


def is_absolute_uri(text: str) -> bool:
    """Whether *text* is a URI of any scheme without a fragment (RFC 3986 §4.3)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and "#" not in text


def check_characters(text: str) -> None:
    """Refuse characters that HTTP libraries read differently from one another.

    :raises UrlError: for spaces, control characters and backslashes.
    """
    if _FORBIDDEN.search(text):
        raise UrlError("contains a space, a backslash or a control character")


def canonical_host(host: str) -> str:
    """Lower-case, A-labels, no trailing dot, IP literals in their one canonical form.

    :raises UrlError: for hosts that different programs could take for different machines.
    """
    if ":" in host:
        return _canonical_ipv6(host)
    host = host.lower()
    if not host.isascii():
        host = _ascii(host)
    host = host.removesuffix(".")
    if not _HOST.match(host):
        raise UrlError("has no valid host name")
    if _NUMERIC_LABEL.match(host.rsplit(".", 1)[-1]) and _address(host) is None:
        raise UrlError("has an IPv4 address that is not in the form 192.0.2.1")
    return host


def _ascii(host: str) -> str:
    import idna

    with suppress(idna.IDNAError):
        return idna.encode(host, uts46=True).decode("ascii")
    raise UrlError("has a host that is no valid internationalised name")


def _canonical_ipv6(host: str) -> str:
    if "%" in host:
        raise UrlError("has an IPv6 address with a zone: link-local addresses are not accepted")
    ip = _address(host)
    if ip is None:
        raise UrlError("has an invalid IPv6 address")
    return str(ip)


def is_loopback(host: str) -> bool:
    """Whether a canonical host names this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    ip = _address(host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip is not None and ip.is_loopback


def is_forbidden_address(address: str) -> bool:
    """Whether no token server or API can be at an IP address.

    So are link-local addresses, metadata services of clouds, what is unspecified, reserved or
    multicast, and any of them as an IPv6 address that stands for it (RFC 4291 §2.5.5, RFC 6052,
    RFC 8215). What tunnels IPv6 through IPv4 (6to4, Teredo) would reach any address there is.
    """
    ip = _address(address.split("%", 1)[0])
    if ip is None or is_loopback(address):
        return False
    meant = _as_ipv4(ip)
    if any(meant in network for network in _NEVER_SERVERS if network.version == meant.version):
        return True
    if any(one.is_link_local or one in _METADATA for one in (meant, *_translations(ip))):
        return True
    return meant.is_multicast or meant.is_loopback


def _translations(ip: _Ip) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that a local NAT64 may read in an address, by the length of its prefix.

    RFC 6052 §2.2: one of 48, 56 or 64 bits is followed by the address, with a byte of zero within it.
    """
    if not isinstance(ip, ipaddress.IPv6Address) or ip not in _LOCAL_NAT64:
        return []
    data = ip.packed
    return [ipaddress.IPv4Address((data[at:8] + data[9:])[:4]) for at in (6, 7, 8)]


@lru_cache(512)
def acceptable(host: str, address: str, *, any_address: bool = False) -> bool:
    """Whether a connection to *host* may go to an address that its name resolves to.

    :param host: by which it is called. A name of this machine itself (RFC 6761 §6.3) is good for
        plain http, so it must resolve to loopback.
    :param any_address: the host is allow-listed, so that otherwise forbidden addresses are meant.
    """
    if is_loopback(host.lower().removesuffix(".")):
        return is_loopback(address)
    return any_address or not is_forbidden_address(address)


def _address(text: str) -> _Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _as_ipv4(ip: _Ip) -> _Ip:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(ip, ipaddress.IPv6Address) and any(ip in network for network in _STANDS_FOR_IPV4):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def host_allowed(origin: Origin, patterns: Sequence[str]) -> bool:
    """Whether one of *patterns* names the origin's host.

    A pattern is a host, ``*.`` and a domain (any number of labels below it, not the domain
    itself), either with ``:port``. Without a port every port of the host is meant.
    """
    return any(_matches(origin, pattern) for pattern in patterns)


def _matches(origin: Origin, pattern: str) -> bool:
    host, port = split_pattern(pattern)
    if port is not None and port != origin.port:
        return False
    if host.startswith("*."):
        return origin.host.endswith(host[1:]) and len(origin.host) > len(host) - 1
    return origin.host == host


def split_pattern(pattern: str) -> tuple[str, int | None]:
    """Split an allow-list entry into canonical host and port.

    :raises UrlError: when it is not ``[*.]host[:port]``.
    """
    match = re.fullmatch(r"(\*\.)?(\[[^\]]+\]|[^:/\s]+)(?::([0-9]{1,5}))?", pattern.strip())
    if not match:
        raise UrlError("must list hosts like idp.example, *.example or idp.example:8443")
    wildcard, host, port = match.groups()
    if port is not None and not 1 <= int(port) <= 65535:
        raise UrlError("has a port that is none: a port is 1 to 65535")
    return (wildcard or "") + canonical_host(host.strip("[]")), int(port) if port else None


def _host_text(host: str) -> str:
    try:
        return canonical_host(host)
    except UrlError:
        return "?"
