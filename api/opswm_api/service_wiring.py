"""The service put together; apart from the rest of the composition root, because it alone needs the world model."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio

from opswm.clock import Clock, SystemClock
from opswm.errors import BadInputError, CheckpointError
from opswm.store.tables.limits import TenantLimits
from opswm.store.tables.upkeep import UpkeepConfig
from opswm_api.self_telemetry import SelfTelemetry
from opswm_api.services import Metrics, Services
from opswm_api.settings import Settings
from opswm_api.wiring import folder_store, webhook_names
from opswm_api.work_queue import WorkQueue

_LOG: Final = logging.getLogger(__name__)


@contextmanager
def open_services(settings: Settings, telemetry: SelfTelemetry, clock: Clock | None = None) -> Iterator[Services]:
    """Open all that the application answers with, and close it at the end.

    Without a readable checkpoint it is opened all the same: facts are still taken and shown, questions are
    answered with 503, and readiness says why.

    Args:
        settings: Where things are.
        telemetry: Where the service's own metrics go.
        clock: What "now" is; this machine's clock where left out.

    Raises:
        BadInputError: When a secret is set for a webhook that there is not.
        StoreError: When the store cannot be opened.
    """
    _require_known_webhooks(settings)
    # Torch takes seconds to import, which verbs without a world model need not wait for.
    from opswm_api.advisor import Advisor
    from opswm_api.mind import load_mind

    now = clock or SystemClock()
    with folder_store(
        settings.store,
        database=settings.database_url,
        clock=now,
        background=True,
        upkeep=UpkeepConfig(retention_s=settings.retention_s),
        limits=TenantLimits(max_rows=settings.max_batch_rows, max_series=settings.max_series),
    ) as store:
        advisor, problem = None, ""
        try:
            mind = load_mind(settings.checkpoint, settings.torch_threads)
            advisor = Advisor(store, mind, now, settings.tenant_id, max_work=settings.max_question_work)
        except CheckpointError as error:
            problem = str(error)
            _LOG.error("no world model: %s", error)
        yield Services(
            store=store,
            clock=now,
            tenant_id=settings.tenant_id,
            questions=WorkQueue(settings.model_workers, settings.model_queue, "questions", retry_after_s=10),
            uploads=WorkQueue(settings.upload_workers, settings.upload_queue, "recordings", retry_after_s=30),
            probes=anyio.CapacityLimiter(2),
            metrics=Metrics.of(telemetry.meter_provider),
            ready_advisor=advisor,
            model_problem=problem,
        )


def _require_known_webhooks(settings: Settings) -> None:
    unknown = sorted(set(settings.webhook_secrets) - set(webhook_names()))
    if unknown:
        known = ", ".join(webhook_names()) or "none"
        raise BadInputError(f"OPSWM_WEBHOOK_SECRETS names {unknown}; there are webhooks of: {known}")
