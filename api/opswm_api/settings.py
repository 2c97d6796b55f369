"""Deploy-time settings: one frozen object, read from ``OPSWM_*`` variables or given as arguments."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from opswm_schemas.base import Identifier

Bytes = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """How this installation runs. Every field can be set as ``OPSWM_<FIELD>`` in the environment.

    Attributes:
        store: Folder of the ledger and the telemetry tables; made when it is not there.
        checkpoint: Folder of the world model; the checkpoint shipped with the package where left out.
        tenant_id: The tenant that this service answers for.
        host: Address that the service listens on; localhost unless told otherwise.
        port: Its TCP port.
        max_body_bytes: Largest request body of ordinary routes.
        max_telemetry_bytes: Largest batch of points.
        max_recording_bytes: Largest recording archive that may be posted.
        max_json_depth: How deep a JSON body may nest.
        model_workers: How many questions the model answers at once; further ones wait.
        model_queue: How many questions may wait; what comes on top is answered with 503 and when to come back.
        max_question_work: Most courses times parts (entities and relations) that one question may be about.
        upload_workers: How many recordings are validated and stored at once.
        upload_queue: How many posted recordings may wait.
        torch_threads: Processor threads that one answer may use.
        log_level: Of the service's own log: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(env_prefix="OPSWM_", frozen=True, extra="forbid")

    store: Path = Path("opswm-store")
    checkpoint: Path | None = None
    tenant_id: Identifier = "default"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    max_body_bytes: Bytes = 1_048_576
    max_telemetry_bytes: Bytes = 16 * 1_048_576
    max_recording_bytes: Bytes = 256 * 1_048_576
    max_json_depth: Annotated[int, Field(ge=4, le=200)] = 32
    model_workers: Annotated[int, Field(ge=1, le=64)] = 1
    model_queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    max_question_work: Annotated[int, Field(ge=100)] = 100_000
    upload_workers: Annotated[int, Field(ge=1, le=16)] = 1
    upload_queue: Annotated[int, Field(ge=0, le=100)] = 4
    torch_threads: Annotated[int, Field(ge=1, le=256)] = 2
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
