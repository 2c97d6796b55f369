"""``opswm backup`` and ``opswm restore``: a whole store into one archive, and back."""

from pathlib import Path
from typing import Annotated, Final

import typer

from opswm_api.console import AsJson, Database, StoreFolder, print_json, progress, stdout

_STEPS: Final = 4


def backup(
    out: Annotated[Path, typer.Option("--out", help="The archive; must not be there yet.")],
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Back a store up while it is in use: ledger, ingest log and tables as they were at one moment, verified.

    The archive holds all that the store holds; keep it where only those may read it who may read the store.
    """
    from opswm.clock import SystemClock
    from opswm.store.backup.back_up import back_up

    with progress("backing up", "steps") as advance:
        steps = iter(range(_STEPS))
        written = back_up(store, database, out, SystemClock(), lambda what: advance(next(steps, _STEPS), _STEPS, what))
    if as_json:
        print_json({"archive": str(out), **written.model_dump(mode="json", exclude={"members"})})
        return
    stdout().print(f"{out}: {out.stat().st_size:,} bytes, verified", markup=False)
    facts = ", ".join(f"{count:,} {name}" for name, count in sorted(written.ledger.num_rows.items()))
    stdout().print(f"  ledger of revision {written.ledger.revision}: {facts}", markup=False)
    for table in written.tables:
        stdout().print(f"  {table.folder}: version {table.version}, {table.num_rows:,} readings", markup=False)
    if written.log is None and not written.tables:
        stdout().print(f"  no readings: {store} holds none", markup=False)
    elif written.log is not None:
        stdout().print(f"  ingest log: up to offset {written.log.end}", markup=False)


def restore(
    archive: Annotated[Path, typer.Argument(help="What 'opswm backup' wrote.")],
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty folder and, with --database, an empty database of either kind."""
    from opswm.store.backup.restore import restore as restore_archive

    with progress("restoring", "steps") as advance:
        steps = iter(range(_STEPS))
        held = restore_archive(archive, store, database, lambda what: advance(next(steps, _STEPS), _STEPS, what))
    if as_json:
        print_json({"store": str(store), **held.model_dump(mode="json", exclude={"members"})})
        return
    readings = sum(table.num_rows for table in held.tables)
    stdout().print(
        f"{store}: restored as it was at {held.created_at.isoformat()}, {sum(held.ledger.num_rows.values()):,} rows of "
        f"the ledger and {readings:,} readings in tables, read back and found the same",
        markup=False,
    )
