"""What the simulator is timed on: random systems and the demo shop with everything going on, and a plain tandem."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.forcings import ActionTape
from opswm.simulation.kernel.incidents import Request, draw_incident
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import WorldState, initial_state
from opswm.simulation.kernel.topologies import random_blueprint
from opswm.simulation.kernel.web_shop import web_shop

Name = Literal["random", "web_shop", "tandem"]
DISTINCT: Final = 16
"""Systems in a batch that differ; the others are copies in other futures, as when courses are branched."""
STEP_S: Final = 5
INCIDENT_S: Final = 60.0
TANDEM_STATIONS: Final = 3
TANDEM_SERVERS: Final = 4
TANDEM_SERVICE_S: Final = 0.04
TANDEM_RATE_RPS: Final = 80.0
_ENDLESS: Final = 1e6


@dataclass(frozen=True)
class Workload:
    """A batch of worlds to advance.

    Attributes:
        entities: Entities of all worlds together, padding not counted.
    """

    parameters: WorldParameters
    tape: ActionTape
    seeds: Int[Tensor, " W"]
    entities: int

    def start(self) -> WorldState:
        """Return the state at the beginning."""
        state = initial_state(self.parameters)
        return replace(state, fault_left=self.parameters.faults.there.clone())

    def advance(self, state: WorldState, ticks: int) -> WorldState:
        """Return the state some telemetry ticks later, objectives counted on the way as in branches."""
        return simulate(self.parameters, state, self.tape, ticks, self.seeds, "objectives")[0]


def workload(name: Name, worlds: int, entities: int, seed: int) -> Workload:
    """Return a batch with faults setting in and actions taking effect from its first minute on.

    Args:
        name: Random systems, the demo shop, or the tandem of plain queues, in which nothing goes wrong.
        worlds: How many.
        entities: Rough number of entities of each random system.
        seed: Of systems, incidents and noise.
    """
    drawn = [_drawn(name, entities, seed, number) for number in range(min(worlds, DISTINCT))]
    rows = torch.arange(worlds) % len(drawn)
    parameters = take_rows(assemble([blueprint for blueprint, _ in drawn]), rows)
    return Workload(
        parameters=parameters,
        tape=take_rows(tape_of([blueprint for blueprint, _ in drawn], [requests for _, requests in drawn]), rows),
        seeds=noise.world_seeds(seed, torch.arange(worlds), torch.zeros(worlds, dtype=torch.int64)),
        entities=int(parameters.entities.there.sum()),
    )


def _drawn(name: Name, entities: int, seed: int, number: int) -> tuple[Blueprint, tuple[Request, ...]]:
    if name == "tandem":
        return tandem(), ()
    rng = np.random.default_rng([seed, number])
    blueprint = web_shop(STEP_S) if name == "web_shop" else random_blueprint(rng, entities, step_s=STEP_S)
    incident = draw_incident(blueprint, INCIDENT_S, INCIDENT_S, rng)
    return replace(blueprint, breakages=incident.breakages), tuple(incident.past)


def tandem() -> Blueprint:
    """Return three stations one after the other, each four servers at four fifths of their capacity."""
    parts = tuple(
        Part(
            f"station-{number}", "service", cpu_s=TANDEM_SERVICE_S, slots=_ENDLESS, cores=float(TANDEM_SERVERS),
            replicas=1.0, queue_limit=_ENDLESS, patience_s=_ENDLESS, error_ratio=0.0,
        )
        for number in range(TANDEM_STATIONS)
    )  # fmt: skip
    names = [part.name for part in parts]
    links = tuple(Link(source, target, timeout_s=_ENDLESS, retries=0.0) for source, target in pairwise(names))
    inlet = Inlet(names[0], TANDEM_RATE_RPS, client_timeout_s=_ENDLESS)
    goal = Goal("answered", names[0], names[0], _ENDLESS)
    return Blueprint("tandem", parts, links, (inlet,), (goal,), step_s=STEP_S)
