"""Which addresses a connector may call: this machine and private networks too, but nothing that hands out credentials.

A Prometheus is usually on one of these. What people put into settings must not reach the metadata services of clouds,
nor anything link-local, in whatever notation and by whatever name.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

from opswm_connectors.errors import TerminalSourceError, TransientSourceError

AllowUrl = Callable[[str], Sequence[str]]
"""Returns the addresses to connect to, and raises ``SourceError`` where one must not be called; asked before every
request."""

_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Where clouds answer a machine with its own credentials."""

_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
"""Networks whose last 32 bits are an IPv4 address: NAT64, NAT64 of a network's own, and IPv4-compatible addresses."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def require_allowed(url: str) -> Sequence[str]:
    """Refuse what is not ``http`` or ``https``, carries credentials, or leads to a link-local or metadata address.

    Every address that the name has now is looked at. The name may lead elsewhere a moment later, so that a request must
    go to one of the addresses that are returned, and not look the name up again.

    Returns:
        The addresses, each once.

    Raises:
        TerminalSourceError: When the address must not be called.
        TransientSourceError: When its name cannot be resolved.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise TerminalSourceError(f"the URL is malformed ({problem}); write http://HOST:PORT") from problem
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise TerminalSourceError(
            f"scheme {parts.scheme!r} with host {parts.hostname!r}: write http:// or https:// URLs"
        )
    if parts.username is not None or parts.password is not None:
        raise TerminalSourceError(
            "the URL carries credentials, which end up in logs; give them by settings of their own"
        )
    try:
        found = socket.getaddrinfo(parts.hostname, port or _DEFAULT_PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise TransientSourceError(f"host {parts.hostname!r} cannot be resolved: {problem}") from problem
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    for address in addresses:
        _require_address(parts.hostname, address)
    return addresses


def _require_address(host: str, text: str) -> None:
    for address in _meant(ipaddress.ip_address(text.partition("%")[0])):
        if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
            raise TerminalSourceError(
                f"host {host!r} leads to {address}, a link-local, metadata, multicast or unspecified address; "
                "those are never called"
            )


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield an address, and the IPv4 addresses that what is sent to it may be handed on to."""
    yield address
    if not isinstance(address, IPv6Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if int(address) > 1 and any(address in network for network in _EMBEDDING):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
