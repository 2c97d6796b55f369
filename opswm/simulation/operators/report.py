"""How far logs of each regime mislead, and what corrects them: ``python -m opswm.simulation.operators.report``.

Worlds are made once, with what every candidate does in the future that was lived; each policy then writes its log of
the same worlds. Printed as Markdown, with bootstrap intervals over worlds.
"""

import argparse
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.operators.logged import REALISED_FUTURE, log_decisions
from opswm.simulation.operators.off_policy import ips, snips
from opswm.simulation.operators.policies import (
    Policy,
    apparent_propensities,
    choose,
    propensities,
    regime_policy,
)

GAMMAS: Final = (0.0, 1.0, 4.0)
DRAWS: Final = 2000


@dataclass(frozen=True)
class Worlds:
    """Decision points of which everything is known: scores, the hidden variable and what each candidate costs."""

    seeds: tuple[int, ...]
    score: Float[Tensor, "W S"]
    staying: Float[Tensor, " W"]
    cost: Float[Tensor, "W S"]


def make_worlds(plan: EpisodePlan, seeds: Sequence[int], candidates: int, horizon_ticks: int) -> Worlds:
    """Return decision points with the cost of every candidate in the future that was lived.

    Args:
        plan: Which systems, how much history.
        seeds: One per world.
        candidates: Candidates considered, the wait included.
        horizon_ticks: How far ahead costs are counted.
    """
    batches = list(log_decisions(plan, seeds, Policy(0.0), candidates, horizon_ticks, [REALISED_FUTURE]))
    costs = [batch.branches.cost[:, :, 0] for batch in batches if batch.branches is not None]
    return Worlds(
        tuple(seeds),
        torch.cat([batch.score for batch in batches]),
        torch.cat([batch.staying for batch in batches]),
        torch.cat(costs).double(),
    )


def gap(cost: Float[Tensor, "W S"], weight: Float[Tensor, "W S"]) -> float:
    """Return how much dearer acting than waiting looks when candidates are seen as often as their weight says."""
    waiting = (weight * cost)[:, 0].sum() / weight[:, 0].sum()
    acting = (weight * cost)[:, 1:].sum() / weight[:, 1:].sum()
    return float(acting - waiting)


def bias(cost: Float[Tensor, "W S"], weight: Float[Tensor, "W S"]) -> str:
    """Return how far the gap is from the true one, with a 95 % bootstrap interval paired over worlds."""
    even = torch.ones_like(weight)
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.integers(len(cost), size=(DRAWS, len(cost))))
    drawn = [gap(cost[row], weight[row]) - gap(cost[row], even[row]) for row in rows]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{gap(cost, weight) - gap(cost, even):+.3f} ({low:+.3f} to {high:+.3f})"


def tables(worlds: Worlds) -> str:
    """Return both tables as Markdown."""
    uniform = torch.full_like(worlds.cost, 1.0 / worlds.cost.shape[1])
    truth = float(worlds.cost.mean())
    value = [
        f"True value of choosing uniformly: {truth:.3f} bad minutes.",
        "",
        "| policy | IPS | SNIPS | effective samples |",
        "|---|---|---|---|",
    ]
    errors = [
        f"True gap between acting and waiting: {gap(worlds.cost, uniform):+.3f} bad minutes. "
        "Bias of the gap as seen by",
        "",
        "| policy | plain means | weighting by what the score explains | weighting by true propensities |",
        "|---|---|---|---|",
    ]
    for hidden in (False, True):
        for gamma in GAMMAS:
            policy = regime_policy(gamma, hidden)
            chance = propensities(policy, worlds.score, worlds.staying)
            apparent = apparent_propensities(policy, worlds.score, worlds.staying)
            chosen = choose(chance, worlds.seeds)
            cost = worlds.cost.gather(1, chosen[:, None])[:, 0]
            found, scaled = (estimator(cost, chosen, chance, uniform) for estimator in (ips, snips))
            told = " | ".join(f"{estimate.value:.3f} ± {estimate.error:.3f}" for estimate in (found, scaled))
            value.append(f"| {policy.policy_id} | {told} | {found.effective_samples:.0f} of {len(cost)} |")
            weights = (chance, chance / apparent, chance / chance)
            shown = " | ".join(bias(worlds.cost, weight) for weight in weights)
            errors.append(f"| {policy.policy_id} | {shown} |")
    return "\n".join([*value, "", *errors])


def main(arguments: Sequence[str] | None = None) -> None:
    """Make worlds and print the tables.

    Args:
        arguments: Of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--system", choices=("random", "web_shop"), default="random")
    parser.add_argument("--worlds", type=int, default=256, help="decision points, one world each")
    parser.add_argument("--seed", type=int, default=1, help="worlds have the seeds 10000 * seed and following")
    parser.add_argument("--candidates", type=int, default=16, help="candidates of each decision, the wait included")
    parser.add_argument("--context-ticks", type=int, default=48)
    parser.add_argument("--horizon-ticks", type=int, default=32)
    given = parser.parse_args(arguments)
    seeds = range(10_000 * given.seed, 10_000 * given.seed + given.worlds)
    plan = EpisodePlan(system=given.system, context_ticks=given.context_ticks)
    print(f"{given.worlds} worlds ({given.system}), seed {given.seed}, {given.candidates} candidates, ", end="")
    print(f"{given.horizon_ticks} ticks of {plan.step_s} s, torch {torch.__version__} on {platform.machine()}\n")
    print(tables(make_worlds(plan, seeds, given.candidates, given.horizon_ticks)))


if __name__ == "__main__":
    main()
