"""What a connector announces that is told by webhook; entry points of group ``opswm.webhooks`` name one each."""

from collections.abc import Callable
from dataclasses import dataclass

from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_schemas.ports import SystemKey

Verify = Callable[[Delivery, bytes], None]
"""Raises ``RefusedDeliveryError`` when a delivery is not from whoever has the secret."""

Translate = Callable[[Delivery, SystemKey, Places], Facts]
"""Returns what a delivery tells; raises ``TerminalSourceError`` when it is something else."""


@dataclass(frozen=True)
class Webhook:
    """A source that tells by webhook.

    Attributes:
        title: The sender, and which version of its payload is read.
        authentication: How the sender shows who it is.
        verify: Checks it.
        translate: Reads it.
    """

    title: str
    authentication: str
    verify: Verify
    translate: Translate
