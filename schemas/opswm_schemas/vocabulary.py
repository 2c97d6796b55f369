"""The closed vocabularies that give numbers, entities and actions the same sense in every system.

Plain constants without any third-party import, so that the tensor side of the core can read them on a
machine that has torch and numpy alone. Order is part of a checkpoint's identity: append, never reorder.
"""

from dataclasses import dataclass
from typing import Final, Literal

Scale = Literal["log", "ratio"]
"""How a canonical value becomes a model feature: logarithmic in its reference size, or as the ratio it is."""


@dataclass(frozen=True)
class Meaning:
    """What a channel measures, whatever its local name.

    Attributes:
        name: The canonical name, used in descriptors.
        unit: The canonical unit in UCUM; readings are converted to it before anything else sees them.
        scale: ``log`` for amounts (durations, rates, counts, bytes), ``ratio`` for fractions.
        reference: The size, in ``unit``, around which a ``log`` scale resolves best; 1 for ratios.
        higher_is: Whether a rise tends to be ``bad``, ``good`` or ``neutral`` for users.
    """

    name: str
    unit: str
    scale: Scale
    reference: float = 1.0
    higher_is: Literal["bad", "good", "neutral"] = "neutral"


MEANINGS: Final[tuple[Meaning, ...]] = (
    Meaning("other", "1", "log"),
    Meaning("request_rate", "{request}/s", "log"),
    Meaning("error_ratio", "1", "ratio", higher_is="bad"),
    Meaning("latency_mean", "s", "log", 0.01, "bad"),
    Meaning("latency_p50", "s", "log", 0.01, "bad"),
    Meaning("latency_p90", "s", "log", 0.01, "bad"),
    Meaning("latency_p95", "s", "log", 0.01, "bad"),
    Meaning("latency_p99", "s", "log", 0.01, "bad"),
    Meaning("cpu_utilization", "1", "ratio", higher_is="bad"),
    Meaning("memory_ratio", "1", "ratio", higher_is="bad"),
    Meaning("queue_depth", "{item}", "log", higher_is="bad"),
    Meaning("in_flight", "{request}", "log"),
    Meaning("replicas_ready", "{replica}", "log", higher_is="good"),
    Meaning("replicas_desired", "{replica}", "log"),
    Meaning("pool_in_use", "{connection}", "log"),
    Meaning("pool_size", "{connection}", "log"),
    Meaning("pool_utilization", "1", "ratio", higher_is="bad"),
    Meaning("cache_hit_ratio", "1", "ratio", higher_is="good"),
    Meaning("consumer_lag", "{message}", "log", higher_is="bad"),
    Meaning("throughput", "{record}/s", "log", higher_is="good"),
    Meaning("retry_rate", "{request}/s", "log", higher_is="bad"),
    Meaning("shed_rate", "{request}/s", "log", higher_is="bad"),
    Meaning("timeout_rate", "{request}/s", "log", higher_is="bad"),
    Meaning("restart_rate", "{restart}/s", "log", 0.001, "bad"),
    Meaning("lock_wait", "s", "log", 0.01, "bad"),
    Meaning("disk_utilization", "1", "ratio", higher_is="bad"),
    Meaning("network_loss_ratio", "1", "ratio", higher_is="bad"),
    Meaning("cores_allocated", "{core}", "log"),
    Meaning("memory_allocated", "By", "log", 1e9),
    Meaning("task_slots", "{slot}", "log"),
    Meaning("checkpoint_interval", "s", "log"),
    Meaning("version_age", "s", "log", 60.0),
    Meaning("breaker_open_ratio", "1", "ratio", higher_is="bad"),
    Meaning("alert_active", "1", "ratio", higher_is="bad"),
)
"""Canonical meanings; index 0 is the fallback for a channel whose sense is not known."""

MEANING_INDEX: Final[dict[str, int]] = {meaning.name: index for index, meaning in enumerate(MEANINGS)}

ENTITY_KINDS: Final[tuple[str, ...]] = (
    "unknown",
    "client",
    "load_balancer",
    "service",
    "cache",
    "database",
    "queue",
    "worker",
    "host",
    "external",
    "zone",
    "job",
    "stream",
)
"""Logical entity kinds; replicas are members of one entity, so pod churn never changes an entity id."""

RELATION_KINDS: Final[tuple[str, ...]] = (
    "unknown",
    "calls",
    "publishes",
    "consumes",
    "routes_to",
    "reads_through",
    "hosted_on",
    "located_in",
    "part_of",
    "depends_on",
    "replicates",
)
"""Typed relations, directed from the one that needs to the one that is needed (load flows along them)."""

ACTION_TYPES: Final[tuple[str, ...]] = (
    "no_op",
    "deploy",
    "rollback",
    "rollout_control",
    "restart",
    "kill_instance",
    "scale_horizontal",
    "scale_vertical",
    "autoscaler_policy",
    "traffic_shift",
    "failover",
    "cordon",
    "drain",
    "quarantine",
    "feature_flag",
    "config_change",
    "rate_limit",
    "load_shed",
    "circuit_break",
    "timeout_retry",
    "pool_resize",
    "cache_op",
    "queue_op",
    "db_op",
    "fault_injection",
    "custom",
)
"""Action types in the order of the taxonomy; ``no_op`` is index 0 and is an action like any other."""

ACTION_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(ACTION_TYPES)}

RESOURCES: Final[tuple[str, ...]] = ("capacity", "demand", "latency", "errors", "connections", "cache")
"""What a capability says it touches (``affects``)."""

ACTION_FEATURES: Final[tuple[str, ...]] = (
    "log_change",
    "second_log_change",
    "fraction",
    "log_duration",
    "direction",
    "version_step",
    "log_amount",
    "operation",
)
"""Numbers that describe an action's parameters relative to the state it meets (``opswm.canonical``)."""
