"""What the reader makes of what a server says, and what it asks for in the first place."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opswm_connectors.errors import SourceError, TerminalSourceError, TransientSourceError
from opswm_connectors.prometheus.config import PrometheusConfig
from opswm_connectors.prometheus.reader import PrometheusReader
from opswm_schemas.descriptor import Channel, Entity, SystemDescriptor
from opswm_schemas.ports import SystemKey
from tests.connectors.prometheus.fake import FakeApi, Reply, always, found, refused, serving

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
NOON_S = 1_709_640_000
SYSTEM = SystemKey("default", "shop")


def after(seconds: float) -> datetime:
    """Return the instant this long after noon."""
    return NOON + timedelta(seconds=seconds)


def gauge(channel_id: str, query: str, **told: Any) -> Channel:
    """Return a channel of numbers."""
    return Channel(channel_id=channel_id, entity_id="web", meaning="other", unit="1", query=query, **told)


def latency(query: str = "latency_bucket") -> Channel:
    """Return a channel of histograms."""
    return gauge("p99", query, instrument="histogram", quantile=0.99)


def reader(api: FakeApi, *channels: Channel, **settings: Any) -> PrometheusReader:
    """Return a reader of some channels."""
    entities = [Entity(entity_id="web", kind="service")]
    described = SystemDescriptor(system_id="shop", entities=entities, channels=list(channels), step_s=5.0)
    config = PrometheusConfig(api.url, **{"backoff_s": 0.0, "scrape_delay_s": 0.0} | settings)
    return PrometheusReader(config, lambda system, at: described)


def read(
    api: FakeApi, *channels: Channel, until_s: float = 60.0, step_s: float | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Return what is read of all channels in the minute after noon."""
    with reader(api, *channels, **settings) as opened:
        names = [channel.channel_id for channel in channels]
        rows: list[dict[str, Any]] = opened.read_metrics(
            SYSTEM, names, NOON, after(until_s), after(1e6), step_s
        ).to_pylist()
        return rows


def series(labels: dict[str, str], *values: tuple[float, str]) -> dict[str, Any]:
    """Return a series with samples at seconds after noon."""
    return {"metric": labels, "values": [[NOON_S + second, value] for second, value in values]}


def test_what_was_not_measured_is_left_out() -> None:
    """NaN, which also marks the end of a series, and infinities are no readings; order and repeats are put right."""
    samples = series({}, (2, "2"), (1, "1"), (1, "1"), (3, "NaN"), (4, "+Inf"), (5, "-Inf"), (6, "6e-3"))
    with serving(always(found(samples))) as api:
        assert [(row["event_at"], row["value"]) for row in read(api, gauge("a", "up"))] == [
            (after(1), 1.0),
            (after(2), 2.0),
            (after(6), 0.006),
        ]


def test_samples_outside_the_interval_are_left_out_whatever_the_server_sends() -> None:
    """Range selectors of Prometheus 2 are closed below; nothing at or after the end is taken either."""
    samples = series({}, (-0.001, "9"), (0, "0"), (59.999, "1"), (60, "9"))
    with serving(always(found(samples))) as api:
        assert [row["value"] for row in read(api, gauge("a", "up"))] == [0.0, 1.0]


def test_a_long_interval_is_asked_for_in_parts_within_the_limit() -> None:
    """Parts follow each other without gap or overlap, and none expects more points than a server gives at once."""
    day_s = 86_400.0
    with serving(always(found())) as api:
        read(api, gauge("raw", "up"), gauge("computed", "sum(up)"), until_s=day_s, max_points=1000)
    raw = sorted((asked["time"], asked["query"]) for asked in api.asked if asked["endpoint"] == "query")
    assert len(raw) == 18
    assert raw[0] == (f"{NOON_S + 4999}.999", "up[5000000ms]")
    assert raw[-1] == (f"{NOON_S + 86399}.999", "up[1400000ms]")
    computed = sorted(
        (float(asked["start"]), float(asked["end"])) for asked in api.asked if asked["endpoint"] == "query_range"
    )
    instants = [
        start + step for start, end in computed for step in range(0, 5000, 5) if start + step <= end
    ]  # those the server computes
    assert instants == [NOON_S + step for step in range(0, 86_400, 5)]
    assert max((end - start) / 5.0 + 1 for start, end in computed) <= 1000


def test_an_expression_is_evaluated_at_the_step_that_is_asked_for_else_at_its_own() -> None:
    """Steps count from the beginning of the question; without one, from 1970, so that neighbours fit together."""
    channel = gauge("a", "sum(rate(requests_total[1m]))", step_s=15.0)
    with serving(always(found())) as api, reader(api, channel) as opened:
        opened.read_metrics(SYSTEM, ["a"], after(7), after(60), after(99))
        opened.read_metrics(SYSTEM, ["a"], after(7), after(60), after(99), 20.0)
    told = [(asked["start"], asked["end"], asked["step"], asked["nocache"]) for asked in api.asked]
    assert told == [
        (f"{NOON_S + 15}.000", f"{NOON_S + 59}.999", "15.000", "1"),
        (f"{NOON_S + 7}.000", f"{NOON_S + 59}.999", "20.000", "1"),
    ]


def test_an_answer_that_is_too_large_is_asked_for_in_halves() -> None:
    """Whether the server says so or the limit of bytes is reached, the parts are the whole."""
    big = [series({}, *((second, "1") for second in range(60)))]  # whatever is asked for, more than that is sent

    def answer(number: int, asked: dict[str, str]) -> Reply:
        size_ms = int(asked["query"].partition("[")[2].removesuffix("ms]"))
        if size_ms > 30_000:
            return refused(422, "query processing would load too many samples into memory in query execution")
        return found(*big)

    with serving(answer) as api:
        assert len(read(api, gauge("a", "up"))) == 60
    assert len(api.asked) == 3
    with serving(always(found(*big))) as api, pytest.raises(TerminalSourceError, match="select fewer"):
        read(api, gauge("a", "up"), until_s=0.004, max_response_bytes=100)


def test_a_query_that_finds_several_series_at_once_is_refused_with_what_to_do() -> None:
    """Nobody can tell which is the channel's; series that follow each other are one, as when a replica is replaced."""
    first, second = series({"pod": "a"}, (1, "1"), (2, "2")), series({"pod": "b"}, (3, "10"), (4, "11"))
    with serving(always(found(second, first))) as api:
        assert [row["value"] for row in read(api, gauge("a", "up"))] == [1.0, 2.0, 10.0, 11.0]
    rival = series({"pod": "c"}, (2, "5"))
    with (
        serving(always(found(first, rival))) as api,
        pytest.raises(TerminalSourceError, match=r"channel 'a': its query finds 2 series at the same time.*sum"),
    ):
        read(api, gauge("a", "up"))


def bucket(bound: str, *values: tuple[float, str], pod: str = "a") -> dict[str, Any]:
    """Return a bucket's series."""
    return series({"le": bound, "pod": pod}, *values)


def test_buckets_become_cumulative_histograms_where_the_infinite_one_is_there() -> None:
    """Bounds are numbers whatever their text, counts never fall, and an instant without ``+Inf`` is no reading."""
    buckets = [
        bucket("+Inf", (1, "9"), (2, "9")),
        bucket("5e-1", (1, "3"), (2, "4"), (3, "5")),
        bucket("2", (1, "2.5"), (2, "7"), (3, "8")),
        bucket("10.0", (1, "8"), (3, "9")),
    ]
    with serving(always(found(*buckets))) as api:
        rows = read(api, latency())
    assert [(row["upper_bounds"], row["counts"]) for row in rows] == [
        ([0.5, 2.0, 10.0], [3.0, 3.0, 8.0, 9.0]),
        ([0.5, 2.0], [4.0, 7.0, 9.0]),
    ]


def test_histograms_of_several_replicas_are_refused_unless_one_follows_the_other() -> None:
    """As for numbers."""
    one = [bucket("1", (1, "1")), bucket("+Inf", (1, "2"))]
    later = [bucket("1", (2, "1"), pod="b"), bucket("+Inf", (2, "2"), pod="b")]
    with serving(always(found(*one, *later))) as api:
        assert len(read(api, latency())) == 2
    rival = [bucket("1", (1, "1"), pod="b"), bucket("+Inf", (1, "2"), pod="b")]
    with (
        serving(always(found(*one, *rival))) as api,
        pytest.raises(TerminalSourceError, match="2 series"),
    ):
        read(api, latency())


def native(*buckets: tuple[int, str, str, str], second: float = 1.0) -> dict[str, Any]:
    """Return a series of one native histogram."""
    told = {"count": "9", "sum": "1.5", "buckets": [list(one) for one in buckets]}
    return {"metric": {}, "histograms": [[NOON_S + second, told]]}


def test_native_histograms_keep_their_resolution_and_empty_buckets_between() -> None:
    """At scale 1 a bucket is a factor of the square root of two; bucket 0 holds what is above 1."""
    root = 2.0**0.5
    entry = native((3, "-1e-128", "1e-128", "4"), (0, "1", repr(root), "2"), (0, "2", repr(2 * root), "3"))
    with serving(always(found(entry))) as api:
        row = read(api, latency())[0]
    told = {name: row[name] for name in ("histogram_scale", "histogram_offset", "zero_count", "counts", "value")}
    assert told == {
        "histogram_scale": 1,
        "histogram_offset": 0,
        "zero_count": 4.0,
        "counts": [2.0, 0.0, 3.0],
        "value": None,
    }


def test_a_native_histogram_of_zeros_keeps_the_resolution_of_the_one_before() -> None:
    """Otherwise it would look like a restart; negative observations, which no column can hold, are left out."""
    before = native((0, "1", "1.189207115002721", "3"), second=1)
    zeros = native((3, "-1e-128", "1e-128", "4"), second=2)
    negative = native((1, "-2", "-1", "4"), (0, "1", "2", "1"), second=3)
    entry = before | {"histograms": [each["histograms"][0] for each in (before, zeros, negative)]}
    with serving(always(found(entry))) as api:
        rows = read(api, latency())
    assert [(row["histogram_scale"], row["counts"]) for row in rows] == [(2, [3.0]), (2, [])]


@pytest.mark.parametrize(
    "entry",
    [
        {"metric": {}, "values": [["noon", "1"]]},
        {"metric": {}, "values": [[NOON_S, "one"]]},
        {"metric": {}, "values": [[NOON_S]]},
        {"metric": {}, "values": [[1e300, "1"]]},
        {"metric": [], "values": [[NOON_S, "1"]]},
        {"values": [[NOON_S, "1"]]},
        {"metric": {}, "values": 7},
        native((0, "1", "nonsense", "1")),
        native((0, "1", "7", "1"), (0, "7", "8", "1")),
        native((0, "1", "1", "1")),
        native((0, "1e-300", "2e-300", "1"), (0, "1e300", "2e300", "1")) | {"metric": None},
    ],
)
def test_malformed_series_are_terminal(entry: dict[str, Any]) -> None:
    """Whatever is not what the API promises is refused as a whole, never half read."""
    with serving(always(found(entry))) as api, pytest.raises(TerminalSourceError, match="malformed"):
        read(api, latency())


def test_a_channel_must_be_what_it_is_described_as() -> None:
    """Histograms where numbers belong, and numbers where buckets belong, are told with what to select."""
    for channel, entry, why in (
        (gauge("a", "up"), native((0, "1", "2", "1")), "described as numbers"),
        (latency(), series({}, (1, "1")), "_bucket"),
    ):
        with serving(always(found(entry))) as api, pytest.raises(TerminalSourceError, match=why):
            read(api, channel)


def test_channels_without_a_query_are_not_asked_for() -> None:
    """They have no readings here, and no request is sent."""
    with serving(always(refused(500, "not to be asked"))) as api:
        assert read(api, gauge("a", ""), gauge("b", "  ")) == []
    assert api.asked == []


def test_one_failure_fails_the_question_and_the_rest_is_not_asked() -> None:
    """Half of the channels are no answer; what had not begun is given up."""
    channels = [gauge(f"c{number}", f"metric_{number}") for number in range(40)]
    with (
        serving(lambda number, asked: refused(400, "no") if number == 1 else found()) as api,
        pytest.raises(TerminalSourceError, match="status 400"),
    ):
        read(api, *channels, parallel=1)
    assert len(api.asked) < 40


def test_a_storm_of_failures_costs_the_server_few_requests() -> None:
    """Forty channels of a server in trouble are a handful of requests, not forty times the attempts."""
    channels = [gauge(f"c{number}", f"metric_{number}") for number in range(40)]
    with serving(always(refused(503, "overloaded"))) as api, pytest.raises(TransientSourceError):
        read(api, *channels, parallel=2, breaker_failures=5)
    assert len(api.asked) <= 7


def test_it_says_whether_the_server_answers() -> None:
    """Checking asks for one number."""
    with serving(always(found(kind="vector"))) as api, reader(api) as opened:
        opened.check()
        assert [asked["query"] for asked in api.asked] == ["vector(1)"]
    with pytest.raises(SourceError), reader(api) as opened:
        opened.check()
