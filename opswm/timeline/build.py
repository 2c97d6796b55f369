"""Builds a timeline: irregular points, actions, events and topology on one grid, as they were known at a moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from opswm.clock import to_utc
from opswm.errors import BadInputError
from opswm.instrument import timed
from opswm.timeline.alerts import alerting, known_events
from opswm.timeline.grid import Grid, to_datetime
from opswm.timeline.histograms import histogram_ticks
from opswm.timeline.in_force import in_force, known_actions
from opswm.timeline.numbers import SETTINGS, Ticked, counter_ticks, gauge_ticks
from opswm.timeline.readings import Readings, known_readings
from opswm.timeline.timeline import Instants, Timeline
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import Channel, Relation, SystemDescriptor
from opswm_schemas.ports import Ledger, SystemKey, TelemetryReader
from opswm_schemas.telemetry import Event
from opswm_schemas.units import conversion_factor, counter_rate_unit
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

STALE_S: Final = 300.0
"""How old the reading before may be for a growth to count, as the lookback of Prometheus; five steps of the
channel where that is longer."""

_STALE_STEPS: Final = 5


def build_timeline(
    descriptor: SystemDescriptor,
    metrics: pa.Table,
    actions: Sequence[Action],
    events: Sequence[Event],
    at: datetime,
    num_ticks: int,
) -> Timeline:
    """Bring everything known at a moment to ticks.

    Gauges become the mean of the readings inside a tick (the last one for settings such as replicas),
    counters a rate per second, histograms the channel's quantile of what was observed in the tick. All are
    converted to the canonical unit of the channel's meaning. A tick without a reading is unseen.

    Args:
        descriptor: The system.
        metrics: Readings in the columns of ``METRICS``, in any order; those from before the first tick give
            counters and histograms something to grow from (``lookback``).
        actions: With any facts; later ones are not looked at.
        events: Likewise.
        at: The moment; the last tick ends there.
        num_ticks: How many ticks.

    Raises:
        BadInputError: When ``at`` is naive, there is no tick, or readings are not what the channels say.
    """
    at = to_utc(at)
    grid = Grid.until(at, descriptor.step_s, num_ticks)
    with timed("timeline.build", rows=metrics.num_rows, ticks=num_ticks):
        readings = known_readings(descriptor.channels, metrics, grid.end_us)
        value, seen = _ticks(descriptor, readings, grid)
        newest = _newest(readings, len(descriptor.channels))
        known = known_actions(actions, at)
        told = known_events(events, at)
        return Timeline(
            descriptor=descriptor,
            at=at,
            ticks_at=grid.ends_us.astype("datetime64[us]"),
            value=value,
            seen=seen,
            newest_at=to_datetime(int(readings.at_us.max())) if readings.at_us.size else None,
            newest_channel_at=newest,
            actions=known,
            in_force=in_force(known, grid),
            events=told,
            alerting=alerting(told, descriptor.entity_index(), grid),
            relations=tuple(relation for relation in descriptor.relations if _holds(relation, at)),
        )


def lookback(descriptor: SystemDescriptor, num_ticks: int) -> timedelta:
    """Return how far before a decision readings can matter: the ticks, and the reading before the first."""
    stale_s = max((_stale_s(descriptor, channel) for channel in descriptor.channels), default=0.0)
    return timedelta(seconds=num_ticks * descriptor.step_s + stale_s)


def read_timeline(
    telemetry: TelemetryReader, ledger: Ledger, system: SystemKey, at: datetime, num_ticks: int
) -> Timeline:
    """Read what a timeline needs from a store and build it, all as of ``at``.

    Args:
        telemetry: Where readings are.
        ledger: Where actions, events and the revision of the descriptor that held at the moment are.
        system: Which system.
        at: The moment; the last tick ends there.
        num_ticks: How many ticks.

    Raises:
        NotFoundError: When the system is not registered.
        BadInputError: When ``at`` is naive or there is no tick.
        StoreError: When the store cannot be read.
    """
    at = to_utc(at)
    descriptor = ledger.descriptor(system, as_of=at)
    Grid.until(at, descriptor.step_s, num_ticks)
    channel_ids = [channel.channel_id for channel in descriptor.channels]
    since, until = at - lookback(descriptor, num_ticks), at + timedelta(microseconds=1)
    metrics = telemetry.read_metrics(system, channel_ids, since, until, at)
    return build_timeline(descriptor, metrics, ledger.actions(system, at), ledger.events(system, at), at, num_ticks)


def _ticks(descriptor: SystemDescriptor, readings: Readings, grid: Grid) -> Ticked:
    channels = descriptor.channels
    stale_us = np.array([round(_stale_s(descriptor, channel) * 1e6) for channel in channels], dtype=np.int64)
    is_setting = np.array([channel.meaning in SETTINGS for channel in channels], dtype=bool)
    value, seen = np.zeros((grid.num_ticks, len(channels))), np.zeros((grid.num_ticks, len(channels)), dtype=bool)
    for instrument in ("gauge", "counter", "histogram"):
        wanted = np.array([channel.instrument == instrument for channel in channels], dtype=bool)
        if not wanted.any():
            continue
        chosen = readings.of_kind(wanted)
        if instrument == "gauge":
            part = gauge_ticks(chosen, grid, len(channels), is_setting)
        elif instrument == "counter":
            part = counter_ticks(chosen, grid, len(channels), stale_us)
        else:
            part = histogram_ticks(chosen, grid, channels, stale_us)
        value[:, wanted], seen[:, wanted] = part[0][:, wanted], part[1][:, wanted]
    value *= np.array([canonical_factor(channel) for channel in channels])
    if not np.isfinite(value).all():
        worst = channels[int(np.argmax(~np.isfinite(value).all(axis=0)))]
        raise BadInputError(
            f"channel {worst.channel_id!r} leaves the range of numbers in its canonical unit; check its unit"
        )
    return value, seen


def canonical_factor(channel: Channel) -> float:
    """Return what a channel's tick values are multiplied by to be in the canonical unit of its meaning.

    For a counter that is the factor of its rate. A channel of unknown meaning (``other``) keeps its own unit.

    Raises:
        UnitError: When the unit does not fit the meaning.
    """
    if channel.meaning == "other":
        return 1.0
    unit = counter_rate_unit(channel.unit) if channel.instrument == "counter" else channel.unit
    return conversion_factor(unit, MEANINGS[MEANING_INDEX[channel.meaning]].unit)


def _stale_s(descriptor: SystemDescriptor, channel: Channel) -> float:
    return max(STALE_S, _STALE_STEPS * (channel.step_s or descriptor.step_s))


def _newest(readings: Readings, num_channels: int) -> Instants:
    newest = np.full(num_channels, np.datetime64("NaT", "us"))
    newest[readings.channel] = readings.at_us.astype("datetime64[us]")  # in time order, so the last stands
    return newest


def _holds(relation: Relation, at: datetime) -> bool:
    return (
        (relation.known_at is None or relation.known_at <= at)
        and (relation.valid_from is None or relation.valid_from <= at)
        and (relation.valid_until is None or at < relation.valid_until)
    )
