"""Samples a second that the ingest log acknowledges as durable, beside what the disk, SQLite and Delta do alone."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from opswm.evaluation.ingest.measure import append_all, load_average, prepared_per_cpu_s
from opswm.evaluation.ingest.raw import (
    delta_bulk_samples_per_s,
    delta_samples_per_s,
    sqlite_samples_per_s,
    syncs_per_s,
)
from opswm.evaluation.ingest.tables import fill_table, import_parquet
from opswm.evaluation.ingest.workload import requests
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.results import ResultFile, figure

Advance = Callable[[int, int | None], None]
Settings = dict[str, str | int | float | bool]

AIM_SAMPLES_PER_S = 300_000


@dataclass(frozen=True)
class IngestConfig:
    """What to send.

    Attributes:
        series: Distinct ones, a sample each.
        samples: In each request.
        threads: That send at once.
        rounds: How often all of it is sent, each time to a new log; the median counts.
        raw_requests: How many requests SQLite and Delta alone are measured with; Delta takes long for each.
        import_rows: In the Parquet file that is imported, about.
        sync_s: How long the disk's syncs are counted.
    """

    series: int = 1_000_000
    samples: int = 2_000
    threads: int = 8
    rounds: int = 5
    raw_requests: int = 100
    import_rows: int = 4_000_000
    sync_s: float = 2.0


def bench_ingest(
    config: IngestConfig,
    version: str,
    seed: int,
    folder: Path | None = None,
    advance: Advance = lambda done, total: None,
) -> ResultFile:
    """Return what was reached, the raw limits of the same run, and what bounds it.

    Args:
        config: What to send.
        version: Of the software.
        seed: Of the series and values.
        folder: On which disk; the system's place for temporary files where left out.
        advance: Told how many steps are done, of how many.
    """
    steps = config.rounds + 7
    settings: Settings = {"load_average_before": load_average(), "threads": config.threads}
    batches = list(requests(config.series, config.samples, seed, "request"))
    some = batches[: config.raw_requests]
    with tempfile.TemporaryDirectory(prefix="opswm-ingest-", dir=folder) as place:
        settings["syncs_per_s"] = round(syncs_per_s(Path(place), config.sync_s))
        advance(1, steps)
        settings["prepared_samples_per_cpu_s"] = round(prepared_per_cpu_s(some))
        advance(2, steps)
        rounds = []
        for number in range(config.rounds):
            (Path(place) / f"log{number}").mkdir()
            rounds.append(append_all(batches, Path(place) / f"log{number}", config.threads))
            advance(3 + number, steps)
        (Path(place) / "tables").mkdir()
        filled = fill_table(batches, Path(place) / "tables")
        advance(steps - 4, steps)
        imported = import_parquet(config.import_rows, seed, Path(place) / "tables")
        advance(steps - 3, steps)
        sqlite = sqlite_samples_per_s(some, Path(place))
        advance(steps - 2, steps)
        delta = delta_samples_per_s(some, Path(place) / "delta")
        advance(steps - 1, steps)
        bulk = delta_bulk_samples_per_s(batches, Path(place) / "bulk")
        advance(steps, steps)
    reached = [one.samples_per_s for one in rounds]
    settings |= {
        "rounds_samples_per_s": " ".join(f"{rate:.0f}" for rate in reached),
        "samples_per_cpu_s": round(median(one.samples_per_cpu_s for one in rounds)),
        "request_ms_p50": round(median(one.request_ms_p50 for one in rounds), 1),
        "request_ms_p95": round(median(one.request_ms_p95 for one in rounds), 1),
        "bytes_per_sample_on_disk": round(median(one.bytes_per_sample for one in rounds), 1),
        "deltalake_one_commit_samples_per_s": round(bulk),
        "table_fill_rows_per_s": round(filled.rows_per_s),
        "table_fill_rows_per_cpu_s": round(filled.rows_per_cpu_s),
        "import_rows_per_cpu_s": round(imported.rows_per_cpu_s),
        "samples_per_request": config.samples,
        "aim_samples_per_s": AIM_SAMPLES_PER_S,
        "load_average_after": load_average(),
    }
    name = "samples_per_s_durable"
    results = (
        figure("ingest", "opswm", name, median(reached), config.series),
        figure("ingest", "opswm", "rows_per_s_import", imported.rows_per_s, imported.num_rows),
        figure("ingest", "sqlite", name, sqlite, sum(batch.table.num_rows for batch in some)),
        figure("ingest", "deltalake", name, delta, sum(batch.table.num_rows for batch in some)),
    )
    return ResultFile("ingest", version, seed, describe_machine(), results, settings)
