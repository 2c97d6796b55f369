"""Asks a Prometheus HTTP API: bounded in time, size and number, tried again only where that can help."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Final, Self

import httpx2

from opswm_connectors.errors import SourceError, TerminalSourceError, TransientSourceError
from opswm_connectors.prometheus.breaker import CircuitBreaker
from opswm_connectors.prometheus.config import Credentials, PrometheusConfig
from opswm_connectors.prometheus.connections import CheckedTransport

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_SHOWN: Final = 300
_TOO_MUCH: Final = ("too many samples", "maximum resolution", "too many points", "the number of matching timeseries")
"""What servers say of a request that a shorter interval would satisfy."""

_CHANCE: Final = random.SystemRandom().random
"""Not the random numbers of the process, whose order belongs to whoever seeded them."""


class TooMuchError(SourceError):
    """The answer is larger than one request may bring; a shorter interval may do."""


class PrometheusClient:
    """Sends queries; several threads may use one at the same time.

    Redirects are not followed, proxies of the environment are not used, and nothing of the credentials is in any
    message.

    Args:
        config: Where to and how gently.
        wait: Sleeps some seconds.
        chance: Draws from [0, 1).

    Raises:
        TerminalSourceError: When the address must not be called.
    """

    def __init__(
        self,
        config: PrometheusConfig,
        wait: Callable[[float], None] = sleep,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        with suppress(TransientSourceError):  # a name that cannot be resolved now may be later
            config.allow(config.url)
        self._config = config
        self._wait = wait
        self._chance = chance
        self._breaker = CircuitBreaker(config.breaker_failures, config.breaker_pause_s)
        self._transport = CheckedTransport(config.parallel)
        self._http = httpx2.Client(
            transport=self._transport,
            headers={"Accept-Encoding": "gzip", "Accept": "application/json"} | _authorization(config.credentials),
            auth=_basic(config.credentials),
            timeout=httpx2.Timeout(config.timeout_s),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def samples(self, selector: str, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
        """Return the series that a selector finds, with their samples in ``since_ms <= at < until_ms``.

        A server of version 2 may add samples at ``since_ms - 1``: range selectors were closed below then.

        Raises:
            SourceError: As :meth:`ask` does.
        """
        expression = f"{selector}[{until_ms - since_ms}ms]"
        return self.ask("query", {"query": expression, "time": _seconds(until_ms - 1)}, "matrix")

    def evaluated(self, expression: str, first_ms: int, last_ms: int, step_ms: int) -> list[dict[str, Any]]:
        """Return the series of an expression at ``first_ms``, ``first_ms + step_ms``, ... up to ``last_ms``.

        Raises:
            SourceError: As :meth:`ask` does.
        """
        asked = {"query": expression, "start": _seconds(first_ms), "end": _seconds(last_ms), "step": _seconds(step_ms)}
        return self.ask("query_range", asked | {"nocache": "1"}, "matrix")

    def ask(self, endpoint: str, asked: Mapping[str, str], kind: str) -> list[dict[str, Any]]:
        """Return the result of a query.

        Args:
            endpoint: ``query`` or ``query_range``.
            asked: Its parameters.
            kind: The ``resultType`` that is expected.

        Raises:
            TransientSourceError: When the server is busy, away, too slow, answers in part, or is left alone.
            TerminalSourceError: When it refuses, or answers something else.
            TooMuchError: When the answer is larger than one request may bring.
        """
        fields = dict(asked) | {"timeout": f"{self._config.timeout_s:g}s", "partial_response": "false"}
        for attempt in range(1, self._config.attempts + 1):
            addresses = self._config.allow(self._config.url)
            self._breaker.enter()
            try:
                found = self._once(addresses, endpoint, fields, kind)
            except _BusyError as problem:
                self._breaker.failed()
                if attempt == self._config.attempts:
                    raise TransientSourceError(f"{problem} ({attempt} attempts)") from problem
                self._wait(self._pause_s(attempt, problem.retry_after_s))
            except SourceError:
                self._breaker.succeeded()  # it answered
                raise
            except BaseException:
                self._breaker.failed()
                raise
            else:
                self._breaker.succeeded()
                return found
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self, addresses: Sequence[str], endpoint: str, fields: Mapping[str, str], kind: str
    ) -> list[dict[str, Any]]:
        url = f"{self._config.url.rstrip('/')}/api/v1/{endpoint}"
        until_s = monotonic() + self._config.timeout_s
        try:
            with (
                self._transport.asking(addresses, until_s),
                self._http.stream("POST", url, data=dict(fields)) as response,
            ):
                content = self._content(response, until_s)
                return _result(response, content, kind)
        except (httpx2.HTTPError, httpx2.StreamError) as problem:
            raise _BusyError(f"{type(problem).__name__} while asking {endpoint}: {problem}") from problem
        except (httpx2.InvalidURL, httpx2.CookieConflict) as problem:
            raise TerminalSourceError(f"{self._config.url} cannot be asked: {problem}") from problem

    def _content(self, response: httpx2.Response, until_s: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():  # as they come: a size would be waited for
            size += len(part)
            if size > self._config.max_response_bytes:
                raise TooMuchError(f"the response is larger than {self._config.max_response_bytes} bytes")
            if monotonic() > until_s:
                raise _BusyError(f"the response took longer than {self._config.timeout_s:g} s")
            parts.append(part)
        return b"".join(parts)

    def _pause_s(self, attempt: int, retry_after_s: float) -> float:
        drawn_s = self._chance() * self._config.backoff_s * 2.0 ** (attempt - 1)
        return min(max(drawn_s, retry_after_s), self._config.max_backoff_s)


class _BusyError(Exception):
    """A failure that may pass."""

    def __init__(self, what: str, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


def _result(response: httpx2.Response, content: bytes, kind: str) -> list[dict[str, Any]]:
    status = response.status_code
    body: Any = None
    with suppress(ValueError, RecursionError):
        body = json.loads(content)
    said = _said(body, content)
    if status in _BUSY:
        raise _BusyError(f"status {status}: {said}", _retry_after_s(response.headers.get("Retry-After", "")))
    if response.is_redirect:
        raise TerminalSourceError(f"status {status}: redirects are not followed; name the address it leads to")
    if status != 200:
        if any(phrase in said for phrase in _TOO_MUCH):
            raise TooMuchError(f"status {status}: {said}")
        raise TerminalSourceError(f"status {status}: {said}; check the URL, the credentials and the channel's query")
    if not isinstance(body, dict) or body.get("status") != "success" or not isinstance(body.get("data"), dict):
        raise TerminalSourceError("the response is none of a Prometheus HTTP API; check the URL")
    if body.get("isPartial"):
        raise _BusyError("the response is partial: a part of the storage is away")
    found = body["data"]
    if found.get("resultType") != kind or not isinstance(found.get("result"), list):
        given = str(found.get("resultType"))[:_SHOWN]
        raise TerminalSourceError(f"the query gives a {given!r}, a {kind!r} is needed; check the channel's query")
    return list(found["result"])


def _said(body: Any, content: bytes) -> str:
    """Return the server's own words, which anybody may have written, short and in one line."""
    error = body.get("error") if isinstance(body, dict) else None
    text = error if isinstance(error, str) else content[:_SHOWN].decode("utf-8", "replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:_SHOWN]).split())


def _retry_after_s(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _authorization(credentials: Credentials) -> dict[str, str]:
    token = credentials.bearer_token
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _basic(credentials: Credentials) -> httpx2.BasicAuth | None:
    if credentials.username is None or credentials.password is None:
        return None
    return httpx2.BasicAuth(credentials.username, credentials.password)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
