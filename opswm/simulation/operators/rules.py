"""The runbook: published rules from what an action's target shows to how strongly the action is advised.

They are the behaviour policy of logged benchmark data as well as a baseline, so they are part of the benchmark's
definition: change them only with a new version.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Rule:
    """One line of the runbook.

    Attributes:
        action_type: What it advises.
        score: How strongly, in (0, 1].
        meaning: What the target must show...
        above, below: ...beyond one of these, in canonical units.
        direction: Required sign of the action's ``direction`` feature; None for any.
        by_callers: Whether what the target's callers show counts as well.
    """

    action_type: str
    score: float
    meaning: str
    above: float = -np.inf
    below: float = np.inf
    direction: int | None = None
    by_callers: bool = False


RULES: Final[tuple[Rule, ...]] = (
    Rule("rollback", 0.9, "version_age", below=900.0),
    Rule("pool_resize", 0.8, "pool_utilization", above=0.9, direction=1),
    Rule("scale_horizontal", 0.7, "cpu_utilization", above=0.8, direction=1),
    Rule("scale_horizontal", 0.5, "queue_depth", above=10.0, direction=1),
    Rule("scale_vertical", 0.6, "cpu_utilization", above=0.8, direction=1),
    Rule("restart", 0.7, "memory_ratio", above=0.9),
    Rule("restart", 0.3, "error_ratio", above=0.2),
    Rule("kill_instance", 0.3, "error_ratio", above=0.1),
    Rule("timeout_retry", 0.7, "retry_rate", above=5.0, direction=-1, by_callers=True),
    Rule("circuit_break", 0.5, "error_ratio", above=0.3),
    Rule("load_shed", 0.5, "cpu_utilization", above=0.9, direction=-1),
    Rule("load_shed", 0.4, "queue_depth", above=50.0, direction=-1),
    Rule("rate_limit", 0.4, "cpu_utilization", above=0.9, direction=-1),
    Rule("feature_flag", 0.4, "error_ratio", above=0.1, direction=-1),
    Rule("cache_op", 0.6, "cache_hit_ratio", below=0.5, direction=1),
    Rule("traffic_shift", 0.5, "error_ratio", above=0.2),
    Rule("failover", 0.5, "error_ratio", above=0.2),
    Rule("db_op", 0.7, "lock_wait", above=0.1),
)
