"""``opswm describe``: what a recording or a stored system holds, and what can be asked about it."""

from collections import Counter
from datetime import datetime
from pathlib import Path

from opswm.errors import BadInputError
from opswm_api.askable import Askable, askable
from opswm_api.console import AsJson, Database, RecordingPath, StoreFolder, System, Tenant, print_json, stdout
from opswm_schemas.descriptor import SystemDescriptor


def describe(
    recording: RecordingPath = None,
    system: System = None,
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Describe a recording or a stored system: its parts, what it shows, what can be done and what can be asked."""
    if (recording is None) == (system is None):
        raise BadInputError("name either a recording or --system, one of them")
    if recording is not None:
        descriptor, counts, since, until = _from_recording(recording)
    else:
        descriptor, counts, since, until = _from_store(store, database, tenant, str(system))
    seconds = (until - since).total_seconds() if since and until else 0.0
    questions = askable(descriptor, seconds / descriptor.step_s if counts["metric points"] else 0.0)
    if as_json:
        print_json(
            {
                "descriptor": descriptor.model_dump(mode="json", by_alias=True),
                "counts": counts,
                "since": since.isoformat() if since else None,
                "until": until.isoformat() if until else None,
                "askable": [vars(question) for question in questions],
            }
        )
        return
    _show(descriptor, counts, since, until, questions)


Found = tuple[SystemDescriptor, dict[str, int], datetime | None, datetime | None]


def _from_recording(path: Path) -> Found:
    from opswm_schemas.recordings.reader import Recording

    with Recording.open(path) as recording:
        rows = {entry.path.partition(".")[0]: entry.rows for entry in recording.manifest.files}
        names = {
            "metrics": "metric points",
            "logs": "log lines",
            "spans": "spans",
            "events": "events",
            "actions": "actions",
        }
        counts = {name: rows.get(part, 0) for part, name in names.items()}
        return recording.descriptor, counts, recording.manifest.since, recording.manifest.until


def _from_store(folder: Path, database: str | None, tenant: str, system: str) -> Found:
    from opswm.clock import SystemClock
    from opswm_api.wiring import folder_store
    from opswm_schemas.base import EARLIEST, LATEST
    from opswm_schemas.ports import SystemKey

    key, now = SystemKey(tenant, system), SystemClock().now()
    with folder_store(folder, database=database, create=False) as store:
        descriptor = store.ledger.descriptor(key)
        channels = [channel.channel_id for channel in descriptor.channels]
        points = store.telemetry.read_metrics(key, channels, EARLIEST, LATEST, now)
        counts = {
            "metric points": points.num_rows,
            "events": len(store.ledger.events(key, now)),
            "actions": len(store.ledger.actions(key, now)),
        }
    instants = points["event_at"].to_pylist() if points.num_rows else []
    return descriptor, counts, min(instants, default=None), max(instants, default=None)


def _show(
    descriptor: SystemDescriptor,
    counts: dict[str, int],
    since: datetime | None,
    until: datetime | None,
    questions: list[Askable],
) -> None:

    from opswm_api.tables import plain, table_titled

    console = stdout()
    name = plain(descriptor.name or descriptor.system_id)
    console.print(f"[bold]{name}[/bold]  {descriptor.tenant_id}/{descriptor.system_id}, revision {descriptor.revision}")
    if descriptor.description:
        console.print(plain(descriptor.description))
    console.print(", ".join(f"{count:,} {what}" for what, count in counts.items()), end="")
    console.print(f", {since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC" if since and until else "")

    parts = table_titled("Entities")
    for heading in ("entity", "kind", "channels", "can be done"):
        parts.add_column(heading, overflow="fold")
    for entity in descriptor.entities:
        meanings = Counter(channel.meaning for channel in descriptor.channels if channel.entity_id == entity.entity_id)
        actions = sorted({one.type for one in descriptor.capabilities if entity.entity_id in one.targets} - {"no_op"})
        parts.add_row(entity.entity_id, entity.kind, ", ".join(meanings), ", ".join(actions))
    console.print(parts)

    relations = Counter(relation.kind for relation in descriptor.relations)
    console.print("Relations: " + (", ".join(f"{count} {kind}" for kind, count in relations.items()) or "none"))
    for objective in descriptor.objectives:
        limit = f", within {objective.latency_threshold_s:g} s" if objective.latency_threshold_s else ""
        share = f"{100 * objective.target_ratio:g} % good{limit}"
        console.print(
            f"Objective {objective.objective_id}: {objective.entity_id}, {share}, weight {objective.weight:g}"
        )

    asked = table_titled("What can be asked")
    for heading in ("question", "", "why"):
        asked.add_column(heading)
    for question in questions:
        asked.add_row(question.question, "yes" if question.is_possible else "no", plain(question.why))
    console.print(asked)
