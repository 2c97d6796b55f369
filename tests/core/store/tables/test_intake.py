"""Streams: bad rows go into quarantine with their reason, bounded and counted; the others are stored."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.errors import NotFoundError
from opswm.store.tables.intake import Intake, Taken
from opswm.store.tables.quarantine import Quarantine, QuarantineConfig
from opswm.store.tables.sifting import sift
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey
from tests.core.store.shop import SHOP, after, readings
from tests.core.store.tables.rig import HandClock, logged
from tests.core.store.test_telemetry import ALL, REFUSED, values

GOOD: dict[str, object] = {"channel_id": "web.rps", "event_at": after(1), "known_at": after(2), "value": 1.0}
BAD: dict[str, dict[str, object]] = {
    "unknown-channel": {"channel_id": "web.colour"},
    "missing": {"known_at": None},
    "time": {"event_at": after(-3e9)},
    "not-finite": {"value": float("nan")},
    "reading": {"value": None},
}


def channels_of(system: SystemKey) -> Collection[str]:
    """Return the channels of the shop; nobody else is known."""
    if system != SHOP:
        raise NotFoundError(f"no system {system.system_id!r}")
    return ALL


def rows(*changes: Mapping[str, object]) -> pa.Table:
    """Return rows as a stream brings them: one good, then each bad one, then one good."""
    fields = [pa.field(field.name, field.type) for field in METRICS]
    found = [{**GOOD, **change} for change in ({}, *changes, {"value": 2.0})]
    return pa.Table.from_pylist(found, pa.schema(fields))


def test_each_bad_row_has_its_reason_and_the_rest_is_stored(tmp_path: Path) -> None:
    """Good rows are read, bad ones are in quarantine under their reasons; delivered again, the good are there once."""
    telemetry, quarantine = logged(tmp_path / "t"), Quarantine(tmp_path / "q", HandClock())
    intake = Intake(telemetry.append, channels_of, quarantine)
    assert intake.take(SHOP, "otlp", "b1", rows(*BAD.values())) == Taken(2, 5)
    assert intake.take(SHOP, "otlp", "b1", rows(*BAD.values())) == Taken(2, 5)
    assert values(telemetry) == [1.0, 2.0]
    assert quarantine.totals("default") == {("shop", "otlp", reason): 2 for reason in BAD}
    newest = quarantine.newest("default", 5)
    assert {kept.reason for kept in newest} == set(BAD)
    assert {json.loads(kept.body)["channel_id"] for kept in newest} == {"web.rps", "web.colour"}
    assert quarantine.newest("acme") == []
    quarantine.close()


def test_whole_batches_are_refused_for_system_type_and_content(tmp_path: Path) -> None:
    """An unknown system, a column of another type and a name used for something else: nothing of it is stored."""
    telemetry, quarantine = logged(tmp_path / "t"), Quarantine(tmp_path / "q", HandClock())
    intake = Intake(telemetry.append, channels_of, quarantine)
    mall = SystemKey("default", "mall")
    assert intake.take(mall, "otlp", "b1", rows()) == Taken(0, 2)
    text = rows().set_column(3, "value", pa.array(["1", "2"]))
    assert intake.take(SHOP, "otlp", "b1", text) == Taken(0, 2)
    assert intake.take(SHOP, "otlp", "b1", rows()) == Taken(2, 0)
    assert intake.take(SHOP, "otlp", "b1", readings([("web.rps", 1, 1, 9.0)])) == Taken(0, 1)
    assert quarantine.totals("default") == {
        ("mall", "otlp", "unknown-system"): 2,
        ("shop", "otlp", "type"): 2,
        ("shop", "otlp", "refused"): 1,
    }
    assert values(telemetry) == [1.0, 2.0]
    assert telemetry.version(mall) == 0
    quarantine.close()


def test_quarantine_is_bounded_and_counts_on(tmp_path: Path) -> None:
    """Only the newest rows are kept, cut off where they are long; totals count all, over openings."""
    config = QuarantineConfig(max_rows=7, max_body_bytes=40, max_new_rows=5)
    bad = sift(rows(*[{"channel_id": f"c{number}" + "x" * 99} for number in range(9)]), ALL).refused
    for opening in range(1, 4):
        quarantine = Quarantine(tmp_path / "q", HandClock(), config)
        assert quarantine.keep(SHOP, "otlp", bad) == 9
        kept = quarantine.newest("default")
        assert len(kept) == min(5 * opening, 7)
        assert {len(one.body) for one in kept} == {40}
        assert quarantine.totals("default") == {("shop", "otlp", "unknown-channel"): 9 * opening}
        quarantine.close()


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_store_would_refuse_never_passes(case: str) -> None:
    """Whatever makes a batch bad, sifting leaves only rows that the store takes, and loses none."""
    table = REFUSED[case][0]()
    sifted = sift(table, ALL)
    assert sifted.admitted.num_rows + sum(one.rows.num_rows for one in sifted.refused) == table.num_rows
    assert sifted.admitted.num_rows < max(table.num_rows, 1)


@settings(max_examples=30)
@given(kinds=st.lists(st.sampled_from(["good", *BAD]), max_size=12))
def test_sifting_parts_any_mixture(kinds: list[str]) -> None:
    """As many rows are admitted and refused per reason as were made so, in whatever order they come."""
    sifted = sift(rows(*[BAD.get(kind, {}) for kind in kinds]), ALL)
    assert sifted.admitted.num_rows == 2 + kinds.count("good")
    for reason in BAD:
        assert sum(one.rows.num_rows for one in sifted.refused if one.reason == reason) == kinds.count(reason)
