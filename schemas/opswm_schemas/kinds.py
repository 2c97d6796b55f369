"""The closed vocabularies as types; a test keeps them equal to the constants in ``vocabulary``."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

EntityKind = Literal[
    "unknown", "client", "load_balancer", "service", "cache", "database", "queue", "worker", "host", "external",
    "zone", "job", "stream",
]  # fmt: skip
RelationKind = Literal[
    "unknown", "calls", "publishes", "consumes", "routes_to", "reads_through", "hosted_on", "located_in",
    "part_of", "depends_on", "replicates",
]  # fmt: skip
ActionType = Literal[
    "no_op", "deploy", "rollback", "rollout_control", "restart", "kill_instance", "scale_horizontal",
    "scale_vertical", "autoscaler_policy", "traffic_shift", "failover", "cordon", "drain", "quarantine",
    "feature_flag", "config_change", "rate_limit", "load_shed", "circuit_break", "timeout_retry", "pool_resize",
    "cache_op", "queue_op", "db_op", "fault_injection", "custom",
]  # fmt: skip
Resource = Literal["capacity", "demand", "latency", "errors", "connections", "cache"]


def _require_meaning(name: str) -> str:
    if name not in MEANING_INDEX:
        raise ValueError(
            f"meaning {name!r} is not known; use one of {', '.join(MEANING_INDEX)} ('other' where none fits)"
        )
    return name


MeaningName = Annotated[
    str, AfterValidator(_require_meaning), Field(json_schema_extra={"enum": [meaning.name for meaning in MEANINGS]})
]
"""A canonical meaning by name; spelled out as an enumeration in JSON Schema."""
Instrument = Literal["gauge", "counter", "histogram"]
Reversibility = Literal["reversible", "partly_reversible", "irreversible"]
