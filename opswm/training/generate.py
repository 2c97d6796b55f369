"""Makes the decision points of a data plan, shard by shard; what is there already is kept."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch

from opswm.errors import StoreError
from opswm.model.card import vocabulary
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.kernel.healthy import System
from opswm.training.recipes import DataPlan
from opswm.training.shards import Shards, open_shards, shard_identity, write_shard
from opswm.training.simulated import simulate_batch

SHARD_POINTS: Final = 64
GENERATOR_VERSION: Final = 2
"""Counts up when the same plan and seeds mean other data."""

Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Piece:
    """One shard to make: a system and its world seeds."""

    name: str
    system: System
    seeds: range


@dataclass(frozen=True)
class Generated:
    """The three disjoint sets of a plan."""

    training: Shards
    validation: Shards
    calibration: Shards


def pieces(plan: DataPlan) -> dict[str, list[Piece]]:
    """Return the shards of each set; no two share a world seed.

    Args:
        plan: What is wanted.
    """
    sizes = {
        "training": plan.points,
        "validation": plan.validation_points,
        "calibration": plan.calibration_points,
    }
    first = plan.seed
    found: dict[str, list[Piece]] = {}
    for name, points in sizes.items():
        in_shop = round(plan.shop_share * points)
        found[name] = []
        for system, count in (("web_shop", in_shop), ("random", points - in_shop)):
            for start in range(0, count, SHARD_POINTS):
                seeds = range(first + start, first + min(count, start + SHARD_POINTS))
                found[name].append(Piece(f"{name}-{system}-{start:06d}", system, seeds))  # type: ignore[arg-type]
            first += count
    return found


def generate(
    plan: DataPlan, context_ticks: int, horizon_ticks: int, folder: Path, progress: Progress, processes: int = 1
) -> Generated:
    """Return the data of a plan, made where it is not there yet; the same data for any number of processes.

    Args:
        plan: What is wanted.
        context_ticks: History of each decision point.
        horizon_ticks: Ticks after it.
        folder: Where the shards are; a killed run goes on from there.
        progress: Called after every shard.
        processes: Shards that are made at once, each by a process with one thread.

    Raises:
        StoreError: When the folder holds the data of another plan, or cannot be written.
    """
    wanted = pieces(plan)
    paths = {name: [folder / f"{piece.name}.safetensors" for piece in part] for name, part in wanted.items()}
    missing: list[_Order] = []
    total = sum(len(piece.seeds) for part in wanted.values() for piece in part)
    done = 0
    for name, part in wanted.items():
        for piece, path in zip(part, paths[name], strict=True):
            identity = _identity(plan, piece, context_ticks, horizon_ticks)
            found = shard_identity(path)
            if found is None:
                missing.append(_Order(plan, piece, path, identity, context_ticks, horizon_ticks))
                continue
            if found != identity:
                raise StoreError(f"{path} was made by another plan; choose another folder or remove it")
            done += len(piece.seeds)
            progress("generate", done, total, piece.name)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(processes, len(missing))), mp_context=context) as pool:
        for name, made in _carried_out(missing, pool if processes > 1 else None):
            done += made
            progress("generate", done, total, name)
    return Generated(**{name: open_shards(part) for name, part in paths.items()})


@dataclass(frozen=True)
class _Order:
    """A shard to make, and where."""

    plan: DataPlan
    piece: Piece
    path: Path
    identity: dict[str, Any]
    context_ticks: int
    horizon_ticks: int


def _carried_out(orders: Sequence[_Order], pool: Executor | None) -> Iterator[tuple[str, int]]:
    """Yield the name and number of points of each order once it is done; after an error none is begun any more."""
    if pool is None:
        for order in orders:
            _make(order)
            yield order.piece.name, len(order.piece.seeds)
        return
    waiting = {pool.submit(_make_alone, order): order for order in orders}
    try:
        for finished in as_completed(waiting):
            finished.result()
            yield waiting[finished].piece.name, len(waiting[finished].piece.seeds)
    finally:
        pool.shutdown(cancel_futures=True)


def _make_alone(order: _Order) -> None:
    torch.set_num_threads(1)
    _make(order)


def _make(order: _Order) -> None:
    plan, piece = order.plan, order.piece
    episode = EpisodePlan(system=piece.system, context_ticks=order.context_ticks, step_s=plan.step_s)
    with torch.inference_mode():
        batch = simulate_batch(
            episode, piece.seeds, plan.courses, plan.futures, plan.channel_courses, order.horizon_ticks
        )
        write_shard(order.path, batch, order.identity)


def _identity(plan: DataPlan, piece: Piece, context_ticks: int, horizon_ticks: int) -> dict[str, Any]:
    made_by = {name: asdict(plan)[name] for name in ("courses", "futures", "channel_courses", "step_s")}
    return {
        "version": GENERATOR_VERSION,
        "system": piece.system,
        "first_seed": piece.seeds.start,
        "points": len(piece.seeds),
        "context_ticks": context_ticks,
        "horizon_ticks": horizon_ticks,
        "vocabulary": {name: entry["sha256"] for name, entry in vocabulary().items()},
        **made_by,
    }
