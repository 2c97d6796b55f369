"""``/v1/systems/{system_id}/recordings``: a whole recording as a zip."""

import tempfile
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request

from opswm_api.bodies import require_media_type
from opswm_api.dependencies import CurrentDescriptor, CurrentKey, CurrentServices
from opswm_api.problems import described
from opswm_api.receipts import RecordingReceipt
from opswm_api.storing import store_recording

router = APIRouter(prefix="/systems/{system_id}/recordings", tags=["telemetry"])

ZIP = "application/zip"


@router.post(
    "",
    responses=described(404, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def ingest_recording(
    request: Request, key: CurrentKey, descriptor: CurrentDescriptor, services: CurrentServices
) -> RecordingReceipt:
    """Store a recording: validated whole first, stored once, whole or not at all."""
    require_media_type(request, ZIP)
    services.uploads.require_room()
    with tempfile.TemporaryDirectory(prefix="opswm-recording-") as folder:
        archive = Path(folder) / "recording.zip"
        with archive.open("wb") as stream:
            async for chunk in request.stream():
                stream.write(chunk)
        store = partial(store_recording, services.store, archive, key, from_outside=True)
        return await services.uploads.run(request, store)
