"""Limits of tenants: what is too much is refused whole, with its reason, and counted."""

from pathlib import Path

import pyarrow as pa
import pytest

from opswm.errors import BadInputError
from opswm.store.tables.limits import TenantGate, TenantLimits
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import Batch, SystemKey
from tests.core.store.shop import NOON, SHOP, readings
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import values

SMALL = TenantLimits(max_rows=3, max_bytes=2_000, max_name_bytes=10, max_buckets=2, max_series=3, series_s=60.0)


def batch(*channels: str, system: SystemKey = SHOP) -> Batch:
    """Return a batch with a reading of each channel."""
    return Batch(system, "test", "b", readings([(channel, 1, 1, 1.0) for channel in channels]))


def histogram(counts: int) -> Batch:
    """Return a batch with one native histogram."""
    row = {"channel_id": "c", "event_at": NOON, "known_at": NOON, "counts": [1.0] * counts, "histogram_scale": 1}
    return Batch(SHOP, "test", "b", pa.Table.from_pylist([row], schema=METRICS))


@pytest.mark.parametrize(
    ("given", "limit", "words"),
    [
        (batch("a", "b", "c", "d"), "rows", "4 readings, allowed are 3"),
        (batch("eleven-long"), "name", "11 bytes, allowed are 10"),
        (histogram(3), "buckets", "3 buckets, allowed are 2"),
        (histogram(300), "bytes", "allowed are 2000"),
    ],
)
def test_too_large_a_batch_is_refused_with_the_limit(given: Batch, limit: str, words: str) -> None:
    """Rows, bytes, names and buckets each have a limit; the refusal names it and is counted in rows."""
    gate = TenantGate(HandClock(), SMALL)
    with pytest.raises(BadInputError, match=words):
        gate.require(given)
    assert gate.refused() == {("default", limit): given.table.num_rows}
    assert gate.num_series("default") == 0


def test_series_count_per_tenant_and_while_they_are_in_use(tmp_path: Path) -> None:
    """New series beyond the limit are refused, known ones pass; one that is silent long enough counts no more."""
    clock = HandClock()
    gate = TenantGate(clock, SMALL, {"large": TenantLimits()})
    gate.require(batch("a", "b"))
    gate.require(batch("a", system=SystemKey("default", "mall")))
    with pytest.raises(BadInputError, match="1 new series to 3, allowed are 3"):
        gate.require(batch("a", "c"))
    gate.require(batch("a", "b"))
    gate.require(batch("a", "b", "c", system=SystemKey("large", "shop")))
    assert (gate.num_series("default"), gate.num_series("large"), gate.num_series("nobody")) == (3, 3, 0)
    clock.forward(61)
    gate.require(batch("a"))
    clock.forward(61)
    gate.require(batch("c", "d"))
    assert gate.num_series("default") == 3
    clock.forward(-3600)
    gate.require(batch("a"))
    assert gate.refused() == {("default", "series"): 2}


def test_a_refused_batch_is_not_stored(tmp_path: Path) -> None:
    """The store asks the gate before the log: nothing of the batch is there, and the next one passes."""
    bare = logged(tmp_path / "t")
    telemetry = type(bare)(bare.log, bare.table, bare.filler, gate=TenantGate(HandClock(), SMALL))
    with pytest.raises(BadInputError, match="allowed are 3"):
        telemetry.append_metrics(SHOP, batch("a", "b", "c", "d").table, "b1")
    telemetry.append_metrics(SHOP, readings([("web.rps", 1, 1, 5.0)]), "b2")
    assert (values(telemetry), telemetry.version(SHOP)) == ([5.0], 1)
