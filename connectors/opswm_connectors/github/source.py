"""GitHub deployments: what was deployed, from its creation to its last status.

Source: GitHub documentation, "Webhook events and payloads", ``deployment`` and ``deployment_status``, and "Validating
webhook deliveries". A deployment of an older commit cannot be told from a new one here, so each is a ``deploy``.
"""

from collections.abc import Mapping
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import text_at
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import ActorKind, Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_signature
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Deploy
from opswm_schemas.ports import SystemKey

SOURCE: Final = "github"
_SCHEME: Final = "sha256="

_STATUSES: Final[Mapping[str, ActionStatus]] = {
    "pending": "scheduled", "queued": "scheduled", "in_progress": "started", "success": "succeeded",
    "failure": "failed", "error": "failed",
}  # fmt: skip
"""States of a deployment; ``inactive`` says that a later one took its place, which is no status of this one."""


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check ``X-Hub-Signature-256``, the HMAC-SHA256 of the body.

    Raises:
        RefusedDeliveryError: When it does not fit.
    """
    given = delivery.headers.get("x-hub-signature-256", "")
    require_signature(secret, delivery.body, [given.removeprefix(_SCHEME)] if given.startswith(_SCHEME) else [])


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the action that a delivery tells; other events are passed over.

    Args:
        delivery: The request.
        system: Whose actions they are.
        places: Its entities; deployments to environments that none of them names are of another system.

    Raises:
        TerminalSourceError: When the body is not what its ``X-GitHub-Event`` says.
    """
    kind = delivery.headers.get("x-github-event", "")
    document = delivery.document()
    if kind not in ("deployment", "deployment_status"):
        return Facts()
    deployment, status = document.get("deployment"), document.get("deployment_status")
    if not isinstance(deployment, Mapping) or (kind == "deployment_status" and not isinstance(status, Mapping)):
        raise TerminalSourceError(f"event {kind!r} has an object 'deployment', and its status where it is one of it")
    environment = text_of(deployment.get("environment"), 250)
    if environment not in places.environments:
        return Facts()
    number = text_at(deployment, "id", limit=40)
    told = f"{kind} {number}"
    steps, problem = _steps(deployment, status)
    if problem:
        return Facts(left_out=(f"{told}: {problem}",))
    if not steps:
        return Facts()
    repository = text_at(document, "repository", "name")
    place = places.find([f"{environment}/{repository}", repository, text_at(document, "repository", "full_name")])
    if place is None:
        return Facts(left_out=(f"{told}: no entity is called {repository!r}; add an alias",))
    creator, is_bot = text_at(deployment, "creator", "login"), text_at(deployment, "creator", "type") == "Bot"
    actor: tuple[ActorKind, str] = ("bot" if is_bot else "human", creator)
    version = text_of(deployment.get("ref"), 200) or text_of(deployment.get("sha"), 64)
    if not version:
        return Facts(left_out=(f"{told}: it has neither 'ref' nor 'sha'",))
    params, event_id = Deploy(version=version, artifact=_purl(document, deployment)), f"deployment:{number}"
    return facts_of(
        told, lambda: observed_action(system, SOURCE, event_id, place, params, steps, delivery.received_at, actor)
    )


def _steps(deployment: Mapping[str, Any], status: Any) -> tuple[list[Step], str]:
    if status is None:
        at = instant(deployment.get("created_at"))
        return ([("scheduled", at, "")], "") if at else ([], "'deployment.created_at' is no instant")
    state = _STATUSES.get(text_of(status.get("state"), 40))
    if state is None:
        return [], ""
    at = instant(status.get("created_at"))
    if at is None:
        return [], "'deployment_status.created_at' is no instant"
    return [(state, at, text_of(status.get("description"), 500))], ""


def _purl(document: Mapping[str, Any], deployment: Mapping[str, Any]) -> str | None:
    full_name, sha = text_at(document, "repository", "full_name"), text_of(deployment.get("sha"), 64)
    return f"pkg:github/{full_name.lower()}@{sha}" if full_name and sha else None


WEBHOOK: Final = Webhook("GitHub deployments", "HMAC-SHA256 of the body", verify, translate)
