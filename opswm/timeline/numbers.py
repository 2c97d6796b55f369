"""Numbers to ticks: gauges to a mean or last value, counters to rates with resets taken into account."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.timeline.grid import Grid
from opswm.timeline.readings import Readings

SETTINGS: Final = frozenset(
    {
        "replicas_ready",
        "replicas_desired",
        "pool_size",
        "cores_allocated",
        "memory_allocated",
        "task_slots",
        "checkpoint_interval",
        "version_age",
    }
)
"""Meanings that are set rather than fluctuate: their last value in a tick counts, since no mean was ever in force."""

Ticked = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Values ``[T, num_channels]`` in the unit they came in, 0 where unseen, and which were seen."""


def gauge_ticks(readings: Readings, grid: Grid, num_channels: int, is_setting: NDArray[np.bool_]) -> Ticked:
    """Bring gauges to ticks: the mean of the readings inside, or the last one for settings.

    Args:
        readings: Of gauges.
        grid: The ticks.
        num_channels: How many channels the descriptor has.
        is_setting: Per channel, whether its last value counts.
    """
    tick = grid.tick_of(readings.at_us)
    inside = (tick >= 0) & (tick < grid.num_ticks)
    cell = tick[inside] * num_channels + readings.channel[inside]
    value, size = readings.value[inside], grid.num_ticks * num_channels
    count = np.bincount(cell, minlength=size)
    seen = count > 0
    ticked = np.zeros(size)
    np.divide(np.bincount(cell, weights=value, minlength=size), count, out=ticked, where=seen)
    last = is_setting[readings.channel[inside]]
    ticked[cell[last]] = value[last]  # in time order, so the last assignment stands
    return ticked.reshape(grid.num_ticks, num_channels), seen.reshape(grid.num_ticks, num_channels)


def counter_ticks(readings: Readings, grid: Grid, num_channels: int, stale_us: NDArray[np.int64]) -> Ticked:
    """Bring counters to per-second rates, over the readings inside a tick and the one before them.

    A counter that falls was restarted from zero, so it grew by its new value (as ``rate`` of Prometheus
    reasons). Nothing is extrapolated beyond the readings: the rate of a tick times the time between its last
    reading and the one before its first is the increase, exactly. A tick whose only reading has none before
    it, or one too old, is unseen.

    Args:
        readings: Of counters.
        grid: The ticks.
        num_channels: How many channels the descriptor has.
        stale_us: Per channel, how old the reading before may be, microseconds.
    """
    shape = (grid.num_ticks, num_channels)
    if readings.at_us.size < 2:
        return np.zeros(shape), np.zeros(shape, dtype=bool)
    channel = readings.channel[1:]
    elapsed = np.diff(readings.at_us)
    increase = np.diff(readings.value)
    increase = np.where(increase < 0, readings.value[1:], increase)
    tick = grid.tick_of(readings.at_us[1:])
    usable = (np.diff(readings.channel) == 0) & (elapsed <= stale_us[channel]) & (tick >= 0) & (tick < grid.num_ticks)
    cell = tick[usable] * num_channels + channel[usable]
    size = grid.num_ticks * num_channels
    covered = np.bincount(cell, weights=elapsed[usable] / 1e6, minlength=size)
    seen = covered > 0
    rate = np.zeros(size)
    np.divide(np.bincount(cell, weights=increase[usable], minlength=size), covered, out=rate, where=seen)
    return rate.reshape(shape), seen.reshape(shape)
