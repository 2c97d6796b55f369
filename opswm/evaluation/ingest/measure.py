"""How fast several threads append to a log until everything is acknowledged."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from opswm.store.ingest_log.deliveries import deliveries
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm_schemas.ports import Batch


@dataclass(frozen=True)
class Appended:
    """One round.

    Attributes:
        samples_per_s: Acknowledged, by the wall clock.
        samples_per_cpu_s: By this process's processor time.
        request_ms_p50, request_ms_p95: From a request to its acknowledgement.
        bytes_per_sample: What the log's files take.
    """

    samples_per_s: float
    samples_per_cpu_s: float
    request_ms_p50: float
    request_ms_p95: float
    bytes_per_sample: float


def append_all(batches: Sequence[Batch], folder: Path, threads: int) -> Appended:
    """Append each batch in a request of its own, from several threads, to a new log; all are durable at the end.

    Args:
        batches: What to send.
        folder: Where the log is made.
        threads: How many senders wait at once.
    """
    log = SqliteIngestLog(folder / "ingest.sqlite")

    def send(batch: Batch) -> float:
        since = perf_counter()
        log.append([batch])
        return perf_counter() - since

    try:
        with ThreadPoolExecutor(threads) as pool:
            cpu, wall = process_time(), perf_counter()
            waited = list(pool.map(send, batches))
            wall, cpu = perf_counter() - wall, process_time() - cpu
        assert log.end() == len(batches)  # a figure of batches that are not there would be none
    finally:
        log.close()
    samples = sum(batch.table.num_rows for batch in batches)
    on_disk = sum(file.stat().st_size for file in folder.iterdir())
    median, late = np.percentile(waited, [50, 95])
    return Appended(samples / wall, samples / cpu, median * 1e3, late * 1e3, on_disk / samples)


def prepared_per_cpu_s(batches: Sequence[Batch]) -> float:
    """Return samples that a second of processor time admits, orders, numbers and compresses, without keeping them."""
    since = process_time()
    for batch in batches:
        deliveries([batch])
    return float(sum(batch.table.num_rows for batch in batches)) / (process_time() - since)


def load_average() -> float:
    """Return how many processes wanted to run, over the last minute."""
    return round(os.getloadavg()[0], 2)
