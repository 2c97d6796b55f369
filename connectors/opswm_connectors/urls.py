"""Which addresses a connector may call: what people put into settings must not reach what only this machine can."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from opswm_connectors.errors import TerminalSourceError, TransientSourceError

AllowUrl = Callable[[str], None]
"""Raises ``SourceError`` for an address that must not be called; asked before every request."""

_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)
"""Where clouds answer a machine with its own credentials."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def require_allowed(url: str) -> None:
    """Refuse what is not ``http`` or ``https``, carries credentials, or leads to a link-local or metadata address.

    Every address that the name has now is looked at, so it is to be asked again before each request.

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
    for *_, place in found:
        _require_address(parts.hostname, str(place[0]))


def _require_address(host: str, text: str) -> None:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise TerminalSourceError(
            f"host {host!r} leads to {address}, a link-local, metadata, multicast or unspecified address; "
            "those are never called"
        )
