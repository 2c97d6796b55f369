"""What a system will take up: formulas that add up, with bytes that real tables and logs have."""

import numpy as np
import pyarrow as pa
import pytest

from opswm.store.inspection.estimate import Estimate, Load, estimate
from opswm.store.inspection.footprint import Footprint, measure_footprint, measure_name
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import Channel, SystemDescriptor
from tests.core.store.inspection.stores import descriptor

NUM_TICKS = 600
BUCKETS = 12
WHOLE = Footprint(table_number=2.0, log_number=5.0, memory_number=100.0, name=1_000.0)


def mixed() -> SystemDescriptor:
    """Three channels of numbers every five seconds, one of them every ten, and a histogram."""
    channels = list(descriptor().channels)
    slow = channels[2].model_copy(update={"step_s": 10.0})
    p99 = Channel(
        channel_id="web.p99", entity_id="web", meaning="latency_p99", unit="ms", instrument="histogram", quantile=0.99
    )
    return descriptor().model_copy(update={"channels": [*channels[:2], slow, p99]})


def instants(num_channels: int) -> pa.Table:
    """Names and times of channels that are read every five seconds, as they arrive."""
    tick, channel = np.divmod(np.arange(NUM_TICKS * num_channels), num_channels)
    at = pa.array(1_700_000_000_000_000 + tick * 5_000_000 + channel * 1_000).cast(METRICS.field("event_at").type)
    return pa.table({"channel_id": [f"service-{one}.cpu" for one in channel], "event_at": at, "known_at": at})


def test_formulas_add_up() -> None:
    """Readings per second come from each channel's step; bytes are readings times their size, parts make the total."""
    load = Load(retention_days=10.0, decisions_per_hour=36.0, context_ticks=100, requests_per_s=2.0)
    found = estimate(mixed(), load, WHOLE)
    assert (found.num_numbers, found.num_histograms) == (3, 1)
    assert found.readings_per_s == pytest.approx(0.2 + 0.2 + 0.1 + 0.2)
    at_rest = 864_000 * (0.5 * 2.0 + 0.2 * 45.0)
    assert at_rest <= found.disk_table <= 2.0 * at_rest
    assert found.disk_names == pytest.approx(864_000 * 2.0 * 1_000.0)
    assert found.disk_ledger == pytest.approx(240 * 36 * 56_000.0)
    parts = vars(found)
    for place in ("disk", "memory"):
        whole = sum(value for name, value in parts.items() if name.startswith(place) and not name.endswith("total"))
        assert parts[f"{place}_total"] == pytest.approx(whole)
    # 100 ticks of 5 s are 500 s: 100 points of two channels, 50 of the slow one, 16 series of the histogram.
    assert (found.upstream_requests_per_decision, found.upstream_points_per_decision) == (4, 100 + 100 + 50 + 1_600)
    assert found.upstream_requests_per_s == pytest.approx(0.04)
    assert found.upstream_points_per_s == pytest.approx(18.5)


def test_steps_that_are_asked_for_replace_all_others() -> None:
    """Half the step is twice the readings and, for a context of as many ticks, the same points."""
    slow, fast = (estimate(mixed(), Load(step_s=step_s), WHOLE) for step_s in (10.0, 5.0))
    assert fast.readings_per_s == pytest.approx(2.0 * slow.readings_per_s)
    assert fast.upstream_points_per_decision == slow.upstream_points_per_decision
    assert fast.disk_table == pytest.approx(2.0 * slow.disk_table)
    long = estimate(mixed(), Load(context_ticks=11_001), WHOLE)
    assert long.upstream_requests_per_decision == 2 + 2 + 1 + 2


def test_a_system_without_channels_takes_next_to_nothing() -> None:
    """Only what a process and its decisions take."""
    found = estimate(descriptor().model_copy(update={"channels": []}), Load(decisions_per_hour=0.0), Footprint())
    assert (found.readings_per_s, found.disk_total, found.upstream_points_per_s) == (0.0, 0.0, 0.0)
    assert found.memory_total == found.memory_process


def test_more_of_anything_never_takes_less() -> None:
    """Retention, decisions and context only add."""
    base = estimate(mixed(), Load(), Footprint())
    for load in (Load(retention_days=60.0), Load(decisions_per_hour=24.0), Load(context_ticks=256), Load(step_s=1.0)):
        more = estimate(mixed(), load, Footprint())
        assert all(after >= before for before, after in zip(_sizes(base), _sizes(more), strict=True))


def _sizes(found: Estimate) -> list[float]:
    return [value for name, value in vars(found).items() if name.startswith(("disk", "memory"))]


def test_the_usual_bytes_are_those_of_real_tables() -> None:
    """Gauges with the digits that monitoring keeps take at most what is assumed, and not much less."""
    random = np.random.default_rng(5)
    walk = np.round(np.abs(random.normal(size=(NUM_TICKS, 20)).cumsum(0)) + 40.0, 1)
    found, assumed = measure_footprint(instants(20).append_column("value", pa.array(walk.ravel()))), Footprint()
    for name in ("table_number", "log_number", "memory_number"):
        assert 0.3 * getattr(assumed, name) < getattr(found, name) < 1.1 * getattr(assumed, name)
    assert (found.table_histogram, found.log_histogram) == (assumed.table_histogram, assumed.log_histogram)


def test_the_usual_bytes_of_histograms_are_those_of_real_tables() -> None:
    """Classic histograms of twelve buckets that count on take at most what is assumed, and not much less."""
    random = np.random.default_rng(5)
    counts = random.poisson(random.gamma(2.0, 30.0, BUCKETS), (NUM_TICKS, 8, BUCKETS)).cumsum(2).cumsum(0)
    bounds = [[0.005 * 2**bucket for bucket in range(BUCKETS - 1)]] * (NUM_TICKS * 8)
    table = instants(8).append_column("upper_bounds", pa.array(bounds))
    table = table.append_column("counts", pa.array(counts.reshape(-1, BUCKETS).astype(float).tolist()))
    found, assumed = measure_footprint(table), Footprint()
    for name in ("table_histogram", "log_histogram", "memory_histogram"):
        assert 0.5 * getattr(assumed, name) < getattr(found, name) < 1.1 * getattr(assumed, name)


def test_the_usual_bytes_of_a_name_are_those_of_a_real_log() -> None:
    """What stays of a batch whose readings were dropped is what is assumed."""
    assert 0.5 * Footprint().name < measure_name(1_000) < 1.1 * Footprint().name
