"""The policies' score: the same numbers as the runbook baseline, and blind to what nobody can see."""

from dataclasses import replace

import torch

from opswm.planning.baselines import runbook as baseline
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.observe import measured
from opswm.simulation.operators.logged import consider
from opswm.simulation.operators.rules import RULES
from opswm.simulation.operators.runbook import runbook_score
from opswm.training.encode import encode_courses, encode_lived
from opswm_schemas.vocabulary import ACTION_TYPES
from tests.core.simulation.operators.conftest import CANDIDATES


def test_every_rule_is_about_a_known_action_and_scores_at_most_one() -> None:
    """No rule names an action nobody can take, waiting is never advised, and scores lie in (0, 1]."""
    assert {rule.action_type for rule in RULES} <= set(ACTION_TYPES) - {"no_op"}
    assert all(0.0 < rule.score <= 1.0 for rule in RULES)


def test_scores_are_those_of_the_baseline(lived: Lived) -> None:
    """Read from a world's telemetry or from a model's tensors, each candidate has the same score."""
    courses = consider(lived, CANDIDATES)
    entities = lived.value.shape[2]
    situation = encode_lived(lived, measured(lived.blueprints, entities))
    expected = baseline.runbook_score(situation, encode_courses(lived, courses, entities))
    found = runbook_score(lived, courses)
    assert found.tolist() == torch.from_numpy(expected).float().tolist()
    assert (found > 0).float().mean() > 0.05
    assert not found[:, 0].any()


def test_scores_read_nothing_hidden(lived: Lived) -> None:
    """Exact signals, faults and objectives may change; the score stays."""
    courses = consider(lived, CANDIDATES)
    blind = replace(lived, exact=lived.exact * 0.0, bad_share=lived.bad_share * 0.0, incidents=(), done=())
    assert torch.equal(runbook_score(blind, courses), runbook_score(lived, courses))


def test_nothing_read_means_nothing_advised(lived: Lived) -> None:
    """Without a single reading no rule fires."""
    dark = replace(lived, seen=torch.zeros_like(lived.seen), value=torch.zeros_like(lived.value))
    assert not runbook_score(dark, consider(lived, CANDIDATES)).any()
