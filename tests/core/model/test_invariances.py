"""Nothing depends on order, names or padding, and only what is requested within the horizon acts."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.tensors import ActionSlots, Futures, History, Situation
from opswm_schemas.vocabulary import ACTION_INDEX
from tests.core.model.situations import (
    COURSES,
    ENTITIES,
    RELATIONS,
    SLOTS,
    pad,
    permute,
    random_actions,
    random_situation,
    rename_entities,
)

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def model() -> GraphWorldModel:
    """A model whose weights are random everywhere, zero-initialised ones included."""
    with torch.random.fork_rng():
        torch.manual_seed(6)
        made = GraphWorldModel(GraphWorldModelConfig(width=20, message_width=10, hidden=28, rounds=3, samples=16))
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    made.familiarity.fit(torch.randn(50, 40), torch.arange(26.0))
    return made.eval()


def ask(model: GraphWorldModel, situation: Situation, courses: ActionSlots) -> Futures:
    """Return futures with a fixed seed."""
    with torch.inference_mode():
        return model.imagine(model.observe(situation), courses, torch.Generator().manual_seed(1))


def same(first: Tensor, second: Tensor) -> bool:
    """Return whether two predictions agree to 1e-5."""
    return first.shape == second.shape and float((first - second).abs().max()) < TOLERANCE


def order_of(size: int, seed: int) -> Tensor:
    """Return a permutation that is not the identity."""
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    return order if not torch.equal(order, torch.arange(size)) else order.flip(0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_renaming_entities(model: GraphWorldModel, seed: int) -> None:
    """Entities in another order give the same effects, and the same bands in that order."""
    situation, courses, order = random_situation(seed), random_actions(seed), order_of(ENTITIES, seed)
    plain, renamed = ask(model, situation, courses), ask(model, *rename_entities(situation, courses, order))
    assert same(plain.effect, renamed.effect)
    assert same(plain.bad, renamed.bad)
    assert same(plain.support, renamed.support)
    assert same(plain.channel[:, :, :, order], renamed.channel)


def test_reordering_relations(model: GraphWorldModel) -> None:
    """Relations in another order give the same futures."""
    situation, courses, order = random_situation(4), random_actions(4), order_of(RELATIONS, 4)
    moved = permute(situation.structure, 1, order, "relation", "relation_kind", "relation_there")
    assert same(ask(model, situation, courses).bad, ask(model, replace(situation, structure=moved), courses).bad)


def test_reordering_channel_slots(model: GraphWorldModel) -> None:
    """Slots in another order give the same effects, and the same bands in that order."""
    situation, courses, order = random_situation(5), random_actions(5), order_of(SLOTS, 5)
    structure = permute(situation.structure, 2, order, "meaning", "channel")
    history = History(situation.history.value[..., order], situation.history.seen[..., order])
    moved = ask(model, replace(situation, structure=structure, history=history), courses)
    plain = ask(model, situation, courses)
    assert same(plain.effect, moved.effect)
    assert same(plain.channel[:, :, :, :, order], moved.channel)


def test_reordering_courses(model: GraphWorldModel) -> None:
    """Courses in another order give the same futures in that order: what else is asked changes no answer."""
    situation, courses = random_situation(6), random_actions(6)
    order = torch.cat([torch.zeros(1, dtype=torch.long), 1 + order_of(COURSES - 1, 6)])
    names = ("there", "type", "target", "features", "affects", "tick", "finished", "automatic")
    plain, moved = ask(model, situation, courses), ask(model, situation, permute(courses, 1, order, *names))
    assert same(plain.bad[:, order], moved.bad)
    assert same(plain.effect[:, order], moved.effect)
    assert same(plain.support[:, order], moved.support)


def test_a_course_does_not_depend_on_its_company(model: GraphWorldModel) -> None:
    """A course asked about alone has the effect it has among others."""
    situation, courses = random_situation(7), random_actions(7)
    alone = ActionSlots(**{name: value[:, [0, 4]] for name, value in vars(courses).items()})
    assert same(ask(model, situation, courses).effect[:, [0, 4]], ask(model, situation, alone).effect)


def test_a_point_does_not_depend_on_its_batch(model: GraphWorldModel) -> None:
    """A decision point has the same futures alone and in a batch."""
    situation, courses, row = random_situation(8), random_actions(8), torch.tensor([1])
    alone = ask(model, situation.take(row), courses.take(row))  # type: ignore[arg-type]
    assert same(ask(model, situation, courses).bad[1:], alone.bad)


def test_padding(model: GraphWorldModel) -> None:
    """Empty slots on every axis, filled with nonsense, change nothing."""
    situation, courses = random_situation(9), random_actions(9)
    plain, padded = ask(model, situation, courses), ask(model, *pad(situation, courses))
    assert same(plain.bad, padded.bad[:, :-1, ..., :-1])
    assert same(plain.effect, padded.effect[:, :-1])
    assert same(plain.channel, padded.channel[:, :-1, :, :-1, :-1])
    assert bool((padded.effect[:, -1] == 0.0).all())


def test_unseen_values_do_not_matter(model: GraphWorldModel) -> None:
    """Whatever stands where nothing was seen, NaN included, changes nothing."""
    situation, courses = random_situation(10), random_actions(10)
    value = torch.where(situation.history.seen, situation.history.value, torch.nan)
    scrambled = replace(situation, history=History(value, situation.history.seen))
    assert torch.equal(ask(model, situation, courses).bad, ask(model, scrambled, courses).bad)


def test_requests_beyond_the_horizon_do_nothing(model: GraphWorldModel) -> None:
    """An action requested after the last imagined tick leaves its course as no_op."""
    situation, courses = random_situation(11), random_actions(11)
    late = replace(courses, tick=torch.full_like(courses.tick, float(model.horizon_ticks)))
    futures = ask(model, situation, late)
    assert bool((futures.effect == 0.0).all())
    assert same(futures.bad, futures.bad[:, :1].expand_as(futures.bad))


def test_a_deliberate_wait_is_no_op(model: GraphWorldModel) -> None:
    """A filled no_op slot, whatever target and features it carries, has an effect of exactly zero."""
    situation, courses = random_situation(12), random_actions(12)
    waiting = replace(courses, type=torch.full_like(courses.type, ACTION_INDEX["no_op"]))
    assert bool((ask(model, situation, waiting).effect == 0.0).all())


def test_untrained_actions_do_nothing() -> None:
    """At initialisation every course has the bad shares of no_op, because the action path starts at zero."""
    torch.manual_seed(7)
    fresh = GraphWorldModel(GraphWorldModelConfig(width=20, message_width=10, hidden=28, samples=16)).eval()
    futures = ask(fresh, random_situation(13), random_actions(13))
    assert same(futures.bad, futures.bad[:, :1].expand_as(futures.bad))
    assert float(futures.effect.abs().max()) < TOLERANCE


def test_actions_do_something_once_trained(model: GraphWorldModel) -> None:
    """With weights everywhere, a course that acts differs from no_op."""
    assert float(ask(model, random_situation(14), random_actions(14)).effect[:, 1:].abs().max()) > 1e-3


def test_past_actions_matter(model: GraphWorldModel) -> None:
    """What was done before the decision changes the forecast, and so does when it was done."""
    situation, courses = random_situation(15), random_actions(15)
    none = replace(situation, past=replace(situation.past, there=torch.zeros_like(situation.past.there)))
    earlier = replace(situation, past=replace(situation.past, tick=situation.past.tick - 40.0))
    futures = [ask(model, one, courses).bad[:, 0] for one in (situation, none, earlier)]
    assert not same(futures[0], futures[1])
    assert not same(futures[0], futures[2])
