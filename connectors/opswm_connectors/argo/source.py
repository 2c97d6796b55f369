"""Argo CD and Argo Rollouts by webhook: applications and events, told apart by what they are."""

from typing import Final

from opswm_connectors.argo.applications import translate_application
from opswm_connectors.argo.rollouts import translate_event
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_token
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.ports import SystemKey


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check the bearer token, a header of Argo's notification service.

    Raises:
        RefusedDeliveryError: When it is not the one agreed on.
    """
    require_token(secret, delivery.headers.get("authorization"))


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the action that an application of Argo CD or an event of Argo Rollouts tells.

    Args:
        delivery: The request.
        system: Whose actions they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When the body is neither.
    """
    if delivery.document().get("kind") == "Event":
        return translate_event(delivery, system, places)
    return translate_application(delivery, system, places)


WEBHOOK: Final = Webhook("Argo CD applications and Argo Rollouts events", "bearer token", verify, translate)
