"""A decision point and its courses as tensors."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from opswm.canonical import to_feature
from opswm.errors import BadInputError
from opswm.tensors import ActionSlots, Situation
from opswm.windows.objectives import required_objectives
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.actions.parameters import (
    CacheOp,
    ConfigChange,
    LoadShed,
    NoOp,
    PoolResize,
    ScaleHorizontal,
    TrafficShift,
)
from opswm_schemas.actions.record import Actor, Target
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Affect, Capability
from opswm_schemas.descriptor import Objective
from opswm_schemas.questions import CandidateAction, Course
from opswm_schemas.vocabulary import ACTION_FEATURES, ACTION_INDEX, MEANING_INDEX, RESOURCES
from tests.core.windows.diner import diner, logged, timeline

CONTEXT = 26
HORIZON = 13


def course(name: str, *actions: CandidateAction) -> Course:
    """Return a course."""
    return Course(course_id=name, actions=list(actions))


COURSES = [
    NO_OP,
    course("more", CandidateAction(target="web", params=ScaleHorizontal(to_replicas=8))),
    course(
        "both",
        CandidateAction(target="db", params=PoolResize(size_connections=40), delay_ticks=2),
        CandidateAction(target="web", params=LoadShed(fraction_ratio=0.4)),
        CandidateAction(target="web", params=NoOp()),
    ),
]


def equal(first: Situation | ActionSlots, second: Situation | ActionSlots) -> bool:
    """Return whether two records hold the same bits."""
    for field in fields(first):
        left, right = getattr(first, field.name), getattr(second, field.name)
        same = torch.equal(left, right) if isinstance(left, torch.Tensor) else equal(left, right)
        if not same:
            return False
    return True


def test_a_situation_holds_what_the_descriptor_and_the_past_say() -> None:
    """Meanings, features, masks, relations and objectives land where the legend says."""
    descriptor = diner()
    past = timeline(descriptor)
    situation = encode_situation(descriptor, past, CONTEXT)
    structure, history = situation.structure, situation.history
    assert history.value.shape == (1, CONTEXT, 4, 5)
    assert not history.seen[:, : CONTEXT - 21].any()
    assert structure.channel.sum(dim=2).tolist() == [[5, 2, 2, 0]]
    assert structure.meaning[0, 1, :2].tolist() == [MEANING_INDEX["pool_in_use"], MEANING_INDEX["pool_size"]]
    wanted = to_feature(past.value[-1, 2:3], np.array([MEANING_INDEX["latency_p99"]]))
    assert history.value[0, -1, 0, 2].item() == pytest.approx(float(wanted[0]), rel=1e-6)
    assert not history.value[~history.seen].any()
    assert structure.relation.tolist() == [[[0, 1], [0, 2], [0, 3]]]
    assert structure.objective_entity.tolist() == [[0, 1]]
    assert structure.objective_weight.tolist() == [[0.75, 0.25]]
    assert structure.objective_meaning.tolist() == [[MEANING_INDEX["latency_p99"], MEANING_INDEX["pool_in_use"]]]
    thresholds = [np.arcsinh(0.5 / 0.01), np.arcsinh(18.0)]
    assert structure.objective_threshold[0].tolist() == pytest.approx(thresholds, rel=1e-6)
    assert structure.step_s.tolist() == [5.0]


def test_older_ticks_are_cut() -> None:
    """A context shorter than the timeline keeps its latest ticks."""
    descriptor = diner()
    whole = encode_situation(descriptor, timeline(descriptor), 21).history
    short = encode_situation(descriptor, timeline(descriptor), 7).history
    assert torch.equal(short.value, whole.value[:, -7:])
    assert torch.equal(short.seen, whole.seen[:, -7:])


def test_courses_hold_requests_relative_to_the_present_state() -> None:
    """Scenario 0 is empty; the others hold type, target, change, touched resources and requested tick."""
    descriptor = diner()
    slots = encode_courses(descriptor, timeline(descriptor), COURSES, HORIZON)
    assert slots.there.tolist() == [[[False, False], [True, False], [True, True]]]
    assert slots.type[0, 2].tolist() == [ACTION_INDEX["pool_resize"], ACTION_INDEX["load_shed"]]
    assert slots.target[0, 2].tolist() == [[False, True, False, False], [True, False, False, False]]
    assert slots.tick[0].tolist() == [[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    change = ACTION_FEATURES.index("log_change")
    assert slots.features[0, 1, 0, change].item() == pytest.approx(np.log(2.0), rel=1e-6)
    assert slots.features[0, 2, 0, change].item() == pytest.approx(np.log(2.0), rel=1e-6)
    affects = slots.affects[0, 2, 0]
    assert affects[1, RESOURCES.index("connections")] == 1.0
    assert affects[:2, RESOURCES.index("latency")].tolist() == [-1.0, -1.0]
    assert affects.abs().sum() == 3.0
    assert not slots.finished.any()


def test_what_leaves_the_target_of_a_traffic_shift_is_its_size() -> None:
    """A weight on the target counts; a router's size is what its largest route leaves over."""
    descriptor = diner()
    fraction = ACTION_FEATURES.index("fraction")
    shifts = [
        course("away", CandidateAction(target="web", params=TrafficShift(weights={"web": 0.25, "web-b": 0.75}))),
        course("router", CandidateAction(target="cache", params=TrafficShift(weights={"web": 0.4, "web-b": 0.6}))),
    ]
    slots = encode_courses(descriptor, timeline(descriptor), [NO_OP, *shifts], HORIZON)
    assert slots.features[0, :, 0, fraction].tolist() == pytest.approx([0.0, 0.75, 0.6])


@pytest.mark.parametrize(
    ("courses", "message"),
    [
        ([COURSES[1]], "first course must be no_op"),
        ([], "first course must be no_op"),
        ([NO_OP, course("x", CandidateAction(target="mars", params=ScaleHorizontal(to_replicas=1)))], "'mars'"),
        (
            [NO_OP, course("x", CandidateAction(target="web", params=NoOp(), delay_ticks=1)), *[COURSES[2]] * 1],
            "",
        ),
        (
            [NO_OP, course("x", CandidateAction(target="web", params=LoadShed(fraction_ratio=0.1), delay_ticks=13))],
            "after 13 ticks",
        ),
    ],
)
def test_courses_that_make_no_sense_are_refused(courses: list[Course], message: str) -> None:
    """An error names the course, what was given and what to do; a delayed wait is still a wait."""
    descriptor = diner()
    if not message:
        assert not encode_courses(descriptor, timeline(descriptor), courses, HORIZON).there[0, 1].any()
        return
    with pytest.raises(BadInputError, match=message):
        encode_courses(descriptor, timeline(descriptor), courses, HORIZON)


def test_of_several_capabilities_the_one_whose_bounds_hold_the_parameters_is_meant() -> None:
    """Warming and flushing a cache touch it the opposite way, and the operation tells which is meant."""
    both = [
        Capability(
            capability_id=op,
            type="cache_op",
            targets=["cache"],
            bounds={"op": Bound(choices=[op])},
            affects=[Affect.model_validate({"resource": "cache", "sign": sign})],
        )
        for op, sign in (("flush", -1), ("warm", 1))
    ]
    descriptor = diner(capabilities=both)
    courses = [NO_OP, *(course(op, CandidateAction(target="cache", params=CacheOp(op=op))) for op in ("warm", "flush"))]
    slots = encode_courses(descriptor, timeline(descriptor), courses, HORIZON)
    assert slots.affects[0, :, 0, 2, RESOURCES.index("cache")].tolist() == [0.0, 1.0, -1.0]


@pytest.mark.parametrize(("key", "change"), [("max_connections", np.log(2.0)), ("zzz.1", np.log(2.0)), ("other", 0.0)])
def test_what_a_configuration_key_sets_is_what_the_descriptor_says(key: str, change: float) -> None:
    """The name of a key means nothing; a key that no capability is about changes nothing that is known."""
    known = "max_connections" if key == "other" else key
    tuning = Capability(
        capability_id="tune",
        type="config_change",
        targets=["db"],
        bounds={"key": Bound(choices=[known]), "new": Bound(minimum=1.0, sets="pool_size")},
    )
    descriptor = diner(capabilities=[tuning])
    courses = [NO_OP, course("tune", CandidateAction(target="db", params=ConfigChange(key=key, new=40.0)))]
    slots = encode_courses(descriptor, timeline(descriptor), courses, HORIZON)
    assert slots.features[0, 1, 0, ACTION_FEATURES.index("log_change")].item() == pytest.approx(change, rel=1e-6)


def test_logged_actions_are_the_past_as_far_as_known() -> None:
    """What was asked within the context is there with its tick; refused, pending and later requests are not."""
    descriptor = diner()
    actions = [
        logged("a", "web", facts=(("proposed", -90, -90), ("approved", -60, -60), ("succeeded", -20, -15))),
        logged("b", "db", facts=(("started", -40, -40),), actor=Actor(kind="autoscaler", id="hpa")),
        logged("refused", "db", facts=(("proposed", -40, -40), ("rejected", -30, -30))),
        logged("pending", "db", facts=(("proposed", -40, -40),)),
        logged("ancient", "db", facts=(("started", -600, -600),)),
        logged("elsewhere", "removed-service"),
        logged("told-late", "db", facts=(("started", -40, 10),)),
        logged("all-front", "web", facts=(("started", -10, -10),)).model_copy(
            update={"target": Target(selector={"team": "front"})}
        ),
    ]
    past = encode_situation(descriptor, timeline(descriptor, actions=actions), CONTEXT).past
    assert past.there.tolist() == [[[True, True, True]]]
    assert past.tick[0, 0].tolist() == [-12.0, -8.0, -2.0]
    assert past.finished[0, 0].tolist() == [True, False, False]
    assert past.automatic[0, 0].tolist() == [False, True, False]
    assert past.target[0, 0].sum(dim=1).tolist() == [1, 1, 2]


def test_a_past_action_is_relative_to_the_state_it_met() -> None:
    """Readings after the request do not change how large the change looks."""
    descriptor = diner()
    action = logged("up", "web", ScaleHorizontal(to_replicas=8), facts=(("started", -50.0, -50.0),))
    before = timeline(descriptor, actions=[action])
    before.value[:-10, 4], before.seen[:-10, 4] = 2.0, True
    past = encode_situation(descriptor, before, CONTEXT).past
    assert past.features[0, 0, 0, ACTION_FEATURES.index("log_change")].item() == pytest.approx(np.log(4.0), rel=1e-6)


def test_outcomes_of_logged_actions_are_never_read() -> None:
    """Facts after the decision, realised costs and estimated effects leave every bit as it was."""
    descriptor = diner()
    plain = logged("a", "web")
    later = logged("a", "web").model_validate(
        plain.model_dump()
        | {
            "realised": {"slo_cost_bad_minutes": 9.0, "window_s": 60.0, "known_at": "2024-03-05T13:00:00Z"},
            "estimated_effect": {
                "value_bad_minutes": -3.0,
                "interval_bad_minutes": (-4.0, -2.0),
                "method": "guess",
                "model_id": "m",
            },
            "progress_ratio": 0.7,
            "transitions": [
                *plain.model_dump()["transitions"],
                {"status": "succeeded", "event_at": "2024-03-05T11:59:59Z", "known_at": "2024-03-05T12:00:01Z"},
            ],
        }
    )
    first = encode_situation(descriptor, timeline(descriptor, actions=[plain]), CONTEXT)
    second = encode_situation(descriptor, timeline(descriptor, actions=[later]), CONTEXT)
    assert first.past.there.any()
    assert equal(first, second)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ([Objective(objective_id="x", entity_id="mars")], "'mars'"),
        ([Objective(objective_id="x", entity_id="web", weight=0.4)], "sum to 0.4"),
        ([Objective(objective_id="x", entity_id="web", kind="gauge", channel_id="no.such", threshold=1.0)], "no.such"),
        ([Objective(objective_id="x", entity_id="web", weight=0.5)] * 2, "same objective_id"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(objectives: list[Objective], message: str) -> None:
    """A caller's objectives are checked against the system."""
    descriptor = diner()
    with pytest.raises(BadInputError, match=message):
        encode_situation(descriptor, timeline(descriptor), CONTEXT, objectives)


def test_without_objectives_there_is_a_situation_but_nothing_to_judge_by() -> None:
    """A forecast needs no objective, a cost does."""
    descriptor = diner()
    assert not encode_situation(descriptor, timeline(descriptor), CONTEXT, []).structure.objective_there.any()
    with pytest.raises(BadInputError, match="no objectives"):
        required_objectives(descriptor, [])
