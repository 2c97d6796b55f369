"""What a reading can be: the limits that recordings and posted telemetry are held to alike."""

import math
from datetime import timedelta
from typing import Final

from opswm_schemas.base import Fact
from opswm_schemas.descriptor import Channel
from opswm_schemas.telemetry import ClassicHistogram, MetricPoint, NativeHistogram
from opswm_schemas.units import conversion_factor, counter_rate_unit
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

MAX_CLOCK_LEAD: Final = timedelta(days=1)
"""A source whose clock is further ahead than this is not drifting but counting in another unit or zone."""

MAX_MAGNITUDE: Final = 1e30
"""No reading is larger in its canonical unit: far beyond every quantity of a computer system, and far within the
numbers that a model computes with, so that what is stored can always be asked about."""


MAX_EXPONENT: Final = 1_000.0
"""Of a power of two that is still a finite number."""


def magnitude_limit(channel: Channel) -> float:
    """Return the largest absolute value that a reading of a channel may have, in the channel's own unit."""
    if channel.meaning == "other":
        return MAX_MAGNITUDE
    unit = counter_rate_unit(channel.unit) if channel.instrument == "counter" else channel.unit
    factor = conversion_factor(unit, MEANINGS[MEANING_INDEX[channel.meaning]].unit)
    return MAX_MAGNITUDE / max(1.0, abs(factor))


def is_never_negative(channel: Channel) -> bool:
    """Return whether a value below zero makes no sense: a counter starts there, and a ratio is a part of a whole."""
    return channel.instrument == "counter" or MEANINGS[MEANING_INDEX[channel.meaning]].scale == "ratio"


def largest(point: MetricPoint) -> float:
    """Return the value of a point, or the one of a histogram's bounds that is furthest from zero."""
    match point.histogram:
        case ClassicHistogram(upper_bounds=bounds):
            return max(bounds, key=abs)
        case NativeHistogram(scale=scale, offset=offset, positive_counts=counts):
            exponent = (offset + len(counts)) * 2.0**-scale
            return 2.0**exponent if exponent < MAX_EXPONENT else math.inf
    return 0.0 if point.value is None else point.value


def value_problem(channel: Channel, value: float) -> str:
    """Return what is wrong with a number that was read, with what to do about it; empty where nothing is.

    Args:
        channel: What was read.
        value: In the channel's own unit.
    """
    if value < 0.0 and is_never_negative(channel):
        kind = "counter" if channel.instrument == "counter" else "ratio"
        return f"{kind} {channel.channel_id!r} is {value:g}, and starts at zero; correct the source, or the meaning"
    limit = magnitude_limit(channel)
    if abs(value) > limit:
        return (
            f"channel {channel.channel_id!r} is {value:g} {channel.unit}, beyond {limit:g}, the most that is "
            "computed with; check its unit, or leave the reading out"
        )
    return ""


def clock_problem(fact: Fact) -> str:
    """Return what is wrong with a fact's two clocks, with what to do about it; empty where nothing is."""
    if fact.known_at >= fact.event_at - MAX_CLOCK_LEAD:
        return ""
    return (
        f"known at {fact.known_at.isoformat()}, more than a day before it happened at {fact.event_at.isoformat()}; "
        "check timezone and unit of both clocks at the source"
    )
