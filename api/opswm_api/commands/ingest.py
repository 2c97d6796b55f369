"""``opswm ingest``: recordings into the store."""

from pathlib import Path
from typing import Annotated

import typer

from opswm_api.console import AsJson, StoreFolder, print_json, progress, stdout


def ingest(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings, folders or zips.")],
    store: StoreFolder = Path("opswm-store"),
    as_json: AsJson = False,
) -> None:
    """Store recordings: each is validated whole first, then stored once, whole or not at all."""
    from opswm_api.storing import store_recording
    from opswm_api.wiring import folder_store

    receipts = []
    with folder_store(store) as opened, progress("storing", "recordings") as advance:
        for done, path in enumerate(recordings):
            advance(done, len(recordings), path.name)
            receipts.append(store_recording(opened, path))
    if as_json:
        print_json([receipt.model_dump(mode="json") for receipt in receipts])
        return
    console = stdout()
    for path, receipt in zip(recordings, receipts, strict=True):
        what = f"{receipt.num_points:,} points, {receipt.num_events} events, {receipt.num_actions} actions"
        console.print(f"{path}: stored {receipt.recording_id} of {receipt.system_id}, {what}", markup=False)
        for note in receipt.notes:
            console.print(f"  note: {note}", markup=False)
