"""Telemetry in memory, behind the same port: for a recording that is read once, and for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from opswm.clock import to_utc
from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order, last_of_steps, require_same
from opswm_schemas.columns import INSTANT, METRICS
from opswm_schemas.ports import SystemKey


@dataclass(frozen=True)
class _Batch:
    """What identifies a batch's content, and when the first of it was known."""

    number: int
    first: datetime


class ArrowTelemetry:
    """Keeps metrics as Arrow tables in memory.

    Batches count as in a durable store: once per (system, batch id), whole or not at all.
    """

    def __init__(self) -> None:
        self._metrics: dict[SystemKey, pa.Table] = {}
        self._batches: dict[tuple[SystemKey, str], _Batch] = {}
        self._lock = Lock()

    def append_metrics(self, system: SystemKey, table: pa.Table, batch_id: str) -> int:
        """Append a batch once and whole.

        Raises:
            BadInputError: When the batch cannot be admitted, or its id stands for other content.
        """
        admitted = in_order(admit_metrics(table))
        number = content_number(admitted)
        with self._lock:
            known = self._batches.get((system, batch_id))
            if known is not None:
                require_same(batch_id, known.number, number)
                return self.version(system)
            before = self._metrics.get(system, METRICS.empty_table())
            self._metrics[system] = pa.concat_tables([before, admitted.cast(METRICS)])
            self._batches[system, batch_id] = _Batch(number, pc.min(admitted["known_at"]).as_py())
            return self.version(system)

    def read_metrics(
        self,
        system: SystemKey,
        channel_ids: Sequence[str],
        since: datetime,
        until: datetime,
        as_of: datetime,
        step_s: float | None = None,
    ) -> pa.Table:
        """Return readings with ``since <= event_at < until`` and ``known_at <= as_of``, of each step the last.

        Raises:
            BadInputError: On a naive instant.
        """
        first, end, known = (pa.scalar(to_utc(moment), INSTANT) for moment in (since, until, as_of))
        table = self._metrics.get(system, METRICS.empty_table())
        event_at, known_at = pc.field("event_at"), pc.field("known_at")
        in_time = (event_at >= first) & (event_at < end) & (known_at <= known)
        wanted = in_time & pc.field("channel_id").isin(pa.array(channel_ids, pa.string()))
        return last_of_steps(in_order(table.filter(wanted)), to_utc(since), step_s)

    def version(self, system: SystemKey, as_of: datetime | None = None) -> int:
        """Return how many stored batches of a system hold something known by a moment."""
        horizon = None if as_of is None else to_utc(as_of)
        mine = [batch.first for (owner, _), batch in self._batches.items() if owner == system]
        return sum(horizon is None or first <= horizon for first in mine)

    def check(self) -> None:
        """Memory can always be read."""

    def close(self) -> None:
        """Nothing is open."""
