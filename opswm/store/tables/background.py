"""Fills and keeps a table while a service runs, on a thread of its own that no failure ends."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

from opswm.errors import StoreError
from opswm.instrument import meter
from opswm.store.tables.filler import Filler
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.upkeep import Upkeep

_LOG: Final = logging.getLogger(__name__)

_WORRYING: Final = 3
"""So many failures in a row are no longer something that passes by itself."""

_MAX_WAIT_S: Final = 60.0


@dataclass(frozen=True)
class BackgroundConfig:
    """How often things are done.

    Attributes:
        fill_every_s: The log is emptied into the table this often; a commit holds what came in between.
        upkeep_every_s: Compaction and the rest are looked after this often.
    """

    fill_every_s: float = 5.0
    upkeep_every_s: float = 60.0


class Background:
    """A thread that moves what is in the log, and keeps the table; a failure is logged, counted and tried again.

    Whatever fails, memory included, is tried again after longer and longer pauses, up to a minute. Where another
    process has the table, it does the work, and this one looks again later.

    Args:
        table: Which table.
        filler: Fills it.
        upkeep: Keeps it.
        config: How often.
    """

    def __init__(
        self, table: MetricsTable, filler: Filler, upkeep: Upkeep, config: BackgroundConfig | None = None
    ) -> None:
        self._table = table
        self._filler = filler
        self._upkeep = upkeep
        self._config = config or BackgroundConfig()
        self._stop = Event()
        self._failed_in_a_row = 0
        self._failures = meter().create_counter(
            "opswm.store.fill.failures", unit="{failure}", description="Attempts to fill or keep a table that failed."
        )
        self._thread = Thread(target=self._work, name="opswm-tables", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def problem(self) -> str:
        """Return what keeps the table from being filled, in words that may leave the service; empty where all is well.

        A single failure is not told: it is tried again.
        """
        failed = self._failed_in_a_row
        if self._thread.is_alive() and failed < _WORRYING:
            return ""
        if self._stop.is_set():
            return ""
        why = f"failed to be filled {failed} times in a row" if failed else "are not filled: the thread for it ended"
        return f"{why}; {self._waiting()}"

    def _waiting(self) -> str:
        try:
            return f"{self._filler.lag()} batches wait in the ingest log"
        except StoreError:
            return "the ingest log cannot be read"

    def _pause_s(self) -> float:
        every_s = self._config.fill_every_s
        return min(every_s * 2.0 ** min(self._failed_in_a_row, 8), max(every_s, _MAX_WAIT_S))

    def _work(self) -> None:
        next_upkeep = time.monotonic() + self._config.upkeep_every_s
        while not self._stop.wait(self._pause_s()):
            filled = self._try("fill", self._fill)
            self._failed_in_a_row = 0 if filled else self._failed_in_a_row + 1
            if time.monotonic() >= next_upkeep:
                self._try("upkeep", self._upkeep.run)
                next_upkeep = time.monotonic() + self._config.upkeep_every_s

    def _fill(self) -> None:
        if self._filler.is_idle():
            return
        while not self._stop.is_set():
            with self._table.writing(0.0) as free:
                if not free or self._filler.fill_once() == 0:
                    return

    def _try(self, what: str, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as problem:  # whatever it is, memory that ran out included: the thread must not end
            self._failures.add(1, {"opswm.store.step": what})
            _LOG.error("the metrics table cannot be kept (%s): %r; nothing is lost, it is tried again", what, problem)
            return False
        return True
