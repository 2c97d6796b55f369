"""The demo: an incident in words, the ranking beside the truth, and every miss marked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from opswm.simulation.branch import Outcome, Verdict
from opswm.simulation.kernel.blueprint import Breakage
from opswm.simulation.kernel.faults import FAULT_KINDS
from opswm_api.console import stderr, stdout
from opswm_api.demo.comparison import compare, verdict_words
from opswm_api.demo.serve import serve_incident
from opswm_api.demo.situation import SAYINGS, truth
from opswm_schemas.answers import Headline, Interval, RankedCourse
from opswm_schemas.questions import CandidateAction, Course
from tests.api.system import AT, write_recording

FLOOR = 0.1


def ranked(rank: int, target: str, value: float, width: float = 0.2, blocked: bool = False) -> RankedCourse:
    """A restart of an entity with a predicted effect; of nothing where the target is empty."""
    actions = [CandidateAction.model_validate({"target": target, "params": {"type": "restart"}})] if target else []
    minutes = Interval(value=1.0, lower=1.0, upper=1.0)
    told = {"recovery_minutes": minutes, "recovery_minutes_no_op": minutes, "failed_requests_avoided": None}
    return RankedCourse(
        rank=rank,
        course=Course(course_id=target or "no_op", actions=actions),
        headline=Headline.model_validate({"text": "x", **told}),
        effect_bad_minutes=Interval(value=value, lower=value - width, upper=value + width),
        p_best=0.5,
        p_harm=0.1,
        support=1.0,
        evidence_grade="E1",
        verdict="worth_testing",
        reversibility="reversible",
        reconciled_by=[],
        approvals_needed=0,
        blocked_by=["bound"] if blocked else [],
    )


def true(course_id: str, effect: float, is_best: bool = False) -> Outcome:
    """What a course truly does."""
    return Outcome(course_id, 1.0 + effect, effect, 0.01, None, 1.0, 1.0, is_best)


def compared(courses: list[RankedCourse], outcomes: list[Outcome]) -> Any:
    """The comparison of a ranking with the truth."""
    answer = SimpleNamespace(ranked=courses)
    return compare(answer, Verdict(tuple(outcomes), FLOOR, 8, True))  # type: ignore[arg-type]


def test_every_miss_is_marked_and_the_choice_is_charged() -> None:
    """A wrong sign and a true effect outside the interval are named; regret is that of the course ranked first."""
    found = compared(
        [ranked(1, "a", -0.9), ranked(2, "b", -0.5), ranked(3, "", 0.0), ranked(4, "c", 0.6), ranked(5, "d", 0.0)],
        [true("no_op", 0.0), true("a", -0.4), true("b", 0.3), true("c", -0.7, True), true("d", 0.215)],
    )
    assert [one.misses for one in found.courses] == [
        ("outside the interval",),
        ("said to help, harms", "outside the interval"),
        (),
        ("said to harm, helps", "outside the interval"),
        (),  # beyond the interval by less than twice its own standard error
    ]
    assert found.regret == pytest.approx(0.3)
    assert found.avoidable == pytest.approx(0.7)
    assert "regret 0.43" in verdict_words(found)
    assert "3 of 4" in verdict_words(found)


def test_blocked_courses_are_no_choice_and_no_benchmark() -> None:
    """A blocked course neither counts as the choice, nor as what could have been chosen."""
    found = compared(
        [ranked(1, "a", -0.9, blocked=True), ranked(2, "b", -0.5), ranked(3, "", 0.0)],
        [true("no_op", 0.0), true("a", -0.9, True), true("b", -0.5)],
    )
    assert (found.regret, found.avoidable) == (0.0, 0.5)
    assert "best or tied" in verdict_words(found)


def test_when_nothing_helps_it_is_said() -> None:
    """Without a course beyond the noise floor there is nothing to choose well."""
    found = compared([ranked(1, "", 0.0), ranked(2, "a", 0.1)], [true("no_op", 0.0, True), true("a", -0.05, True)])
    assert verdict_words(found).startswith("Nothing here helps by more than 0.10")


def test_every_kind_of_fault_can_be_told() -> None:
    """Each kind that the simulator knows has a sentence with its target and the moment it set in."""
    assert set(SAYINGS) == {kind.name for kind in FAULT_KINDS} - {"none"}
    for kind in SAYINGS:
        breakage = Breakage(kind, "orders-db", "cart", 1.0, onset_s=600.0, duration_s=30.0, magnitude=0.7)
        lived = SimpleNamespace(incidents=[SimpleNamespace(breakages=[breakage])], decision_s=700)
        told = truth(SimpleNamespace(lived=lived, seed=0))  # type: ignore[arg-type]
        assert "orders-db" in told
        assert "since 00:10:00 until 00:10:30" in told


@pytest.mark.parametrize("as_json", [True, False])
def test_with_json_the_demo_says_nothing_but_its_document_on_stdout(
    as_json: bool,
    tmp_path: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it says about serving goes where the rest of its words go, in whole lines."""
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    incident = SimpleNamespace(recording=write_recording(tmp_path / "night"), timeline=SimpleNamespace(at=AT))
    shown: Any = SimpleNamespace(incident=incident)
    serve_incident(shown, tmp_path, checkpoint, 0, stderr() if as_json else stdout())
    told = capsys.readouterr()
    words = told.err if as_json else told.out
    assert (told.out == "") == as_json
    assert "opswm listens on http://127.0.0.1:" in words
    assert "\\n" not in words
