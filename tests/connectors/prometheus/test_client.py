"""How gently a server is asked, and what becomes of every way in which it may fail."""

import gzip
import socket
import threading
from typing import Any

import pytest

from opswm_connectors.errors import SourceError, TerminalSourceError, TransientSourceError
from opswm_connectors.prometheus.breaker import CircuitBreaker
from opswm_connectors.prometheus.client import PrometheusClient, TooMuchError
from opswm_connectors.prometheus.config import Credentials, PrometheusConfig
from tests.connectors.prometheus.fake import FakeApi, Reply, always, found, refused, serving, trickling

ONE = {"metric": {"__name__": "up"}, "values": [[1709640000, "1"]]}


def asked(api: FakeApi, waits: list[float] | None = None, **settings: Any) -> list[dict[str, Any]]:
    """Ask once, with waits noted instead of waited."""
    config = PrometheusConfig(api.url, **{"breaker_failures": 100, "backoff_s": 1.0} | settings)
    with PrometheusClient(config, ([] if waits is None else waits).append, lambda: 0.5) as client:
        return client.samples("up", 1_709_640_000_000, 1_709_640_060_500)


def test_raw_samples_are_asked_for_by_a_range_that_ends_before_the_next_begins() -> None:
    """The interval is in whole milliseconds, its end left out; the server is told when nobody waits any more."""
    with serving(always(found(ONE))) as api:
        assert asked(api, timeout_s=7.0) == [ONE]
    told = {"query": "up[60500ms]", "time": "1709640060.499", "timeout": "7s", "partial_response": "false"}
    assert api.asked == [told | {"endpoint": "query"}]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_failure_that_may_pass_is_tried_again_after_a_growing_random_pause(status: int) -> None:
    """Two failures and an answer are an answer; between them lie pauses that are drawn from ever wider ranges."""
    waits: list[float] = []
    with serving(lambda number, _: refused(status, "busy") if number < 3 else found(ONE)) as api:
        assert asked(api, waits) == [ONE]
    assert waits == [0.5, 1.0]


def test_the_pause_a_server_asks_for_is_kept_up_to_a_limit() -> None:
    """``Retry-After`` in seconds counts where it is longer than what was drawn, and never beyond the limit."""
    waits: list[float] = []
    replies = [refused(429, "slow down", Retry_After="3"), refused(429, "slow down", Retry_After="86400"), found(ONE)]
    with serving(lambda number, _: replies[number - 1]) as api:
        asked(api, waits, max_backoff_s=5.0)
    assert waits == [3.0, 5.0]


def test_after_the_last_attempt_the_failure_is_transient_and_in_the_servers_words() -> None:
    """As many requests as attempts, then an error whose text from outside is short and in one line."""
    with (
        serving(always(refused(503, "away\x1b[31m\n" + "x" * 5000))) as api,
        pytest.raises(TransientSourceError) as told,
    ):
        asked(api, attempts=4)
    assert len(api.asked) == 4
    assert str(told.value).startswith("status 503: away [31m xxx")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (refused(400, "parse error"), "status 400: parse error"),
        (refused(401, "who are you"), "status 401"),
        (refused(403, "no"), "status 403"),
        (refused(404, "nothing here"), "status 404"),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), "redirects are not followed"),
        (Reply(200, b"<html>welcome</html>"), "none of a Prometheus HTTP API"),
        (Reply(200, b"[" * 100_000), "none of a Prometheus HTTP API"),
        (Reply(200, b'{"status":"success"}'), "none of a Prometheus HTTP API"),
        (found(kind="scalar"), "gives a 'scalar', a 'matrix' is needed"),
    ],
    ids=["400", "401", "403", "404", "redirect", "page", "deep", "no data", "scalar"],
)
def test_what_will_fail_again_is_asked_once(reply: Reply, why: str) -> None:
    """A refusal, a redirect and an answer of another kind are terminal, and no second request is sent."""
    with serving(always(reply)) as api, pytest.raises(TerminalSourceError, match=why):
        asked(api)
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b'{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]}}'),
        Reply(200, b'{"status"', says_bytes=100),
        Reply(200, b"not compressed", {"Content-Encoding": "gzip"}),
    ],
    ids=["partial", "lying length", "broken compression"],
)
def test_half_an_answer_is_none(reply: Reply) -> None:
    """A partial, cut or damaged answer is never taken for all there is."""
    with serving(always(reply)) as api, pytest.raises(TransientSourceError):
        asked(api)
    assert len(api.asked) == 3


def test_a_compressed_bomb_is_not_unpacked() -> None:
    """The limit holds for what an answer becomes, not for what is sent."""
    body = gzip.compress(b" " * 10_000_000)
    with serving(always(Reply(200, body, {"Content-Encoding": "gzip"}))) as api, pytest.raises(TooMuchError):
        asked(api, max_response_bytes=1_000_000)


def test_a_server_that_hangs_is_given_up() -> None:
    """No answer within the time is a failure that may pass; the client does not wait for the server to end it."""
    never = threading.Event()
    with serving(always(Reply(200, b"late", wait=lambda: never.wait(30)))) as api:
        try:
            with pytest.raises(TransientSourceError, match="ReadTimeout"):
                asked(api, timeout_s=0.5, attempts=1)
        finally:
            never.set()
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "]
)
def test_a_server_that_trickles_is_given_up(first: bytes) -> None:
    """A byte every 50 ms, in the headers or in the body, does not begin the time anew; nobody waits for the last."""
    with trickling(first, most=200) as (url, sent):
        config = PrometheusConfig(url, timeout_s=0.5, attempts=1)
        with PrometheusClient(config) as client, pytest.raises(TransientSourceError, match=r"Timeout|longer than 0\.5"):
            client.samples("up", 0, 1000)
        assert len(sent) < 200


def test_connections_go_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once for a request and may be led anywhere after that; the server is told it all the same."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **named: Any) -> Any:
        if host != "prometheus.internal":
            return real(host, *arguments, **named)
        looked_up.append(host)
        return real("127.0.0.1" if len(looked_up) <= 2 else "127.0.0.2", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with serving(always(found(ONE))) as api:
        port = api.url.rpartition(":")[2]
        with PrometheusClient(PrometheusConfig(f"http://prometheus.internal:{port}")) as client:
            assert client.samples("up", 0, 1000) == [ONE]
        assert api.hosts == [f"prometheus.internal:{port}"]
    assert len(looked_up) == 2


def test_every_address_of_a_name_is_tried() -> None:
    """Where nobody listens at the first, the next may answer; without any, nothing is called."""
    with serving(always(found(ONE))) as api:
        config = PrometheusConfig(api.url, allow=lambda url: ["127.0.0.77", "127.0.0.1"])
        with PrometheusClient(config) as client:
            assert client.samples("up", 0, 1000) == [ONE]
        config = PrometheusConfig(api.url, allow=lambda url: [], attempts=1)
        with PrometheusClient(config) as client, pytest.raises(TransientSourceError, match="no address"):
            client.samples("up", 0, 1000)
    assert len(api.asked) == 1


def test_nobody_at_the_address_is_a_failure_that_may_pass() -> None:
    """A refused connection is transient."""
    with serving(always(found())) as api:
        pass
    with pytest.raises(TransientSourceError, match="ConnectError"):
        asked(api)


def test_a_server_in_trouble_is_left_alone() -> None:
    """After failures in a row, no request is sent at all until the pause is over."""
    with serving(always(refused(503, "overloaded"))) as api:
        config = PrometheusConfig(api.url, breaker_failures=4, breaker_pause_s=60.0)
        with PrometheusClient(config, lambda seconds: None) as client:
            for _ in range(5):
                with pytest.raises(TransientSourceError):
                    client.samples("up", 0, 1000)
    assert len(api.asked) == 4


def test_an_open_breaker_lets_one_try_after_its_pause() -> None:
    """One request decides: where it fails the pause begins anew, where it succeeds everybody may ask."""
    now_s = [0.0]
    breaker = CircuitBreaker(2, 10.0, lambda: now_s[0])
    for _ in range(2):
        breaker.enter()
        breaker.failed()
    with pytest.raises(TransientSourceError, match=r"failed 2 times in a row and is left alone for 10\.0 s"):
        breaker.enter()
    now_s[0] = 10.0
    breaker.enter()
    with pytest.raises(TransientSourceError, match="left alone"):
        breaker.enter()
    breaker.failed()
    with pytest.raises(TransientSourceError, match=r"10\.0 s"):
        breaker.enter()
    now_s[0] = 20.0
    breaker.enter()
    breaker.succeeded()
    for _ in range(3):
        breaker.enter()


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials(bearer_token="s3cret"), "Bearer s3cret"),
        (Credentials(username="ana", password="s3cret"), "Basic YW5hOnMzY3JldA=="),
        (Credentials(), None),
    ],
    ids=["token", "password", "none"],
)
def test_credentials_are_sent_and_never_shown(credentials: Credentials, header: str | None) -> None:
    """They are in the header, and neither in what settings look like nor in any error."""
    with serving(always(refused(401, "no"))) as api:
        with pytest.raises(SourceError) as told:
            asked(api, credentials=credentials)
        assert api.authorizations == [header]
    shown = f"{told.value!r} {told.value.__cause__!r} {PrometheusConfig(api.url, credentials=credentials)!r}"
    assert "s3cret" not in shown
    assert "YW5h" not in shown


def test_settings_that_make_no_sense_are_refused() -> None:
    """Two kinds of credentials, half of one, and limits of nothing are told at once."""
    with pytest.raises(TerminalSourceError, match="give one of them"):
        Credentials(bearer_token="a", username="b", password="c")
    with pytest.raises(TerminalSourceError, match="go together"):
        Credentials(username="b")
    with pytest.raises(TerminalSourceError, match="max_points is 0"):
        PrometheusConfig("http://127.0.0.1:9", max_points=0)
    with pytest.raises(TerminalSourceError, match="backoff_s is -1"):
        PrometheusConfig("http://127.0.0.1:9", backoff_s=-1.0)


def test_an_address_that_must_not_be_called_is_refused_at_once_and_before_every_request() -> None:
    """Where a name leads may change after the client was made; one that leads nowhere yet may be made a client for."""
    answers: list[SourceError | None] = [None, None, TerminalSourceError("leads elsewhere now")]

    def allow(url: str) -> list[str]:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return ["127.0.0.1"]

    with serving(always(found(ONE))) as api:
        with PrometheusClient(PrometheusConfig(api.url, allow=allow)) as client:
            client.samples("up", 0, 1000)
            with pytest.raises(TerminalSourceError, match="leads elsewhere"):
                client.samples("up", 0, 1000)
        assert len(api.asked) == 1
    with pytest.raises(TerminalSourceError, match="never called"):
        PrometheusClient(PrometheusConfig("http://169.254.169.254"))
    PrometheusClient(PrometheusConfig("http://nobody.invalid:9090")).close()
