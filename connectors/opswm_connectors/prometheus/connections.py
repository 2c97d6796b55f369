"""Connections to the addresses that were checked and to no others, on which nobody waits beyond the end of a request.

A name is resolved once, when it is checked: who looks it up again to connect may be led elsewhere. The name itself
stays what TLS and the ``Host`` header are about.

httpx2 has no setting for where connections come from, so what it opens them with is wrapped inside its pool.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpx2


class CheckedTransport(httpx2.HTTPTransport):
    """Sends requests over connections that are bounded by :meth:`asking`.

    Args:
        parallel: Most connections.
    """

    def __init__(self, parallel: int) -> None:
        limits = httpx2.Limits(max_connections=parallel, max_keepalive_connections=parallel)
        super().__init__(limits=limits, trust_env=False)
        self._asking = _Asking()
        pool: Any = self._pool
        pool._network_backend = _Backend(pool._network_backend, self._asking)

    @contextmanager
    def asking(self, addresses: Sequence[str], until_s: float) -> Iterator[None]:
        """Send this thread's requests of a block to some addresses, and wait for nothing longer than until then.

        Args:
            addresses: Those of the host, checked; tried in turn.
            until_s: When everything must have happened, by the monotonic clock.
        """
        self._asking.addresses, self._asking.until_s = tuple(addresses), until_s
        try:
            yield
        finally:
            self._asking.addresses, self._asking.until_s = (), 0.0


class _Asking(threading.local):
    """What the request that this thread has under way may do."""

    addresses: tuple[str, ...] = ()
    until_s: float = 0.0

    def left_s(self, timeout: float | None) -> float:
        """Return how long a single wait may take; not above 0 where there is no time left."""
        left = self.until_s - monotonic()
        return left if timeout is None else min(timeout, left)


class _Backend:
    """Opens connections as httpx2's own does, to the addresses that were checked."""

    def __init__(self, sockets: Any, asking: _Asking) -> None:
        self._sockets = sockets
        self._asking = asking

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> "_Stream":
        failed: Exception = httpx2.ConnectError(f"no address of {host} was checked")
        for address in self._asking.addresses:
            left_s = self._asking.left_s(timeout)
            if left_s <= 0:
                raise httpx2.ConnectTimeout("timed out")
            try:
                stream = self._sockets.connect_tcp(host=address, port=port, timeout=left_s, **options)
            except Exception as problem:  # the next address may do
                failed = problem
            else:
                return _Stream(stream, self._asking)
        raise failed


class _Stream:
    """Bounds every wait of a connection by the request that waits."""

    def __init__(self, stream: Any, asking: _Asking) -> None:
        self._stream = stream
        self._asking = asking

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left_s = self._asking.left_s(timeout)
        if left_s <= 0:
            raise httpx2.ReadTimeout("timed out")
        found: bytes = self._stream.read(max_bytes, left_s)
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left_s = self._asking.left_s(timeout)
        if left_s <= 0:
            raise httpx2.WriteTimeout("timed out")
        self._stream.write(buffer, left_s)

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: SSLContext, server_hostname: str, timeout: float | None = None) -> "_Stream":
        left_s = self._asking.left_s(timeout)
        if left_s <= 0:
            raise httpx2.ConnectTimeout("timed out")
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._asking)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
