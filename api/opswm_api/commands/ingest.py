"""``opswm ingest``: recordings into the store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from opswm_api.console import AsJson, Database, StoreFolder, print_json, progress, stdout
from opswm_api.receipts import RecordingReceipt


def ingest(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings, folders or zips.")],
    store: StoreFolder = Path("opswm-store"),
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Store recordings: each is validated whole first, then stored once, whole or not at all.

    At the first that cannot be stored the command stops; those before it are stored, and are told all the same.
    """
    from opswm_api.storing import store_recording
    from opswm_api.wiring import folder_store

    receipts: list[RecordingReceipt] = []
    try:
        with folder_store(store, database=database) as opened, progress("storing", "recordings") as advance:
            for done, path in enumerate(recordings):
                advance(done, len(recordings), path.name)
                receipts.append(store_recording(opened, path))
    except Exception as problem:
        if len(recordings) > 1:
            problem.add_note(f"while storing {recordings[len(receipts)]}; {len(receipts)} before it are stored")
        raise
    finally:
        _tell(recordings, receipts, as_json=as_json)


def _tell(recordings: Sequence[Path], receipts: Sequence[RecordingReceipt], *, as_json: bool) -> None:
    if as_json:
        print_json([receipt.model_dump(mode="json") for receipt in receipts])
        return
    console = stdout()
    for path, receipt in zip(recordings, receipts, strict=False):
        what = f"{receipt.num_points:,} points, {receipt.num_events} events, {receipt.num_actions} actions"
        console.print(f"{path}: stored {receipt.recording_id} of {receipt.system_id}, {what}", markup=False)
        for note in receipt.notes:
            console.print(f"  note: {note}", markup=False)
