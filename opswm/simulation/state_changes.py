"""What a platform tells about a simulated system: deployments, scaling, restarts and kills for want of memory."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.scene import Scene
from opswm_schemas.telemetry import Event, Severity

REPORT_LATE_S: Final = 0.5
"""How long after it happened the platform's report is there."""

FULL_MEMORY: Final = 0.9
"""Replicas that go away while memory was at least so full in the tick before were killed for want of it."""

_SEVERITIES: Final[dict[str, Severity]] = {
    "Deployed": "info",
    "ScaledUp": "info",
    "ScaledDown": "info",
    "Restarted": "warn",
    "OOMKilled": "error",
}


def state_changes(scene: Scene) -> list[Event]:
    """Return the platform's events up to the decision, as far as they were known then.

    Args:
        scene: The world.
    """
    found: list[Event] = []
    for name, held, told in _kinds(scene):
        for tick, entity in zip(*np.nonzero(held), strict=True):
            second = scene.first_s + (tick + 1) * scene.blueprint.step_s - 1.0
            if second + REPORT_LATE_S > scene.decision_s:
                continue
            part = scene.blueprint.parts[entity].name
            found.append(
                Event(
                    event_at=scene.at(second),
                    known_at=scene.at(second + REPORT_LATE_S),
                    event_id=f"{part}/{name}/{scene.seed}-{tick}",
                    type="state_change",
                    entity_id=part,
                    name=name,
                    severity=_SEVERITIES[name],
                    attributes={key: f"{values[tick, entity]:g}" for key, values in told.items()},
                )
            )
    return found


def restarted(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how many replicas of each entity went away in each tick, and whether for want of memory."""
    gone = np.round(scene.signals["restart_rate"] * scene.blueprint.step_s)
    memory = scene.signals["memory_ratio"]
    before = np.concatenate([memory[:1], memory[:-1]])
    return gone, (gone > 0) & (before >= FULL_MEMORY)


def deployed(scene: Scene) -> NDArray[np.bool_]:
    """Return in which ticks another version of an entity began to run."""
    age = scene.signals["version_age"]
    fresh = np.zeros(age.shape, dtype=bool)
    fresh[1:] = age[1:] < age[:-1]
    return fresh


def _kinds(scene: Scene) -> Iterator[tuple[str, NDArray[np.bool_], dict[str, NDArray[np.float64]]]]:
    desired = np.round(scene.signals["replicas_desired"])
    before = np.concatenate([desired[:1], desired[:-1]])
    gone, starved = restarted(scene)
    yield "Deployed", deployed(scene), {}
    yield "ScaledUp", desired > before, {"from_replicas": before, "to_replicas": desired}
    yield "ScaledDown", desired < before, {"from_replicas": before, "to_replicas": desired}
    yield "Restarted", (gone > 0) & ~starved, {"count": gone}
    yield "OOMKilled", starved, {"count": gone}
