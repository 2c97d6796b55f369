"""Nothing stamped after the decision is an input: scrambling all of it leaves every bit as it was."""

from dataclasses import fields
from datetime import timedelta

import numpy as np
import pyarrow as pa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.tensors import ActionSlots, Situation
from opswm.timeline.build import build_timeline
from opswm.windows.points import NO_OP
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.actions.parameters import PoolResize, ScaleHorizontal
from opswm_schemas.actions.record import Action, EstimatedEffect, Realised, Transition
from opswm_schemas.columns import METRICS
from opswm_schemas.questions import CandidateAction, Course
from opswm_schemas.telemetry import Event
from tests.core.windows.diner import AT, READINGS, after, diner, logged

CONTEXT = 18
COURSES = [
    NO_OP,
    Course(course_id="s", actions=[CandidateAction(target="web", params=ScaleHorizontal(to_replicas=5))]),
    Course(course_id="p", actions=[CandidateAction(target="db", params=PoolResize(size_connections=30))]),
]
later = st.floats(0.001, 900.0)
"""Seconds after the decision."""


def readings(rows: list[tuple[str, float, float, float]]) -> pa.Table:
    """Return readings from (channel, event seconds, known seconds, value)."""
    fields_ = [{"channel_id": c, "event_at": after(e), "known_at": after(k), "value": v} for c, e, k, v in rows]
    return pa.Table.from_pylist(fields_, schema=METRICS)


def known() -> list[tuple[str, float, float, float]]:
    """Return the readings that were known at the decision."""
    rng = np.random.default_rng(5)
    return [
        (channel, -5.0 * back - 1.0, -5.0 * back, value * float(rng.uniform(0.9, 1.1)))
        for channel, value in READINGS.items()
        for back in range(CONTEXT)
    ]


def actions() -> list[Action]:
    """Return a log of which part had ended by the decision."""
    return [
        logged("a", "web", facts=(("approved", -60, -60), ("started", -50, -50), ("succeeded", -40, -39))),
        logged("b", "db", facts=(("approved", -20, -20), ("started", -10, -9))),
    ]


@st.composite
def told_later(draw: st.DrawFn, action: Action) -> Action:
    """Return the same action as it would be known at a later time: endings, outcomes, claims."""
    facts = [
        Transition(
            status=draw(st.sampled_from(["succeeded", "failed", "timed_out", "rolled_back", "cancelled", "started"])),
            event_at=after(draw(st.floats(-70.0, 900.0))),
            known_at=after(draw(later)),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    low, high = sorted((draw(st.floats(-9, 9)), draw(st.floats(-9, 9))))
    return action.model_copy(
        update={
            "transitions": draw(st.permutations([*action.transitions, *facts])),
            "realised": Realised(
                slo_cost_bad_minutes=draw(st.floats(0, 99)), window_s=60.0, known_at=after(draw(later))
            ),
            "estimated_effect": EstimatedEffect(
                value_bad_minutes=low, interval_bad_minutes=(low, high), method="any", model_id="any"
            ),
            "progress_ratio": draw(st.floats(0, 1)),
        }
    )


def bits(record: Situation | ActionSlots) -> dict[str, torch.Tensor]:
    """Return every tensor of a record by its path."""
    found: dict[str, torch.Tensor] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, torch.Tensor):
            found[field.name] = value
        else:
            found |= {f"{field.name}.{name}": tensor for name, tensor in bits(value).items()}
    return found


def encoded(metrics: pa.Table, log: list[Action], events: list[Event]) -> dict[str, torch.Tensor]:
    """Return all inputs of a model at the decision."""
    descriptor = diner()
    timeline = build_timeline(descriptor, metrics, log, events, AT, CONTEXT)
    slots = encode_courses(descriptor, timeline, COURSES, 8)
    return bits(encode_situation(descriptor, timeline, CONTEXT)) | {f"course.{k}": v for k, v in bits(slots).items()}


BEFORE = encoded(readings(known()), actions(), [])


@settings(max_examples=40)
@given(data=st.data())
def test_scrambling_everything_known_later_changes_no_bit(data: st.DataObject) -> None:
    """Later readings, late corrections, later events, transitions, outcomes and estimates are not read."""
    channels = st.sampled_from(sorted(READINGS))
    value = st.floats(0.0, 1e6)
    late = data.draw(st.lists(st.tuples(channels, st.floats(-80.0, 900.0), later, value), max_size=20))
    log = [data.draw(told_later(action)) for action in actions()]
    unheard = logged("unheard", "cache", facts=(("started", -30.0, data.draw(later)),))
    events = [
        Event(
            event_id="e",
            type="alert_fired",
            entity_id="web",
            name="slow",
            event_at=AT - timedelta(seconds=20),
            known_at=after(data.draw(later)),
        )
    ]
    scrambled = encoded(readings([*known(), *late]), data.draw(st.permutations([*log, unheard])), events)
    assert scrambled.keys() == BEFORE.keys()
    for name, tensor in scrambled.items():
        assert torch.equal(tensor, BEFORE[name]), name


def test_the_same_change_known_in_time_is_read() -> None:
    """The test above could fail: readings and facts known by the decision do change the inputs."""
    early = encoded(readings([*known(), ("web.p99", -3.0, -2.0, 30.0)]), actions(), [])
    assert not torch.equal(early["history.value"], BEFORE["history.value"])
    ended = [actions()[0], logged("b", "db", facts=(("approved", -20, -20), ("succeeded", -10, -9)))]
    assert not torch.equal(encoded(readings(known()), ended, [])["past.finished"], BEFORE["past.finished"])
