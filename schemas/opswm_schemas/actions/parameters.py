"""Parameters of every typed operator action, one closed model per type; bare numbers carry their unit in the name."""

import math
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import ConfigDict, Field, model_validator

from opswm_schemas.base import (
    Closed,
    Identifier,
    NonNegative,
    NotText,
    Number,
    PlainJson,
    Positive,
    PositiveSeconds,
    Ratio,
    Seconds,
    ShortText,
)

WEIGHT_TOLERANCE: Final = 1e-6
"""Rounding that a sum of traffic weights may carry."""

Replicas = Annotated[int, Field(ge=0, le=100_000), NotText]
ConfigValue = Annotated[str, Field(max_length=65_536)] | float | bool
Count = Annotated[int, Field(ge=1, le=100_000), NotText]


class NoOp(Closed):
    """A deliberate wait; the course that every other is compared with."""

    type: Literal["no_op"] = "no_op"
    window_s: PositiveSeconds | None = None


class Deploy(Closed):
    """Put a new version in service. ``artifact`` is a package URL (purl)."""

    type: Literal["deploy"] = "deploy"
    artifact: ShortText | None = None
    version: ShortText
    strategy: Literal["rolling", "canary", "blue_green", "recreate"] = "rolling"
    surge_ratio: Ratio | None = None


class Rollback(Closed):
    """Return to an earlier version."""

    type: Literal["rollback"] = "rollback"
    to_version: ShortText | None = None


class RolloutControl(Closed):
    """Pause, promote or abort a progressive rollout at a step."""

    type: Literal["rollout_control"] = "rollout_control"
    op: Literal["pause", "promote", "abort"]
    step: Annotated[int, Field(ge=0), NotText] | None = None


class Restart(Closed):
    """Restart all or some instances; in-flight work not finished within ``grace_s`` is lost."""

    type: Literal["restart"] = "restart"
    scope: Literal["all", "rolling", "one"] = "rolling"
    grace_s: Seconds | None = None


class KillInstance(Closed):
    """Remove instances and let the platform replace them."""

    type: Literal["kill_instance"] = "kill_instance"
    count: Count = 1


class ScaleHorizontal(Closed):
    """Change the number of replicas."""

    type: Literal["scale_horizontal"] = "scale_horizontal"
    from_replicas: Replicas | None = None
    to_replicas: Replicas


class ScaleVertical(Closed):
    """Change the cores and memory of each replica."""

    type: Literal["scale_vertical"] = "scale_vertical"
    cpu_cores: Positive | None = None
    memory_bytes: Positive | None = None


class AutoscalerPolicy(Closed):
    """Change what an autoscaler may do and aims at."""

    type: Literal["autoscaler_policy"] = "autoscaler_policy"
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None
    target_ratio: Positive | None = None


class TrafficShift(Closed):
    """Set the share of traffic per route; the weights sum to at most 1, the rest stays where it is."""

    type: Literal["traffic_shift"] = "traffic_shift"
    weights: dict[Identifier, Ratio] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _shares_a_whole(self) -> Self:
        total = math.fsum(self.weights.values())
        if total > 1.0 + WEIGHT_TOLERANCE:
            raise ValueError(f"weights sum to {total:g}, they must sum to at most 1")
        return self


class Failover(Closed):
    """Move a role or a zone's work elsewhere."""

    type: Literal["failover"] = "failover"
    from_: ShortText = Field(alias="from")
    to: ShortText

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Cordon(Closed):
    """Keep new work off a node."""

    type: Literal["cordon"] = "cordon"
    node: Identifier


class Drain(Closed):
    """Let work leave a target within ``grace_s``."""

    type: Literal["drain"] = "drain"
    target: Identifier | None = None
    grace_s: Seconds | None = None


class Quarantine(Closed):
    """Take a target out of service while keeping it for inspection."""

    type: Literal["quarantine"] = "quarantine"
    mode: Literal["network", "maintenance", "label"] = "maintenance"


class FeatureFlag(Closed):
    """Switch a flag, perhaps for a share of requests."""

    type: Literal["feature_flag"] = "feature_flag"
    key: ShortText
    from_: bool | ShortText | None = Field(default=None, alias="from")
    to: bool | ShortText
    rollout_ratio: Ratio | None = None

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class ConfigChange(Closed):
    """Set a configuration key; ``old`` and ``new`` are redacted before they are written where secret."""

    type: Literal["config_change"] = "config_change"
    key: ShortText
    old: ConfigValue | None = None
    new: ConfigValue | None = None


class RateLimit(Closed):
    """Admit at most ``limit_rps`` requests per second."""

    type: Literal["rate_limit"] = "rate_limit"
    limit_rps: NonNegative
    burst: NonNegative | None = None


class LoadShed(Closed):
    """Refuse a fraction of requests, perhaps only those of low priority."""

    type: Literal["load_shed"] = "load_shed"
    fraction_ratio: Ratio
    priority: Literal["low", "all"] = "low"


class CircuitBreak(Closed):
    """Bound connections to a target and eject failing members for ``eject_s``."""

    type: Literal["circuit_break"] = "circuit_break"
    max_connections: Count | None = None
    eject_s: Seconds | None = None


class TimeoutRetry(Closed):
    """Change timeout and retries of calls to the target."""

    type: Literal["timeout_retry"] = "timeout_retry"
    timeout_s: PositiveSeconds | None = None
    max_retries: Annotated[int, Field(ge=0, le=100), NotText] | None = None
    backoff_s: Seconds | None = None


class PoolResize(Closed):
    """Change the size of a connection pool."""

    type: Literal["pool_resize"] = "pool_resize"
    size_connections: Count


class CacheOp(Closed):
    """Flush, warm or invalidate a cache."""

    type: Literal["cache_op"] = "cache_op"
    op: Literal["flush", "warm", "invalidate"]
    scope: ShortText | None = None
    ttl_s: Seconds | None = None


class QueueOp(Closed):
    """Pause, purge or replay a queue."""

    type: Literal["queue_op"] = "queue_op"
    op: Literal["pause", "purge", "replay"]
    queue: ShortText | None = None


class DbOp(Closed):
    """Operate on a database: kill a query, vacuum, create an index, fail back."""

    type: Literal["db_op"] = "db_op"
    op: Literal["kill_query", "vacuum", "create_index", "failback"]
    object: ShortText | None = None


class FaultInjection(Closed):
    """A fault put in on purpose; for training, never ranked."""

    type: Literal["fault_injection"] = "fault_injection"
    kind: ShortText
    magnitude: Number | None = None
    duration_s: Seconds | None = None


class Custom(Closed):
    """An action of this system alone; ``values`` follow the JSON Schema in its capability."""

    type: Literal["custom"] = "custom"
    values: Annotated[dict[str, Any], Field(max_length=64), PlainJson] = Field(default_factory=dict)


Parameters = Annotated[
    NoOp
    | Deploy
    | Rollback
    | RolloutControl
    | Restart
    | KillInstance
    | ScaleHorizontal
    | ScaleVertical
    | AutoscalerPolicy
    | TrafficShift
    | Failover
    | Cordon
    | Drain
    | Quarantine
    | FeatureFlag
    | ConfigChange
    | RateLimit
    | LoadShed
    | CircuitBreak
    | TimeoutRetry
    | PoolResize
    | CacheOp
    | QueueOp
    | DbOp
    | FaultInjection
    | Custom,
    Field(discriminator="type"),
]
"""The discriminated union over all action types; the ``type`` tag inside the parameters decides."""

_MODELS: Final[dict[str, type[Closed]]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(Parameters)[0])
}


def parameter_model(action_type: str) -> type[Closed]:
    """Return the model of the parameters of an action type.

    Raises:
        KeyError: When there is no such action type.
    """
    return _MODELS[action_type]


def parameter_names(action_type: str) -> tuple[str, ...]:
    """Return the parameter names of an action type as they are written in JSON, the tag left out."""
    fields = _MODELS[action_type].model_fields.items()
    return tuple(field.alias or name for name, field in fields if name != "type")
