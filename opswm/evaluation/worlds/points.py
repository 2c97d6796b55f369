"""Decision points of generated worlds with their truth, their faults, and what could have been known at best."""

import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from opswm.errors import BadInputError
from opswm.evaluation.outcomes import Outcomes
from opswm.evaluation.worlds.fixes import Fix, fixes_of
from opswm.simulation.branch import FIRST_FUTURES, requests_of, worlds_at
from opswm.simulation.candidates import candidates_of
from opswm.simulation.kernel.branching import noise_floor
from opswm.simulation.kernel.episodes import Course, EpisodePlan, Lived, branch_courses, live
from opswm.simulation.scene import scene_of

WORLDS_AT_ONCE: Final = 32
OTHER_FUTURES: Final = 1_000
"""Futures from the one after this are those that somebody with the true state imagines; the truth never uses them."""


@dataclass(frozen=True)
class WorldsConfig:
    """Which worlds, and how well their truth is known.

    Attributes:
        plan: Systems and the history before the decision.
        candidates: Courses of each point, waiting included.
        horizon_ticks: How far to look.
        first_futures: Futures of the truth to begin with; the benchmark asks for eight.
        most_futures: Where doubling of them stops; points that would need more count as unsettled.
        foreseen_futures: Futures that one who knows the true state may imagine.
    """

    plan: EpisodePlan
    candidates: int = 16
    horizon_ticks: int = 32
    first_futures: int = FIRST_FUTURES
    most_futures: int = 16
    foreseen_futures: int = FIRST_FUTURES


@dataclass(frozen=True)
class WorldPoints:
    """Decision points, one per world.

    Attributes:
        outcomes: What each candidate truly does.
        labels: The true fault of each point.
        fixes: What each candidate is, seen from the fault.
        foreseen: ``[P, S]`` mean cost in other futures from the true state; infinite where there is no candidate.
    """

    outcomes: Outcomes
    labels: tuple[str, ...]
    fixes: tuple[tuple[Fix, ...], ...]
    foreseen: NDArray[np.float64]


def world_points(
    config: WorldsConfig,
    seeds: Sequence[int],
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WorldPoints:
    """Return the decision points of some world seeds, the same for any number of processes.

    Args:
        config: Which worlds.
        seeds: One per point, 0 or more, no two alike.
        processes: Side by side, one thread each.
        progress: Told how many points are done, of how many.

    Raises:
        BadInputError: When there is no seed, or one comes twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise BadInputError(f"give at least one world seed, and each once; got {len(seeds)}")
    parts = [list(seeds[first : first + WORLDS_AT_ONCE]) for first in range(0, len(seeds), WORLDS_AT_ONCE)]
    progress(0, len(seeds))
    found: dict[int, WorldPoints] = {}
    done = 0
    for at, points in _made(config, parts, processes):
        found[at] = points
        done += len(parts[at])
        progress(done, len(seeds))
    return _joined([found[at] for at in range(len(parts))])


def _made(config: WorldsConfig, parts: Sequence[Sequence[int]], processes: int) -> Iterator[tuple[int, WorldPoints]]:
    if processes == 1 or len(parts) == 1:
        for at, part in enumerate(parts):
            yield at, _points(config, part)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(parts)), mp_context=context) as pool:
        waiting = {pool.submit(_points_alone, config, part): at for at, part in enumerate(parts)}
        try:
            for one in as_completed(waiting):
                yield waiting[one], one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _points_alone(config: WorldsConfig, seeds: Sequence[int]) -> WorldPoints:
    torch.set_num_threads(1)
    return _points(config, seeds)


def _points(config: WorldsConfig, seeds: Sequence[int]) -> WorldPoints:
    with torch.inference_mode():
        lived = live(config.plan, seeds)
        asked = [_candidates(lived, row, config.candidates) for row in range(len(seeds))]
        there = np.array([[at < len(world) for at in range(config.candidates)] for world in asked])
        courses = [[*world, *[()] * (config.candidates - len(world))] for world in asked]
        floor = noise_floor(config.horizon_ticks, config.plan.step_s)
        cost, error = _truth(config, lived, courses, floor)
        others = range(OTHER_FUTURES + 1, OTHER_FUTURES + config.foreseen_futures + 1)
        foreseen = branch_courses(lived, courses, config.horizon_ticks, others).cost.mean(-1).double().numpy()
    return WorldPoints(
        outcomes=Outcomes(
            cost=np.where(there, cost, 0.0),
            effect_error=np.where(there, error, 0.0),
            there=there,
            floor=np.full(len(seeds), floor),
            world=np.array(seeds, dtype=np.int64),
        ),
        labels=tuple(incident.label for incident in lived.incidents),
        fixes=tuple(fixes_of(lived.blueprints[row], lived.incidents[row], world) for row, world in enumerate(asked)),
        foreseen=np.where(there, foreseen, np.inf),
    )


def _candidates(lived: Lived, row: int, count: int) -> list[Course]:
    blueprint = lived.blueprints[row]
    return [requests_of(blueprint, course, lived.decision_s) for course in candidates_of(scene_of(lived, row), count)]


def _truth(
    config: WorldsConfig, lived: Lived, courses: Sequence[Sequence[Course]], floor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean costs and standard errors of effects ``[P, S]``; futures are doubled where errors are too large."""
    runs: list[Float[Tensor, "S R"]] = [torch.empty(len(world), 0).double() for world in courses]
    rows, futures = list(range(len(courses))), 0
    while rows and (futures == 0 or 2 * futures <= config.most_futures):
        until = max(config.first_futures, 2 * futures)
        asked = [courses[row] for row in rows]
        new = branch_courses(worlds_at(lived, rows), asked, config.horizon_ticks, range(futures + 1, until + 1)).cost
        for place, row in enumerate(rows):
            runs[row] = torch.cat([runs[row], new[place].double()], 1)
        futures = until
        rows = [row for row in rows if float(_errors(runs[row]).max()) > floor / 4.0]
    return (
        np.stack([run.mean(1).numpy() for run in runs]),
        np.stack([_errors(run).numpy() for run in runs]),
    )


def _errors(cost: Float[Tensor, "S R"]) -> Float[Tensor, " S"]:
    return (cost - cost[:1]).std(1) / math.sqrt(cost.shape[1])


def _joined(parts: Sequence[WorldPoints]) -> WorldPoints:
    outcomes = Outcomes(
        *(
            np.concatenate([getattr(part.outcomes, name) for part in parts])
            for name in ("cost", "effect_error", "there", "floor", "world")
        )
    )
    return WorldPoints(
        outcomes=outcomes,
        labels=tuple(chain.from_iterable(part.labels for part in parts)),
        fixes=tuple(chain.from_iterable(part.fixes for part in parts)),
        foreseen=np.concatenate([part.foreseen for part in parts]),
    )
