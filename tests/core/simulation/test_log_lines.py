"""Log lines follow the state of their entity, come from stable templates, and stay within their volume."""

from collections import Counter
from dataclasses import replace
from string import Formatter

import numpy as np
import pytest

from opswm.simulation import log_lines
from opswm.simulation.kernel.blueprint import Ability, Breakage, Level
from opswm.simulation.kernel.faults import FAULT_KINDS
from opswm.simulation.kernel.past import Done
from opswm.simulation.log_fields import FIELDS
from opswm.simulation.log_lines import logs_of
from opswm.simulation.log_templates import HAPPENINGS, SYMPTOMS, TEMPLATES
from opswm.simulation.scene import Readings, Scene


def quiet(scene: Scene) -> Scene:
    """Return a world in which nothing at all is going on, and nothing is said."""
    signals: Readings = {name: np.zeros_like(values) for name, values in scene.signals.items()}
    for name, value in (("cache_hit_ratio", 0.9), ("pool_size", 20.0), ("version_age", 500.0)):
        signals[name][:] = value
    return replace(scene, signals=signals, done=(), blueprint=replace(scene.blueprint, breakages=()))


def said(scene: Scene) -> Counter[tuple[str, str]]:
    """Return how often each template was said by each entity."""
    logs = logs_of(scene)
    return Counter(zip(logs["template_id"].to_pylist(), logs["entity_id"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("signal", "value", "part", "template"),
    [
        ("timeout_rate", 20.0, "storefront", "call-timed-out"),
        ("retry_rate", 40.0, "storefront", "call-retried"),
        ("shed_rate", 40.0, "storefront", "request-refused"),
        ("breaker_open_ratio", 0.5, "checkout", "breaker-open"),
        ("pool_in_use", 20.0, "orders-db", "pool-exhausted"),
        ("lock_wait", 0.2, "orders-db", "lock-waited"),
        ("memory_ratio", 0.95, "cart", "memory-low"),
        ("consumer_lag", 900.0, "order-queue", "consumer-behind"),
        ("restart_rate", 0.2, "cart", "instance-stopped"),
    ],
)
def test_what_goes_wrong_is_said_where_it_goes_wrong(
    shop: Scene, signal: str, value: float, part: str, template: str
) -> None:
    """One signal of one entity raised makes that entity, and no other, say what belongs to it."""
    scene = quiet(shop)
    scene.signals[signal][10:30, scene.blueprint.index(part)] = value
    told = said(scene) - said(quiet(shop))
    assert told[template, part] >= 3
    assert {entity for _, entity in told} == {part}


def test_errors_are_said_in_proportion(shop: Scene) -> None:
    """Ten times the failed requests give about ten times the lines, up to the limit per tick."""
    scene = quiet(shop)
    entity = scene.blueprint.index("storefront")
    scene.signals["request_rate"][:, entity] = 10.0
    counts = []
    for share in (0.01, 0.1):
        scene.signals["error_ratio"][:, entity] = share
        counts.append(said(scene)["request-failed", "storefront"])
    assert 4.0 < counts[1] / max(counts[0], 1) < 40.0
    scene.signals["error_ratio"][:, entity] = 1.0
    assert said(scene)["request-failed", "storefront"] <= 3 * scene.num_ticks


def test_a_replica_that_ran_out_of_memory_was_killed(shop: Scene) -> None:
    """The same loss of a replica is a kill where memory was full, and a start follows after the start time."""
    scene = quiet(shop)
    at = scene.blueprint.index("cart")
    scene.signals["memory_ratio"][9:11, at] = 0.99
    scene.signals["restart_rate"][10, at] = 1.0 / scene.blueprint.step_s
    told = said(scene)
    assert told["out-of-memory", "cart"] == 1
    assert told["instance-started", "cart"] == 1
    assert told["instance-stopped", "cart"] == 0


def test_changes_and_causes_are_said_once_known(shop: Scene) -> None:
    """A new version, a changed setting and what a program notices of a fault have their lines."""
    scene = quiet(shop)
    scene.signals["version_age"][20:, scene.blueprint.index("cart")] = 1.0
    level, when = Level(0.5, 0.0), scene.first_s + 40.0
    ability = Ability("timeout_retry", "cart", (level,))
    done = Done(ability, level, {"timeout_s": 0.5, "max_retries": 0}, when - 5.0, when, True, False)
    broken = Breakage("slow_queries", "orders-db", onset_s=scene.first_s + 50.0)
    told = said(replace(scene, done=(done,), blueprint=replace(scene.blueprint, breakages=(broken,))))
    assert told["version-started", "cart"] == 1
    assert told["configuration-changed", "cart"] == 1
    assert told["slow-query", "orders-db"] >= 3


def test_every_line_is_its_template_filled_in(scenes: list[Scene]) -> None:
    """Bodies are the text of their template with the attributes in it, severities those of the template."""
    texts = {template.template_id: (template.severity, template.text) for template in TEMPLATES}
    texts |= {name: (severity, text) for name, severity, text in (*HAPPENINGS.values(), *SYMPTOMS.values())}
    assert len(texts) == len(TEMPLATES) + len(HAPPENINGS) + len(SYMPTOMS)
    for scene in scenes:
        logs = logs_of(scene).to_pylist()
        assert len(logs) > 100
        for row in logs:
            severity, text = texts[row["template_id"]]
            assert row["severity"] == severity
            assert row["body"] == text.format(**dict(row["attributes"]))
            assert row["event_at"] < row["known_at"] <= scene.at(scene.decision_s)


def test_every_variable_part_can_be_filled_in() -> None:
    """Templates name no part that nothing fills in; two of them get theirs from the action."""
    texts = [template.text for template in TEMPLATES]
    texts += [text for _, _, text in (*HAPPENINGS.values(), *SYMPTOMS.values())]
    named = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}
    assert named == set(FIELDS) | {"actor", "change"}


def test_symptoms_belong_to_faults_that_exist() -> None:
    """What a program notices of a cause is filed under the name of a kind of fault."""
    assert set(SYMPTOMS) <= {kind.name for kind in FAULT_KINDS}


def test_lines_are_the_same_each_time_and_bounded(shop: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same world says the same; a smaller limit lowers every rate instead of cutting the end off."""
    whole = logs_of(shop)
    assert whole.equals(logs_of(shop))
    monkeypatch.setattr(log_lines, "MAX_LINES", whole.num_rows // 4)
    fewer = logs_of(shop)
    assert whole.num_rows // 8 < fewer.num_rows <= whole.num_rows // 4
    late = shop.at(shop.decision_s - 30.0)
    assert sum(moment > late for moment in fewer["event_at"].to_pylist()) > 0
