"""Telemetry that stays in Prometheus, VictoriaMetrics or Mimir: read where it is, as it was known at a moment."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from opswm_connectors.errors import SourceError, TerminalSourceError
from opswm_connectors.prometheus.client import PrometheusClient, TooMuchError
from opswm_connectors.prometheus.config import PrometheusConfig
from opswm_connectors.prometheus.histograms import NativeHistogram, classic_rows, native_rows, read_native
from opswm_connectors.prometheus.numbers import Series, number_rows, one_after_another, read_series
from opswm_connectors.prometheus.plan import Limits, Request, requests
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Channel, SystemDescriptor
from opswm_schemas.ports import SystemKey

Describe = Callable[[SystemKey, datetime], SystemDescriptor]
"""Returns the descriptor of a system that held at a moment; its channels say by ``query`` where readings are."""

_Answer = tuple[Request, Mapping[str, Any]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class PrometheusReader:
    """Reads channels through the HTTP API; one that names no query has no readings here.

    A sample counts as known ``scrape_delay_s`` after its own time, since the API keeps no such moment: what was
    written later (backfill, remote write from a buffer) cannot be told from what was there in time.

    Args:
        config: Where the API is and how gently it is asked.
        describe: Where descriptors come from.
        client: Sends the requests; one of ``config`` where left out.

    Raises:
        TerminalSourceError: When the address must not be called.
    """

    def __init__(self, config: PrometheusConfig, describe: Describe, client: PrometheusClient | None = None) -> None:
        self._config = config
        self._describe = describe
        self._client = client or PrometheusClient(config)
        self._delay_us = round(config.scrape_delay_s * 1e6)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_metrics(
        self,
        system: SystemKey,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None = None,
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``, of each step the last.

        Raises:
            TransientSourceError: When the server is busy, away, too slow or left alone for a while.
            TerminalSourceError: When it refuses, answers something else, or a channel's query finds several series at
                the same time; and on a naive instant, or a step that is not above 0.
        """
        first_us, end_us = _microseconds(since), _microseconds(until)
        end_us = min(end_us, _microseconds(as_of) - self._delay_us + 1)
        if step_s is not None and not step_s > 0.0:
            raise TerminalSourceError(f"step_s is {step_s}: give a step above 0 seconds, or none for every reading")
        wanted = set(channel_ids)
        if not wanted or first_us >= end_us:
            return METRICS.empty_table()
        descriptor = self._describe(system, as_of)
        channels = {
            channel.channel_id: channel
            for channel in descriptor.channels
            if channel.channel_id in wanted and channel.query.strip()
        }
        since_ms, until_ms = -(-first_us // 1000), (end_us - 1) // 1000 + 1
        limits = Limits(self._config.max_points, self._config.max_series, descriptor.step_s)
        asked = requests(list(channels.values()), since_ms, until_ms, step_s, limits)
        numbers: dict[str, list[Series]] = {}
        native: dict[str, list[NativeHistogram]] = {}
        with ThreadPoolExecutor(self._config.parallel, thread_name_prefix="prometheus") as pool:
            for request, entry in self._answers(pool, asked):
                _take(entry, request, numbers, native)
        tables = [
            self._rows(channels[channel_id], numbers.get(channel_id, []), native.get(channel_id, []))
            for channel_id in sorted(numbers.keys() | native.keys())
        ]
        found = pa.concat_tables([METRICS.empty_table(), *tables])
        return found if step_s is None else _last_of_steps(found, first_us, step_s)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return the moment itself, milliseconds since 1970: the API counts no batches.

        What a reading as of a moment finds does not change later, unless samples are written into the past.
        """
        return _microseconds(datetime.now(UTC) if as_of is None else as_of) // 1000

    def check(self) -> None:
        """Ask for a number and do no more.

        Raises:
            SourceError: When it does not come.
        """
        self._client.ask("query", {"query": "vector(1)"}, "vector")

    def _answers(self, pool: ThreadPoolExecutor, asked: Sequence[Request]) -> list[_Answer]:
        """Return the series of all requests; the first failure stops what has not begun."""
        waiting = [pool.submit(self._ask, request) for request in asked]
        try:
            return [answer for one in waiting for answer in one.result()]
        except SourceError:
            for one in waiting:
                one.cancel()
            raise

    def _ask(self, request: Request) -> list[_Answer]:
        """Return the series of one request, each with the request that it truly came by, which may be a part of it."""
        expression = request.question.expression
        try:
            if request.step_ms is None:
                found = self._client.samples(expression, request.since_ms, request.until_ms)
            else:
                found = self._client.evaluated(expression, request.since_ms, request.until_ms - 1, request.step_ms)
        except TooMuchError as problem:
            halves = request.halves()
            if halves is None:
                raise TerminalSourceError(
                    f"{problem} for a single instant of {expression[:200]!r}; select fewer series"
                ) from problem
            return [answer for half in halves for answer in self._ask(half)]
        return [(request, entry) for entry in found]

    def _rows(self, channel: Channel, numbers: list[Series], native: list[NativeHistogram]) -> pa.Table:
        name = channel.channel_id
        buckets = [series for series in numbers if "le" in series.labels]
        if channel.instrument != "histogram":
            if native:
                raise TerminalSourceError(f"channel {name!r} is described as numbers, and its query finds histograms")
            return number_rows(name, one_after_another(name, _rejoined(numbers)), self._delay_us)
        if len(buckets) < len(numbers):
            raise TerminalSourceError(
                f"channel {name!r} is described as a histogram, and its query finds numbers without the label 'le'; "
                "select the _bucket series"
            )
        tables = [classic_rows(name, _rejoined(buckets), self._delay_us), native_rows(name, native, self._delay_us)]
        return pa.concat_tables(tables).sort_by("event_at")


def _take(
    entry: Mapping[str, Any],
    request: Request,
    numbers: dict[str, list[Series]],
    native: dict[str, list[NativeHistogram]],
) -> None:
    """Add what a series of a response holds to the channels that it is of."""
    series = read_series(entry).within(request.since_ms, request.until_ms)
    histograms = [found for found in read_native(entry) if request.since_ms <= found.at_ms < request.until_ms]
    for channel_id in request.question.owner(series.labels):
        if series.at_ms.size:
            numbers.setdefault(channel_id, []).append(series)
        native.setdefault(channel_id, []).extend(histograms)


def _rejoined(series: Sequence[Series]) -> list[Series]:
    """Return the parts of each series, which came by different requests, as one."""
    parts: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for one in series:
        parts.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [one_after_another("", found) if len(found) > 1 else found[0] for found in parts.values()]


def _last_of_steps(table: pa.Table, first_us: int, step_s: float) -> pa.Table:
    """Return the last reading of each channel in each step, counted from ``first_us``."""
    if table.num_rows == 0:
        return table
    step = pc.divide(pc.subtract(table["event_at"].cast(pa.int64()), first_us), max(1, round(step_s * 1e6)))
    keyed = table.select(["channel_id"]).append_column("step", step)
    keyed = keyed.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    last = keyed.group_by(["channel_id", "step"]).aggregate([("row", "max")])
    return table.take(last["row_max"].combine_chunks().sort()) if last.num_rows < table.num_rows else table


def _microseconds(moment: datetime) -> int:
    if moment.utcoffset() is None:
        raise TerminalSourceError(f"{moment.isoformat()} has no time zone; give an aware instant, for instance in UTC")
    return (moment - _EPOCH) // _MICROSECOND
