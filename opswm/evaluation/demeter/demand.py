"""Demand before a twin starts, read from the production job's own series and nothing later."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from opswm.errors import BadInputError, NotFoundError

LOOKBACK_S: Final = 600
"""Long enough that the catch-up after a rescale or a fault does not pass for demand."""


def read_demand(run: Path, moments: Sequence[int], lookback_s: int = LOOKBACK_S) -> list[float]:
    """Return the mean throughput of the production job over the time before each moment, records/s.

    Only readings with ``moment - lookback_s < timestamp <= moment`` count.

    Args:
        run: A run folder with ``metrics.parquet`` (columns metric, timestamp in unix seconds, value).
        moments: Unix seconds.
        lookback_s: How far to look back, seconds.

    Raises:
        NotFoundError: When the run has no ``metrics.parquet``.
        BadInputError: When it cannot be read, or holds no throughput before one of the moments.
    """
    file = run / "metrics.parquet"
    if not file.is_file():
        raise NotFoundError(f"{file} is missing; the demand before a twin starts is read from it")
    try:
        series = (
            pl.scan_parquet(file)
            .filter((pl.col("metric") == "throughput") & pl.col("value").is_finite())
            .select("timestamp", "value")
            .sort("timestamp")
            .collect()
        )
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise BadInputError(f"{file} cannot be read as a metrics table: {problem}") from problem
    means: list[float] = []
    for moment in moments:
        seen = series.filter((pl.col("timestamp") > moment - lookback_s) & (pl.col("timestamp") <= moment))["value"]
        mean = seen.mean()
        if not isinstance(mean, float):
            raise BadInputError(
                f"{file} holds no throughput in the {lookback_s} s before {moment}, when a twin started"
            )
        means.append(mean)
    return means
