"""Courses in words."""

import pytest
from pydantic import TypeAdapter

from opswm.planning.headline import minutes_words
from opswm.planning.wording import MAX_CLAUSE, describe_action, describe_course, enumerate_words
from opswm_schemas.actions.parameters import Deploy, Parameters, Restart
from opswm_schemas.questions import CandidateAction, Course
from opswm_schemas.vocabulary import ACTION_TYPES

EXAMPLES: dict[str, dict[str, object]] = {
    "no_op": {},
    "deploy": {"version": "2.1"},
    "rollback": {"to_version": "2.0"},
    "rollout_control": {"op": "pause"},
    "restart": {"scope": "all"},
    "kill_instance": {"count": 2},
    "scale_horizontal": {"to_replicas": 1},
    "scale_vertical": {"cpu_cores": 2.0, "memory_bytes": 2.0**31},
    "autoscaler_policy": {"max_replicas": 9},
    "traffic_shift": {"weights": {"b": 0.75, "a": 0.25}},
    "failover": {"from": "eu-1", "to": "eu-2"},
    "cordon": {"node": "n1"},
    "drain": {},
    "quarantine": {},
    "feature_flag": {"key": "ads", "to": False},
    "config_change": {"key": "gc", "new": 2.5},
    "rate_limit": {"limit_rps": 50.0},
    "load_shed": {"fraction_ratio": 0.25},
    "circuit_break": {"eject_s": 30.0},
    "timeout_retry": {"max_retries": 0, "timeout_s": 0.5},
    "pool_resize": {"size_connections": 40},
    "cache_op": {"op": "flush"},
    "queue_op": {"op": "purge"},
    "db_op": {"op": "kill_query"},
    "fault_injection": {"kind": "cpu"},
    "custom": {"values": {}},
}
WORDS = {
    "rollback": "roll back shop to 2.0",
    "restart": "restart shop (all)",
    "kill_instance": "kill 2 instances of shop",
    "scale_horizontal": "scale shop to 1 replica",
    "scale_vertical": "give each replica of shop 2 cores and 2 GiB",
    "traffic_shift": "shift traffic of shop to a 25% and b 75%",
    "feature_flag": "set flag ads of shop to off",
    "load_shed": "shed 25% of low-priority requests at shop",
    "timeout_retry": "set calls to shop to timeout s 0.5 and max retries 0",
    "db_op": "kill query on shop",
}


@pytest.mark.parametrize("kind", ACTION_TYPES)
def test_every_type_has_words_that_name_its_target(kind: str) -> None:
    """A clause says what is done to what; well-known ones read as an operator would say them."""
    params: Parameters = TypeAdapter(Parameters).validate_python({"type": kind, **EXAMPLES[kind]})
    said = describe_action(CandidateAction(target="shop", params=params))
    assert "shop" in said
    assert said == WORDS.get(kind, said)


def test_composite_courses_are_told_in_order_and_waits_are_left_out() -> None:
    """Delays are said; a label of the caller's wins; nothing at all is doing nothing."""
    first = CandidateAction(target="a", params=Restart(), delay_ticks=3)
    second = CandidateAction(target="b", params=Restart())
    course = Course(course_id="x", actions=[first, second])
    assert describe_course(course) == "restart a (rolling) after 3 ticks, then restart b (rolling)"
    assert describe_course(course.model_copy(update={"label": "bounce both"})) == "bounce both"
    assert describe_course(Course(course_id="x")) == "do nothing"


def test_names_from_outside_cannot_blow_up_a_headline() -> None:
    """Long text is cut."""
    long = CandidateAction(target="a", params=Deploy(version="v" * 1_900))
    assert len(describe_course(Course(course_id="x", actions=[long] * 8))) == MAX_CLAUSE


def test_small_words() -> None:
    """Lists and durations read as people say them."""
    assert enumerate_words(["a"]) == "a"
    assert enumerate_words(["a", "b", "c"]) == "a, b and c"
    assert [minutes_words(value, 3.0) for value in (0.0, 1.25, 3.0)] == ["at once", "1.2 min", "more than 3.0 min"]
