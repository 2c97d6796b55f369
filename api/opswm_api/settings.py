"""Deploy-time settings: one frozen object, read from ``OPSWM_*`` variables or given as arguments."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from opswm_schemas.base import Identifier

Bytes = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """How this installation runs. Every field can be set as ``OPSWM_<FIELD>`` in the environment.

    Attributes:
        store: Folder of ledger, ingest log and telemetry tables; made when it is not there.
        database: URL of the ledger's database, such as ``postgresql://opswm@db.example/opswm``; a file in the folder
            where left out.
        checkpoint: Folder of the world model; the checkpoint shipped with the package where left out.
        tenant_id: The tenant that this service answers for.
        host: Address that the service listens on; localhost unless told otherwise.
        port: Its TCP port.
        workers: How many processes serve. Queues and limits below are of each process.
        max_body_bytes: Largest request body of ordinary routes.
        max_telemetry_bytes: Largest batch of points.
        max_recording_bytes: Largest recording archive that may be posted.
        max_json_depth: How deep a JSON body may nest.
        model_workers: How many questions the model answers at once; further ones wait.
        model_queue: How many questions may wait; what comes on top is answered with 503 and when to come back.
        max_question_work: Most courses times parts (entities and relations) that one question may be about.
        upload_workers: How many recordings are validated and stored at once.
        upload_queue: How many posted recordings may wait.
        retention_days: Readings measured longer ago than this leave the store, in whole parts; 0 keeps all.
        max_batch_rows: Most readings of one batch, of any tenant.
        max_series: Most channels of a tenant that have readings within an hour; a batch with further ones is refused.
        webhook_secrets: For each source that tells by webhook, the secret it signs with or the token it shows; a source
            without one is not heard. As a variable: ``OPSWM_WEBHOOK_SECRETS='{"github": "..."}'``.
        torch_threads: Processor threads that one answer may use.
        log_level: Of the service's own log: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(env_prefix="OPSWM_", frozen=True, extra="forbid")

    store: Path = Path("opswm-store")
    database: SecretStr | None = None
    checkpoint: Path | None = None
    tenant_id: Identifier = "default"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    max_body_bytes: Bytes = 1_048_576
    max_telemetry_bytes: Bytes = 16 * 1_048_576
    max_recording_bytes: Bytes = 256 * 1_048_576
    max_json_depth: Annotated[int, Field(ge=4, le=200)] = 32
    model_workers: Annotated[int, Field(ge=1, le=64)] = 1
    model_queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    max_question_work: Annotated[int, Field(ge=100)] = 100_000
    upload_workers: Annotated[int, Field(ge=1, le=16)] = 1
    upload_queue: Annotated[int, Field(ge=0, le=100)] = 4
    retention_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] = 0.0
    max_batch_rows: Annotated[int, Field(ge=1)] = 20_000_000
    max_series: Annotated[int, Field(ge=1)] = 2_000_000
    webhook_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    torch_threads: Annotated[int, Field(ge=1, le=256)] = 2
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    @property
    def database_url(self) -> str | None:
        """The URL of the ledger's database with its password, None where the ledger is in the folder."""
        return None if self.database is None else self.database.get_secret_value()

    @property
    def retention_s(self) -> float | None:
        """How long readings are kept, None where for good."""
        return self.retention_days * 86_400.0 or None
