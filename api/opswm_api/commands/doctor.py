"""``opswm doctor``: whether a store is whole, what is missing in it, and what to do about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from opswm_api.console import DONE, AsJson, Database, StoreFolder, print_json, progress, stdout

DAMAGED = 4
"""Exit code where something cannot be read, or is not what was written; warnings alone end with 0."""


def doctor(
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, help="Look for gaps and skew so long before the newest reading.")
    ] = 24.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Check lengths and footers of table files, and read no values.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a store and change nothing: damage, gaps, silent channels, clocks, and how far the table is behind.

    Ends with 0 where nothing is damaged (there may be warnings), with 4 where something is.
    """
    from opswm.store.inspection.inspect import inspect_store
    from opswm.store.inspection.readings import Thresholds

    with progress("looking at") as advance:
        found = inspect_store(
            store,
            datetime.now(UTC),
            Thresholds(last_h=hours),
            database=database,
            is_thorough=not quick,
            advance=lambda what: advance(0, None, what),
        )
    status = "damaged" if found.is_damaged else "warnings" if found.findings else "fine"
    if as_json:
        told: dict[str, Any] = {"status": status, "findings": [vars(one) for one in found.findings]}
        print_json({**told, "facts": dict(found.facts)})
    else:
        console = stdout()
        for one in found.findings:
            style = "bold red" if one.severity == "damage" else "yellow"
            console.print(f"{one.severity:8} {one.check:7}", style=style, end="", markup=False)
            console.print(f"{one.where}: {one.what}", markup=False, soft_wrap=True)
            console.print(f"{'':15} {one.remedy}", style="dim", markup=False, soft_wrap=True)
        for name, value in found.facts.items():
            shown = f"{value:,}" if isinstance(value, int) else "unknown" if value is None else str(value)
            console.print(f"{name.replace('_', ' '):20}{shown}", markup=False)
        console.print(f"{store}: {status}", markup=False)
    raise typer.Exit(DAMAGED if found.is_damaged else DONE)
