"""A laboratory: small systems, run with and without an action in the same futures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Ability, Blueprint, Breakage, Execution, Goal, Inlet, Level, Link, Part
from opswm.simulation.kernel.courses import FORMS, tape_of
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.simulate import Observables, simulate
from opswm.simulation.kernel.state import WorldState, initial_state

QUICK = {name: Execution(delay_s=3.0, spread=0.01, failure_ratio=0.0) for name in FORMS}


@dataclass(frozen=True)
class Laboratory:
    """Runs blueprints in several worlds at once.

    Attributes:
        worlds: Number of worlds of each run.
        seed: Of their noise.
    """

    worlds: int = 10
    seed: int = 5

    def seeds(self) -> Tensor:
        """Return the noise seeds of the worlds."""
        return noise.world_seeds(self.seed, torch.arange(self.worlds), torch.zeros(self.worlds, dtype=torch.int64))

    def parameters(self, blueprint: Blueprint) -> WorldParameters:
        """Return the same system in every world."""
        return take_rows(assemble([blueprint]), torch.zeros(self.worlds, dtype=torch.int64))

    def settle(self, blueprint: Blueprint, seconds: int) -> tuple[WorldParameters, WorldState, Observables]:
        """Return the worlds after some time without any action."""
        parameters = self.parameters(blueprint)
        ticks = seconds // blueprint.step_s
        tape = empty_tape(self.worlds)
        state, seen = simulate(parameters, initial_state(parameters), tape, ticks, self.seeds())
        return parameters, state, seen

    def run(
        self, blueprint: Blueprint, requests: Sequence[Request] = (), settle_s: int = 60, seconds: int = 150
    ) -> Observables:
        """Return what is observed after the system settled, with actions requested from then on."""
        parameters, state, _ = self.settle(blueprint, settle_s)
        shifted = [replace(request, requested_s=request.requested_s + settle_s) for request in requests]
        tape = tape_of([blueprint] * self.worlds, [shifted] * self.worlds)
        ticks = seconds // blueprint.step_s
        _, seen = simulate(parameters, state, tape, ticks, self.seeds())
        return seen

    def responses(
        self, scenarios: Sequence[tuple[Blueprint, Sequence[Request]]], settle_s: int = 60, ticks: int = 30
    ) -> Tensor:
        """Return what actions change in the bad share of each scenario, tick by tick, all of them in one batch.

        Ticks sum to the change in the share of all requests.
        """
        blueprints = [blueprint for blueprint, _ in scenarios]
        worlds = torch.arange(self.worlds).repeat(len(scenarios))
        rows = torch.arange(len(scenarios)).repeat_interleave(self.worlds)
        seeds = noise.world_seeds(self.seed, worlds, torch.zeros_like(worlds))
        parameters = take_rows(assemble(blueprints), rows)
        state, _ = simulate(parameters, initial_state(parameters), empty_tape(len(rows)), settle_s // 5, seeds)
        later = [[replace(r, requested_s=r.requested_s + settle_s) for r in requests] for _, requests in scenarios]
        shares = []
        never: list[list[Request]] = [[] for _ in later]
        for courses in (later, never):
            tape = take_rows(tape_of(blueprints, courses), rows)
            _, seen = simulate(parameters, state, tape, ticks, seeds, "objectives")
            bad, offered = (total.sum(2).view(len(scenarios), -1, ticks).sum(1) for total in (seen.bad, seen.offered))
            shares.append(bad / offered.sum(1, keepdim=True))
        return shares[0] - shares[1]

    def effects(self, scenarios: Sequence[tuple[Blueprint, Sequence[Request]]], settle_s: int = 60) -> list[float]:
        """Return what actions change in the mean bad share of each scenario."""
        return [float(effect) for effect in self.responses(scenarios, settle_s).sum(1)]

    @staticmethod
    def delays(response: Tensor) -> tuple[int, int]:
        """Return the tick at which a response first shows (a tenth of its peak), and that of half its sum."""
        shows = response.abs() >= 0.1 * response.abs().max()
        sums = response.cumsum(0) / response.sum()
        return int(shows.int().argmax()), int((sums >= 0.5).int().argmax())


@pytest.fixture(scope="session")
def laboratory() -> Laboratory:
    """Ten worlds."""
    return Laboratory()


class Plans:
    """Small systems that scenarios start from."""

    @staticmethod
    def act(action_type: str, target: str, feature: str = "", at_s: float = 0.0, **level: float) -> Request:
        """Return a request some seconds after the system settled."""
        chosen = Level(
            level.get("amount", 0.0), level.get("second", -1.0), int(level.get("option", 0)), level.get("third", -1.0)
        )
        return Request(Ability(action_type, target, (chosen,), feature=feature), chosen, float(at_s))

    @staticmethod
    def one(
        rate_rps: float = 100.0, threshold_s: float = 0.25, breakages: Sequence[Breakage] = (), **part: float
    ) -> Blueprint:
        """Return a single service: two replicas of one core, 10 ms of CPU per request, half used at 100 a second."""
        sizes = {"cpu_s": 0.01, "cores": 1.0, "replicas": 2.0, "slots": 64.0, "start_s": 20.0, "warmup_penalty": 0.2}
        service = replace(Part("web", "service"), **(sizes | part))  # type: ignore[arg-type]
        return Plans.system([service], [], rate_rps, threshold_s, breakages)

    @staticmethod
    def store(
        rate_rps: float = 100.0,
        threshold_s: float = 0.25,
        breakages: Sequence[Breakage] = (),
        web: dict[str, float] | None = None,
        link: dict[str, float | str] | None = None,
        **part: float,
    ) -> Blueprint:
        """Return a service in front of a database with eight cores and a pool of 40 connections."""
        front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=200.0, start_s=20.0)
        front = replace(front, **(web or {}))  # type: ignore[arg-type]
        sizes = {"cpu_s": 0.02, "io_s": 0.01, "cores": 8.0, "pool_size": 40.0, "replicas": 1.0, "start_s": 20.0}
        database = replace(Part("db", "database"), **(sizes | part))  # type: ignore[arg-type]
        call = replace(Link("web", "db", timeout_s=2.0, retries=0.0), **(link or {}))  # type: ignore[arg-type]
        return Plans.system([front, database], [call], rate_rps, threshold_s, breakages)

    @staticmethod
    def system(
        parts: Sequence[Part],
        links: Sequence[Link],
        rate_rps: float = 100.0,
        threshold_s: float = 0.25,
        breakages: Sequence[Breakage] = (),
        **inlet: float,
    ) -> Blueprint:
        """Return a system whose demand arrives at its first part."""
        entry = replace(Inlet(parts[0].name, rate_rps, client_timeout_s=5.0), **inlet)  # type: ignore[arg-type]
        goal = Goal("good", parts[0].name, parts[0].name, threshold_s)
        return Blueprint(
            "laboratory", tuple(parts), tuple(links), (entry,), (goal,), executions=QUICK, breakages=tuple(breakages)
        )


@pytest.fixture(scope="session")
def plans() -> Plans:
    """Small systems that scenarios start from."""
    return Plans()
