"""Logged decision points: one arm each, functions of their seed, with the truth of the others on request."""

import pytest
import torch

from opswm.simulation.kernel.episodes import EpisodePlan, Lived
from opswm.simulation.operators.hidden import staying
from opswm.simulation.operators.logged import consider, course_id, decide, log_decisions
from opswm.simulation.operators.policies import Policy, propensities, regime_policy
from tests.core.simulation.operators.conftest import CANDIDATES, HORIZON, PLAN, SEEDS, Known


def test_what_was_realised_is_what_the_chosen_candidate_does(known: Known) -> None:
    """In the future that was lived, the logged cost equals the branched cost of the same candidate, and of no other."""
    points = known.points
    of_chosen = known.cost.gather(1, points.chosen[:, None])[:, 0]
    assert torch.allclose(points.realised_cost.double(), of_chosen, atol=1e-6)
    assert float((known.cost - of_chosen[:, None]).abs().amax(1).median()) > 0.05


def test_the_recorded_chance_is_the_policys(known: Known) -> None:
    """Propensities are those of score, hidden variable and gamma, and the chosen one's is read off them."""
    points = known.points
    expected = propensities(Policy(1.0), points.score, points.staying)
    assert torch.equal(points.propensity, expected)
    rows = torch.arange(len(SEEDS))
    assert torch.equal(points.chosen_propensity, expected[rows, points.chosen])


@pytest.mark.slow
def test_a_seed_gives_the_same_point_in_any_batch() -> None:
    """In one batch or in several: the same choice, chance and cost."""
    plan, seeds = EpisodePlan(system="web_shop", context_ticks=3, calm_share=1.0), (4, 9, 6)
    whole = next(log_decisions(plan, seeds, Policy(1.0), 8, 3))
    batches = list(log_decisions(plan, seeds, Policy(1.0), 8, 3, worlds_at_once=2))
    assert [len(batch.chosen) for batch in batches] == [2, 1]
    for name in ("chosen", "realised_cost", "score", "propensity", "staying"):
        assert torch.equal(torch.cat([getattr(batch, name) for batch in batches]), getattr(whole, name))
    assert (*batches[0].courses, *batches[1].courses) == whole.courses
    assert whole.branches is None


def test_the_policy_changes_the_choice_and_nothing_else(lived: Lived, known: Known) -> None:
    """Candidates and scores are blind to gamma; choices under gamma 4 follow the score more than under gamma 0."""
    plain, eager = (decide(lived, Policy(gamma), CANDIDATES, 2) for gamma in (0.0, 4.0))
    assert plain.courses == eager.courses == known.points.courses
    assert torch.equal(plain.score, eager.score)
    advised = [float(p.score.gather(1, p.chosen[:, None]).mean()) for p in (plain, known.points, eager)]
    assert advised[0] < advised[2]
    assert advised[1] < advised[2]


def test_candidates_have_names_of_their_own(known: Known) -> None:
    """No two candidates of a world are logged under one name, and waiting is called no_op."""
    for blueprint, world in zip(known.points.lived.blueprints, known.points.courses, strict=True):
        names = [course_id(blueprint, course) for course in world]
        assert names[0] == "no_op"
        assert len(set(names)) == CANDIDATES


def test_what_is_hidden_is_a_share_and_varies(lived: Lived) -> None:
    """In most worlds the trouble stays, in some it passes, in healthy ones there is none."""
    found = staying(lived, HORIZON)
    assert float(found.min()) == 0.0
    assert float(found.max()) == 1.0
    assert 0.5 < float(found.mean()) < 0.95
    healthy = [row for row, incident in enumerate(lived.incidents) if incident.label == "none"]
    assert healthy
    assert not found[healthy].any()


def test_what_is_hidden_decides_what_waiting_costs(known: Known) -> None:
    """Waiting is dearer, by more than two standard errors, where the trouble stays."""
    stays = known.points.staying >= 1.0
    waiting = known.cost[:, 0]
    gap = waiting[stays].mean() - waiting[~stays].mean()
    error = torch.sqrt(waiting[stays].var() / stays.sum() + waiting[~stays].var() / (~stays).sum())
    assert float(gap) > 2.0 * float(error)


def test_only_the_hidden_regime_reads_the_hidden_variable(known: Known) -> None:
    """The logged regime's chances do not depend on it; the other's do."""
    points, other = known.points, 1.0 - known.points.staying
    for gamma in (1.0, 4.0):
        seen, told = regime_policy(gamma), regime_policy(gamma, hidden=True)
        assert torch.equal(propensities(seen, points.score, points.staying), propensities(seen, points.score, other))
        assert not torch.equal(
            propensities(told, points.score, points.staying), propensities(told, points.score, other)
        )


def test_more_candidates_than_abilities_are_refused(lived: Lived) -> None:
    """The message names the seed and what it has."""
    with pytest.raises(ValueError, match=r"seed 2000 has \d+ courses"):
        consider(lived, 10_000)


def test_no_seeds_are_refused() -> None:
    """An empty log is a mistake, not an answer."""
    with pytest.raises(ValueError, match="world seed"):
        list(log_decisions(PLAN, (), Policy(1.0)))
