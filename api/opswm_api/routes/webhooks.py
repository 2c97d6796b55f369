"""``/v1/systems/{system_id}/webhooks/{source}``: what other systems tell of their own accord, once each."""

from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path, Request

from opswm_api.dependencies import CurrentDescriptor, CurrentKey, CurrentServices, CurrentSettings
from opswm_api.problems import ProblemError, described
from opswm_api.wiring import RefusedWebhookError, hear_webhook, webhook_names
from opswm_schemas.base import Closed

router = APIRouter(prefix="/systems/{system_id}/webhooks", tags=["webhooks"])

Source = Annotated[str, Path(description="Whose webhook it is.", pattern=r"^[a-z][a-z0-9-]{0,60}$")]
_MOST_REASONS = 50
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class WebhookReceipt(Closed):
    """What a delivery told, stored now or before: sent again, it adds nothing.

    Attributes:
        num_actions: Actions it told facts about.
        num_events: Events it told.
        num_new_events: Those that were not known.
        left_out: What it told and was not stored, with the reason; the sender's text in it is not to be trusted.
    """

    num_actions: int
    num_events: int
    num_new_events: int
    left_out: list[str]


@router.post("/{source}", responses=described(401, 403, 404, 413, 422, 503), openapi_extra=_BODY)
async def receive_webhook(
    source: Source,
    request: Request,
    key: CurrentKey,
    descriptor: CurrentDescriptor,
    services: CurrentServices,
    settings: CurrentSettings,
) -> WebhookReceipt:
    """Store the actions and events that a delivery tells; late, repeated and reordered ones come to the same."""
    if source not in webhook_names():
        known = ", ".join(webhook_names()) or "none"
        raise ProblemError(404, f"there is no webhook {source!r}; there are: {known}", kind="not-found")
    secret = settings.webhook_secrets.get(source)
    if secret is None or not secret.get_secret_value():
        detail = f"{source!r} is not heard, for no secret is set for it; set one in OPSWM_WEBHOOK_SECRETS"
        raise ProblemError(403, detail, kind="webhook-not-set-up")
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.body()
    token = secret.get_secret_value().encode()
    try:
        told = await anyio.to_thread.run_sync(
            partial(hear_webhook, source, token, headers, body, services.clock.now(), descriptor)
        )
    except RefusedWebhookError as problem:
        raise ProblemError(401, str(problem), kind="webhook-refused") from problem
    num_new, contradicted = await anyio.to_thread.run_sync(services.store.hear, key, told.actions, told.events)
    return WebhookReceipt(
        num_actions=len(told.actions),
        num_events=len(told.events),
        num_new_events=num_new,
        left_out=[*told.left_out, *contradicted][:_MOST_REASONS],
    )
