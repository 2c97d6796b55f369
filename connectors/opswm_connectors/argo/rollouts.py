"""Argo Rollouts' events: a rollout that was paused, resumed, promoted or aborted, and weights that were set.

Source: Argo Rollouts documentation, "Events", and the reasons in its source (``RolloutPaused, RolloutResumed,
RolloutAborted, TrafficWeightUpdated ...``), carried by Kubernetes events on kind ``Rollout``.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import text_at
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Places
from opswm_schemas.actions.parameters import Parameters, RolloutControl, TrafficShift
from opswm_schemas.ports import SystemKey

SOURCE: Final = "argo-rollouts"
_CONTROLS: Final[Mapping[str, Any]] = {
    "RolloutPaused": "pause", "RolloutResumed": "promote", "SkipSteps": "promote", "RolloutAborted": "abort",
}  # fmt: skip
_WEIGHT: Final = re.compile(r"Traffic weight updated(?: from \d+)? to (\d{1,3})\b")


def translate_event(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the action that a Kubernetes event about a Rollout tells; other reasons are passed over.

    Args:
        delivery: The event (``v1`` or ``events.k8s.io/v1``).
        system: Whose actions they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When it is no event about a Rollout.
    """
    document = delivery.document()
    about = document.get("involvedObject") or document.get("regarding")
    if document.get("kind") != "Event" or text_at(about, "kind") != "Rollout":
        raise TerminalSourceError("this is no Kubernetes event about an object of kind 'Rollout'")
    reason = text_at(document, "reason", limit=100)
    message = text_of(document.get("message") or document.get("note"), 500)
    params = _params(reason, message)
    if params is None:
        return Facts()
    name, namespace = text_at(about, "name"), text_at(about, "namespace")
    told = f"{reason} of rollout {name}"
    times = (document.get(key) for key in ("eventTime", "lastTimestamp", "firstTimestamp"))
    moment = next((found for value in times if (found := instant(value))), None)
    if moment is None:
        return Facts(left_out=(f"{told}: it has no instant",))
    attributes = {"k8s.deployment.name": name, "k8s.namespace.name": namespace}
    place = places.find([f"{namespace}/{name}", name], attributes)
    if place is None:
        return Facts(left_out=(f"{told}: no entity is called {name!r}; add an alias",))
    event_id = f"{text_at(document, 'metadata', 'uid', limit=100) or name}:{moment:%Y%m%dT%H%M%S}"
    steps: list[Step] = [("started", moment, message), ("succeeded", moment, "")]
    return facts_of(
        told,
        lambda: observed_action(
            system, SOURCE, event_id, place, params, steps, delivery.received_at, ("bot", "argo-rollouts")
        ),
    )


def _params(reason: str, message: str) -> Parameters | None:
    if reason in _CONTROLS:
        return RolloutControl(op=_CONTROLS[reason])
    found = _WEIGHT.search(message) if reason == "TrafficWeightUpdated" else None
    if found is None or int(found[1]) > 100:
        return None
    share = int(found[1]) / 100.0
    return TrafficShift(weights={"canary": share, "stable": 1.0 - share})
