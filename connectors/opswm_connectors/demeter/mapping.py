"""What a recorded Flink job looks like: entities, relations, channels, capabilities and objectives.

Queries and units are those of the published controller (dos-group/demeter, ``ClientsManager``). Resources per
TaskManager are channels of the pool, because that is what an action on the pool states; the number of TaskManagers
is another, so the cores of the whole job are their product.
"""

from dataclasses import dataclass
from typing import Final

from opswm_connectors.demeter.actions import CHECKPOINT_KEY, JOB, PARALLELISM_KEY, SLOTS_KEY, TASK_MANAGERS
from opswm_connectors.demeter.config import DemeterConfig
from opswm_connectors.demeter.layout import Policy, RunFolder
from opswm_schemas.descriptor import (
    ActionType,
    Affect,
    Bound,
    Capability,
    Channel,
    Entity,
    Objective,
    Relation,
    SystemDescriptor,
)

GENERATORS: Final = "load-generators"
INPUT: Final = "input-topic"
OUTPUT: Final = "output-topic"
CHECKPOINTS: Final = "checkpoint-storage"
REDIS: Final = "redis"
_GIB: Final = float(1 << 30)
_UPGRADE_S: Final = 60.0
"""The controller gives a redeployed job this long before it looks at it again."""
_RECONCILED_BY: Final[dict[Policy, list[str]]] = {
    "baseline": [],
    "reactive": ["hpa"],
    "operator": ["flink-operator-autoscaler"],
    "demeter": ["demeter"],
}


@dataclass(frozen=True)
class Measured:
    """How one metric of the run becomes a channel."""

    metric: str
    channel_id: str
    entity_id: str
    meaning: str
    unit: str
    query: str


MEASURED: Final = (
    Measured(
        "throughput", "job.throughput", JOB, "throughput", "{record}/s",
        "sum(flink_taskmanager_job_task_operator_KafkaSourceReader_KafkaConsumer_records_consumed_rate)",
    ),
    Measured(
        "latency", "job.latency_p95", JOB, "latency_p95", "ms",
        'avg(flink_taskmanager_job_task_operator_myLatencyHistogram{quantile="0.95"})',
    ),
    Measured(
        "consumer_lag", "job.consumer_lag", JOB, "consumer_lag", "{message}",
        "avg(flink_taskmanager_job_task_operator_KafkaSourceReader_KafkaConsumer_records_lag_max)",
    ),
    Measured("task_slots", "job.task_slots", JOB, "task_slots", "{slot}", "flink_jobmanager_taskSlotsTotal"),
    Measured(
        "task_managers", "task-managers.replicas_ready", TASK_MANAGERS, "replicas_ready", "{replica}",
        "flink_jobmanager_numRegisteredTaskManagers",
    ),
    Measured(
        "cpu_load", "task-managers.cpu_utilization", TASK_MANAGERS, "cpu_utilization", "1",
        "avg(flink_taskmanager_Status_JVM_CPU_Load)",
    ),
)  # fmt: skip
"""The six measured metrics. The lag is that of the worst partition of each source task, averaged over tasks: not the
topic's total, but it rises and falls with it."""

CORES_CHANNEL: Final = "task-managers.cores_allocated"
MEMORY_CHANNEL: Final = "task-managers.memory_allocated"
SLOTS_CHANNEL: Final = "task-managers.task_slots"
CHECKPOINT_CHANNEL: Final = "job.checkpoint_interval"
_DEPLOYED: Final = (
    (CORES_CHANNEL, TASK_MANAGERS, "cores_allocated", "{core}", "CPU limit of one TaskManager"),
    (MEMORY_CHANNEL, TASK_MANAGERS, "memory_allocated", "By", "memory limit of one TaskManager"),
    (SLOTS_CHANNEL, TASK_MANAGERS, "task_slots", "{slot}", "task slots of one TaskManager"),
    (CHECKPOINT_CHANNEL, JOB, "checkpoint_interval", "s", "time between checkpoints"),
)


def describe(run: RunFolder, config: DemeterConfig) -> SystemDescriptor:
    """Return the descriptor of the system that a run deployed.

    Args:
        run: The run.
        config: Tick length and latency objective.
    """
    return SystemDescriptor(
        system_id=run.system_id,
        name=f"Flink job {run.workload}, policy {run.policy}, repetition {run.repetition}",
        description="Flink 1.17 on Kubernetes with Kafka, recorded by the Demeter experiments (arXiv 2403.02129).",
        step_s=config.step_s,
        entities=_entities(run),
        relations=_relations(run),
        channels=_channels(),
        capabilities=_capabilities(run.policy),
        objectives=_objectives(config),
    )


def _entities(run: RunFolder) -> list[Entity]:
    found = [
        Entity(entity_id=GENERATORS, kind="client", name="three generators that replay the recorded workload"),
        Entity(
            entity_id=INPUT, kind="stream", name="Kafka topic that is read", attributes={"messaging.system": "kafka"}
        ),
        Entity(entity_id=JOB, kind="job", name=f"Flink job {run.workload}", attributes={"service.name": run.workload}),
        Entity(entity_id=TASK_MANAGERS, kind="worker", name="TaskManagers of the job"),
        Entity(
            entity_id=OUTPUT,
            kind="stream",
            name="Kafka topic that is written",
            attributes={"messaging.system": "kafka"},
        ),
        Entity(entity_id=CHECKPOINTS, kind="external", name="HDFS that keeps checkpoints and savepoints"),
    ]
    if run.workload == "ADS":
        found.append(
            Entity(entity_id=REDIS, kind="cache", name="Redis cluster of campaigns", attributes={"db.system": "redis"})
        )
    return found


def _relations(run: RunFolder) -> list[Relation]:
    found = [
        Relation(source=GENERATORS, target=INPUT, kind="publishes", synchronous=False),
        Relation(source=JOB, target=INPUT, kind="consumes", synchronous=False),
        Relation(source=JOB, target=TASK_MANAGERS, kind="hosted_on"),
        Relation(source=JOB, target=OUTPUT, kind="publishes", synchronous=False),
        Relation(source=JOB, target=CHECKPOINTS, kind="depends_on", synchronous=False),
    ]
    if run.workload == "ADS":
        found.append(Relation(source=JOB, target=REDIS, kind="reads_through"))
    return found


def _channels() -> list[Channel]:
    measured = [
        Channel(
            channel_id=one.channel_id,
            entity_id=one.entity_id,
            meaning=one.meaning,
            unit=one.unit,
            step_s=1.0,
            name=one.metric,
            query=one.query,
        )
        for one in MEASURED
    ]
    deployed = [
        Channel(channel_id=channel_id, entity_id=entity_id, meaning=meaning, unit=unit, name=f"deployed: {name}")
        for channel_id, entity_id, meaning, unit, name in _DEPLOYED
    ]
    return measured + deployed


def _capabilities(policy: Policy) -> list[Capability]:
    """Return what the controller may change, within its published search space (``demeter.properties``)."""
    capacity = Affect(resource="capacity", sign=1)
    faster = [capacity, Affect(entity_id=JOB, resource="latency", sign=-1)]
    count = Bound(minimum=1, maximum=24, levels=[2.0, 4.0, 8.0, 12.0, 16.0, 24.0])
    cores = Bound(minimum=1.0, maximum=4.0, levels=[1.0, 2.0, 3.0, 4.0])
    memory = Bound(minimum=_GIB, maximum=4 * _GIB, levels=[_GIB, 2 * _GIB, 3 * _GIB, 4 * _GIB])
    slots = Bound(minimum=1.0, maximum=4.0, levels=[1.0, 2.0, 3.0, 4.0], sets="task_slots")
    parallelism = Bound(minimum=4.0, maximum=24.0, levels=[8.0, 12.0, 16.0, 24.0], sets="task_slots")
    interval_s = Bound(minimum=10.0, maximum=90.0, levels=[10.0, 30.0, 90.0], sets="checkpoint_interval")

    def capability(
        name: str, kind: ActionType, target: str, affects: list[Affect], bounds: dict[str, Bound]
    ) -> Capability:
        return Capability(
            capability_id=name,
            type=kind,
            targets=[target],
            bounds=bounds,
            affects=affects,
            cooldown_s=_UPGRADE_S,
            typical_delay_s=_UPGRADE_S,
            reconciled_by=_RECONCILED_BY[policy],
        )

    def setting(name: str, target: str, affects: list[Affect], key: str, values: Bound) -> Capability:
        return capability(name, "config_change", target, affects, {"key": Bound(choices=[key]), "new": values})

    unsure = [Affect(resource="capacity", sign=0)]
    later = [Affect(resource="latency", sign=0)]
    resources = {"cpu_cores": cores, "memory_bytes": memory}
    return [
        capability("scale-task-managers", "scale_horizontal", TASK_MANAGERS, faster, {"to_replicas": count}),
        capability("resize-task-managers", "scale_vertical", TASK_MANAGERS, faster, resources),
        setting("set-slots-per-task-manager", TASK_MANAGERS, unsure, SLOTS_KEY, slots),
        setting("set-parallelism", JOB, [capacity], PARALLELISM_KEY, parallelism),
        setting("set-checkpoint-interval", JOB, later, CHECKPOINT_KEY, interval_s),
    ]


def _objectives(config: DemeterConfig) -> list[Objective]:
    return [
        Objective(
            objective_id="keeps-up",
            entity_id=JOB,
            kind="gauge",
            channel_id="job.latency_p95",
            threshold=config.latency_objective_s,
            weight=0.5,
        ),
        Objective(
            objective_id="processes",
            entity_id=JOB,
            kind="gauge",
            channel_id="job.throughput",
            threshold=1.0,
            bad_when="below",
            weight=0.5,
        ),
    ]
