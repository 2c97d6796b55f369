"""A retry storm: a short trigger, retries that keep a database saturated long after it, and a way out.

Metastable failure as N. Bronson and others describe it ("Metastable failures in distributed systems", HotOS 2021).
"""

from dataclasses import replace

import torch
from torch import Tensor

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Ability, Blueprint, Breakage, Execution, Goal, Inlet, Level, Link, Part
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state

TRIGGER_S, TRIGGER_LASTS_S = 60.0, 20.0
SHED_S, CLEARED_S, END_S = 260.0, 320.0, 480
COURSES = ("no trigger", "trigger", "trigger, then 90 % of the load shed for a minute")


def blueprint(retries: float, triggered: bool) -> Blueprint:
    """Return a service that retries against a database with room for 125 % of the load but not for its retries."""
    parts = (
        Part("web", "service", cpu_s=0.002, cores=8.0, replicas=1.0, slots=5000.0, queue_limit=20000.0),
        Part("db", "database", cpu_s=0.01, cores=2.0, replicas=1.0, slots=400.0, queue_limit=2000.0),
    )
    link = Link("web", "db", timeout_s=0.5, retries=retries)
    slow = Breakage("slow_queries", "db", onset_s=TRIGGER_S, duration_s=TRIGGER_LASTS_S, magnitude=1.2)
    shed = {"load_shed": Execution(delay_s=1.0, spread=0.01, failure_ratio=0.0)}
    return Blueprint(
        "storm", parts, (link,), (Inlet("web", 160.0, client_timeout_s=10.0),), (Goal("good", "web", "web", 1.0),),
        executions=shed, breakages=(slow,) if triggered else (),
    )  # fmt: skip


def bad_share(worlds: int, retries: float = 3.0, seed: int = 7) -> Tensor:
    """Return the share of bad attempts ``[course, world, tick]`` in each course, all in the same futures."""

    def shed(share: float, at_s: float) -> Request:
        level = Level(share)
        return Request(Ability("load_shed", "web", (level,)), level, at_s)

    plans = [blueprint(retries, False), blueprint(retries, True), blueprint(retries, True)]
    plans = [replace(plan, name=f"{plan.name}-{index}") for index, plan in enumerate(plans)]
    asked: list[list[Request]] = [[], [], [shed(0.9, SHED_S), shed(0.0, CLEARED_S)]]
    rows, lanes = torch.arange(3).repeat_interleave(worlds), torch.arange(worlds).repeat(3)
    parameters = take_rows(assemble(plans), rows)
    seeds = noise.world_seeds(seed, lanes, torch.zeros_like(lanes))
    tape = take_rows(tape_of(plans, asked), rows)
    ticks = END_S // parameters.step_s
    _, seen = simulate(parameters, initial_state(parameters), tape, ticks, seeds, "objectives")
    return (seen.bad / seen.offered.clamp(min=1e-6))[..., 0].view(3, worlds, -1)
