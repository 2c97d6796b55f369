"""Candidates from capabilities."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.errors import BadInputError
from opswm.planning.candidates import enumerate_candidates, given_candidates
from opswm.planning.magnitudes import settings_for
from opswm_schemas.actions.parameters import Restart, ScaleHorizontal
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Affect, Capability, validate_parameters
from opswm_schemas.descriptor import Entity, Relation, SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course
from tests.core.windows.diner import READINGS, diner, timeline


def sizes(capability: Capability, state: dict[str, float], target: str = "web") -> list[dict[str, object]]:
    """Return the parameters considered of a capability."""
    found, _ = settings_for(diner(), capability, target, state)
    return [params.model_dump(exclude={"type"}, exclude_none=True, by_alias=True) for params in found]


def test_no_op_comes_first_and_everything_possible_follows() -> None:
    """Each capability gives courses within its bounds; what cannot be enumerated is said."""
    descriptor = diner()
    found = enumerate_candidates(descriptor, timeline(descriptor), 64, 0)
    assert found.candidates[0].course.is_no_op
    courses = [candidate.course for candidate in found.candidates[1:]]
    assert len({course.course_id for course in courses}) == len(courses)
    types = Counter(course.actions[0].params.type for course in courses)
    assert types == {
        "scale_horizontal": 2,
        "restart": 3,
        "pool_resize": 2,
        "load_shed": 2,
        "cache_op": 2,
        "traffic_shift": 2,
    }
    assert any("'release'" in note and "version" in note for note in found.notes)
    for course in courses:
        asked = course.actions[0]
        assert asked.capability_id is not None
        assert validate_parameters(descriptor.capability(asked.capability_id), asked.params) == []


def test_a_known_unmet_precondition_leaves_no_candidate_and_a_guardrail_leaves_a_blocked_one() -> None:
    """What must hold decides what is possible; what must not is shown."""
    descriptor = diner()
    found = enumerate_candidates(descriptor, timeline(descriptor, READINGS | {"web.rps": 20.0}), 64, 0)
    types = Counter(candidate.course.actions[0].params.type for candidate in found.candidates[1:])
    assert "load_shed" not in types
    flushes = [one for one in found.candidates[1:] if one.course.actions[0].params.type == "cache_op"]
    assert flushes
    assert all(one.blocked_by for one in flushes)


@pytest.mark.parametrize(
    ("capability", "state", "wanted"),
    [
        ({"type": "scale_horizontal"}, {"replicas_ready": 4.0}, [{"to_replicas": n} for n in (3, 6, 8)]),
        (
            {"type": "scale_horizontal", "bounds": {"to_replicas": Bound(maximum=5)}},
            {"replicas_ready": 4.0},
            [{"to_replicas": n} for n in (3, 5)],
        ),
        (
            {"type": "scale_horizontal", "bounds": {"to_replicas": Bound(levels=[4.0, 7.0])}},
            {"replicas_ready": 4.0},
            [{"to_replicas": 7}],
        ),
        ({"type": "scale_horizontal"}, {}, []),
        ({"type": "rate_limit"}, {"request_rate": 200.0}, [{"limit_rps": 160.0}, {"limit_rps": 100.0}]),
        (
            {"type": "timeout_retry", "bounds": {"timeout_s": Bound(levels=[0.5])}},
            {},
            [{"max_retries": 0}, {"timeout_s": 0.5}, {"timeout_s": 0.5, "max_retries": 0}],
        ),
        ({"type": "feature_flag", "bounds": {"key": Bound(choices=["x"])}}, {}, [{"key": "x", "to": False}]),
        (
            {"type": "config_change", "bounds": {"key": Bound(choices=["k"]), "new": Bound(levels=[1.0, 2.5])}},
            {},
            [{"key": "k", "new": 1.0}, {"key": "k", "new": 2.5}],
        ),
        ({"type": "rollback"}, {}, [{}]),
        (
            {"type": "deploy", "bounds": {"version": Bound(choices=["v2"])}},
            {},
            [{"version": "v2", "strategy": "rolling"}],
        ),
        ({"type": "failover"}, {}, [{"from": "web", "to": "web-b"}]),
        (
            {"type": "failover", "bounds": {"from": Bound(choices=["a"]), "to": Bound(choices=["b"])}},
            {},
            [{"from": "a", "to": "b"}],
        ),
        ({"type": "traffic_shift"}, {}, [{"weights": {"web": k, "web-b": 1 - k}} for k in (0.2, 0.0)]),
        (
            {"type": "traffic_shift", "bounds": {"weights": Bound(levels=[0.5])}},
            {},
            [{"weights": {"web": 0.5, "web-b": 0.5}}],
        ),
        (
            {
                "type": "custom",
                "custom_schema": {"properties": {"n": {"type": "integer"}}},
                "bounds": {"n": Bound(levels=[3.0])},
            },
            {},
            [{"values": {"n": 3}}],
        ),
        ({"type": "load_shed", "bounds": {"fraction_ratio": Bound(maximum=0.1)}}, {}, [{"fraction_ratio": 0.1}]),
    ],
)
def test_magnitudes_are_stated_or_fit_the_state(
    capability: dict[str, object], state: dict[str, float], wanted: list[dict[str, object]]
) -> None:
    """Levels go before choices before sizes relative to the present, all within bounds and none a change of nothing."""
    described = Capability.model_validate({"capability_id": "c", "targets": ["web"], **capability})
    found = sizes(described, state)
    if capability["type"] == "load_shed":
        found = [{"fraction_ratio": one["fraction_ratio"]} for one in found]
    if capability["type"] == "traffic_shift":
        assert [one["weights"] for one in found] == [pytest.approx(one["weights"]) for one in wanted]
    else:
        assert found == wanted


def test_where_traffic_can_go_is_also_what_a_capability_says() -> None:
    """Without a replica, the entity that is said to get more demand takes over; without either it is said."""
    descriptor = diner().model_copy(update={"relations": []})
    fields = {"capability_id": "c", "type": "traffic_shift", "targets": ["web"]}
    told = Capability.model_validate(fields | {"affects": [Affect(entity_id="cache", resource="demand", sign=1)]})
    found, _ = settings_for(descriptor, told, "web", {})
    assert found[1].model_dump()["weights"] == {"web": 0.0, "cache": 1.0}
    none, problem = settings_for(descriptor, Capability.model_validate(fields), "web", {})
    assert none == []
    assert "replicates" in problem


def wide(num_services: int) -> SystemDescriptor:
    """Return a chain of services, each with three capabilities, the first with the objective."""
    names = [f"s{index:02d}" for index in range(num_services)]
    first = diner()
    return first.model_copy(
        update={
            "entities": [*first.entities, *(Entity(entity_id=name, kind="service") for name in names)],
            "relations": [
                Relation(source=a, target=b, kind="calls") for a, b in zip(["web", *names], names, strict=False)
            ],
            "capabilities": [
                Capability(capability_id=f"{kind}-{name}", type=kind, targets=[name])
                for name in names
                for kind in ("restart", "rollback", "kill_instance")
            ],
        }
    )


def test_a_cap_keeps_types_balanced_and_looks_where_the_trouble_is() -> None:
    """Of sixty possible courses six are of all types, and an alert draws them to where it fires."""
    descriptor = wide(20)
    for alarmed in ("s03", "s19"):
        found = enumerate_candidates(descriptor, timeline(descriptor, alerting=[alarmed]), 7, 0)
        chosen = [candidate.course.actions[0] for candidate in found.candidates[1:]]
        assert Counter(one.params.type for one in chosen) == {"restart": 2, "rollback": 2, "kill_instance": 2}
        assert [one.target for one in chosen[:3]] == [alarmed] * 3
        assert len({one.target for one in chosen}) > 1


@settings(max_examples=20)
@given(cap=st.integers(1, 40), seed=st.integers(0, 5), services=st.integers(0, 12))
def test_enumeration_is_deterministic_and_within_its_cap(cap: int, seed: int, services: int) -> None:
    """The same question has the same candidates, no_op first, none twice."""
    descriptor = wide(services)
    past = timeline(descriptor)
    first, second = (enumerate_candidates(descriptor, past, cap, seed) for _ in range(2))
    assert first == second
    assert 1 <= len(first.candidates) <= cap
    assert first.candidates[0].course.is_no_op
    assert len(first.candidates) == min(cap, 1 + 3 * services)


def test_relations_not_yet_known_do_not_count() -> None:
    """Topology learned later is not looked at."""
    descriptor = diner()
    past = timeline(descriptor)
    blind = type(past)(**{**past.__dict__, "relations": ()})
    found = enumerate_candidates(descriptor, blind, 64, 0)
    assert "traffic_shift" not in {c.course.actions[0].params.type for c in found.candidates[1:]}


def test_no_room_at_all_is_refused() -> None:
    """no_op needs one place."""
    descriptor = diner()
    with pytest.raises(BadInputError, match="at least 1"):
        enumerate_candidates(descriptor, timeline(descriptor), 0, 0)


def test_given_courses_keep_their_order_behind_a_no_op() -> None:
    """A caller's own wait leads where there is one; else one with a free id is put in front."""
    descriptor = diner()
    past = timeline(descriptor)
    restart = Course(course_id="no_op", actions=[CandidateAction(target="web", params=Restart())])
    both = Course(
        course_id="both",
        actions=[
            CandidateAction(target="web", params=ScaleHorizontal(to_replicas=5)),
            CandidateAction(target="db", params=Restart(), delay_ticks=3),
        ],
    )
    found = given_candidates(descriptor, past, [restart, both])
    assert [candidate.course.course_id for candidate in found.candidates] == ["no_op-", "no_op", "both"]
    wait = Course(course_id="wait")
    found = given_candidates(descriptor, past, [both, wait])
    assert [candidate.course.course_id for candidate in found.candidates] == ["wait", "both"]
