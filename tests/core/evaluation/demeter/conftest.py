"""Made-up twins whose truth is known, and folders of them as the Demeter data set lays them out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opswm.evaluation.demeter.twins import FlinkConfiguration, Twin, TwinOutcome, TwinQuestion

HEADER = "expId,genType,jobName,scaleOut,chkInt,cpuVal,memVal,taskSlots,avgThr,avgLat,recTime,startTs,stopTs"
START = 1_697_072_586


@pytest.fixture
def make_twin() -> Callable[..., Twin]:
    """Return a function that builds one twin from few numbers."""

    def make(
        name: str = "profile1",
        run: str = "1_demeter_ADS",
        workload: str = "ADS",
        started_at: int = START,
        parallelism: int = 12,
        slots: int = 3,
        cores: float = 2.0,
        memory_mib: int = 2048,
        throughput: float = 30_000.0,
        latency_s: float = 1.2,
        recovery_s: float | None = 90.0,
    ) -> Twin:
        configuration = FlinkConfiguration(parallelism, slots, cores, memory_mib, 30.0)
        question = TwinQuestion(run, workload, name, started_at, configuration, 25_000.0)
        return Twin(question, TwinOutcome(throughput, latency_s, recovery_s))

    return make


@pytest.fixture
def made_up_twins(make_twin: Callable[..., Twin]) -> Callable[[int], list[Twin]]:
    """Return a function that simulates twins of three runs under a capacity law with contention and memory."""

    def simulate(seed: int) -> list[Twin]:
        generator = np.random.default_rng(seed)
        twins: list[Twin] = []
        for run, workload, per_core in (("1_ADS", "ADS", 9e3), ("1_CARS", "CARS", 14e3), ("2_CARS", "CARS", 14e3)):
            for group in range(13):
                demand = float(generator.uniform(20e3, 90e3))
                for member in range(5):
                    parallelism, slots = int(generator.integers(2, 7)) * 4, int(generator.integers(1, 5))
                    cores, memory_mib = float(generator.integers(1, 4)), 1024 * int(generator.integers(1, 5))
                    capacity = per_core * cores * parallelism / slots
                    capacity *= (cores / slots) ** 0.5 * np.exp(0.5 * (1 - 1024 / memory_mib))
                    load = demand / capacity
                    twins.append(
                        make_twin(
                            f"profile{member}",
                            run,
                            workload,
                            START + 900 * group,
                            parallelism,
                            slots,
                            cores,
                            memory_mib,
                            min(demand, capacity) * float(np.exp(generator.normal(0, 0.02))),
                            1.1 + 115 * max(0.0, 1 - 1 / load),
                            360.0 if load > 0.9 else 80.0 + 60 * load,
                        )
                    )
        return twins

    return simulate


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes one run folder and gives the folder above it."""

    def write(rows: Sequence[str], run: str = "1_demeter_ADS", header: str = HEADER, level: float = 25_000.0) -> Path:
        folder = tmp_path / run
        folder.mkdir()
        (folder / "profiles.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        seconds = np.arange(START - 1_200, START + 1_200)
        values = np.where(seconds <= START, level, 3 * level)  # a later throughput must not be seen
        pl.DataFrame({"metric": "throughput", "timestamp": seconds, "value": values}).write_parquet(
            folder / "metrics.parquet"
        )
        return tmp_path

    return write
