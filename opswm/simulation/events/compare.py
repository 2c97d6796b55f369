"""Both engines on the same small systems: ``python -m opswm.simulation.events.compare [--seeds 4]`` prints a table.

This is the one place where the per-request engine meets the vectorised one.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from opswm.simulation.events.scenarios import Scenario, scenarios
from opswm.simulation.events.world import World
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.healthy import seeds_of
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state

SETTLING_S: Final = 60
TICKS: Final = 30
KERNEL_WORLDS: Final = 10
CASES: Final = ("helps", "nothing", "harms")
_READ: Final = ("latency_mean", "latency_p95")


@dataclass(frozen=True)
class Measured:
    """What one engine makes of a scenario.

    Attributes:
        mean_s, p95_s: Response time at the entry while nobody acts.
        bad: Bad share of first attempts while nobody acts.
        effect: Change of that by the action.
    """

    mean_s: float
    p95_s: float
    bad: float
    effect: float


def by_events(scenario: Scenario, seeds: int) -> Measured:
    """Return what the per-request engine makes of a scenario, averaged over seeds from 0."""
    found = [_one_run(scenario, seed) for seed in range(seeds)]
    return Measured(*(sum(getattr(one, name) for one in found) / seeds for name in Measured.__dataclass_fields__))


def by_kernel(chosen: Sequence[Scenario], worlds: int = KERNEL_WORLDS) -> list[Measured]:
    """Return what the vectorised engine makes of scenarios, each averaged over worlds; all run in one batch."""
    blueprints = [scenario.blueprint for scenario in chosen]
    rows = torch.arange(len(chosen)).repeat_interleave(worlds)
    parameters = take_rows(assemble(blueprints), rows)
    seeds = seeds_of(list(range(worlds)) * len(chosen), 0)
    never, settling = empty_tape(len(rows)), SETTLING_S // blueprints[0].step_s
    state, _ = simulate(parameters, initial_state(parameters), never, settling, seeds, "objectives")
    later = [
        [replace(request, requested_s=request.requested_s + SETTLING_S) for request in scenario.requests]
        for scenario in chosen
    ]
    _, waited = simulate(parameters, state, never, TICKS, seeds)
    _, acted = simulate(parameters, state, take_rows(tape_of(blueprints, later), rows), TICKS, seeds, "objectives")
    bad, then = (
        seen.bad.sum((1, 2)).view(len(chosen), worlds).sum(1)
        / seen.offered.sum((1, 2)).view(len(chosen), worlds).sum(1)
        for seen in (waited, acted)
    )
    mean_s, p95_s = (
        waited.signals[:, :, 0, SIGNALS.index(name)].mean(1).view(len(chosen), worlds).mean(1) for name in _READ
    )
    return [
        Measured(float(mean_s[row]), float(p95_s[row]), float(bad[row]), float(then[row] - bad[row]))
        for row in range(len(chosen))
    ]


def main(arguments: list[str]) -> int:
    """Print the table, and how fast the per-request engine was."""
    parser = argparse.ArgumentParser(prog="opswm.simulation.events.compare", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="worlds of the per-request engine, from seed 0")
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES, help="which scenarios")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| action | case | mean ms (kernel / events) | p95 ms | bad share, waiting | effect on it |")
    print("|---|---|---|---|---|---|")
    began = time.process_time()
    wanted = [scenario for scenario in scenarios() if scenario.case in chosen.cases]
    for scenario, kernel in zip(wanted, by_kernel(wanted), strict=True):
        events = by_events(scenario, chosen.seeds)
        print(
            f"| {scenario.action} | {scenario.case} | {1e3 * kernel.mean_s:.0f} / {1e3 * events.mean_s:.0f}"
            f" | {1e3 * kernel.p95_s:.0f} / {1e3 * events.p95_s:.0f} | {kernel.bad:.3f} / {events.bad:.3f}"
            f" | {kernel.effect:+.3f} / {events.effect:+.3f} |",
            flush=True,
        )
    print(f"\nCPU time: {time.process_time() - began:.0f} s", file=sys.stderr)
    return 0


def _one_run(scenario: Scenario, seed: int) -> Measured:
    blueprint = scenario.blueprint
    world = World(blueprint, seed)
    world.break_down(blueprint.breakages)
    world.run(SETTLING_S // blueprint.step_s, record=False)
    other = world.branch(0)
    for request in scenario.requests:
        other.request(replace(request, requested_s=request.requested_s + SETTLING_S))
    waited, acted = world.run(TICKS), other.run(TICKS, record=False)
    mean_s, p95_s = (float(waited.signals[:, 0, SIGNALS.index(name)].mean()) for name in _READ)
    bad, then = (float(seen.bad.sum() / seen.offered.sum()) for seen in (waited, acted))
    return Measured(mean_s, p95_s, bad, then - bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
