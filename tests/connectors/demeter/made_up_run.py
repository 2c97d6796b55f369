"""A small made-up Demeter run on disk, with everything that real ones have: seams, gaps, outages, twins in the log."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

START = 1_697_071_440
LENGTH_S = 1_500
STARTED = "config={scaleOut: 24, taskSlots: 1, cpu: 1.0, memory: 4096, chkInt: 10000}"


@dataclass
class MadeUpRun:
    """What is written; change it before calling ``write``."""

    folder: Path
    frame: pl.DataFrame
    events: list[tuple[object, ...]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def write(self) -> Path:
        """Write the run folder and return it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.frame.write_parquet(self.folder / "metrics.parquet")
        pl.DataFrame(
            {
                name: [str(row[index]) for row in self.events]
                for index, name in enumerate(("ts", "kind", "job", "detail"))
            }
        ).write_csv(self.folder / "events.csv")
        (self.folder / "app.log.gz").write_bytes(gzip.compress("\n".join(self.lines).encode()))
        return self.folder


def log_line(at: float, text: str, logger: str = "SequenceFSM", level: str = "INFO") -> str:
    """Return a line as the controller's log writes it."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"[{level:5}] {stamp} [pool-2-thread-2] {logger} - {text}"


def rescale_detail(parallelism: int, slots: int, cores: float, memory_mib: int, interval_ms: int) -> str:
    """Return the JSON of a rescale event."""
    configs = {
        "scaleout": parallelism,
        "task_slots": slots,
        "container_cpu": cores,
        "container_memory": memory_mib,
        "checkpoint_interval": interval_ms,
    }
    return json.dumps({"status": "RESCALE", "production_config": {"acqf_value": None, "configs": configs}})


def replace_readings(frame: pl.DataFrame, metric: str, at: Iterable[int], value: float) -> pl.DataFrame:
    """Return the table with the readings of one metric at some seconds set to a value."""
    chosen = (pl.col("metric") == metric) & pl.col("timestamp").is_in(list(at))
    return frame.with_columns(pl.when(chosen).then(pl.lit(value)).otherwise(pl.col("value")).alias("value"))


MakeRun = Callable[..., MadeUpRun]
"""A function from the name of a run to the run, ready to be changed and written."""
