"""What is damaged in a table is found when it is opened, repaired from copies and the ingest log, or named.

Never is less read than was acknowledged without saying so: what cannot be repaired is an error, either when the store
is opened, or for each question about the system whose readings are gone.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction

from opswm.errors import StoreError
from opswm.store.durable_files import make_folder, replace_file, sync_folder
from opswm.store.tables.commits import commit_problem, copies
from opswm.store.tables.kept import read_kept
from opswm.store.tables.layout import LOG_FOLDER, commit_file, part_offsets
from opswm.store.tables.metrics_table import MetricsTable, part_problem
from opswm.store.tables.part_files import write_part
from opswm.store.tables.snapshot import Part, Snapshot
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import IngestLog, SystemKey

_LOG: Final = logging.getLogger(__name__)
_REPLAYED_BYTES: Final = 32 * 1024 * 1024
_FOOTERS: Final = 256
"""Of so many of the newest parts the footer is read at start; of older ones, only the length is compared."""


def mend(table: MetricsTable, log: IngestLog) -> dict[SystemKey, str]:
    """Look for damage, repair what can be, and return per system what is lost.

    Args:
        table: Looked at; changed only while holding its lock, and only where something is damaged.
        log: What the table is filled from.

    Raises:
        StoreError: When the table is filled less far than the log was trimmed, when its log has a hole, or when the
            two are not of one store.
    """
    if not table.exists():
        require_together(table, log)
        return {}
    if not _suspicious(table) and not _broken(require_together(table, log)):
        return {}
    with table.writing() as free:
        if not free:
            raise StoreError(f"{table.folder} looks damaged, and another process keeps writing it; stop that first")
        return _mend(table, log)


def require_together(table: MetricsTable, log: IngestLog) -> Snapshot:
    """Check that log and table together hold all that was ever acknowledged, and return the table's version.

    Raises:
        StoreError: When the table is filled further than the log goes, or less far than the log was trimmed.
    """
    # In this order: what others fill and trim meanwhile makes neither comparison wrong.
    trimmed = trimmed_through(log)
    snapshot = table.snapshot() if table.exists() else Snapshot(version=-1, through=0)
    end = log.end()
    if end < snapshot.through:
        raise StoreError(
            f"the metrics table is filled up to offset {snapshot.through}, the ingest log ends at {end}: the log was "
            "lost or is of another time; restore both from one backup"
        )
    if snapshot.through < trimmed:
        raise StoreError(
            f"the metrics table at {table.folder} is filled up to offset {snapshot.through}, the ingest log holds "
            f"batches from {trimmed + 1} on: those with offsets {snapshot.through + 1} to {trimmed} are lost; restore "
            f"both from one backup, or look into {table.own_folder / 'damaged'} for what was set aside"
        )
    return snapshot


def trimmed_through(log: IngestLog) -> int:
    """Return the offset up to which a log may have dropped readings."""
    first = log.replay(0, 1)
    return first[0].offset - 1 if first else log.end()


def _suspicious(table: MetricsTable) -> bool:
    """Return whether the table's own log or what is written down about it shows damage, at the cost of a few files."""
    newest = _newest(table)
    try:
        kept = read_kept(table.kept_file)
    except StoreError:
        return True
    if newest < max(kept.version, 0) or commit_problem(commit_file(table.folder, newest)) is not None:
        return True
    try:
        table.load()
    except StoreError:
        return True
    return max(copies(table.own_folder), default=-1) > newest


def _newest(table: MetricsTable) -> int:
    versions = [int(file.stem) for file in (table.folder / LOG_FOLDER).glob("*.json") if file.stem.isdigit()]
    return max(versions, default=-1)


def _mend(table: MetricsTable, log: IngestLog) -> dict[SystemKey, str]:
    _mend_kept(table)
    _mend_commits(table)
    try:
        table.snapshot(fresh=True)
    except StoreError:
        _rebuild(table, log)
    snapshot = require_together(table, log)
    _require_imports(table)
    return _mend_parts(table, log, snapshot)


def _require_imports(table: MetricsTable) -> None:
    """Check that the table knows every batch that came into it directly.

    Raises:
        StoreError: When a commit that took one in is lost.
    """
    loaded = table.load()
    lost = [name for name in read_kept(table.kept_file).imports if loaded.transaction_version(name) is None]
    if lost:
        raise StoreError(
            f"the metrics table at {table.folder} has lost batches that came into it directly: {', '.join(lost)}; "
            "restore it from a backup"
        )


def _mend_kept(table: MetricsTable) -> None:
    try:
        read_kept(table.kept_file)
    except StoreError as problem:
        _LOG.error("%s; it begins anew, and every part is verified again", problem)
        _set_aside(table, table.kept_file)


def _mend_commits(table: MetricsTable) -> None:
    """Put copies in the place of damaged commits; set aside a damaged end that has none, and a torn checkpoint."""
    log_folder = table.folder / LOG_FOLDER
    for version, copy in copies(table.own_folder).items():
        file = commit_file(table.folder, version)
        problem = commit_problem(file)
        if problem is not None and log_folder.is_dir():
            _LOG.error("%s; its copy takes its place", problem)
            _set_aside(table, file)
            replace_file(file, copy.read_bytes())
    while (newest := _newest(table)) >= 0:
        problem = commit_problem(commit_file(table.folder, newest))
        if problem is None:
            break
        _LOG.error("%s; what it took in is taken from the ingest log again", problem)
        _set_aside(table, commit_file(table.folder, newest))
    for file in log_folder.glob("*.checkpoint*.parquet"):
        try:
            pq.read_metadata(file)
        except (OSError, pa.ArrowInvalid) as problem:
            _LOG.error("the checkpoint %s cannot be read: %s; the commits tell the same", file, problem)
            _set_aside(table, file)
            _set_aside(table, log_folder / "_last_checkpoint")


def _rebuild(table: MetricsTable, log: IngestLog) -> None:
    """Begin with an empty table where the log still holds everything; the filler does the rest.

    Raises:
        StoreError: When the log holds less.
    """
    trimmed = trimmed_through(log)
    if trimmed > 0:
        raise StoreError(
            f"the log of the metrics table at {table.folder} is damaged beyond its copies, and the ingest log holds "
            f"batches from {trimmed + 1} on only: restore both from one backup; nothing was changed"
        )
    _LOG.error("the table at %s cannot be opened; it is written again from the ingest log", table.folder)
    for found in sorted(table.folder.iterdir()):
        if found != table.own_folder:
            _set_aside(table, found)
    for copy in (table.own_folder / "commits").glob("*.json"):
        copy.unlink()
    _set_aside(table, table.kept_file)
    table.create()


def _mend_parts(table: MetricsTable, log: IngestLog, snapshot: Snapshot) -> dict[SystemKey, str]:
    lost: dict[SystemKey, list[str]] = {}
    actions: list[AddAction | RemoveAction] = []
    for part, problem in _broken(snapshot):
        rows = _again(log, part)
        if rows is None:
            lost.setdefault(part.system, []).append(
                f"{part.num_rows} readings of {part.event_from} to {part.event_to}, offsets {part.first} to "
                f"{part.last}: {problem}"
            )
            continue
        _LOG.error("%s; it is written again", problem)
        if part.file.exists():
            _set_aside(table, part.file)
        actions += [
            part.removal(part.modified_ms, data_change=False),
            write_part(table.folder, part.system, rows, part.first, part.last, data_change=False),
        ]
    if actions:
        table.verify([part for part in table.commit(actions, "repair").all_parts() if _is_new(part, snapshot)])
    told = {
        system: f"lost are {'; '.join(problems)}; restore the store from a backup" for system, problems in lost.items()
    }
    for system, problem in told.items():
        _LOG.error("system %r of tenant %r: %s", system.system_id, system.tenant_id, problem)
    return told


def _is_new(part: Part, before: Snapshot) -> bool:
    return part.path not in {known.path for known in before.parts.get(part.system, ())}


def _broken(snapshot: Snapshot) -> list[tuple[Part, str]]:
    parts = sorted(snapshot.all_parts(), key=lambda part: part.modified_ms, reverse=True)
    found = [(part, part_problem(part, footer=place < _FOOTERS)) for place, part in enumerate(parts)]
    return [(part, problem) for part, problem in found if problem is not None]


def _again(log: IngestLog, part: Part) -> pa.Table | None:
    """Return what a part held, from wherever it can be had."""
    if part.imported is not None:
        return None
    rows = _from_log(log, part)
    return _from_inputs(part) if rows is None else rows


def _from_log(log: IngestLog, part: Part) -> pa.Table | None:
    """Return what a part held, where the log still has all of it."""
    tables = [METRICS.empty_table()]
    at = part.first - 1
    while at < part.last and (batches := log.replay(at, _REPLAYED_BYTES)):
        at = batches[-1].offset
        tables += [
            logged.batch.table.cast(METRICS)
            for logged in batches
            if logged.batch.system == part.system and logged.offset <= part.last
        ]
    rows = pa.concat_tables(tables)
    return rows if rows.num_rows == part.num_rows else None


def _from_inputs(part: Part) -> pa.Table | None:
    """Return what a compacted part held, where the parts it was made of are still on disk."""
    tables: list[pa.Table] = []
    at = part.first
    for first, last, rows, file in _others(part):
        if first < at or last > part.last:
            continue
        try:
            table = pq.read_table(file, partitioning=None).cast(METRICS)
        except (OSError, pa.ArrowInvalid):
            continue
        if table.num_rows == rows:
            tables.append(table)
            at = last + 1
    whole = pa.concat_tables([METRICS.empty_table(), *tables])
    return whole if whole.num_rows == part.num_rows else None


def _others(part: Part) -> Iterator[tuple[int, int, int, Path]]:
    """Yield what lies beside a part within its offsets: the widest of those that begin together first."""
    found: list[tuple[int, int, int, Path]] = []
    for file in part.file.parent.glob("*.parquet"):
        told = part_offsets(file.name)
        if told is not None and file != part.file and part.first <= told[0] and told[1] <= part.last:
            found.append((*told, file))
    yield from sorted(found, key=lambda entry: (entry[0], -entry[1], entry[3]))


def _set_aside(table: MetricsTable, file: Path) -> None:
    """Move a damaged file where nobody reads it and nobody removes it."""
    if not file.exists():
        return
    folder = table.own_folder / "damaged"
    make_folder(folder)
    number = len(list(folder.iterdir()))
    file.rename(folder / f"{number:06d}-{file.name}")
    sync_folder(folder)
    sync_folder(file.parent)
