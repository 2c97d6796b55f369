"""Learned rankers on made-up twins whose law is known, and the benchmark around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.evaluation.demeter.boosted import BoostedTrees
from opswm.evaluation.demeter.capacity import CensoredCapacity
from opswm.evaluation.demeter.heuristics import MORE_CORES_PER_SLOT, MORE_WORKERS
from opswm.evaluation.demeter.leave_one_run_out import run_benchmark, score_held_out
from opswm.evaluation.demeter.pairs import OUTCOMES, OutcomeName, accuracy
from opswm.evaluation.demeter.ranker import TwinRanker
from opswm.evaluation.demeter.twins import Twin, TwinOutcome, TwinQuestion

MadeUp = Callable[[int], list[Twin]]


@dataclass
class _Recorder:
    """Notes what it was trained on and what it was asked."""

    name: str = "recorder"
    score: float = 0.0
    trained_on: list[set[str]] = field(default_factory=list)
    asked: list[set[str]] = field(default_factory=list)

    def fit(self, twins: Sequence[Twin], seed: int) -> "_Recorder":
        self.trained_on.append({twin.question.run for twin in twins})
        return self

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        self.asked.append({question.run for question in questions})
        return np.full(len(questions), self.score)


@dataclass
class _Listener:
    """Keeps every list of scores that the ranker inside gave."""

    inside: BoostedTrees
    heard: list[NDArray[np.float64]] = field(default_factory=list)
    name: str = "listener"

    def fit(self, twins: Sequence[Twin], seed: int) -> "_Listener":
        self.fitted = self.inside.fit(twins, seed)
        return self

    def scores(self, questions: Sequence[TwinQuestion], outcome: OutcomeName) -> NDArray[np.float64]:
        self.heard.append(self.fitted.scores(questions, outcome))
        return self.heard[-1]


def test_capacity_recovers_the_law(made_up_twins: MadeUp) -> None:
    """The censored regression finds the exponents that made the data, within a tenth."""
    fitted = CensoredCapacity(other_sd=1.0).fit(made_up_twins(1), seed=0)
    for coefficients in fitted.by_workload.values():
        assert coefficients == pytest.approx([1.0, 0.5, 0.5], abs=0.1)


def test_ignoring_censoring_would_be_wrong(made_up_twins: MadeUp) -> None:
    """Taking every throughput for a capacity flattens the exponent of cores, which the censored fit does not."""
    twins = made_up_twins(2)
    naive = [replace(twin, outcome=replace(twin.outcome, latency_s=9.0)) for twin in twins]
    censored = CensoredCapacity(cores_sd=1.0).fit(twins, 0).by_workload["CARS"][0]
    uncensored = CensoredCapacity(cores_sd=1.0).fit(naive, 0).by_workload["CARS"][0]
    assert uncensored < censored - 0.2


def test_twins_without_a_recovery_teach_no_capacity(made_up_twins: MadeUp) -> None:
    """Twins whose recovery was never measured, as after a crash, leave the fitted coefficients as they were."""
    twins = made_up_twins(12)
    crashed = [
        replace(twin, outcome=TwinOutcome(500.0, 9.0, None)) for twin in twins[::9]
    ]  # far below any capacity, and slow
    fitted, again = (CensoredCapacity().fit(source, 0) for source in (twins, twins + crashed))
    assert np.array_equal(fitted.shared, again.shared)


def test_capacity_without_overload_is_refused(made_up_twins: MadeUp) -> None:
    """Twins of which none is saturated cannot show a capacity, and the message says what to add."""
    relaxed = [replace(twin, outcome=replace(twin.outcome, latency_s=1.1)) for twin in made_up_twins(3)]
    with pytest.raises(BadInputError, match="train on runs with overloaded twins"):
        CensoredCapacity().fit(relaxed, 0)


def test_learned_rankers_beat_rules_where_there_is_something_to_learn(made_up_twins: MadeUp) -> None:
    """On made-up twins with contention and memory effects both learned rankers beat the rule of more workers."""
    twins = made_up_twins(4)
    by_rule = accuracy(score_held_out(MORE_WORKERS, twins, [], 0)["latency"]).pair
    learners: list[TwinRanker] = [BoostedTrees(num_rounds=60, num_seeds=2), CensoredCapacity()]
    for ranker in learners:
        assert accuracy(score_held_out(ranker, twins, [], 0)["latency"]).pair > by_rule + 0.1


def test_a_run_never_trains_its_own_ranker(made_up_twins: MadeUp) -> None:
    """Each run is ranked by what was learned without it; extra twins join, except those of runs under test."""
    twins = made_up_twins(5)
    extra = [replace(twin, question=replace(twin.question, run="9_ADS")) for twin in twins[:7]] + twins[:3]
    recorder = _Recorder()
    score_held_out(recorder, twins, extra, 0)
    assert recorder.asked == [{"1_ADS"}, {"1_ADS"}, {"1_CARS"}, {"1_CARS"}, {"2_CARS"}, {"2_CARS"}]
    assert recorder.trained_on == [
        {"1_CARS", "2_CARS", "9_ADS"},
        {"1_ADS", "2_CARS", "9_ADS"},
        {"1_ADS", "1_CARS", "9_ADS"},
    ]


def test_outcomes_of_the_ranked_twins_change_no_score(made_up_twins: MadeUp) -> None:
    """Scrambling every outcome of a run leaves the scores of that run's twins bit-identical, and moves the others."""
    twins = made_up_twins(6)
    scrambled = [
        replace(twin, outcome=TwinOutcome(7.0 + index, 1.0 + index, 50.0)) if twin.question.run == "2_CARS" else twin
        for index, twin in enumerate(twins)
    ]
    listener = _Listener(BoostedTrees(num_rounds=20, num_seeds=2))
    score_held_out(listener, twins, [], 0)
    score_held_out(listener, scrambled, [], 0)
    unchanged = [np.array_equal(listener.heard[index], listener.heard[index + 6]) for index in range(6)]
    assert unchanged == [False, False, False, False, True, True]


def test_trees_respect_physics_when_told_to(made_up_twins: MadeUp) -> None:
    """Under the monotone constraint more memory never raises a predicted outcome, and more demand never lowers it."""
    fitted = BoostedTrees(monotone=True, num_rounds=40, num_seeds=1).fit(made_up_twins(7), 0)
    question = made_up_twins(7)[0].question
    by_memory = [
        replace(question, configuration=replace(question.configuration, memory_mib=memory))
        for memory in (1024, 2048, 3072, 4096)
    ]
    by_demand = [replace(question, demand_records_per_s=records) for records in np.linspace(2e4, 9e4, 23)]
    for outcome in OUTCOMES:
        assert np.all(np.diff(fitted.scores(by_memory, outcome)) <= 0)
        rising = np.diff(fitted.scores(by_demand, outcome))
        assert np.all(rising >= 0)
        assert np.any(rising > 0)


def test_the_table_has_every_figure_and_the_reference_first(made_up_twins: MadeUp) -> None:
    """Each ranker gets both accuracies of both outcomes, and all but the reference their paired differences."""
    said: list[str] = []
    results = run_benchmark([MORE_WORKERS, MORE_CORES_PER_SLOT], made_up_twins(8), progress=said.append)
    assert results[0].model == "more_cores_per_slot"
    by_model = {
        model: [result.metric for result in results if result.model == model]
        for model in ("more_workers", "more_cores_per_slot")
    }
    accuracies = {f"{kind}_accuracy_{outcome}" for kind in ("pair", "group") for outcome in ("latency", "recovery")}
    assert set(by_model["more_cores_per_slot"]) == accuracies
    assert set(by_model["more_workers"]) == accuracies | {f"{name}_minus_more_cores_per_slot" for name in accuracies}
    assert said == ["more_cores_per_slot", "more_workers"]


def test_a_ranker_without_an_opinion_scores_one_half(made_up_twins: MadeUp) -> None:
    """Equal scores for all twins give one half on every figure."""
    results = run_benchmark([_Recorder()], made_up_twins(9))
    halves = [
        result.interval.value for result in results if result.model == "recorder" and "minus" not in result.metric
    ]
    assert halves == [0.5] * 4


def test_scores_that_are_not_numbers_are_refused(made_up_twins: MadeUp) -> None:
    """A ranker that returns NaN is named instead of being scored."""
    with pytest.raises(BadInputError, match="recorder gave no finite score"):
        score_held_out(_Recorder(score=float("nan")), made_up_twins(10), [], 0)


def test_one_run_alone_is_refused(made_up_twins: MadeUp) -> None:
    """With a single run there is nothing to learn from, and the message says what to add."""
    alone = [twin for twin in made_up_twins(11) if twin.question.run == "1_ADS"]
    with pytest.raises(BadInputError, match="only run with twins"):
        score_held_out(MORE_WORKERS, alone, [], 0)
    with pytest.raises(BadInputError, match="nothing to score"):
        score_held_out(MORE_WORKERS, alone[:1], [], 0)
