"""Incidents: which fault strikes a system, where, how hard and since when, and what was done before the decision."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Breakage, Level
from opswm.simulation.kernel.hazards import draw_fault
from opswm.simulation.kernel.sizing import usual

HEALTHY_SHARE: Final = 0.12
SECOND_FAULT_SHARE: Final = 0.12
RED_HERRING_SHARE: Final = 0.35
EVERYWHERE_SHARE: Final = 0.5


@dataclass(frozen=True)
class Request:
    """An action that somebody asked for: an ability, one of its levels, and when."""

    ability: Ability
    level: Level
    requested_s: float


@dataclass(frozen=True)
class Incident:
    """What goes wrong in one world, and what was done before the decision.

    Attributes:
        breakages: Faults, harmless deployments included.
        label: The kind of the main fault, ``none`` in good health.
        past: Actions of the past.
    """

    breakages: tuple[Breakage, ...]
    label: str
    past: tuple[Request, ...]


def draw_incident(blueprint: Blueprint, decision_s: float, context_s: float, rng: np.random.Generator) -> Incident:
    """Return an incident that is under way at the decision.

    Args:
        blueprint: The system.
        decision_s: Second of the decision.
        context_s: Length of the history that will be seen before it.
        rng: For everything that is left to chance.
    """
    known = usual(blueprint.parts, blueprint.links, blueprint.inlets)
    breakages: list[Breakage] = []
    label = "none"
    onset = decision_s - float(rng.choice([20.0, 40.0, 75.0, 120.0, 200.0])) * float(rng.uniform(0.7, 1.4))
    onset = max(onset, decision_s - 0.8 * context_s)
    if rng.random() >= HEALTHY_SHARE:
        main = draw_fault(blueprint, known, onset, rng)
        breakages.append(main)
        label = main.kind
        everywhere = main.kind == "thundering_herd"
        if everywhere or (main.kind == "demand_surge" and rng.random() < EVERYWHERE_SHARE):
            others = [inlet.entity for inlet in blueprint.inlets if inlet.entity != main.target]
            breakages += [replace(main, target=name) for name in others]
        if rng.random() < SECOND_FAULT_SHARE:
            breakages.append(draw_fault(blueprint, known, onset + float(rng.uniform(-60.0, 20.0)), rng))
    if rng.random() < RED_HERRING_SHARE:
        services = [part.name for part in blueprint.parts if part.kind == "service"]
        if services:
            when = decision_s - float(rng.uniform(0.05, 0.8)) * context_s
            chosen = str(rng.choice(services))
            breakages.append(Breakage("harmless_deploy", chosen, via_version=1.0, onset_s=float(math.floor(when))))
    return Incident(tuple(breakages), label, _past(blueprint, decision_s, context_s, onset, rng))


def _past(
    blueprint: Blueprint, decision_s: float, context_s: float, onset_s: float, rng: np.random.Generator
) -> tuple[Request, ...]:
    """Return logged actions: routine ones at any time, and sometimes a first attempt to help."""
    mild = [
        a for a in blueprint.abilities if a.type in ("scale_horizontal", "restart", "kill_instance", "timeout_retry")
    ]
    found: list[Request] = []
    for _ in range(int(rng.choice([0, 1, 2], p=[0.45, 0.35, 0.2]))):
        if mild:
            ability = mild[int(rng.integers(len(mild)))]
            level = ability.levels[int(rng.integers(len(ability.levels)))]
            when = decision_s - float(rng.uniform(0.05, 0.95)) * context_s
            found.append(Request(ability, level, float(math.floor(when))))
    if rng.random() < 0.2 and onset_s < decision_s - 45.0 and blueprint.abilities:
        ability = blueprint.abilities[int(rng.integers(len(blueprint.abilities)))]
        level = ability.levels[int(rng.integers(len(ability.levels)))]
        found.append(Request(ability, level, float(math.floor(rng.uniform(onset_s + 15.0, decision_s - 10.0)))))
    return tuple(sorted(found, key=lambda request: request.requested_s))
