"""A made-up Demeter run for every test of the connector."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.connectors.demeter.made_up_run import (
    LENGTH_S,
    START,
    STARTED,
    MadeUpRun,
    MakeRun,
    log_line,
    replace_readings,
    rescale_detail,
)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that prepares a run: constant load, one fault, and for ``demeter`` one rescale."""

    def make(name: str = "1_demeter_ADS_24_small_new") -> MadeUpRun:
        seconds = [second for second in range(START, START + LENGTH_S) if not 400 <= second - START < 430]
        levels = {
            "consumer_lag": 900.0,
            "cpu_load": 0.3,
            "latency": 1_200.0,
            "task_managers": 24.0,
            "task_slots": 24.0,
            "throughput": 25_000.0,
        }
        frame = pl.concat(
            pl.DataFrame({"metric": metric, "timestamp": seconds, "value": np.full(len(seconds), value)})
            for metric, value in levels.items()
        )
        seam = frame.filter(pl.col("timestamp") == START + 1_000)
        frame = pl.concat([frame, seam]).sort("metric", "timestamp", maintain_order=True)
        job = f"Started target job: FlinkJob{{jobName='x', {STARTED}, tsList=[{START - 1}]}}"
        run = MadeUpRun(tmp_path / "data" / name, frame)
        run.events = [
            (START - 60.5, "state_change", "", "STATE-CHANGE: START -> INITIALIZE"),
            (START - 1.25, "job_started", "target", job),
            (START + 700.0, "fault_injection_profile", "profile1", "Injecting delay into profiling job: profile1"),
            (START + 900.25, "fault_injection", "x", f"Injecting delay into target job: x at TS: {START + 901}"),
        ]
        run.lines = [
            log_line(START - 60.5, "STATE-CHANGE: START -> INITIALIZE"),
            log_line(START - 30.0, "NOTES:", logger="Helm"),
            "a continuation of the notes",
            log_line(START + 600.0, "profile1 latency: 41525.4"),
            log_line(START + 601.0, "target: 11, last chkpoint: 54"),
            log_line(START + 650.0, "Failed to connect", logger="Listener", level="ERROR"),
        ]
        if "demeter" in name:
            detail = rescale_detail(12, 3, 2.0, 2048, 50_000)
            run.events.insert(2, (START + 400.5, "rescale", "target", detail))
            stated = "config={scaleOut: 12, taskSlots: 3, cpu: 2.0, memory: 2048, chkInt: 50000}"
            run.lines.append(log_line(START + 460.75, f"Upgrade target job: FlinkJob{{jobName='x', {stated}}}"))
            run.frame = replace_readings(run.frame, "task_managers", range(START + 430, START + LENGTH_S), 4.0)
        return run

    return make
