"""``opswm estimate``: the disk, memory and monitoring queries that a system will cost."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from opswm.errors import BadInputError
from opswm_api.console import AsJson, Database, StoreFolder, System, Tenant, print_json, progress, read_document, stdout
from opswm_schemas.descriptor import SystemDescriptor


def estimate(
    source: Annotated[Path | None, typer.Argument(help="A descriptor (.json), or a recording, folder or zip.")] = None,
    system: System = None,
    retention_days: Annotated[float, typer.Option("--retention", min=0.01, help="Days that readings stay.")] = 30.0,
    step_s: Annotated[
        float | None,
        typer.Option("--step", min=0.001, help="Seconds between readings; each channel's own if left out."),
    ] = None,
    decisions_per_hour: Annotated[float, typer.Option("--decisions", min=0.0, help="Rankings an hour.")] = 12.0,
    context_ticks: Annotated[int, typer.Option("--context", min=1, max=100_000, help="Ticks a ranking reads.")] = 128,
    requests_per_s: Annotated[
        float | None, typer.Option("--requests", min=0.001, help="Requests a second in which readings arrive.")
    ] = None,
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Estimate what keeping and ranking a system takes; a recording's own readings are written and weighed."""
    from opswm.store.inspection.estimate import Load
    from opswm.store.inspection.estimate import estimate as estimated
    from opswm.store.inspection.footprint import Footprint

    if (source is None) == (system is None):
        raise BadInputError("name either a descriptor or recording, or --system, one of them")
    footprint, measured = Footprint(), False
    if source is None:
        descriptor = _stored(store, database, tenant, str(system))
    elif source.suffix == ".json":
        from pydantic import TypeAdapter

        descriptor = read_document(source, TypeAdapter(SystemDescriptor))
    else:
        descriptor, footprint = _recorded(source)
        measured = True
    load = Load(retention_days, step_s, decisions_per_hour, context_ticks, requests_per_s)
    found = estimated(descriptor, load, footprint)
    if as_json:
        given = {"system_id": descriptor.system_id, **asdict(load)}
        weighed: dict[str, Any] = {**asdict(footprint), "is_measured_here": measured}
        print_json({"given": given, "bytes_per_reading": weighed, "estimate": asdict(found)})
        return
    _show(descriptor, asdict(found), asdict(footprint), measured=measured)


def _stored(folder: Path, database: str | None, tenant: str, system: str) -> SystemDescriptor:
    from opswm_api.wiring import folder_store
    from opswm_schemas.ports import SystemKey

    with folder_store(folder, database=database, create=False) as opened:
        return opened.ledger.descriptor(SystemKey(tenant, system))


def _recorded(path: Path) -> tuple[SystemDescriptor, Any]:
    from opswm.store.inspection.footprint import measure_footprint
    from opswm_schemas.recordings.reader import Recording

    with Recording.open(path) as recording, progress("weighing readings"):
        return recording.descriptor, measure_footprint(recording.metrics())


def _show(
    descriptor: SystemDescriptor, found: dict[str, float], footprint: dict[str, float], *, measured: bool
) -> None:
    from opswm_api.tables import plain, table_titled

    console = stdout()
    name = plain(descriptor.name or descriptor.system_id)
    shown = table_titled(
        f"{name}: {found['num_numbers']:,} channels of numbers, {found['num_histograms']:,} histograms"
    )
    for heading in ("what", "", "of"):
        shown.add_column(heading, justify="right" if not heading else "left")
    for key, value in found.items():
        place, _, what = key.partition("_")
        if place in ("disk", "memory"):
            shown.add_row(place, _size(value), what.replace("_", " "))
        elif place == "upstream":
            shown.add_row(place, _count(value), what.replace("_", " "))
        elif place == "readings":
            shown.add_row("", _count(value), "readings per s")
    console.print(shown)
    weighed = ", ".join(f"{key.replace('_', ' ')} {value:.1f}" for key, value in footprint.items())
    console.print(f"Bytes {'measured in this recording' if measured else 'as usual'}: {weighed}", soft_wrap=True)


def _count(number: float) -> str:
    return f"{number:,.3g}" if number < 100 else f"{number:,.0f}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"
