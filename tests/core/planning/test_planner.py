"""The planner over a world model, as a ranker and as an adviser."""

import numpy as np
import pytest
import torch

from opswm.errors import BadInputError
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.planning.advise import advise
from opswm.planning.planner import PlainAdviser, Planner
from opswm.planning.ranker import Ranker
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm.windows.stacking import stack_courses, stack_situations
from opswm_schemas.actions.parameters import Restart, ScaleHorizontal
from opswm_schemas.questions import CandidateAction, Course, RankingRequest
from tests.core.planning.toy import HORIZON, NUM_SAMPLES, SOURCES, planner
from tests.core.windows.diner import diner, timeline

UP = Course(course_id="up", actions=[CandidateAction(target="web", params=ScaleHorizontal(to_replicas=6))])
BOUNCE = Course(course_id="bounce", actions=[CandidateAction(target="web", params=Restart(scope="all"))])


def graph_planner() -> Planner:
    """Return a planner over a small untrained graph world model."""
    torch.manual_seed(1)
    model = GraphWorldModel(GraphWorldModelConfig())
    model.eval()
    return Planner(CalibratedModel(model, Calibration()))


def test_as_a_ranker_it_answers_for_a_batch() -> None:
    """Two systems in one batch have the effects they have alone."""
    descriptor = diner()
    only = descriptor.objectives[0].model_copy(update={"weight": 1.0})
    lone = diner(relations=[], channels=descriptor.channels[:5], objectives=[only])
    ranker: Ranker = planner(noise=0.0)
    parts = []
    for system, courses in ((descriptor, [NO_OP, UP, BOUNCE]), (lone, [NO_OP, BOUNCE])):
        past = timeline(system)
        parts.append((encode_situation(system, past, 15), encode_courses(system, past, courses, HORIZON)))
    together = ranker.effects(
        stack_situations([part[0] for part in parts]), stack_courses([part[1] for part in parts]), 3
    )
    minutes = 5.0 / 60.0
    assert together.value[0] == pytest.approx([0.0, -18 * 0.6 * minutes, 24 * 0.3 * minutes], rel=1e-5)
    assert together.value[1] == pytest.approx([0.0, 24 * 0.3 * minutes, 0.0], rel=1e-5)
    assert together.cost_no_op == pytest.approx([24 * 0.6 * minutes] * 2)


def test_as_an_adviser_it_has_futures_at_the_horizon_asked_about() -> None:
    """A nearer horizon sums over fewer ticks; one beyond the model is refused."""
    descriptor = diner()
    past = timeline(descriptor)
    situation = encode_situation(descriptor, past, 15)
    slots = encode_courses(descriptor, past, [NO_OP, UP], HORIZON)
    near = planner(noise=0.0).outlook(situation, slots, 0, 9)
    assert near.imagined is not None
    assert near.imagined.bad.shape == (2, NUM_SAMPLES, 9, 2)
    assert near.effects.value[0, 1] == pytest.approx(-3 * 0.6 * 5.0 / 60.0, rel=1e-5)
    with pytest.raises(BadInputError, match="horizon of 99"):
        planner().outlook(situation, slots, 0, 99)


def test_the_graph_world_model_stands_behind_the_same_seam() -> None:
    """Before training no action does anything, so waiting is as good as anything, and the answer is repeatable."""
    own = graph_planner()
    request = RankingRequest(system_id="diner", courses=[UP, BOUNCE], horizon_ticks=own.horizon_ticks)
    answer = advise(timeline(diner()), request, own, SOURCES)
    assert answer.verdict == "no_op_best"
    assert [one.effect_bad_minutes.value for one in answer.ranked if one.course == UP] == [0.0]
    assert answer.model_dump_json() == advise(timeline(diner()), request, graph_planner(), SOURCES).model_dump_json()


def test_any_ranker_can_advise() -> None:
    """A planner wrapped as a plain ranker gives the same effects without futures."""
    descriptor = diner()
    past = timeline(descriptor)
    situation = encode_situation(descriptor, past, 15)
    slots = encode_courses(descriptor, past, [NO_OP, UP], HORIZON)
    wrapped = PlainAdviser(planner(), context_ticks=15, horizon_ticks=HORIZON)
    plain, rich = wrapped.outlook(situation, slots, 2, HORIZON), planner().outlook(situation, slots, 2, HORIZON)
    assert (wrapped.name, plain.imagined) == ("toy", None)
    np.testing.assert_array_equal(plain.effects.value, rich.effects.value)
