"""Systems of different sizes in one batch."""

from dataclasses import fields, replace

import pytest
import torch

from opswm.errors import BadInputError
from opswm.tensors import Batch
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm.windows.stacking import stack_batches, stack_courses, stack_situations
from opswm_schemas.actions.parameters import Restart
from opswm_schemas.descriptor import Entity, SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course
from tests.core.windows.diner import diner, logged, timeline


def small() -> SystemDescriptor:
    """Return another system: five entities, no channel, no relation, one objective."""
    first = diner()
    return first.model_copy(
        update={
            "entities": [*first.entities, Entity(entity_id="host", kind="host")],
            "channels": [],
            "relations": [],
            "objectives": [first.objectives[0].model_copy(update={"weight": 1.0})],
            "step_s": 15.0,
        }
    )


COURSES = [NO_OP, Course(course_id="r", actions=[CandidateAction(target="web", params=Restart())])]


def test_each_system_keeps_its_part_and_all_padding_is_masked() -> None:
    """Cutting a row of the batch back to its own sizes gives the tensors it was made of."""
    one, two = diner(), small()
    first = encode_situation(one, timeline(one, actions=[logged("a", "web"), logged("b", "db")]), 11)
    second = encode_situation(two, timeline(two, {}), 7)
    both = stack_situations([first, second])
    assert both.history.value.shape == (2, 11, 5, 5)
    assert not both.history.seen[1].any()
    assert both.structure.entity.tolist() == [[True] * 4 + [False], [True] * 5]
    assert both.structure.relation_there.tolist() == [[True] * 3, [False] * 3]
    assert both.structure.objective_there.tolist() == [[True, True], [True, False]]
    assert both.past.there.tolist() == [[[True, True]], [[False, False]]]
    assert both.structure.step_s.tolist() == [5.0, 15.0]
    for whole, part in ((both.structure, first.structure), (both.past, first.past)):
        for field in fields(part):
            small_tensor = getattr(part, field.name)
            cut = getattr(whole, field.name)[tuple(slice(size) for size in small_tensor.shape)]
            assert torch.equal(cut, small_tensor), field.name


def test_shorter_histories_are_padded_at_their_old_end() -> None:
    """The last context tick ends at the decision in every row."""
    one = diner()
    both = stack_situations([encode_situation(one, timeline(one), ticks) for ticks in (5, 9)])
    assert not both.history.seen[0, :4].any()
    assert torch.equal(both.history.value[0, 4:], both.history.value[1, 4:])


def test_missing_courses_are_empty() -> None:
    """A row with fewer courses has courses without any action behind its own."""
    one = diner()
    past = timeline(one)
    slots = [encode_courses(one, past, courses, 9) for courses in ([NO_OP], COURSES)]
    assert stack_courses(slots).there[..., 0].tolist() == [[False, False], [False, True]]


def batch(descriptor: SystemDescriptor, horizon: int) -> Batch:
    """Return one row of training data with marks where padding must not reach."""
    past = timeline(descriptor, None if descriptor.channels else {})
    situation = encode_situation(descriptor, past, 6)
    entities, slots = situation.structure.meaning.shape[1:]
    objectives = situation.structure.objective_there.shape[1]
    return Batch(
        situation=situation,
        courses=encode_courses(descriptor, past, COURSES, horizon),
        arm=torch.ones(1, 2, dtype=torch.bool),
        bad=torch.ones(1, 2, horizon, objectives),
        effect=torch.ones(1, 2),
        effect_error=torch.ones(1, 2),
        channel=torch.ones(1, 2, horizon, entities, slots),
        channel_seen=torch.ones(1, 2, horizon, entities, slots, dtype=torch.bool),
    )


def test_training_data_stack_too() -> None:
    """Outcomes keep their place, and what no system has is not seen."""
    both = stack_batches([batch(diner(), 8), batch(small(), 8)])
    assert both.channel.shape == (2, 2, 8, 5, 5)
    assert both.channel_seen.sum(dim=(1, 2, 3, 4)).tolist() == [2 * 8 * 4 * 5, 2 * 8 * 5 * 1]
    assert both.bad.sum(dim=(1, 2, 3)).tolist() == [2 * 8 * 2, 2 * 8 * 1]


def test_nothing_and_unequal_horizons_are_refused() -> None:
    """An empty batch and outcomes of different length have no meaning."""
    with pytest.raises(BadInputError, match="nothing to stack"):
        stack_situations([])
    with pytest.raises(BadInputError, match="horizons"):
        stack_batches([batch(diner(), 8), replace(batch(diner(), 7))])
