"""Pairs and accuracies against hand-computed cases, and properties that hold for any twins."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.evaluation.demeter.bootstrap import Interval, bootstrap
from opswm.evaluation.demeter.heuristics import MORE_CORES_PER_SLOT, MORE_WORKERS
from opswm.evaluation.demeter.pairs import ClearPair, accuracy, clear_pairs, hits_by_group
from opswm.evaluation.demeter.twins import Twin

MakeTwin = Callable[..., Twin]
HITS = {("a", 1): [1.0, 0.0, 0.5], ("b", 2): [1.0], ("c", 3): [0.0, 0.0]}


def test_only_concurrent_clear_measured_pairs_count(make_twin: MakeTwin) -> None:
    """A pair needs one start, two measurements, and a larger outcome of at least 1.2 times the smaller."""
    twins = [
        make_twin("p1", recovery_s=100.0),
        make_twin("p2", recovery_s=119.0),
        make_twin("p3", recovery_s=120.0),
        make_twin("p4", recovery_s=None),
        make_twin("p1", recovery_s=300.0, started_at=1_697_080_000),
        make_twin("p1", recovery_s=300.0, run="2_demeter_ADS"),
    ]
    assert clear_pairs(twins, "recovery") == [ClearPair(twins[0].question.group, better=0, worse=2)]


def test_hits_count_ties_as_half(make_twin: MakeTwin) -> None:
    """A right order counts 1, a wrong one 0 and equal scores one half."""
    twins = [make_twin(f"p{index}", latency_s=latency) for index, latency in enumerate((9.0, 1.0, 3.0))]
    pairs = clear_pairs(twins, "latency")
    assert {(pair.better, pair.worse) for pair in pairs} == {(1, 0), (2, 0), (1, 2)}
    scores = np.array([5.0, 5.0, 7.0])
    (hits,) = hits_by_group(pairs, scores).values()
    assert sorted(hits) == [0.0, 0.5, 1.0]


def test_pair_and_group_accuracy_by_hand() -> None:
    """Pair accuracy pools pairs; group accuracy gives each group the same weight."""
    whole = accuracy(HITS)
    assert whole.pair == pytest.approx(2.5 / 6)
    assert whole.group == pytest.approx((0.5 + 1.0 + 0.0) / 3)


@given(seed=st.integers(0, 2**31), outcomes=st.lists(st.floats(0.5, 400.0), min_size=2, max_size=9))
def test_perfect_and_reversed_scores(seed: int, outcomes: list[float]) -> None:
    """Scoring by the outcome itself ranks every clear pair rightly, by its negative every one wrongly."""
    from opswm.evaluation.demeter.twins import FlinkConfiguration, TwinOutcome, TwinQuestion

    configuration = FlinkConfiguration(8, 2, 1.0, 1024, 10.0)
    twins = [
        Twin(TwinQuestion("run", "ADS", f"p{index}", 5, configuration, 1.0), TwinOutcome(1.0, value, None))
        for index, value in enumerate(outcomes)
    ]
    pairs = clear_pairs(twins, "latency")
    assert clear_pairs(twins, "recovery") == []
    for sign, expected in ((1.0, 1.0), (-1.0, 0.0)):
        for hits in hits_by_group(pairs, sign * np.array(outcomes)).values():
            assert set(hits) == {expected}


def test_bootstrap_is_reproducible_and_brackets_the_value() -> None:
    """The same seed gives the same interval, it contains the value, and another seed moves it."""
    first, again, other = bootstrap(HITS, seed=3), bootstrap(HITS, seed=3), bootstrap(HITS, seed=4, num_draws=50)
    assert first == again
    assert first != other
    assert first.pair.low <= first.pair.value <= first.pair.high
    assert first.pair.value == pytest.approx(2.5 / 6)


def test_bootstrap_draws_groups_not_pairs() -> None:
    """One group alone has no spread however many pairs it holds; two opposite groups span everything."""
    alone = bootstrap({("a", 1): [1.0, 0.0, 0.0]})
    assert [alone.pair.low, alone.pair.high] == pytest.approx([1 / 3, 1 / 3])
    opposite = bootstrap({("a", 1): [1.0, 1.0, 1.0], ("b", 2): [0.0]})
    assert (opposite.pair.value, opposite.group.value) == (0.75, 0.5)
    assert (opposite.pair.low, opposite.pair.high) == (0.0, 1.0)


def test_a_ranker_paired_with_itself_is_no_better() -> None:
    """The paired difference of a ranker to itself is zero with no width; to a worse one on every group it is clear."""
    same = bootstrap(HITS, HITS)
    assert (same.pair, same.group) == (Interval(0.0, 0.0, 0.0), Interval(0.0, 0.0, 0.0))
    assert not same.pair.excludes_zero
    perfect = {group: [1.0] * len(hits) for group, hits in HITS.items()}
    none = {group: [0.0] * len(hits) for group, hits in HITS.items()}
    assert bootstrap(perfect, none).group == Interval(1.0, 1.0, 1.0)
    assert bootstrap(none, perfect).pair.excludes_zero


def test_rules_prefer_more(make_twin: MakeTwin) -> None:
    """More workers looks at parallelism alone; more cores per slot at the cores of the whole job."""
    wide = make_twin(parallelism=24, slots=4, cores=1.0).question
    strong = make_twin(parallelism=12, slots=3, cores=4.0).question
    by_workers = MORE_WORKERS.fit([], 0).scores([wide, strong], "latency")
    by_cores = MORE_CORES_PER_SLOT.fit([], 0).scores([wide, strong], "recovery")
    assert list(by_workers) == [-24.0, -12.0]
    assert list(by_cores) == [-6.0, -16.0]
