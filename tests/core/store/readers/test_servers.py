"""What only servers have: expressions, staleness markers, requests in parts, series that come and go."""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.prometheus.config import PrometheusConfig
from opswm_connectors.prometheus.reader import PrometheusReader
from opswm_schemas.descriptor import Channel
from tests.core.store.readers.conftest import SERVERS
from tests.core.store.readers.served import DELAY_S, SYSTEM, after, described
from tests.metrics_servers import MetricsServer, Sent

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The NaN with which Prometheus marks that a series ended."""


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> MetricsServer:
    """Each server."""
    found: MetricsServer = request.getfixturevalue(SERVERS[request.param])
    return found


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes readers at the end."""
    with ExitStack() as stack:
        yield stack


def at_ms(second: float) -> int:
    """Return an instant as servers count."""
    return round(after(second).timestamp() * 1000)


def reader(opened: ExitStack, server: MetricsServer, *queries: str, **limits: Any) -> PrometheusReader:
    """Return a reader of channels ``c0``, ``c1``, ... with these queries."""
    channels = [
        Channel(channel_id=f"c{number}", entity_id="web", meaning="other", unit="1", query=query, step_s=10.0)
        for number, query in enumerate(queries)
    ]
    descriptor = described().model_copy(update={"channels": channels})
    config = PrometheusConfig(server.url, scrape_delay_s=DELAY_S, **limits)
    return opened.enter_context(PrometheusReader(config, lambda system, at: descriptor))


def values(reader: PrometheusReader, since_s: float, until_s: float, **asked: Any) -> list[tuple[float, float]]:
    """Return seconds after noon with values of the first channel."""
    rows = reader.read_metrics(SYSTEM, ["c0"], after(since_s), after(until_s), after(9999), **asked).to_pylist()
    return [((row["event_at"] - after(0)).total_seconds(), row["value"]) for row in rows]


def test_an_expression_is_computed_by_the_server(server: MetricsServer, opened: ExitStack) -> None:
    """Replicas are summed at the channel's own step from 1970, or at the step that is asked for from its beginning."""
    run = server.new_run()
    for pod, size in (("a", 1.0), ("b", 100.0)):
        samples = [(at_ms(second), size * (1 + second // 10)) for second in range(0, 60, 10)]
        server.write([Sent({"__name__": "busy_workers", "run": run, "pod": pod}, samples)])
    found = reader(opened, server, f'sum(busy_workers{{run="{run}"}})')
    assert values(found, 5, 40) == [(10.0, 202.0), (20.0, 303.0), (30.0, 404.0)]
    assert values(found, 5, 60, step_s=20.0) == [(5.0, 101.0), (25.0, 303.0), (45.0, 505.0)]
    alone = reader(opened, server, f'busy_workers{{run="{run}"}}')
    with pytest.raises(TerminalSourceError, match="2 series at the same time"):
        values(alone, 0, 60)


def test_parts_are_the_whole(server: MetricsServer, opened: ExitStack) -> None:
    """However small the parts in which a server is asked, the readings are the same, at every border."""
    run = server.new_run()
    instants = [second / 4 for second in range(400)]
    server.write(
        [
            Sent(
                {"__name__": "steps", "run": run},
                [(at_ms(second), float(place)) for place, second in enumerate(instants)],
            )
        ]
    )
    selector, expression = f'steps{{run="{run}"}}', f'steps{{run="{run}"}} * 2'
    for query in (selector, expression):
        whole = values(reader(opened, server, query), 0, 99.75)
        parts = values(reader(opened, server, query, max_points=2, parallel=3), 0, 99.75)
        assert parts == whole
        assert len(whole) == (399 if query == selector else 10)


def test_a_series_that_ended_leaves_no_reading_at_its_end(server: MetricsServer, opened: ExitStack) -> None:
    """Staleness markers and NaN are left out, and the series that takes over follows."""
    run = server.new_run()
    labels = {"__name__": "replica_load", "run": run}
    first = [(at_ms(0), 1.0), (at_ms(10), float("nan")), (at_ms(20), 3.0), (at_ms(25), STALE)]
    second = [(at_ms(30), 4.0), (at_ms(40), 5.0)]
    server.write([Sent(labels | {"pod": "a"}, first), Sent(labels | {"pod": "b"}, second)])
    found = reader(opened, server, f'replica_load{{run="{run}"}}')
    assert values(found, 0, 60) == [(0.0, 1.0), (20.0, 3.0), (30.0, 4.0), (40.0, 5.0)]


def test_a_server_says_why_it_refuses(server: MetricsServer, opened: ExitStack) -> None:
    """A query that cannot be read is terminal, in the server's own words."""
    with pytest.raises(TerminalSourceError, match=r"status 4\d\d: .*(parse|unparsed|missing|unexpected)"):
        values(reader(opened, server, "sum(("), 0, 60)


def test_labels_of_other_channels_are_told_apart_by_the_server(server: MetricsServer, opened: ExitStack) -> None:
    """Selectors that are asked for together give each channel its own series, whatever their values look like."""
    run = server.new_run()
    paths = ["/a.b", "/axb", "/a|b", "/a+", "(x)", "$y^", "a{2}", "d'e", "f g", "üñ→"]
    server.write(
        [
            Sent({"__name__": "hits", "run": run, "path": path}, [(at_ms(1), float(place))])
            for place, path in enumerate(paths)
        ]
    )
    found = reader(opened, server, *(f'hits{{path="{path}",run="{run}"}}' for path in paths))
    rows = found.read_metrics(SYSTEM, [f"c{place}" for place in range(len(paths))], after(0), after(9), after(99))
    assert {(row["channel_id"], row["value"]) for row in rows.to_pylist()} == {
        (f"c{place}", float(place)) for place in range(len(paths))
    }
