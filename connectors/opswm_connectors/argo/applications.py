"""Argo CD applications, as its notifications or its API give them: syncs to deployments and rollbacks.

Source: Argo CD ``argoproj.io/v1alpha1`` Application, ``status.operationState`` (``phase, startedAt, finishedAt``) and
``status.history`` (``revision, deployStartedAt, deployedAt, initiatedBy``). A sync to a revision that stands further up
in the history is a rollback.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.documents import at, members, text_at
from opswm_connectors.webhooks.instants import instant
from opswm_connectors.webhooks.observed import ActorKind, Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Places
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import Deploy, Parameters, Rollback
from opswm_schemas.ports import SystemKey

SOURCE: Final = "argo-cd"
_ENDINGS: Final[Mapping[str, ActionStatus]] = {"Succeeded": "succeeded", "Failed": "failed", "Error": "failed"}


def translate_application(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the action that an application's last operation was.

    Args:
        delivery: The object, bare or under ``app`` (the usual template of notifications).
        system: Whose actions they are.
        places: Its entities.

    Raises:
        TerminalSourceError: When it is no Application.
    """
    document = delivery.document()
    application = document["app"] if isinstance(document.get("app"), Mapping) else document
    if application.get("kind") != "Application":
        raise TerminalSourceError("this is no object of kind 'Application', bare or under 'app'")
    name, state = text_at(application, "metadata", "name"), at(application, "status", "operationState")
    if not isinstance(at(state, "operation", "sync"), Mapping):
        return Facts()
    told = f"application {name}"
    started, finished = instant(at(state, "startedAt")), instant(at(state, "finishedAt"))
    revision = text_at(state, "syncResult", "revision") or text_at(state, "operation", "sync", "revision")
    if started is None or not revision:
        return Facts(left_out=(f"{told}: its operation tells no 'startedAt' or no revision",))
    place = places.find([f"{text_at(application, 'spec', 'destination', 'namespace')}/{name}", name])
    if place is None:
        return Facts(left_out=(f"{told}: no entity is called {name!r}; add an alias",))
    steps: list[Step] = [("started", started, "")]
    ending = _ENDINGS.get(text_at(state, "phase", limit=40))
    if ending is not None:
        steps.append((ending, finished or started, text_at(state, "message", limit=500)))
    automated = at(state, "operation", "initiatedBy", "automated") is True
    person = text_at(state, "operation", "initiatedBy", "username")
    actor: tuple[ActorKind, str] = ("bot", "argo-cd") if automated else ("human", person)
    rolled_back = _is_earlier(application, revision, started)
    params: Parameters = Rollback(to_version=revision) if rolled_back else Deploy(version=revision)
    event_id = f"{text_at(application, 'metadata', 'uid') or name}:{started:%Y%m%dT%H%M%S}"
    return facts_of(
        told, lambda: observed_action(system, SOURCE, event_id, place, params, steps, delivery.received_at, actor)
    )


def _is_earlier(application: Mapping[str, Any], revision: str, started: datetime) -> bool:
    """Return whether a revision was deployed before the one that was in place when the operation began."""
    dated = [
        (deployed, text_at(entry, "revision"))
        for entry in members(at(application, "status", "history"))
        if (deployed := instant(entry.get("deployedAt"))) is not None and deployed < started
    ]
    revisions = [before for _, before in sorted(dated)]
    return revision in revisions[:-1] and revisions[-1] != revision
