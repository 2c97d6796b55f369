"""What a Prometheus HTTP API is asked with, and how gently."""

from dataclasses import dataclass, field

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.urls import AllowUrl, require_allowed


@dataclass(frozen=True)
class Credentials:
    """A bearer token, or a user with a password; neither is ever shown.

    Raises:
        TerminalSourceError: When both are given, or a password without a user.
    """

    bearer_token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.bearer_token is not None and (self.username is not None or self.password is not None):
            raise TerminalSourceError("a bearer token and a user were given; give one of them")
        if (self.username is None) != (self.password is None):
            raise TerminalSourceError("user and password go together; give both, or neither")


@dataclass(frozen=True)
class PrometheusConfig:
    """Where the API is and how much is asked of it; the defaults suit one busy Prometheus.

    Attributes:
        url: Of the server, with the path before ``/api/v1`` where there is one. VictoriaMetrics and Mimir answer
            the same API.
        credentials: For the ``Authorization`` header.
        scrape_delay_s: From a sample's timestamp to the moment it can be queried. The API keeps no such moment, so
            every sample is taken to be known this much later.
        max_points: Most points per series in one request; Prometheus refuses ``query_range`` above 11,000.
        max_series: Most series that one request is written for.
        parallel: Most requests at once.
        timeout_s: For one request, from connecting to the last byte; the server is told to stop by then, too.
        attempts: How often a request is tried that fails in a way that may pass.
        backoff_s: Most seconds before the second attempt; doubled for each further one, drawn evenly from 0 up.
        max_backoff_s: Most seconds between attempts, also where the server asks for more (``Retry-After``).
        max_response_bytes: Largest response, decompressed; above it the interval is cut in two.
        breaker_failures: So many failures in a row stop all requests
        breaker_pause_s: for so long; then a single one tries.
        allow: Refuses addresses that must not be called; connections go to those that it returns.

    Raises:
        TerminalSourceError: When a limit is not above 0.
    """

    url: str
    credentials: Credentials = Credentials()
    scrape_delay_s: float = 1.0
    max_points: int = 11_000
    max_series: int = 64
    parallel: int = 4
    timeout_s: float = 30.0
    attempts: int = 3
    backoff_s: float = 0.25
    max_backoff_s: float = 10.0
    max_response_bytes: int = 64 * 1024 * 1024
    breaker_failures: int = 5
    breaker_pause_s: float = 30.0
    allow: AllowUrl = require_allowed

    def __post_init__(self) -> None:
        for name in (
            "max_points", "max_series", "parallel", "timeout_s", "attempts", "max_response_bytes",
            "breaker_failures",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise TerminalSourceError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name in ("scrape_delay_s", "backoff_s", "max_backoff_s", "breaker_pause_s"):
            if not getattr(self, name) >= 0:
                raise TerminalSourceError(f"{name} is {getattr(self, name)}; give a number of at least 0")
