"""Rankers that look at tables instead of imagining futures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opswm.errors import BadInputError
from opswm.planning.baselines.features import feature_names, pair_features
from opswm.planning.baselines.levels import entity_levels, present_bad_share
from opswm.planning.baselines.lightgbm_effect import LightGBMConfig, LightGBMEffectRanker
from opswm.planning.baselines.mean_effect import MeanEffectRanker
from opswm.planning.baselines.naive import NoOpRanker, RandomRanker
from opswm.planning.baselines.runbook import RunbookRanker, runbook_score
from opswm.planning.ranker import Effects, Ranker
from opswm_schemas.vocabulary import ACTION_INDEX, MEANING_INDEX
from tests.core.planning.queue_world import COURSES, HORIZON, STEP_S, queue_world, slots

MINUTES = HORIZON * STEP_S / 60.0
TRAIN, TEST = queue_world(300, 1), queue_world(80, 2)
FAST = LightGBMConfig(rounds=60, min_leaf=10)
TREES = LightGBMEffectRanker(HORIZON, FAST).fit([TRAIN])


def regret(found: Effects) -> float:
    """Return the mean regret of the ranker's first choice, per cent of the horizon."""
    chosen = found.value.argmin(axis=1)
    true = TEST.effect.numpy()
    return 100.0 * float((true[np.arange(len(true)), chosen] - true.min(axis=1)).mean())


@pytest.mark.parametrize(
    "ranker",
    [
        NoOpRanker(HORIZON),
        RandomRanker(HORIZON),
        RunbookRanker(HORIZON),
        MeanEffectRanker(HORIZON).fit([TRAIN]),
        TREES,
    ],
    ids=lambda ranker: ranker.name,
)
def test_every_ranker_keeps_the_contract(ranker: Ranker) -> None:
    """no_op has no effect, intervals hold their centre, probabilities are ones, and one seed gives one answer."""
    found = ranker.effects(TEST.situation, TEST.courses, 5)
    again = ranker.effects(TEST.situation, TEST.courses, 5)
    for name in ("value", "lower", "upper", "p_harm", "p_best", "support"):
        part = getattr(found, name)
        assert part.shape == (80, COURSES)
        assert np.isfinite(part).all()
        np.testing.assert_array_equal(part, getattr(again, name))
    assert not found.value[:, 0].any()
    assert not found.p_harm[:, 0].any()
    assert (found.lower <= found.value).all()
    assert (found.value <= found.upper).all()
    for name in ("p_harm", "p_best", "support"):
        assert ((getattr(found, name) >= 0.0) & (getattr(found, name) <= 1.0)).all()
    assert found.cost_no_op.shape == (80,)


def test_doing_nothing_is_what_the_no_op_ranker_wants() -> None:
    """It sees harm in everything."""
    found = NoOpRanker(HORIZON).effects(TEST.situation, TEST.courses, 0)
    assert (found.value.argmin(axis=1) == 0).all()
    assert (found.p_harm[:, 1:] == 1.0).all()


def test_random_choices_are_even_and_follow_the_seed() -> None:
    """Each course, no_op too, comes first about as often; another seed gives another choice."""
    ranker = RandomRanker(HORIZON)
    firsts = np.concatenate(
        [ranker.effects(TEST.situation, TEST.courses, seed).value.argmin(axis=1) for seed in range(25)]
    )
    assert np.bincount(firsts, minlength=COURSES) / firsts.size == pytest.approx([1 / COURSES] * COURSES, abs=0.04)


def test_the_runbook_fires_on_what_the_target_shows() -> None:
    """A busy target is scaled up; the same type on an idle one, or in the other direction, is not advised."""
    score = runbook_score(TEST.situation, TEST.courses)
    busy = entity_levels(TEST.situation).level[:, :, MEANING_INDEX["cpu_utilization"]]
    np.testing.assert_array_equal(score[:, 1] == 0.7, busy[:, 0] > 0.8)
    np.testing.assert_array_equal(score[:, 2] == 0.7, busy[:, 1] > 0.8)
    down = replace(TEST.courses, features=-TEST.courses.features)
    assert not runbook_score(TEST.situation, down)[:, 1].any()
    assert not score[:, 0].any()


def test_retries_are_counted_where_callers_make_them() -> None:
    """Turning off retries towards a target is advised when its caller retries much, and not for its callee."""
    meaning = TEST.situation.structure.meaning.clone()
    meaning[:, 0, 0] = MEANING_INDEX["retry_rate"]
    value = TEST.situation.history.value.clone()
    value[:, :, 0, 0] = 5.0  # sinh(5) retries per second
    situation = replace(
        TEST.situation,
        structure=replace(TEST.situation.structure, meaning=meaning),
        history=replace(TEST.situation.history, value=value),
    )
    courses = slots(80, ["no_op", "timeout_retry", "timeout_retry"], [0, 1, 2])
    off = replace(courses, features=-courses.features)
    assert runbook_score(situation, off).tolist() == [[0.0, 0.7, 0.0]] * 80


def test_the_mean_effect_is_the_mean_of_its_kind() -> None:
    """It knows types and resources, not situations; a type never seen has no support and no effect."""
    ranker = MeanEffectRanker(HORIZON).fit([TRAIN])
    found = ranker.effects(TEST.situation, TEST.courses, 0)
    scaling = float(TRAIN.effect[:, 1:3].mean()) * MINUTES
    assert found.value[0] == pytest.approx([0.0, scaling, scaling, 0.2 * MINUTES, 0.0], abs=1e-6)
    assert (found.value == found.value[0]).all()
    strange = replace(TEST.courses, type=torch.where(TEST.courses.there, ACTION_INDEX["db_op"], 0))
    other = ranker.effects(TEST.situation, strange, 0)
    assert not other.value.any()
    assert not other.support.any()


def test_trees_learn_where_scaling_helps() -> None:
    """The effect regressor beats the mean effect, which beats chance, and its interval covers most true effects."""
    trees = TREES.effects(TEST.situation, TEST.courses, 0)
    means = MeanEffectRanker(HORIZON).fit([TRAIN]).effects(TEST.situation, TEST.courses, 0)
    chance = RandomRanker(HORIZON).effects(TEST.situation, TEST.courses, 0)
    assert regret(trees) < 0.5 * regret(means)
    assert regret(means) < regret(chance)
    true = TEST.effect.numpy() * MINUTES
    inside = (trees.lower - 0.05 <= true) & (true <= trees.upper + 0.05)
    assert inside[:, 1:].mean() > 0.8


def test_a_kind_of_action_never_seen_has_no_support() -> None:
    """Trees say how far they are from what they learned."""
    courses = slots(80, ["no_op", "failover"], [0, 0])
    assert TREES.effects(TEST.situation, courses, 0).support.tolist() == [[0.0, 0.0]] * 80


def test_rankers_without_data_are_refused() -> None:
    """Nothing to learn from, or nothing learned, is an error and not a zero."""
    unrun = replace(TRAIN, arm=torch.zeros_like(TRAIN.arm))
    with pytest.raises(BadInputError, match="nothing to learn"):
        MeanEffectRanker(HORIZON).fit([unrun])
    with pytest.raises(BadInputError, match="nothing to learn"):
        LightGBMEffectRanker(HORIZON, FAST).fit([])
    with pytest.raises(BadInputError, match="call fit"):
        LightGBMEffectRanker(HORIZON).effects(TEST.situation, TEST.courses, 0)


def test_features_name_what_they_hold() -> None:
    """Each column has a name, and a few well-known ones have the values that the world was made of."""
    table = dict(zip(feature_names(), np.moveaxis(pair_features(TEST.situation, TEST.courses), -1, 0), strict=True))
    busy = entity_levels(TEST.situation).level[:, :, MEANING_INDEX["cpu_utilization"]]
    np.testing.assert_allclose(table["target_level_cpu_utilization"][:, 1], busy[:, 0])
    np.testing.assert_allclose(table["downstream_cpu_utilization"][:, 1], busy[:, 1])
    np.testing.assert_allclose(table["upstream_cpu_utilization"][:, 2], busy[:, 0])
    np.testing.assert_allclose(table["worst_cpu_utilization"][:, 4], busy.max(axis=1))
    assert np.isnan(table["upstream_cpu_utilization"][:, 1]).all()
    assert np.isnan(table["target_level_cpu_utilization"][:, 0]).all()
    assert (table["type"][:, 3] == ACTION_INDEX["restart"]).all()


def test_order_of_entities_slots_and_courses_means_nothing() -> None:
    """Shuffling a system moves nothing but the rows of the courses."""
    entities, channels, courses = torch.tensor([2, 0, 1]), torch.tensor([3, 1, 0, 2]), torch.tensor([0, 3, 4, 1, 2])
    structure, history = TEST.situation.structure, TEST.situation.history
    where = torch.argsort(entities)
    shuffled = replace(
        TEST.situation,
        structure=replace(
            structure,
            meaning=structure.meaning[:, entities][:, :, channels],
            relation=where[structure.relation],
            objective_entity=where[structure.objective_entity],
        ),
        history=replace(
            history,
            value=history.value[:, :, entities][..., channels],
            seen=history.seen[:, :, entities][..., channels],
        ),
    )
    moved = TEST.courses.__class__(
        **{name: getattr(TEST.courses, name)[:, courses] for name in TEST.courses.__dataclass_fields__}
    )
    moved = replace(moved, target=moved.target[..., entities], affects=moved.affects[..., entities, :])
    first = TREES.effects(TEST.situation, TEST.courses, 0)
    second = TREES.effects(shuffled, moved, 0)
    np.testing.assert_allclose(second.value, first.value[:, courses.numpy()], atol=1e-9)


def test_the_present_bad_share_is_read_off_errors_and_latency() -> None:
    """Errors count as they are; latency counts by how far it is over the threshold."""
    errors = np.nan_to_num(entity_levels(TEST.situation).level[:, 0, MEANING_INDEX["error_ratio"]])
    np.testing.assert_allclose(present_bad_share(TEST.situation), np.clip(errors, 0.0, 1.0))
    slow = replace(
        TEST.situation,
        structure=replace(
            TEST.situation.structure,
            objective_threshold=torch.full((80, 1), -5.0),
            objective_meaning=torch.full((80, 1), MEANING_INDEX["latency_p99"]),
        ),
    )
    assert present_bad_share(slow) == pytest.approx(np.ones(80))
