"""Large batches go into the table directly: their files are on disk before one commit acknowledges them.

Through the log they would be written twice. Their name and content stand in the table's log instead, as a Delta
application transaction, so that a batch is there once, whoever delivers it how often; and in the ingest log, so that no
small batch comes under the same name.
"""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, runtime_checkable
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import Transaction
from deltalake.transaction import AddAction

from opswm.errors import BadInputError, StoreError
from opswm.instrument import timed
from opswm.store.admission import admit_metrics
from opswm.store.batches import content_number, in_order, require_same
from opswm.store.ingest_log.deliveries import Name, name_of
from opswm.store.tables.failpoints import Failpoint, nowhere
from opswm.store.tables.kept import read_kept, write_kept
from opswm.store.tables.layout import imported_name
from opswm.store.tables.metrics_table import MetricsTable
from opswm.store.tables.part_files import encoded, write_ordered
from opswm_schemas.ports import Batch, IngestLog, SystemKey

BULK_ROWS: Final = 1_000_000
"""Batches of at least so many readings go into the table directly. It must never change: a batch that is delivered
again is looked for where its size says."""

_NAMES: Final = "opswm-import-2/"
_FORMER_NAMES: Final = "opswm-import/"
"""Beginnings of transactions' names; the former ones are joined without escaping slashes."""

_PART_ROWS: Final = 2_000_000
_WAIT_S: Final = 600.0


@runtime_checkable
class KeepsNames(Protocol):
    """A log that keeps names of batches it does not hold itself."""

    def reserve(self, name: Name, content: int) -> int:
        """Keep a name, and return what it stands for: ``content``, or what was kept under it before."""
        ...


class BulkImport:
    """Takes large batches into a table, each once and whole.

    Args:
        table: Which.
        log: Where small batches of the same store go; where it can keep names, a large batch's name is reserved there
            before anything is written.
        threads: How many parts are written at a time.
        reached: For tests: told where the work is.
    """

    def __init__(
        self, table: MetricsTable, log: IngestLog | None = None, threads: int = 2, reached: Failpoint = nowhere
    ) -> None:
        self._names: KeepsNames | None = log if isinstance(log, KeepsNames) else None
        self._imports: tuple[tuple[int, int], frozenset[str]] = ((0, 0), frozenset())
        self._table = table
        self._threads = threads
        self._reached = reached

    def append(self, batch: Batch) -> None:
        """Append a batch; it is on disk and was read again when this returns.

        Raises:
            BadInputError: When it cannot be admitted, or its name stands for other content.
            StoreError: When it cannot be written, or others keep writing the table; nothing of it but its name is
                there then, and the same batch may be sent again.
        """
        with timed("store.import", rows=batch.table.num_rows):
            ordered = in_order(encoded(admit_metrics(batch.table)))
            number = bulk_number(ordered)
            name = name_of(batch)
            if self._names is not None:
                require_same(batch.batch_id, self._names.reserve(name, number), number)
            with self._table.writing(_WAIT_S) as free:
                if not free:
                    raise StoreError(f"another process keeps writing {self._table.folder}; send the batch again")
                self._take_in(batch, ordered, number)

    def require_unused(self, batch: Batch) -> None:
        """Check that the name of a small batch is not that of a large one, also of one that no log keeps the name of.

        Where the table's notes cannot be read, the log alone decides: receiving does not depend on the table.

        Raises:
            BadInputError: When it is.
        """
        try:
            stat = self._table.kept_file.stat()
            written = (stat.st_ino, stat.st_mtime_ns)
            if written != self._imports[0]:
                self._imports = (written, frozenset(read_kept(self._table.kept_file).imports))
        except (OSError, StoreError):
            return
        imports = self._imports[1]
        if not imports:
            return
        name = name_of(batch)
        is_plain = not any("/" in part for part in name)  # else a former name may be that of another batch
        if _transaction_name(name) in imports or (is_plain and _former_name(name) in imports):
            raise BadInputError(
                f"batch {batch.batch_id!r} was stored before with other content; send changed readings under a new "
                "batch id"
            )

    def _take_in(self, batch: Batch, ordered: pa.Table, number: int) -> None:
        if not self._table.exists():
            self._table.create()
        parts = name_of(batch)
        name = _transaction_name(parts)
        table = self._table.load()
        for given in (name, _former_name(parts)):
            known = table.transaction_version(given)
            if known is not None:
                require_same(batch.batch_id, known, number)
                return
        try:
            actions = self._write(batch.system, ordered, _mark(name, number))
            self._reached("import:before-commit")
            before = {part.path for part in self._table.snapshot(fresh=True).all_parts()}
            after = self._table.commit(actions, "import", delivery=Transaction(name, number))
            self._reached("import:after-commit")
            self._table.verify([part for part in after.all_parts() if part.path not in before])
            write_kept(self._table.kept_file, read_kept(self._table.kept_file).imported(after.version, name))
        except OSError as problem:
            raise StoreError(f"batch {batch.batch_id!r} cannot be written: {problem}") from problem

    def _write(self, system: SystemKey, ordered: pa.Table, mark: int) -> list[AddAction]:
        first_known_us = int(pc.min(ordered["known_at"]).value)
        size = -(-ordered.num_rows // max(self._threads, -(-ordered.num_rows // _PART_ROWS)))

        def write(start: int) -> AddAction:
            rows = ordered.slice(start, size)
            name = imported_name(mark, first_known_us, rows.num_rows, uuid.uuid4().hex)
            return write_ordered(self._table.folder, system, rows, name)

        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(write, range(0, ordered.num_rows, size)))


def bulk_number(ordered: pa.Table) -> int:
    """Return a number in [0, 2**62) that stands for what a large batch says, as ``content_number`` for a small one.

    Args:
        ordered: An encoded batch in order.
    """
    column = ordered["channel_id"].combine_chunks()
    indices, names = np.asarray(column.indices), column.dictionary.to_pylist()
    # Names by first use, so that the number does not depend on how the sender's rows were ordered.
    _, first = np.unique(indices, return_index=True)
    digest = hashlib.sha256()
    for place in np.sort(first):
        name = names[indices[place]]
        digest.update(f"{len(name)}:{name};".encode())
    digest.update(np.flatnonzero(np.diff(indices)).tobytes())
    digest.update(content_number(ordered.drop_columns("channel_id")).to_bytes(8))
    return int.from_bytes(digest.digest()[:8]) >> 2


def _transaction_name(name: Name) -> str:
    """Return the name of a batch's transaction; no two batches have the same."""
    return _NAMES + "/".join(quote(part, safe="") for part in name)


def _former_name(name: Name) -> str:
    """Return the name that older stores have it under, which does not tell ``a``, ``b/c`` from ``a/b``, ``c``."""
    return _FORMER_NAMES + "/".join(name)


def _mark(name: str, number: int) -> int:
    """Return a number that stands for a batch's name and content; its parts carry it."""
    return int.from_bytes(hashlib.sha256(f"{name}\0{number}".encode()).digest()[:8])
