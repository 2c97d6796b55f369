"""The simulator's speed on this machine, as a curve over batch sizes, beside ciw and what memory can move."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from opswm.evaluation.machine import describe_machine
from opswm.evaluation.results import ResultFile, figure
from opswm.evaluation.simulate.points import Bulk
from opswm.evaluation.simulate.reference import ciw_entity_seconds_per_s, memory_bytes_per_s, traffic
from opswm.evaluation.simulate.speed import Speed, speeds
from opswm.evaluation.simulate.workloads import workload

Say = Callable[[str], None]
Settings = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class SpeedConfig:
    """How long and on what to measure.

    Attributes:
        seconds: For each batch size.
        processes: Side by side, one thread each.
        entities: Of random systems.
        random_worlds, shop_worlds: Batch sizes of each process.
        tandem_worlds: Batch size of the network that ciw runs too.
    """

    seconds: float = 8.0
    processes: int = 2
    entities: int = 50
    random_worlds: tuple[int, ...] = (16, 64, 256, 1024, 2048)
    shop_worlds: tuple[int, ...] = (64, 1024, 4096)
    tandem_worlds: int = 8192


QUICK: Final = SpeedConfig(seconds=1.0, random_worlds=(16, 512), shop_worlds=(512,), tandem_worlds=2048)


def bench_speed(config: SpeedConfig, version: str, seed: int, say: Say = lambda what: None) -> ResultFile:
    """Return entity-seconds per second with all mechanics on; the headline is the best batch size of random systems.

    Args:
        config: What to measure.
        version: Of the software.
        seed: Of the worlds.
        say: Called with what is measured next.
    """
    settings: Settings = {
        "processes": config.processes,
        "seconds": config.seconds,
        "entities": config.entities,
        "load_average_before": round(os.getloadavg()[0], 2),
    }
    common = config.entities, config.seconds, config.processes, seed
    say("random systems")
    found = speeds("random", config.random_worlds, *common)
    _note(settings, "random", found)
    say("the demo shop")
    _note(settings, "web_shop", speeds("web_shop", config.shop_worlds, *common))
    say("the tandem of plain queues")
    _note(settings, "tandem", speeds("tandem", (config.tandem_worlds,), *common))
    say("ciw on the same tandem")
    ciw, runs = ciw_entity_seconds_per_s(config.seconds, seed)
    say("memory")
    best = max(found, key=lambda speed: speed.entity_seconds_per_s)
    asked, moved = traffic(workload("random", 64, config.entities, seed)), memory_bytes_per_s()
    settings |= {
        "operations_per_simulated_second": round(asked.operations_per_second),
        "bytes_per_entity_second": round(asked.bytes_per_entity_second),
        "memory_gb_per_s": round(moved / 1e9, 2),
        "share_of_memory_bandwidth_if_nothing_were_cached": round(
            asked.bytes_per_entity_second * best.entity_seconds_per_s / moved, 2
        ),
    }
    results = (
        figure("simulate", "opswm", "entity_seconds_per_s", best.entity_seconds_per_s, best.worlds),
        figure("simulate", "opswm", "peak_memory_mb", best.peak_memory_bytes * config.processes / 1e6, best.worlds),
        figure("simulate", "ciw", "entity_seconds_per_s", ciw, runs),
    )
    return ResultFile("simulate", version, seed, describe_machine(), results, settings)


def bench_points(bulk: Bulk, version: str, seed: int) -> ResultFile:
    """Return what generating decision points took as a result file.

    Args:
        bulk: What was generated, and how long it took.
        version: Of the software.
        seed: Of the worlds.
    """
    settings: Settings = {
        "points": bulk.points,
        "points_timed": bulk.points_timed,
        "entities": bulk.entities,
        "processes": bulk.processes,
        "wall_s": round(bulk.wall_s, 1),
        "cpu_s": round(bulk.cpu_s, 1),
        "minutes_for_10000": round(bulk.minutes_for(10_000), 1),
        "minutes_for_10000_if_idle": round(bulk.idle_minutes_for(10_000), 1),
        "load_average_after": round(os.getloadavg()[0], 2),
    }
    results = (
        figure("simulate", "opswm", "entity_seconds_per_s", bulk.entity_seconds_per_s, bulk.points_timed),
        figure("simulate", "opswm", "peak_memory_mb", bulk.peak_memory_bytes / 1e6, bulk.points),
    )
    return ResultFile("simulate-points", version, seed, describe_machine(), results, settings)


def _note(settings: Settings, name: str, found: tuple[Speed, ...]) -> None:
    for speed in found:
        key = f"{name}_{speed.worlds}_worlds"
        settings[f"{key}_entity_seconds_per_s"] = round(speed.entity_seconds_per_s)
        settings[f"{key}_per_cpu_s"] = round(speed.per_cpu_s)
        settings[f"{key}_peak_memory_mb"] = round(speed.peak_memory_bytes / 1e6)
