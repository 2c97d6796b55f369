"""A Delta table of readings on disk: its log whole and without holes, every file there, long enough and readable."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from opswm.store.batches import content_number
from opswm.store.inspection.findings import Finding, damage, warning
from opswm.store.tables.commits import commit_problem, copies
from opswm.store.tables.layout import FILLED, LOG_FOLDER, OWN_FOLDER, commit_file, on_disk
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import SystemKey

_REOPEN: Final = (
    "open the store once (opswm serve does): what the copies and the ingest log still hold is put back; else restore "
    "the table from a backup"
)
_RESTORE_FILE: Final = (
    "where the ingest log still holds its batches, opening the store writes it again; else restore it from a backup"
)
_SETTLED_S: Final = 900.0
_BATCH: Final = "opswm/"


@dataclass(frozen=True)
class StoredFile:
    """One Parquet file that a table's newest version has.

    Attributes:
        system: Whose readings.
        file: Where it is.
        size_bytes: Its length, as the table's log says.
        num_rows: Its readings, as the table's log says.
        event_from, event_to: When they were measured, where the log says so.
    """

    system: SystemKey
    file: Path
    size_bytes: int
    num_rows: int
    event_from: datetime | None
    event_to: datetime | None


@dataclass
class TableState:
    """What a table says.

    Attributes:
        version: The newest version; -1 where it cannot be opened.
        through: Offset of the ingest log up to which it is filled, None where it is not filled from one.
        files: What is in it and can be read.
        findings: What is wrong.
        num_rows, size_bytes: Of all its files, as its log says.
    """

    version: int = -1
    through: int | None = None
    files: list[StoredFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    num_rows: int = 0
    size_bytes: int = 0


def inspect_table(folder: Path, now_s: float, *, is_thorough: bool = True) -> TableState:
    """Look at a table, and change nothing.

    Args:
        folder: The table's.
        now_s: Seconds since 1970; files that are younger than a quarter of an hour may belong to a commit to come.
        is_thorough: Whether to read every value, rather than the files' footers alone.
    """
    state = TableState()
    if not (folder / LOG_FOLDER).is_dir():
        if any(folder.rglob("*.parquet")):
            state.findings.append(damage("table", folder, f"has files and no {LOG_FOLDER}", _REOPEN))
        return state
    state.findings += _log_problems(folder)
    try:
        table = DeltaTable(folder)
        stored = [_stored(folder, row) for row in pa.table(table.get_add_actions(flatten=True)).to_pylist()]
        state.version, state.through = table.version(), table.transaction_version(FILLED)
    except (DeltaError, OSError, ValueError, KeyError) as problem:
        state.findings.append(damage("table", folder, f"cannot be opened: {problem}", _REOPEN))
        return state
    state.num_rows = sum(file.num_rows for file in stored)
    state.size_bytes = sum(file.size_bytes for file in stored)
    digests = _digests(folder) if is_thorough else {}
    for file in stored:
        problem_of_file = file_problem(file, digests.get(file.file), is_thorough=is_thorough)
        if problem_of_file is None:
            state.files.append(file)
        else:
            state.findings.append(damage("table", file.file, problem_of_file, _RESTORE_FILE))
    state.findings += _strangers(folder, {file.file for file in stored}, now_s)
    return state


def file_problem(stored: StoredFile, digest: int | None, *, is_thorough: bool) -> str | None:
    """Return what is wrong with a file, None where nothing is.

    Args:
        stored: Which.
        digest: Number of its content, where the table's log keeps it.
        is_thorough: Whether to read every value.
    """
    try:
        size = stored.file.stat().st_size
        if size != stored.size_bytes:
            return f"has {size} bytes instead of {stored.size_bytes}"
        with pq.ParquetFile(stored.file, page_checksum_verification=True) as file:
            rows = file.metadata.num_rows
            if rows == stored.num_rows and is_thorough:
                if digest is not None:
                    if content_number(file.read(METRICS.names).cast(METRICS)) != digest:
                        return "has other readings than the batch that was stored: its digest differs"
                else:
                    rows = sum(batch.num_rows for batch in file.iter_batches(columns=METRICS.names))
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError, pa.ArrowException) as problem:
        return f"cannot be read: {problem}"
    return None if rows == stored.num_rows else f"has {rows} readings instead of {stored.num_rows}"


def _stored(folder: Path, row: Mapping[str, Any]) -> StoredFile:
    return StoredFile(
        system=SystemKey(row["partition.tenant_id"], row["partition.system_id"]),
        file=on_disk(folder, row["path"]),
        size_bytes=row["size_bytes"],
        num_rows=row["num_records"],
        event_from=row.get("min.event_at"),
        event_to=row.get("max.event_at"),
    )


def _log_problems(folder: Path) -> Iterator[Finding]:
    """Yield commits that are damaged or missing, an end that is lost, and checkpoints that cannot be read."""
    known = max(copies(folder / OWN_FOLDER), default=-1)  # first: a copy is made after its commit
    versions = _versions(folder)
    summed_up = -1
    for checkpoint in sorted((folder / LOG_FOLDER).glob("*.checkpoint*.parquet")):
        try:
            pq.read_metadata(checkpoint)
            summed_up = max(summed_up, int(checkpoint.name.partition(".")[0]))
        except (OSError, pa.ArrowInvalid) as problem:
            yield damage("table", checkpoint, f"cannot be read: {problem}", _REOPEN)
    for version in versions:
        problem_of_commit = commit_problem(commit_file(folder, version))
        if problem_of_commit is not None:
            what = problem_of_commit.removeprefix(f"{commit_file(folder, version)} ")
            yield damage("table", commit_file(folder, version), what, _REOPEN)
    first = summed_up + 1 if summed_up >= 0 else 0
    newest = max([*versions, summed_up])
    for version in sorted(set(range(first, newest)) - set(versions)):
        yield damage("table", commit_file(folder, version), "is missing, and later ones are there", _REOPEN)
    if known > newest:
        yield damage(
            "table", commit_file(folder, known), f"is missing: it was committed, and {newest} is the last", _REOPEN
        )


def _strangers(folder: Path, known: set[Path], now_s: float) -> Iterator[Finding]:
    """Yield files that no version names, which neither a version under way nor a compaction explains."""
    named = known | {on_disk(folder, path) for path in _removed(folder)}
    strange = []
    for file in folder.rglob("*.parquet"):
        inside = file.relative_to(folder)
        if inside.parts[0] in (LOG_FOLDER, OWN_FOLDER) or file in named:
            continue
        with suppress(FileNotFoundError):
            if now_s - file.stat().st_mtime > _SETTLED_S:
                strange.append(file)
    if strange:
        what = f"{len(strange)} files are in no version of the table, the first of them {min(strange)}"
        remedy = (
            "left by a write that was interrupted, which is harmless, or the commit that named them is lost: compare "
            "with a backup before anything removes them"
        )
        yield warning("table", folder, what, remedy)


def _versions(folder: Path) -> list[int]:
    return sorted(int(file.stem) for file in (folder / LOG_FOLDER).glob("*.json") if file.stem.isdigit())


def _actions(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the actions of each commit that can be read."""
    for version in _versions(folder):
        file = commit_file(folder, version)
        if commit_problem(file) is None:
            yield [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _removed(folder: Path) -> set[str]:
    found = {action["remove"]["path"] for actions in _actions(folder) for action in actions if "remove" in action}
    for checkpoint in (folder / LOG_FOLDER).glob("*.checkpoint*.parquet"):
        with suppress(OSError, pa.ArrowException):
            rows = pq.read_table(checkpoint, columns=["remove"])["remove"].to_pylist()
            found |= {row["path"] for row in rows if row is not None and row["path"] is not None}
    return found


def _digests(folder: Path) -> dict[Path, int]:
    """Return the number of the content of each file that is one batch, where its commit says it."""
    found: dict[Path, int] = {}
    for actions in _actions(folder):
        added = [action["add"]["path"] for action in actions if "add" in action]
        batches = [action["txn"] for action in actions if action.get("txn", {}).get("appId", "").startswith(_BATCH)]
        if len(added) == len(batches) == 1 and batches[0]["appId"] != FILLED:
            found[on_disk(folder, added[0])] = batches[0]["version"]
    return found
