"""What the tables of a recording must obey: known ids, finite values, ordered and unrepeated points, sane clocks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, get_args

import polars as pl
import pyarrow as pa

from opswm_schemas.base import EARLIEST, LATEST, MAX_DURATION_S
from opswm_schemas.columns import TABLES
from opswm_schemas.descriptor import Channel, SystemDescriptor
from opswm_schemas.plausible import MAX_CLOCK_LEAD, is_never_negative, magnitude_limit
from opswm_schemas.recordings.histogram_checks import histogram_checks
from opswm_schemas.recordings.manifest import TABLE_FILES
from opswm_schemas.recordings.problem import Problem
from opswm_schemas.recordings.row_checks import RowCheck, frame_of, run_checks
from opswm_schemas.telemetry import Severity, SpanKind
from opswm_schemas.units import conversion_factor
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

LOOKS_LIKE_PERCENT: Final = 10.0
"""A ratio above this was most likely measured in percent; utilisation of several cores stays below."""


@dataclass(frozen=True)
class Context:
    """What the rows are held against.

    Attributes:
        descriptor: The system they are of; None where it could not be read, and then no id is checked.
        since, until: The interval that the manifest claims; None where it could not be read.
    """

    descriptor: SystemDescriptor | None
    since: datetime | None
    until: datetime | None


def table_problems(kind: str, table: pa.Table, context: Context) -> list[Problem]:
    """Return every problem of one table.

    Args:
        kind: ``metrics``, ``logs`` or ``spans``.
        table: With exactly the columns of its kind.
        context: What to hold it against.
    """
    if table.num_rows == 0:
        return []
    frame = frame_of(table)
    problems = run_checks(TABLE_FILES[kind], frame.cast({pl.Datetime: pl.Int64}), list(_range_checks()))
    frame = frame.remove(pl.any_horizontal(check.broken for check in _range_checks(as_count=False)))
    checks = [*_null_checks(kind), *_clock_checks(context)]
    match kind:
        case "metrics":
            checks += [*_point_checks(context), *histogram_checks(frame)]
        case "logs":
            checks += [*_entity_checks(context), *_order_checks("entity_id"), *_log_checks()]
        case "spans":
            checks += [*_entity_checks(context), *_span_checks()]
    problems += run_checks(TABLE_FILES[kind], frame, checks)
    if kind == "metrics" and context.descriptor is not None:
        problems += _percent_problems(frame, context.descriptor)
    return problems


def _null_checks(kind: str) -> Iterable[RowCheck]:
    for field in TABLES[kind]:
        if not field.nullable:
            yield RowCheck(field.name, pl.col(field.name).is_null(), "is empty", "every row needs one")


def _range_checks(*, as_count: bool = True) -> Iterable[RowCheck]:
    # Before all others, and on plain counts: an instant far outside cannot even be shown as a date.
    for name in ("event_at", "known_at"):
        moment = pl.col(name) if as_count else pl.col(name).cast(pl.Int64)
        yield RowCheck(
            name,
            ~moment.is_between(_microseconds(EARLIEST), _microseconds(LATEST), closed="left"),
            f"{{{name}}} microseconds since 1970 is outside {EARLIEST:%Y} to {LATEST:%Y}",
            "check whether the source counts in seconds, milliseconds or nanoseconds",
        )


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _clock_checks(context: Context) -> Iterable[RowCheck]:
    event_at, known_at = pl.col("event_at"), pl.col("known_at")
    if context.since is not None and context.until is not None:
        yield RowCheck(
            "event_at",
            (event_at < context.since) | (event_at > context.until),
            f"{{event_at}} is outside the interval {context.since.isoformat()} to {context.until.isoformat()}",
            "widen 'since' and 'until' in the manifest, or leave the row out",
        )
    yield RowCheck(
        "known_at",
        known_at < event_at - MAX_CLOCK_LEAD,
        "known at {known_at}, more than a day before it happened at {event_at}",
        "check timezone and unit of both clocks at the source",
    )
    yield RowCheck(
        "known_at",
        (known_at < event_at) & (known_at >= event_at - MAX_CLOCK_LEAD),
        "known at {known_at}, before it happened at {event_at}: the source clock runs ahead",
        "nothing to do; state the offset in the manifest's 'clock_offsets' if it is known",
        severity="note",
        max_listed=1,
    )


def _order_checks(series: str) -> Iterable[RowCheck]:
    yield RowCheck(
        "event_at",
        pl.col("event_at").diff().over(series) < timedelta(0),
        f"{{event_at}} comes after a later row of {{{series}}}",
        f"order rows by {series}, event_at and known_at",
    )


def _point_checks(context: Context) -> Iterable[RowCheck]:
    value, channel = pl.col("value"), pl.col("channel_id")
    yield RowCheck(
        "value",
        ~value.is_finite(),
        "channel {channel_id} at {event_at} has value {value}",
        "leave out the row where nothing was measured; NaN and infinities are no measurements",
    )
    yield from _order_checks("channel_id")
    yield RowCheck(
        "channel_id",
        pl.struct("channel_id", "event_at", "known_at").is_duplicated(),
        "channel {channel_id} has more than one point at {event_at} known at {known_at}",
        "keep one; a correction needs a later 'known_at'",
    )
    if context.descriptor is None:
        return
    channels = context.descriptor.channels
    histograms = [declared.channel_id for declared in channels if declared.instrument == "histogram"]
    counters = [declared.channel_id for declared in channels if declared.instrument == "counter"]
    yield RowCheck(
        "channel_id",
        ~channel.is_in([declared.channel_id for declared in channels]),
        "channel {channel_id} is not in the descriptor",
        "add the channel to the descriptor, or correct its id",
        per="channel_id",
    )
    yield RowCheck(
        "value",
        channel.is_in(histograms) & value.is_not_null(),
        "channel {channel_id} is a histogram and has a plain value",
        "write its buckets, or declare it a gauge",
        per="channel_id",
    )
    yield RowCheck(
        "counts",
        ~channel.is_in(histograms) & pl.col("counts").is_not_null(),
        "channel {channel_id} has buckets and is no histogram in the descriptor",
        "declare it with instrument 'histogram' and a quantile",
        per="channel_id",
    )
    yield RowCheck(
        "value",
        channel.is_in(counters) & (value < 0),
        "counter {channel_id} is {value} at {event_at}",
        "a counter starts at zero and grows; declare it a gauge if it may fall below",
    )
    yield from _plausibility_checks(channels)


def _plausibility_checks(channels: Sequence[Channel]) -> Iterable[RowCheck]:
    value, channel = pl.col("value"), pl.col("channel_id")
    ratios = [one.channel_id for one in channels if is_never_negative(one) and one.instrument != "counter"]
    yield RowCheck(
        "value",
        channel.is_in(ratios) & (value < 0),
        "ratio {channel_id} is {value} at {event_at}",
        "a ratio is a part of a whole; correct the source, or the channel's meaning",
    )
    if not channels:
        return
    limits = {one.channel_id: magnitude_limit(one) for one in channels}
    limit = channel.replace_strict(limits, default=None, return_dtype=pl.Float64)
    yield RowCheck(
        "value",
        value.is_finite() & (value.abs() > limit),
        "channel {channel_id} is {value} at {event_at}, beyond what is computed with",
        "check its unit, or leave the row out",
    )
    bounds = pl.col("upper_bounds").list.eval(pl.element().abs()).list.max()
    base_exponent = pl.lit(2.0).pow(-pl.col("histogram_scale").cast(pl.Float64))
    last = pl.col("histogram_offset").fill_null(0) + pl.col("counts").list.len().cast(pl.Int64)
    yield RowCheck(
        "counts",
        (bounds > limit) | (last * base_exponent > limit.log(2)),
        "a bucket of channel {channel_id} at {event_at} is beyond what is computed with",
        "check the channel's unit, or leave the row out",
    )


def _entity_checks(context: Context) -> Iterable[RowCheck]:
    if context.descriptor is not None:
        yield RowCheck(
            "entity_id",
            ~pl.col("entity_id").is_in([entity.entity_id for entity in context.descriptor.entities]),
            "entity {entity_id} is not in the descriptor",
            "add the entity to the descriptor, or correct its id",
            per="entity_id",
        )


def _log_checks() -> Iterable[RowCheck]:
    yield RowCheck(
        "severity",
        ~pl.col("severity").is_in(get_args(Severity)),
        f"severity {{severity}} is none of {', '.join(get_args(Severity))}",
        "map the source's levels to these",
        per="severity",
    )


def _span_checks() -> Iterable[RowCheck]:
    for name, digits in (("trace_id", 32), ("span_id", 16), ("parent_span_id", 16)):
        yield RowCheck(
            name,
            ~pl.col(name).str.contains(rf"^[0-9a-f]{{{digits}}}$"),
            f"{{{name}}} is not {digits} lower-case hexadecimal digits",
            "write ids as OTLP does in JSON",
        )
    yield RowCheck(
        "span_id",
        pl.struct("trace_id", "span_id").is_duplicated(),
        "span {span_id} of trace {trace_id} is there twice",
        "keep one",
    )
    yield RowCheck(
        "kind",
        ~pl.col("kind").is_in(get_args(SpanKind)),
        f"kind {{kind}} is none of {', '.join(get_args(SpanKind))}",
        "map the source's kinds to these",
        per="kind",
    )
    yield RowCheck(
        "duration_s",
        ~pl.col("duration_s").is_between(0.0, MAX_DURATION_S),
        "duration {duration_s} s is no duration",
        "leave out spans that never ended",
    )


def _percent_problems(frame: pl.DataFrame, descriptor: SystemDescriptor) -> list[Problem]:
    limits = {
        channel.channel_id: LOOKS_LIKE_PERCENT / conversion_factor(channel.unit, "1")
        for channel in descriptor.channels
        if channel.instrument == "gauge" and MEANINGS[MEANING_INDEX[channel.meaning]].scale == "ratio"
    }
    if not limits:
        return []
    limit = pl.col("channel_id").replace_strict(limits, default=None, return_dtype=pl.Float64)
    check = RowCheck(
        "value",
        pl.col("value").is_finite() & (pl.col("value") > limit),
        "channel {channel_id} means a ratio and reaches {value}",
        "declare its unit as '%' if it is measured in percent",
        severity="note",
        per="channel_id",
    )
    return run_checks(TABLE_FILES["metrics"], frame, [check])
