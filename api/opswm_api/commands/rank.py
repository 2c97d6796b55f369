"""``opswm rank``: which course of action is best."""

from pathlib import Path
from typing import Annotated, Any

import typer

from opswm_api.console import (
    DONE,
    INCONCLUSIVE,
    AsJson,
    At,
    CheckpointFolder,
    Database,
    Horizon,
    RecordingPath,
    Seed,
    StoreFolder,
    System,
    Tenant,
    print_json,
    read_document,
    stdout,
)


def rank(
    recording: RecordingPath = None,
    system: System = None,
    at: At = None,
    candidates: Annotated[
        Path | None,
        typer.Option("--candidates", help='JSON with "courses", and "objectives" other than the system\'s own.'),
    ] = None,
    horizon_ticks: Horizon = 32,
    max_candidates: Annotated[int, typer.Option(min=1, max=512, help="How many courses to consider.")] = 32,
    seed: Seed = 0,
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    tenant: Tenant = "default",
    checkpoint: CheckpointFolder = None,
    as_json: AsJson = False,
) -> None:
    """Rank interventions for a recording, or for a stored system, by their effect against doing nothing."""
    from pydantic import TypeAdapter

    from opswm_api.asking import Subject, asked
    from opswm_api.words import print_ranking
    from opswm_schemas.questions import RankingRequest

    with asked(Subject(recording, system, store, tenant, at, checkpoint, database)) as question:
        fields: dict[str, Any] = {
            "system_id": question.descriptor.system_id,
            "at": question.at,
            "horizon_ticks": horizon_ticks,
            "max_candidates": max_candidates,
            "seed": seed,
        }
        if candidates is None:
            request = RankingRequest.model_validate(fields)
        else:
            request = read_document(candidates, TypeAdapter(RankingRequest), fields)
        answer = question.advisor.rank(request)
    if as_json:
        print_json(answer)
    else:
        print_ranking(stdout(), answer)
    raise typer.Exit(INCONCLUSIVE if answer.verdict == "inconclusive" else DONE)
