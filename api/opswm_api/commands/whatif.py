"""``opswm whatif``: the future under each of the caller's courses of action."""

from pathlib import Path
from typing import Annotated, Any

import typer

from opswm_api.console import (
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


def whatif(
    recording: RecordingPath = None,
    courses: Annotated[Path | None, typer.Option("--courses", help='JSON with "courses", and "entities".')] = None,
    system: System = None,
    at: At = None,
    horizon_ticks: Horizon = 32,
    seed: Seed = 0,
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    tenant: Tenant = "default",
    checkpoint: CheckpointFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what happens under each course, channel by channel, beside doing nothing."""
    from pydantic import TypeAdapter

    from opswm_api.asking import Subject, asked
    from opswm_api.words import print_what_if
    from opswm_schemas.questions import Course, WhatIfRequest

    with asked(Subject(recording, system, store, tenant, at, checkpoint, database)) as question:
        fields: dict[str, Any] = {
            "system_id": question.descriptor.system_id,
            "at": question.at,
            "horizon_ticks": horizon_ticks,
            "seed": seed,
        }
        if courses is None:
            request = WhatIfRequest(**fields, courses=[Course(course_id="no_op")])
        else:
            request = read_document(courses, TypeAdapter(WhatIfRequest), fields)
        answer = question.advisor.what_if(request)
    if as_json:
        print_json(answer)
    else:
        print_what_if(stdout(), answer)
