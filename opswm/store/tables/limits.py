"""How much a tenant may deliver: sizes of batches and names, and how many series it may have at a time."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from opswm.clock import Clock
from opswm.errors import BadInputError
from opswm.instrument import meter
from opswm_schemas.ports import Batch

Limit = Literal["rows", "bytes", "name", "buckets", "series"]
"""What was too much."""

_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class TenantLimits:
    """Bounds for one tenant.

    Attributes:
        max_rows: Readings of one batch.
        max_bytes: Memory of one batch.
        max_name_bytes: Of a channel's name.
        max_buckets: Buckets of one histogram.
        max_series: Channels of all systems that had a reading lately: between one and two times ``series_s`` ago.
        series_s: How long a channel counts at least.
    """

    max_rows: int = 20_000_000
    max_bytes: int = 2048 * _MIB
    max_name_bytes: int = 1024
    max_buckets: int = 1024
    max_series: int = 2_000_000
    series_s: float = 3600.0


@dataclass
class _Series:
    """Channels with their systems: those seen since a moment, and those of the time before."""

    since_s: float
    now: set[tuple[str, str]] = field(default_factory=set)
    before: set[tuple[str, str]] = field(default_factory=set)


class TenantGate:
    """Lets a batch pass or refuses it whole, with the reason, and counts what it refused.

    Series are counted by this process since its start; the ledger's descriptors bound them beyond that.

    Args:
        clock: Says what was lately.
        limits: Of each tenant that has no own ones.
        own: By tenant, where they differ.
    """

    def __init__(
        self, clock: Clock, limits: TenantLimits | None = None, own: Mapping[str, TenantLimits] | None = None
    ) -> None:
        self._clock = clock
        self._limits = limits or TenantLimits()
        self._own = dict(own or {})
        self._series: dict[str, _Series] = {}
        self._refused: Counter[tuple[str, Limit]] = Counter()
        self._lock = Lock()
        self._counter = meter().create_counter(
            "opswm.store.refused", unit="{row}", description="Readings that were refused by a limit of their tenant."
        )

    def require(self, batch: Batch) -> None:
        """Check that a batch keeps to its tenant's limits, and count its series.

        Raises:
            BadInputError: When it does not, naming the limit; nothing is counted but the refusal.
        """
        tenant = batch.system.tenant_id
        limits = self._own.get(tenant, self._limits)
        problem = _too_large(batch.table, limits)
        with self._lock:
            problem = problem or self._too_many(batch, limits)
            if problem is None:
                return
            limit, told = problem
            self._refused[tenant, limit] += batch.table.num_rows
        self._counter.add(batch.table.num_rows, {"opswm.limit": limit, "opswm.tenant.id": tenant})
        raise BadInputError(f"batch {batch.batch_id!r} of tenant {tenant!r} is refused: {told}")

    def refused(self) -> Mapping[tuple[str, Limit], int]:
        """Return by tenant and limit how many readings were refused since the start."""
        with self._lock:
            return dict(self._refused)

    def num_series(self, tenant_id: str) -> int:
        """Return how many series of a tenant count now."""
        with self._lock:
            series = self._series.get(tenant_id)
            return 0 if series is None else len(series.now | series.before)

    def _too_many(self, batch: Batch, limits: TenantLimits) -> tuple[Limit, str] | None:
        if "channel_id" not in batch.table.column_names:
            return None
        now_s = self._clock.now().timestamp()
        series = self._series.setdefault(batch.system.tenant_id, _Series(now_s))
        if now_s - series.since_s >= limits.series_s:
            old = now_s - series.since_s >= 2 * limits.series_s
            series.before, series.now, series.since_s = (set() if old else series.now), set(), now_s
        channels = pc.unique(batch.table["channel_id"]).to_pylist()
        given = {(batch.system.system_id, channel) for channel in channels} - series.now
        new = given - series.before
        num_known = len(series.now) + len(series.before - series.now)
        if new and num_known + len(new) > limits.max_series:
            return "series", (
                f"it brings {len(new)} new series to {num_known}, allowed are {limits.max_series} within "
                f"{limits.series_s:g} s; leave out labels that change with every request, or raise max_series"
            )
        series.now |= given
        return None


def _too_large(table: pa.Table, limits: TenantLimits) -> tuple[Limit, str] | None:
    if table.num_rows > limits.max_rows:
        return "rows", f"it has {table.num_rows} readings, allowed are {limits.max_rows}; send less at once"
    if table.nbytes > limits.max_bytes:
        return "bytes", f"it takes {table.nbytes} bytes, allowed are {limits.max_bytes}; send less at once"
    for name, limit, most in (
        ("channel_id", "name", limits.max_name_bytes),
        ("counts", "buckets", limits.max_buckets),
        ("upper_bounds", "buckets", limits.max_buckets),
    ):
        longest = _longest(table, name)
        if longest > most:
            unit = "bytes" if limit == "name" else "buckets"
            return ("name" if limit == "name" else "buckets"), (
                f"column {name!r} has a value of {longest} {unit}, allowed are {most}; shorten it at the source"
            )
    return None


def _longest(table: pa.Table, name: str) -> int:
    """Return the length of the longest value of a column, 0 where it is none that has a length."""
    if name not in table.column_names:
        return 0
    column = table[name]
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return int(pc.max(pc.binary_length(column)).as_py() or 0)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return int(pc.max(pc.list_value_length(column)).as_py() or 0)
    return 0
