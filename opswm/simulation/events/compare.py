"""Both engines on the same small systems: ``python -m opswm.simulation.events.compare [--seeds 4]`` prints a table.

This is the one place where the per-request engine meets the vectorised one.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Final

import numpy as np
import torch

from opswm.simulation.events.scenarios import Scenario, scenarios
from opswm.simulation.events.wider_scenarios import wider_scenarios
from opswm.simulation.events.world import World
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.forcings import empty_tape
from opswm.simulation.kernel.healthy import seeds_of
from opswm.simulation.kernel.rows import take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state
from opswm.simulation.kernel.web_shop import web_shop

SETTLING_S: Final = 60
TICKS: Final = 20
KERNEL_WORLDS: Final = 10
CASES: Final = ("helps", "nothing", "harms")
STUDENT: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t, for 2 to 10 worlds."""
SLIGHT: Final = 0.01
"""Effects that differ by less are not called apart."""
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


@dataclass(frozen=True)
class Spread:
    """Means over independent worlds, and half the width of their 95 % intervals (Student's t).

    Attributes:
        mean, half: Of each of the quantities.
    """

    mean: Measured
    half: Measured


def spread(found: Sequence[Measured]) -> Spread:
    """Return mean and interval of what several seeds gave.

    Raises:
        ValueError: When there are fewer than two.
    """
    if len(found) < 2:
        raise ValueError(f"an interval needs two seeds or more, got {len(found)}")
    table = np.array([astuple(one) for one in found])
    half = STUDENT[min(len(found), len(STUDENT) + 1) - 2] / math.sqrt(len(found)) * table.std(0, ddof=1)
    return Spread(Measured(*table.mean(0).tolist()), Measured(*half.tolist()))


def by_events(scenario: Scenario, seeds: int) -> Spread:
    """Return what the per-request engine makes of a scenario, over seeds from 0."""
    return spread([_one_run(scenario, seed) for seed in range(seeds)])


def by_kernel(chosen: Sequence[Scenario], worlds: int = KERNEL_WORLDS) -> list[Spread]:
    """Return what the vectorised engine makes of scenarios, over worlds from seed 0; all run in one batch."""
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
    bad, then = (seen.bad.sum((1, 2)) / seen.offered.sum((1, 2)) for seen in (waited, acted))
    mean_s, p95_s = (waited.signals[:, :, 0, SIGNALS.index(name)].mean(1) for name in _READ)
    every = [Measured(*numbers) for numbers in torch.stack([mean_s, p95_s, bad, then - bad], 1).tolist()]
    return [spread(every[row * worlds : (row + 1) * worlds]) for row in range(len(chosen))]


def main(arguments: list[str]) -> int:
    """Print the table, and how long it took."""
    parser = argparse.ArgumentParser(prog="opswm.simulation.events.compare", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="worlds of the per-request engine, from seed 0; 2 or more")
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES, help="which scenarios")
    parser.add_argument("--actions", nargs="+", help="of which types; all where left out")
    parser.add_argument("--speed", action="store_true", help="how many requests a second of CPU time, and no table")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if chosen.speed:
        requests, seconds = speed()
        print(
            f"{requests:.0f} requests at a part in {seconds:.2f} s of CPU time: {1e6 * seconds / requests:.1f} us each"
        )
        return 0
    print("| action | case | mean ms (kernel / events) | p95 ms | bad share, waiting | effect on it | apart |")
    print("|---|---|---|---|---|---|---|")
    began = time.process_time()
    every = [scenario for scenario in (*scenarios(), *wider_scenarios()) if scenario.case in chosen.cases]
    wanted = [one for one in every if not chosen.actions or one.action.split()[0] in chosen.actions]
    for scenario, kernel in zip(wanted, by_kernel(wanted), strict=True):
        print(row_of(scenario, kernel, by_events(scenario, chosen.seeds)), flush=True)
    print(f"\nCPU time: {time.process_time() - began:.0f} s", file=sys.stderr)
    return 0


def speed(seconds: int = 20, rounds: int = 7) -> tuple[float, float]:
    """Return how many requests the parts of the web shop see in some seconds, and the CPU time in the best round.

    Args:
        seconds: Simulated, after five to settle.
        rounds: How often the same is run.
    """
    blueprint = web_shop()
    times: list[float] = []
    requests = 0.0
    for _ in range(rounds):
        world = World(blueprint, 1)
        world.run(1, record=False)
        began = time.process_time()
        seen = world.run(seconds // blueprint.step_s)
        times.append(time.process_time() - began)
        requests = float(seen.signals[:, :, SIGNALS.index("request_rate")].sum()) * blueprint.step_s
    return requests, min(times)


def row_of(scenario: Scenario, kernel: Spread, events: Spread) -> str:
    """Return a line of the table: means and half widths of intervals, and whether the effects are apart."""
    cells = [f"{1e3 * one.mean.mean_s:.0f} ± {1e3 * one.half.mean_s:.0f}" for one in (kernel, events)]
    tails = [f"{1e3 * one.mean.p95_s:.0f} ± {1e3 * one.half.p95_s:.0f}" for one in (kernel, events)]
    bad = [f"{one.mean.bad:.3f} ± {one.half.bad:.3f}" for one in (kernel, events)]
    effects = [f"{one.mean.effect:+.3f} ± {one.half.effect:.3f}" for one in (kernel, events)]
    gap = abs(kernel.mean.effect - events.mean.effect)
    apart = "yes" if gap > math.hypot(kernel.half.effect, events.half.effect) + SLIGHT else ""
    columns = [" / ".join(pair) for pair in (cells, tails, bad, effects)]
    return f"| {scenario.action} | {scenario.case} | {' | '.join(columns)} | {apart} |"


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
