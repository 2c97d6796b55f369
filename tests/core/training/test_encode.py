"""Simulated worlds as tensors: what stands where, and that nothing hidden is in it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opswm.action_features import action_features, current_state
from opswm.simulation.kernel.courses import plain_parameters
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live, propose
from opswm.simulation.kernel.observe import measured
from opswm.simulation.kernel.signals import SIGNALS
from opswm.tensors import Situation
from opswm.training.encode import MEANING_OF_SIGNAL, encode_courses, encode_lived, signal_features
from opswm_schemas.vocabulary import ACTION_TYPES, ENTITY_KINDS, MEANINGS, RELATION_KINDS

SEEDS = (3, 5, 8)


@pytest.fixture(scope="module")
def lived() -> Lived:
    """Three incidents of the web shop."""
    return live(EpisodePlan(system="web_shop", context_ticks=24), SEEDS)


@pytest.fixture(scope="module")
def situation(lived: Lived) -> Situation:
    """They as decision points."""
    return encode_lived(lived, measured(lived.blueprints, lived.value.shape[2]))


def test_entities_and_relations_are_those_of_the_system(lived: Lived, situation: Situation) -> None:
    """Every part has its kind, and every call of the blueprint is a relation from caller to callee."""
    blueprint, structure = lived.blueprints[1], situation.structure
    assert [ENTITY_KINDS[kind] for kind in structure.kind[1]] == [part.kind for part in blueprint.parts]
    found = {
        (int(ends[0]), int(ends[1]), RELATION_KINDS[int(kind)])
        for ends, kind, there in zip(
            structure.relation[1], structure.relation_kind[1], structure.relation_there[1], strict=True
        )
        if there
    }
    calls = {(blueprint.index(link.source), blueprint.index(link.target), link.kind) for link in blueprint.links}
    assert calls < found
    assert {kind for _, _, kind in found - calls} == {"hosted_on"}


def test_objectives_carry_weight_and_threshold(lived: Lived, situation: Situation) -> None:
    """Weights sum to 1 and thresholds are features of their latency."""
    goals, structure = lived.blueprints[0].goals, situation.structure
    assert float(structure.objective_weight[0].sum()) == pytest.approx(1.0)
    wanted = [np.arcsinh(goal.threshold_s / 0.01) for goal in goals]
    assert structure.objective_threshold[0].tolist() == pytest.approx(wanted, rel=1e-5)


def test_readings_are_what_monitoring_stored(lived: Lived, situation: Situation) -> None:
    """Features are those of the stored readings, 0 where there is none; exact signals are nowhere."""
    column = SIGNALS.index("request_rate")
    seen = lived.seen[2, :, 0, column]
    assert torch.equal(situation.history.seen, lived.seen)
    wanted = torch.asinh(lived.value[2, seen, 0, column])
    torch.testing.assert_close(situation.history.value[2, seen, 0, column], wanted, atol=1e-4, rtol=1e-5)
    assert not situation.history.value[~lived.seen].any()
    assert [MEANINGS[index].name for index in MEANING_OF_SIGNAL] == list(SIGNALS)


def test_signal_features_survive_nan_where_unseen() -> None:
    """What was not stored may be anything."""
    value = torch.full((2, len(SIGNALS)), torch.nan)
    assert not signal_features(value, torch.zeros(2, len(SIGNALS), dtype=torch.bool)).any()


def test_past_actions_are_those_requested(lived: Lived, situation: Situation) -> None:
    """Each logged action stands at its request, aimed at its target, finished only if that was known."""
    for row, blueprint in enumerate(lived.blueprints):
        there = situation.past.there[row, 0]
        wanted = [done for done in lived.done[row] if done.requested_s >= lived.decision_s - 24 * blueprint.step_s]
        assert int(there.sum()) == len(wanted)
        for slot, done in enumerate(wanted):
            at = (row, 0, slot)
            assert ACTION_TYPES[int(situation.past.type[at])] == done.ability.type
            assert int(situation.past.target[at].int().argmax()) == blueprint.index(done.ability.target)
            tick = (done.requested_s - lived.decision_s) / blueprint.step_s
            assert float(situation.past.tick[at]) == pytest.approx(tick)
            assert bool(situation.past.finished[at]) == (done.succeeds and done.effect_s <= lived.decision_s)
            assert bool(situation.past.automatic[at]) == done.automatic


def test_courses_have_the_features_of_their_parameters(lived: Lived) -> None:
    """A course's features are those of its parameters against the latest readings of its target."""
    courses = [list(propose(9)(lived, row)) for row in range(len(SEEDS))]
    found = encode_courses(lived, courses, lived.value.shape[2])
    assert not found.there[:, 0].any()
    assert bool(found.there[:, 1:, 0].all())
    assert not found.tick.any()
    request = courses[1][4][0]
    target = lived.blueprints[1].index(request.ability.target)
    state = current_state(
        lived.value[1, :, target].double().numpy(), lived.seen[1, :, target].numpy(), MEANING_OF_SIGNAL
    )
    plain = plain_parameters(lived.blueprints[1], request.ability, request.level)
    wanted = action_features(request.ability.type, plain, state)
    assert found.features[1, 4, 0].tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


def test_the_future_is_not_in_a_situation(lived: Lived) -> None:
    """A situation made of worlds with other faults ahead, hidden state and exact signals is the same."""
    other = replace(
        lived, exact=lived.exact + 1.0, bad_share=lived.bad_share + 0.5, incidents=tuple(reversed(lived.incidents))
    )
    there = measured(lived.blueprints, lived.value.shape[2])
    first, second = encode_lived(lived, there), encode_lived(other, there)
    assert torch.equal(first.history.value, second.history.value)
    assert torch.equal(first.past.features, second.past.features)
