"""Typed actions of a run: logged rescales, injected faults, and scaling inferred from the count of TaskManagers."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from opswm_connectors.demeter.config import DemeterConfig
from opswm_connectors.demeter.controller_log import Upgrade
from opswm_connectors.demeter.deployment import Deployment
from opswm_connectors.demeter.journal import Entry, Journal, Rescale
from opswm_connectors.demeter.layout import EVENTS_FILE, LOG_FILE, METRICS_FILE, RunFolder
from opswm_connectors.demeter.scaling import LevelChange
from opswm_schemas.actions.lifecycle import ActionStatus
from opswm_schemas.actions.parameters import ConfigChange, FaultInjection, Parameters, ScaleHorizontal, ScaleVertical
from opswm_schemas.actions.record import Action, Actor, Evidence, Source, Target, Transition

JOB: Final = "job"
TASK_MANAGERS: Final = "task-managers"
SLOTS_KEY: Final = "taskmanager.numberOfTaskSlots"
CHECKPOINT_KEY: Final = "checkpoint_interval_s"
PARALLELISM_KEY: Final = "parallelism.default"
_SOURCE: Final = "demeter"


def instant(unix_s: float) -> datetime:
    """Return unix seconds as an aware instant, to the microsecond."""
    return datetime.fromtimestamp(unix_s, UTC)


def rescale_actions(
    run: RunFolder, journal: Journal, upgrades: Sequence[Upgrade], config: DemeterConfig
) -> Iterator[Action]:
    """Yield the typed actions behind each logged rescale.

    One rescale changes several things at once, so it becomes several actions that share an ``incident_id``,
    one per thing that differs from the deployment before. The controller reports the upgrade a minute later; that
    report is kept as the success, and an action without one was asked for and never reported done.

    Args:
        run: The run.
        journal: What happened in it.
        upgrades: Reports of upgrades, in order.
        config: Delays.
    """
    before = journal.deployment
    for number, rescale in enumerate(journal.rescales, start=1):
        until = journal.rescales[number].at if number < len(journal.rescales) else float("inf")
        facts = _rescale_facts(rescale, until, upgrades, config)
        for aspect, target, params, previous in _differences(before, rescale.deployment):
            yield Action(
                action_id=f"{run.name}.rescale-{number:03d}.{aspect}",
                system_id=run.system_id,
                type=params.type,
                target=Target(entity_id=target),
                params=params,
                previous_params=previous,
                transitions=facts,
                actor=Actor(kind="autoscaler", id="demeter"),
                source=Source(system=_SOURCE, raw_ref=f"{run.name}/{EVENTS_FILE}", trust="high"),
                policy_id="demeter",
                incident_id=f"{run.name}.rescale-{number:03d}",
            )
        before = rescale.deployment


def fault_actions(run: RunFolder, faults: Sequence[Entry], config: DemeterConfig) -> Iterator[Action]:
    """Yield one fault injection per logged network delay; its end was never logged.

    Args:
        run: The run.
        faults: Logged injections.
        config: Delays, and what the injected fault was.
    """
    params = FaultInjection(kind="network_delay", magnitude=config.fault_delay_s, duration_s=config.fault_duration_s)
    for number, fault in enumerate(faults, start=1):
        yield Action(
            action_id=f"{run.name}.fault-{number:03d}",
            system_id=run.system_id,
            type="fault_injection",
            target=Target(entity_id=TASK_MANAGERS),
            params=params,
            transitions=[_logged("started", fault.at, config, fault.text)],
            actor=Actor(kind="fault_injector", id="chaos-mesh"),
            source=Source(system=_SOURCE, raw_ref=f"{run.name}/{EVENTS_FILE}", trust="high"),
            evidence=[Evidence(kind="assumption", ref="kind, magnitude and duration are the controller's, not logged")],
        )


def inferred_actions(
    run: RunFolder, changes: Sequence[LevelChange], faults: Sequence[Entry], config: DemeterConfig
) -> Iterator[Action]:
    """Yield one horizontal scaling by the autoscaler per settled change of the number of TaskManagers.

    Args:
        run: A run whose policy logs no actions.
        changes: Changes of level.
        faults: Logged injections: a change soon after one is less surely the autoscaler's doing.
        config: Delays and confidences.
    """
    for number, change in enumerate(changes, start=1):
        after_fault = any(0 <= change.began_at - fault.at <= config.after_fault_s for fault in faults)
        known_at = instant(change.known_at + config.scrape_delay_s)
        note = f"inferred: {change.to_count} TaskManagers held for {config.settled_after_s} s"
        if after_fault:
            note += f"; began within {config.after_fault_s} s of an injected fault"
        yield Action(
            action_id=f"{run.name}.scale-{number:03d}",
            system_id=run.system_id,
            type="scale_horizontal",
            target=Target(entity_id=TASK_MANAGERS),
            params=ScaleHorizontal(from_replicas=change.from_count, to_replicas=change.to_count),
            transitions=[
                _fact("started", change.began_at, known_at, note),
                _fact("succeeded", change.reached_at, known_at, note),
            ],
            actor=Actor(kind="autoscaler", id=f"flink-{run.policy}"),
            source=Source(system=_SOURCE, raw_ref=f"{run.name}/{METRICS_FILE}"),
            policy_id=f"flink-{run.policy}",
            confidence=config.after_fault_confidence if after_fault else config.inferred_confidence,
            evidence=[Evidence(kind="metric", ref="task_managers")],
        )


def _rescale_facts(
    rescale: Rescale, until: float, upgrades: Sequence[Upgrade], config: DemeterConfig
) -> list[Transition]:
    facts = [_logged("started", rescale.at, config, EVENTS_FILE)]
    reports = [report for report in upgrades if rescale.at <= report.at < until]
    if reports and reports[0].deployment == rescale.deployment:
        facts.append(
            _logged("succeeded", reports[0].at, config, f"{LOG_FILE}: the controller's word, not a measurement")
        )
    return facts


def _logged(status: ActionStatus, at: float, config: DemeterConfig, note: str) -> Transition:
    return _fact(status, at, instant(at) + timedelta(seconds=config.log_delay_s), note)


def _fact(status: ActionStatus, at: float, known_at: datetime, note: str) -> Transition:
    return Transition(event_at=instant(at), known_at=known_at, status=status, source=_SOURCE, note=note[:2_000])


def _differences(old: Deployment, new: Deployment) -> Iterator[tuple[str, str, Parameters, dict[str, float] | None]]:
    """Yield name, target, parameters and earlier parameters of everything that differs."""
    if new.task_managers != old.task_managers:
        horizontal = ScaleHorizontal(from_replicas=old.task_managers, to_replicas=new.task_managers)
        yield "task-managers", TASK_MANAGERS, horizontal, None
    resources = (old.cores_per_task_manager, old.memory_bytes)
    if (new.cores_per_task_manager, new.memory_bytes) != resources:
        vertical = ScaleVertical(cpu_cores=new.cores_per_task_manager, memory_bytes=new.memory_bytes)
        yield "resources", TASK_MANAGERS, vertical, dict(zip(("cpu_cores", "memory_bytes"), resources, strict=True))
    settings = (
        ("slots", TASK_MANAGERS, SLOTS_KEY, float(old.slots_per_task_manager), float(new.slots_per_task_manager)),
        ("parallelism", JOB, PARALLELISM_KEY, float(old.parallelism), float(new.parallelism)),
        ("checkpoints", JOB, CHECKPOINT_KEY, old.checkpoint_interval_s, new.checkpoint_interval_s),
    )
    for aspect, target, key, before, after in settings:
        if before != after:
            yield aspect, target, ConfigChange(key=key, old=before, new=after), None
