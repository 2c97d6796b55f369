"""Counts what came to an ingest log and what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry.metrics import Counter

from opswm.errors import BadInputError, LogFullError
from opswm.instrument import meter


@cache
def _batches() -> Counter:
    return meter().create_counter(
        "opswm.ingest_log.batches", unit="{batch}", description="Batches offered to the ingest log, by outcome."
    )


@contextmanager
def counted(num_batches: int) -> Iterator[None]:
    """Run a block that keeps batches and count them by outcome in the metric ``opswm.ingest_log.batches``.

    Outcomes are ``kept`` (now or before), ``refused`` (bad input), ``full`` (back-pressure), ``failed`` (the disk or
    the broker did not do it).

    Args:
        num_batches: How many were offered.
    """
    outcome = "failed"
    try:
        yield
        outcome = "kept"
    except BadInputError:
        outcome = "refused"
        raise
    except LogFullError:
        outcome = "full"
        raise
    finally:
        _batches().add(num_batches, {"outcome": outcome})
