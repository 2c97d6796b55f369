"""Scaling inferred from the number of TaskManagers: what counts, when it is known, how sure it is."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opswm_connectors.demeter.scaling import LevelChange, level_changes
from opswm_connectors.demeter.series import Series
from opswm_connectors.demeter.source import import_demeter
from opswm_schemas.recordings.reader import Recording
from tests.connectors.demeter.made_up_run import LENGTH_S, START, MakeRun, replace_readings

SETTLED_AFTER_S = 60
stretches = st.lists(st.tuples(st.integers(0, 24), st.integers(1, 200)), min_size=1, max_size=12)


def series_of(pieces: list[tuple[int, int]], gaps: frozenset[int] = frozenset()) -> Series:
    """Return one reading a second: each count for so many seconds; seconds in ``gaps`` are missing."""
    counts = np.concatenate([np.full(length, count, dtype=np.float64) for count, length in pieces])
    kept = np.array([second not in gaps for second in range(len(counts))])
    return Series(np.arange(len(counts), dtype=np.int64)[kept], counts[kept])


def test_a_settled_change_is_one_action() -> None:
    """A count that steps through unsettled values to a new level gives one change, known when it has held."""
    changes = level_changes(series_of([(24, 100), (17, 20), (0, 5), (9, 300)]), SETTLED_AFTER_S)
    assert changes == [LevelChange(began_at=100, reached_at=125, known_at=185, from_count=24, to_count=9)]


def test_a_lost_and_returned_task_manager_is_no_action() -> None:
    """A dip to another count, or an outage to zero, that ends at the old level is no scaling."""
    assert level_changes(series_of([(24, 100), (23, 40), (24, 90), (0, 200), (24, 90)]), SETTLED_AFTER_S) == []


def test_an_empty_series_has_no_changes() -> None:
    """No readings give no changes."""
    assert level_changes(Series(np.array([], dtype=np.int64), np.array([])), SETTLED_AFTER_S) == []


@given(pieces=stretches)
def test_changes_form_a_chain(pieces: list[tuple[int, int]]) -> None:
    """Each change starts from the level where the one before ended, never from or to zero, and in order."""
    changes = level_changes(series_of(pieces), SETTLED_AFTER_S)
    for change in changes:
        assert change.from_count != change.to_count
        assert min(change.from_count, change.to_count) > 0
        assert change.began_at <= change.reached_at < change.known_at
    for earlier, later in itertools.pairwise(changes):
        assert earlier.to_count == later.from_count
        assert earlier.reached_at < later.began_at


@example(pieces=[(24, 100), (9, 300)], cut=160, missing=frozenset(range(155, 170)))
@given(pieces=stretches, cut=st.integers(0, 2_400), missing=st.frozensets(st.integers(0, 2_400), max_size=300))
def test_nothing_is_known_before_its_time(pieces: list[tuple[int, int]], cut: int, missing: frozenset[int]) -> None:
    """Cutting the series anywhere leaves exactly the changes that were known by then, so a replay cannot look ahead."""
    whole = series_of(pieces, missing)
    seen = whole.at <= cut
    known = [change for change in level_changes(whole, SETTLED_AFTER_S) if change.known_at <= cut]
    assert level_changes(Series(whole.at[seen], whole.value[seen]), SETTLED_AFTER_S) == known


@pytest.mark.parametrize(
    ("name", "begins", "expected"),
    [
        ("1_reactive35_ADS_24_small", 600, [(24, 15, 0.8)]),
        ("1_operator35_ADS_24_small", 950, [(24, 15, 0.5)]),
        ("1_baseline_ADS_24_small", 600, []),
        ("1_demeter_ADS_24_small_new", 600, []),
    ],
)
def test_who_scaled_and_how_sure_it_is(
    make_run: MakeRun,
    tmp_path: Path,
    name: str,
    begins: int,
    expected: list[tuple[int, int, float]],
) -> None:
    """Only policies that log nothing get inferred scaling, by their autoscaler, less surely soon after a fault."""
    run = make_run(name)
    run.frame = replace_readings(run.frame, "task_managers", range(START + begins, START + LENGTH_S), 15.0)
    (path,) = import_demeter(run.write(), tmp_path / "out")
    inferred = [action for action in Recording.open(path).actions() if action.action_id.startswith(f"{name}.scale-")]
    given = [(action.params.model_dump(exclude={"type"}), action.confidence) for action in inferred]
    assert given == [({"from_replicas": old, "to_replicas": new}, sure) for old, new, sure in expected]
    for action in inferred:
        assert (action.actor.kind, action.actor.id) == ("autoscaler", f"flink-{name.split('_')[1].rstrip('35')}")
        started, succeeded = action.transitions
        assert started.known_at == succeeded.known_at
        assert (started.known_at - succeeded.event_at).total_seconds() == 61
