"""What rules a course out."""

from typing import Any

import pytest

from opswm.errors import BadInputError
from opswm.planning.guardrails import Candidate, check, check_candidate
from opswm.planning.readings import Readings
from opswm_schemas.actions.parameters import (
    CacheOp,
    FaultInjection,
    LoadShed,
    NoOp,
    Parameters,
    Restart,
    ScaleHorizontal,
)
from opswm_schemas.capability import Condition
from opswm_schemas.questions import CandidateAction, Course
from tests.core.windows.diner import READINGS, diner, logged, timeline


def action(target: str, params: Parameters, **fields: Any) -> CandidateAction:
    """Return a request."""
    return CandidateAction(target=target, params=params, **fields)


def checked(*actions: CandidateAction, readings: dict[str, float] | None = None, log: Any = ()) -> Candidate:
    """Return a course of these actions after the guardrails."""
    descriptor = diner()
    past = timeline(descriptor, readings, log)
    return check(descriptor, past, Readings(descriptor, past), Course(course_id="c", actions=list(actions)))


def test_a_free_course_carries_what_the_descriptor_says_about_it() -> None:
    """Costs add up, the worst reversibility counts, and waits add nothing."""
    both = checked(action("web", Restart()), action("db", Restart()), action("mars", NoOp()))
    assert both.blocked_by == ()
    assert both.cost_bad_minutes == pytest.approx(0.4)
    assert both.reversibility == "irreversible"
    assert checked(action("web", ScaleHorizontal(to_replicas=5))).reversibility == "reversible"
    assert checked().cost_bad_minutes == 0.0


def test_parameters_out_of_bounds_block() -> None:
    """The reason says which parameter, what was given and what is allowed."""
    assert (
        "to_replicas is 9, allowed is at least 1 and at most 6"
        in checked(action("web", ScaleHorizontal(to_replicas=9))).blocked_by[0]
    )


def test_preconditions_and_guardrails_are_looked_up_now() -> None:
    """A precondition must hold and a guardrail must not, at the target or the entity it names."""
    shed, flush = action("web", LoadShed(fraction_ratio=0.4)), action("cache", CacheOp(op="flush"))
    assert checked(shed).blocked_by == ()
    assert "needs request_rate of web above 50" in checked(shed, readings=READINGS | {"web.rps": 20.0}).blocked_by[0]
    assert "forbidden if pool_in_use of db above 15" in checked(flush).blocked_by[0]
    assert checked(flush, readings=READINGS | {"db.in_use": 3.0}).blocked_by == ()


def test_what_cannot_be_checked_blocks() -> None:
    """Without a recent reading a condition is not taken to be fine."""
    unseen = {name: value for name, value in READINGS.items() if name != "db.in_use"}
    assert "cannot be checked" in checked(action("cache", CacheOp(op="flush")), readings=unseen).blocked_by[0]


@pytest.mark.parametrize(
    ("asked_s", "known_s", "delay_ticks", "blocked"),
    [(-30.0, -30.0, 0, True), (-130.0, -130.0, 0, False), (-30.0, 5.0, 0, False), (-30.0, -30.0, 18, False)],
)
def test_a_cooldown_counts_from_the_last_known_request(
    asked_s: float, known_s: float, delay_ticks: int, blocked: bool
) -> None:
    """Only requests known at the decision count, and a course may ask again once the time is over."""
    log = [logged("r", "web", facts=(("started", asked_s, known_s),))]
    found = checked(action("web", Restart(), delay_ticks=delay_ticks), log=log)
    assert bool(found.blocked_by) == blocked
    if blocked:
        assert "restart was asked of web 30 s ago; wait another 90 s" in found.blocked_by[0]
    assert checked(action("db", Restart()), log=log).blocked_by == ()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (action("mars", Restart()), "'mars'"),
        (action("web-b", Restart()), "no capability allows 'restart' on 'web-b'; it can be given nothing"),
        (action("db", ScaleHorizontal(to_replicas=2)), "it can be given pool_resize, restart"),
        (action("web", Restart(), capability_id="nope"), "names capability 'nope'"),
        (action("web", Restart(), capability_id="pool"), "does not allow 'restart'"),
        (action("web", FaultInjection(kind="cpu")), "never ranked"),
    ],
)
def test_what_the_system_cannot_do_is_refused(asked: CandidateAction, message: str) -> None:
    """Unknown entities and capabilities are errors that say what there is, not blocked courses."""
    with pytest.raises(BadInputError, match=message):
        checked(asked)
    with pytest.raises(BadInputError, match=message):
        check_candidate(diner(), asked)


def test_a_single_request_must_be_within_bounds() -> None:
    """A request to opswm gets its capability back, or an error where a ranking would show it blocked."""
    descriptor = diner()
    assert check_candidate(descriptor, action("web", ScaleHorizontal(to_replicas=5))).capability_id == "scale-web"
    with pytest.raises(BadInputError, match="to_replicas is 9"):
        check_candidate(descriptor, action("web", ScaleHorizontal(to_replicas=9)))


def test_readings_are_the_latest_and_not_older_than_the_present() -> None:
    """An old reading is none, and a condition on it is unknown."""
    descriptor = diner()
    past = timeline(descriptor)
    past.seen[-12:, 0] = False
    readings = Readings(descriptor, past)
    assert "request_rate" not in readings.at("web")
    assert readings.at("web")["replicas_ready"] == 4.0
    high = Condition(meaning="request_rate", comparison="above", threshold=1.0)
    assert readings.holds(high, "web") is None
    assert readings.holds(Condition(meaning="replicas_ready", comparison="below", threshold=5.0), "web") is True
    assert (
        readings.holds(Condition(entity_id="db", meaning="pool_size", comparison="below", threshold=5.0), "web")
        is False
    )
