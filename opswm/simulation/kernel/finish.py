"""Turn a sketch of parts, links, demand and objectives into a whole blueprint: sized, placed, with abilities."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from opswm.simulation.kernel import sizing
from opswm.simulation.kernel.abilities import abilities_of, executions
from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.sensors import choose_sensors
from opswm.simulation.kernel.wider_abilities import more_abilities, more_executions, with_qualities


def finish(
    name: str,
    parts: Sequence[Part],
    links: Sequence[Link],
    inlets: Sequence[Inlet],
    goals: Sequence[Goal],
    rng: np.random.Generator,
    step_s: int,
    whole_schema: bool = False,
    actions: Literal["usual", "all"] = "usual",
) -> Blueprint:
    """Return the blueprint of a sketched system.

    Args:
        name: Of the system.
        parts: The sketch's parts; capacities are set here.
        links: Its calls; timeouts are set here.
        inlets: Its demand.
        goals: Objectives.
        rng: For everything that is left to chance.
        step_s: Telemetry step.
        whole_schema: Whether every signal is measured, in canonical units.
        actions: Whether every type of action can be taken, or those of ``kernel.abilities`` alone.

    Raises:
        ValueError: When calls run in a circle.
    """
    worked = sizing.size_work(parts, sizing.usual(parts, links, inlets).rate_rps, rng)
    known = sizing.usual(worked, links, inlets)
    sized = sizing.place_on_hosts(sizing.size_room(worked, known, rng), known, rng)
    timed = sizing.size_links(links, known, rng)
    sized = sizing.set_patience(sized, timed, inlets, known, rng)
    if actions == "all":
        sized = with_qualities(sized, rng)
    blueprint = Blueprint(
        name=name,
        parts=tuple(sized),
        links=tuple(timed),
        inlets=tuple(inlets),
        goals=tuple(goals),
        abilities=abilities_of(sized, timed, inlets, rng),
        executions=executions(rng),
        sensors=choose_sensors(sized, rng, whole_schema),
        missing_ratio=round(float(rng.uniform(0.0, 0.03)), 4),
        step_s=step_s,
        noise_scale=1.0 if whole_schema else round(math.exp(rng.normal(0.0, 0.4)), 3),
        gap_ratio=0.0 if whole_schema else float(rng.choice([0.0, 0.0, 0.005, 0.02])),
    )
    if actions != "all":
        return blueprint
    return replace(
        blueprint,
        abilities=blueprint.abilities + more_abilities(sized, rng),
        executions=blueprint.executions | more_executions(rng),
    )
