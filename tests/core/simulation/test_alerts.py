"""Alerts come from rules over stored readings: they fire late, are sent again, and resolve late."""

from dataclasses import replace

import numpy as np
import pytest

from opswm.simulation.alerts import RULES, Change, Rule, alert_events, changes
from opswm.simulation.scene import Scene

RULE = Rule("Any", "warn", 15.0, 30.0, lambda r: r["error_ratio"] > 0.05)


@pytest.mark.parametrize(
    ("held", "step_s", "wanted"),
    [
        ("..###......", 5, [(4, "fired"), (10, "resolved")]),
        ("..##.##.##.", 5, []),
        ("###.###.###", 5, [(2, "fired")]),
        ("#..........", 60, [(0, "fired"), (1, "resolved")]),
        ("#" * 10, 60, [(0, "fired"), (5, "repeated")]),
    ],
)
def test_a_rule_must_hold_before_it_fires_and_be_quiet_before_it_resolves(
    held: str, step_s: int, wanted: list[tuple[int, Change]]
) -> None:
    """Durations are in seconds, whatever the step; a gap shorter than the quiet time does not resolve."""
    assert list(changes(np.array([mark == "#" for mark in held]), step_s, RULE)) == wanted


def test_alerts_read_what_was_stored_and_not_the_truth(shop: Scene) -> None:
    """Where nothing was stored nothing fires, however bad it truly is; where errors are stored an alert does."""
    blind = replace(shop, stored={name: np.full_like(values, np.nan) for name, values in shop.stored.items()})
    assert alert_events(blind) == []
    told = {name: np.zeros_like(values) for name, values in shop.stored.items()}
    told["error_ratio"][-5:, 2] = 0.5
    told["pool_size"][:] = 10.0
    (event,) = alert_events(replace(shop, stored=told))
    assert (event.name, event.entity_id, event.type) == ("HighErrorRatio", shop.blueprint.parts[2].name, "alert_fired")
    assert event.event_at == shop.end_of(shop.num_ticks - 3)


def test_every_alert_that_resolves_fired_before(scenes: list[Scene]) -> None:
    """Notifications of one rule on one entity begin with a firing one, resolve at most once per firing, in time."""
    fired = 0
    for scene in scenes:
        firing: set[tuple[str | None, str]] = set()
        for event in sorted(alert_events(scene), key=lambda event: event.event_at):
            key = (event.entity_id, event.name)
            assert event.known_at <= scene.at(scene.decision_s)
            if event.attributes["notification"] == "fired":
                assert key not in firing
                firing.add(key)
                fired += 1
            else:
                assert key in firing
                firing -= {key} if event.type == "alert_resolved" else set()
    assert fired > 5
    assert len({rule.name for rule in RULES}) == len(RULES)
