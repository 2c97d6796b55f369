"""A demo incident in words: what users feel, what alerts say, what was done, and what is truly wrong."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from opswm.evaluation.demo.incident import DemoIncident
from opswm.planning.wording import describe_action
from opswm.simulation.kernel.blueprint import Breakage
from opswm.simulation.recorder import start_of
from opswm.timeline.timeline import Timeline
from opswm.windows.layout import layout_of
from opswm_schemas.actions.record import Action
from opswm_schemas.questions import CandidateAction
from opswm_schemas.vocabulary import MEANING_INDEX

RECENT_TICKS: Final = 3
_USERS_FEEL: Final[dict[str, str]] = {
    "request_rate": "{:.0f} requests/s",
    "error_ratio": "{:.0%} fail",
    "latency_p50": "half take more than {:.2g} s",
    "latency_p99": "1 % more than {:.2g} s",
    "consumer_lag": "{:,.0f} items wait",
}
"""Canonical readings that tell how users fare, and how to say them."""
ALERTS_SHOWN: Final = 6
"""The earliest alerts are told one by one, the rest is counted."""


def situation(incident: DemoIncident) -> list[str]:
    """Return what an on-call person could know, one sentence a line.

    Args:
        incident: The incident, at its decision.
    """
    timeline = incident.timeline
    lines = [
        f"Web shop, incident {incident.seed}: {len(timeline.descriptor.entities)} entities, "
        f"{len(timeline.descriptor.channels)} channels every {timeline.step_s:.0f} s. "
        f"It is {timeline.at:%Y-%m-%d %H:%M:%S} UTC; what now?"
    ]
    lines += [f"Users: {line}" for line in _users(incident)]
    lines.append(f"Alerts: {_alerts(incident)}")
    done = [_done(action, timeline.at) for action in timeline.actions]
    lines.append(f"Done so far: {'; '.join(done) or 'nothing'}.")
    return lines


def truth(incident: DemoIncident) -> str:
    """Return what is truly wrong, which neither model nor rules are told.

    Args:
        incident: The incident, at its decision.
    """
    faults = [_fault(breakage, incident) for breakage in incident.lived.incidents[0].breakages]
    return f"{'; '.join(faults) or 'nothing is wrong'}."


def _users(incident: DemoIncident) -> list[str]:
    """Say what the recording's own channels say at each objective, beside what was promised."""
    timeline, lines = incident.timeline, []
    for objective in timeline.descriptor.objectives:
        read = {name: _latest(timeline, objective.entity_id, name) for name in _USERS_FEEL}
        said = [_USERS_FEEL[name].format(value) for name, value in read.items() if value is not None]
        if objective.kind == "deadline":
            promised = "done by its deadline"
        elif objective.latency_threshold_s:
            promised = f"answered well within {objective.latency_threshold_s:g} s"
        else:
            promised = "answered well"
        lines.append(
            f"{objective.entity_id}: {', '.join(said) or 'no reading'}; promised: {promised} (objective "
            f"{objective.objective_id}, weight {objective.weight:g})."
        )
    return lines


def _latest(timeline: Timeline, entity_id: str, meaning: str) -> float | None:
    """Return the mean of a canonical reading over the last few ticks, None where there is none."""
    layout = layout_of(timeline.descriptor)
    columns = layout.channels_at(layout.entity[entity_id])
    columns = columns[layout.channel_meaning[columns] == MEANING_INDEX[meaning]]
    value, seen = timeline.value[-RECENT_TICKS:, columns], timeline.seen[-RECENT_TICKS:, columns]
    return float(value[seen].mean()) if seen.any() else None


def _alerts(incident: DemoIncident) -> str:
    timeline = incident.timeline
    since: dict[tuple[str, str], datetime] = {}
    for event in timeline.events:
        name = (event.entity_id or "", event.name)
        if event.type == "alert_fired":
            since.setdefault(name, event.event_at)
        elif event.type == "alert_resolved":
            since.pop(name, None)
    said = [f"{name} at {entity} since {at:%H:%M:%S}" for (entity, name), at in since.items()]
    more = f"; and {len(said) - ALERTS_SHOWN} more" if len(said) > ALERTS_SHOWN else ""
    return f"{'; '.join(said[:ALERTS_SHOWN]) or 'none firing'}{more}."


def _done(action: Action, at: datetime) -> str:
    target = action.targets[0] if action.targets else "?"
    asked = min((fact.event_at for fact in action.transitions), default=at)
    words = describe_action(CandidateAction(target=target, params=action.params))
    return f"{asked:%H:%M:%S} {action.actor.id} asked to {words} ({action.status_as_of(at)})"


SAYINGS: Final[Mapping[str, Callable[[Breakage], str]]] = {
    "slow_version": lambda b: f"a new version makes {b.target} {math.exp(b.magnitude):.1f} times as slow",
    "erroring_version": lambda b: f"a new version makes {100 * b.magnitude:.0f} % of requests at {b.target} fail",
    "memory_leak": lambda b: f"{b.target} leaks memory",
    "replica_down": lambda b: f"{b.magnitude:.0f} replica(s) of {b.target} are down for good",
    "gray_replica": lambda b: f"{b.magnitude:.0f} replica(s) of {b.target} answer, but badly",
    "lock_contention": lambda b: f"requests wait for locks in {b.target}",
    "slow_queries": lambda b: f"queries in {b.target} take {math.exp(b.magnitude):.1f} times as long",
    "pool_leak": lambda b: f"{b.origin} leaks connections of {b.target}",
    "pool_shrunk": lambda b: f"a configuration change took {100 * b.magnitude:.0f} % of the pool of {b.target}",
    "cold_cache": lambda b: f"{b.target} lost {100 * b.magnitude:.0f} % of its contents",
    "poisoned_cache": lambda b: f"{100 * b.magnitude:.0f} % of what {b.target} holds is wrong",
    "retry_storm": lambda b: f"{b.target} stumbled, and retries may keep it down",
    "demand_surge": lambda b: f"demand at {b.target} is {math.exp(b.magnitude):.1f} times the usual",
    "dependency_outage": lambda b: f"{b.target} answers {100 * b.magnitude:.0f} % of requests with errors",
    "dependency_slow": lambda b: f"{b.target} takes {b.magnitude:.2f} s longer",
    "noisy_neighbour": lambda b: f"somebody else takes {100 * b.magnitude:.0f} % of {b.target}",
    "harmless_deploy": lambda b: f"{b.target} has a new version (harmless)",
    "zone_down": lambda b: f"everything in {b.target} is down",
    "slow_disk": lambda b: f"the disk of {b.target} takes {math.exp(b.magnitude):.1f} times as long",
    "queue_backlog": lambda b: f"{b.magnitude:.0f} items came into {b.target} at once",
    "poison_message": lambda b: f"{b.target} stumbles over messages it cannot digest",
    "edge_delay": lambda b: f"calls from {b.origin or 'everybody'} to {b.target} take {b.magnitude:.2f} s longer",
    "edge_loss": lambda b: f"{100 * b.magnitude:.0f} % of connections to {b.target} are lost",
    "certificate_expired": lambda b: f"the certificate of {b.target} has expired",
    "bad_config": lambda b: f"a wrong setting makes {100 * b.magnitude:.0f} % of requests at {b.target} fail",
    "thundering_herd": lambda b: f"users of {b.target} were cut off and come back at once",
}
"""What each kind of fault means, for people."""


def _fault(breakage: Breakage, incident: DemoIncident) -> str:
    said = SAYINGS[breakage.kind](breakage)
    cause = ""
    if breakage.origin and breakage.via_version:
        cause = f", because of a new version of {breakage.origin}"
    start = start_of(incident.seed)
    since = start + timedelta(seconds=float(breakage.onset_s))
    ends_s = float(breakage.onset_s) + float(breakage.duration_s)
    until = f" until {start + timedelta(seconds=ends_s):%H:%M:%S}" if ends_s < incident.lived.decision_s else ""
    return f"{said}{cause}, since {since:%H:%M:%S}{until}"
