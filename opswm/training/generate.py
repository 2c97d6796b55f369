"""Makes the decision points of a data plan, shard by shard; what is there already is kept."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import torch

from opswm.errors import StoreError
from opswm.model.card import vocabulary
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.kernel.healthy import System
from opswm.simulation.kernel.memory import circles_kept, keep_memory
from opswm.training.batches import take
from opswm.training.recipes import DataPlan
from opswm.training.shards import Shards, open_shards, shard_identity, write_shard
from opswm.training.simulated import simulate_batch

SHARD_POINTS: Final = 64
GROUP_SHARDS: Final = 8
"""Shards whose worlds are simulated side by side: in a batch of one shard, most of the time is not spent computing."""

GENERATOR_VERSION: Final = 4
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
    plan: DataPlan,
    context_ticks: int,
    horizon_ticks: int,
    folder: Path,
    progress: Progress,
    processes: int = 1,
    entities: int | None = None,
) -> Generated:
    """Return the data of a plan, made where it is not there yet; the same data for any number of processes.

    Args:
        plan: What is wanted.
        context_ticks: History of each decision point.
        horizon_ticks: Ticks after it.
        folder: Where the shards are; a killed run goes on from there, and damaged shards are made again.
        progress: Called after every few shards.
        processes: Groups of shards that are made at once, each by a process with one thread.
        entities: Rough size of random systems; as drawn where left out.

    Raises:
        StoreError: When the folder holds the data of another plan or version, cannot be written, or a process was
            killed; what is whole stays, and the same call goes on from there.
    """
    sets = tuple(pieces(plan))
    return Generated(**generate_sets(plan, sets, context_ticks, horizon_ticks, folder, progress, processes, entities))


def generate_sets(
    plan: DataPlan,
    sets: Sequence[str],
    context_ticks: int,
    horizon_ticks: int,
    folder: Path,
    progress: Progress,
    processes: int = 1,
    entities: int | None = None,
) -> dict[str, Shards]:
    """Return some of the sets of a plan by name, made as by :func:`generate`, which makes all of them.

    Args:
        plan: What is wanted.
        sets: Which of its sets: ``training``, ``validation``, ``calibration``.
        context_ticks: As of :func:`generate`, as all that follows.
        horizon_ticks: Ticks after each decision point.
        folder: Where the shards are.
        progress: Called after every few shards.
        processes: Groups of shards that are made at once.
        entities: Rough size of random systems.

    Raises:
        StoreError: As :func:`generate` does.
    """
    whole = pieces(plan)
    wanted = {name: whole[name] for name in sets}
    paths = {name: [folder / f"{piece.name}.safetensors" for piece in part] for name, part in wanted.items()}
    orders: list[_Order] = []
    total = sum(len(piece.seeds) for part in wanted.values() for piece in part)
    done = 0
    for name, part in wanted.items():
        shards = [
            _Shard(piece, path, _identity(plan, piece, context_ticks, horizon_ticks, entities))
            for piece, path in zip(part, paths[name], strict=True)
        ]
        for group in _groups(shards):
            missing = tuple(shard for shard in group if not _is_there(shard))
            done += sum(len(shard.piece.seeds) for shard in group if shard not in missing)
            damaged = [shard.path.name for shard in missing if shard.path.exists()]
            note = f"damaged, made again: {', '.join(damaged)}" if damaged else group[0].piece.name
            if damaged or len(missing) < len(group):
                progress("generate", done, total, note)
            if missing:
                orders.append(_Order(plan, group, missing, context_ticks, horizon_ticks, entities))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(processes, len(orders))), mp_context=context) as pool:
        for name, made in _carried_out(orders, pool if processes > 1 else None):
            done += made
            progress("generate", done, total, name)
    return {name: open_shards(part) for name, part in paths.items()}


@dataclass(frozen=True)
class _Shard:
    """A shard, where it belongs and what it must say of itself."""

    piece: Piece
    path: Path
    identity: dict[str, Any]


@dataclass(frozen=True)
class _Order:
    """Shards to make: a whole group is simulated, so that its sizes are the same each time; those missing are written.

    Attributes:
        group: Shards of one system with consecutive seeds.
        missing: Those of them that are not there.
    """

    plan: DataPlan
    group: tuple[_Shard, ...]
    missing: tuple[_Shard, ...]
    context_ticks: int
    horizon_ticks: int
    entities: int | None


def _groups(shards: Sequence[_Shard]) -> Iterator[tuple[_Shard, ...]]:
    for _, alike in groupby(shards, lambda shard: shard.piece.system):
        of_system = tuple(alike)
        for start in range(0, len(of_system), GROUP_SHARDS):
            yield of_system[start : start + GROUP_SHARDS]


def _is_there(shard: _Shard) -> bool:
    """Return whether a shard can be kept, which a missing or damaged one cannot.

    Raises:
        StoreError: When it is whole but something else.
    """
    found = shard_identity(shard.path)
    if found is None:
        return False
    if found != shard.identity:
        differing = sorted(name for name in {*found, *shard.identity} if found.get(name) != shard.identity.get(name))
        raise StoreError(
            f"{shard.path} was made by another plan or version ({', '.join(differing)} differ); "
            "choose another folder or remove it"
        )
    return True


def _carried_out(orders: Sequence[_Order], pool: Executor | None) -> Iterator[tuple[str, int]]:
    """Yield the name and number of points of each order once it is done; after an error none is begun any more."""
    if pool is None:
        for order in orders:
            _make(order)
            yield _made(order)
        return
    waiting = {pool.submit(_make_alone, order): order for order in orders}
    try:
        for finished in as_completed(waiting):
            finished.result()
            yield _made(waiting[finished])
    except BrokenProcessPool as error:
        raise StoreError(
            "a generating process was killed, perhaps for want of memory; run the same command again to go on, "
            "with fewer processes if it happens again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _made(order: _Order) -> tuple[str, int]:
    return order.missing[-1].piece.name, sum(len(shard.piece.seeds) for shard in order.missing)


def _make_alone(order: _Order) -> None:
    torch.set_num_threads(1)
    keep_memory()
    _make(order)


def _make(order: _Order) -> None:
    plan, pieces_made = order.plan, [shard.piece for shard in order.group]
    episode = EpisodePlan(
        system=pieces_made[0].system,
        context_ticks=order.context_ticks,
        step_s=plan.step_s,
        entities=order.entities,
    )
    seeds = [seed for piece in pieces_made for seed in piece.seeds]
    with torch.inference_mode(), circles_kept():
        batch = simulate_batch(episode, seeds, plan.courses, plan.futures, plan.channel_courses, order.horizon_ticks)
        first = 0
        for shard in order.group:
            rows = torch.arange(first, first + len(shard.piece.seeds))
            first += len(rows)
            if shard in order.missing:
                write_shard(shard.path, take(batch, rows), shard.identity)


def _identity(
    plan: DataPlan, piece: Piece, context_ticks: int, horizon_ticks: int, entities: int | None
) -> dict[str, Any]:
    made_by = {name: asdict(plan)[name] for name in ("courses", "futures", "channel_courses", "step_s")}
    return {
        "version": GENERATOR_VERSION,
        "system": piece.system,
        "first_seed": piece.seeds.start,
        "points": len(piece.seeds),
        "context_ticks": context_ticks,
        "horizon_ticks": horizon_ticks,
        "entities": entities,
        "vocabulary": {name: entry["sha256"] for name, entry in vocabulary().items()},
        **made_by,
    }
