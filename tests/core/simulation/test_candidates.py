"""Candidates are what the benchmark asks for, and know nothing of the truth."""

from dataclasses import replace

from opswm.simulation.alerts import alert_events
from opswm.simulation.candidates import candidates_of, shuffled
from opswm.simulation.scene import Scene


def test_there_are_sixteen_different_ones_and_waiting_among_them(scenes: list[Scene]) -> None:
    """As many as asked for, no two alike, ids that tell nothing, and an order that hides which of them waits."""
    places = set()
    for scene in scenes:
        courses = candidates_of(scene, 16)
        assert len(courses) == 16
        assert [course.is_no_op for course in courses] == [True] + 15 * [False]
        asked = [course.actions[0].model_dump_json() for course in courses[1:]]
        assert len(set(asked)) == 15
        assert len({course.course_id for course in courses}) == 16
        assert {len(course.course_id) for course in courses} == {12}
        places.add(shuffled(courses, scene.seed).index(0))
    assert len(places) > 1


def test_types_at_alerting_entities_are_tried_elsewhere_too(scenes: list[Scene]) -> None:
    """Several types are aimed where it alerts, some of them also where it does not, and one with other numbers."""
    for scene in scenes[:3]:
        firing = {event.entity_id for event in alert_events(scene) if event.type == "alert_fired"}
        assert firing
        actions = [course.actions[0] for course in candidates_of(scene, 16)[1:]]
        here = {action.params.type for action in actions if action.target in firing}
        elsewhere = {action.params.type for action in actions if action.target not in firing}
        assert len({action.params.type for action in actions}) >= 3
        assert elsewhere
        assert here & elsewhere or len(here) < 2
        kinds = [(action.params.type, action.target) for action in actions]
        assert len(set(kinds)) < len(kinds)


def test_the_truth_changes_nothing(shop: Scene) -> None:
    """Other true signals and other faults behind the same telemetry give the same candidates; another seed others."""
    told = candidates_of(shop, 16)
    other = {name: values + 1.0 for name, values in shop.signals.items()}
    blind = replace(shop, signals=other, blueprint=replace(shop.blueprint, breakages=()))
    assert candidates_of(blind, 16) == told
    assert candidates_of(replace(shop, seed=shop.seed + 1), 16) != told


def test_a_system_that_can_do_little_gets_few(shop: Scene) -> None:
    """With one ability there are its levels and waiting; with none there is waiting alone."""
    (ability, *_) = (ability for ability in shop.blueprint.abilities if len(ability.levels) >= 2)
    few = replace(shop, blueprint=replace(shop.blueprint, abilities=(ability,)))
    assert len(candidates_of(few, 16)) == 1 + len(ability.levels)
    assert len(candidates_of(replace(shop, blueprint=replace(shop.blueprint, abilities=())), 16)) == 1
