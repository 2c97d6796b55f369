"""Candidate courses for generated decision points, drawn from a system's abilities without sight of the truth.

Planning enumerates candidates from a descriptor; this sampler serves the direct training path, where there is none. It
covers what a planner may propose: several types where telemetry looks unusual, the same types elsewhere, several
magnitudes, harmful ones.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.signals import SIGNALS

FOCUSED_SHARE: Final = 0.7
NEIGHBOUR_SHARE: Final = 0.4
_GAINS: Final = {
    "error_ratio": 6.0, "latency_p95": 1.0, "cpu_utilization": 3.0, "memory_ratio": 2.0, "timeout_rate": 0.3,
    "retry_rate": 0.3, "consumer_lag": 0.3, "cache_hit_ratio": -2.0, "restart_rate": 20.0, "replicas_ready": -1.0,
    "pool_in_use": 0.3,
}  # fmt: skip
_LOGARITHMIC: Final = frozenset(
    {"latency_p95", "timeout_rate", "retry_rate", "consumer_lag", "replicas_ready", "pool_in_use"}
)


def unusualness(signals: NDArray[np.float32], blueprint: Blueprint, recent_ticks: int = 6) -> NDArray[np.float64]:
    """Return how far each entity's latest telemetry is from the beginning of its history, at least 0.

    A new version counts as unusual, and neighbours in the call graph share what a part shows.

    Args:
        signals: Readings of one world up to the decision, ``[T, N, C]`` in the order of ``SIGNALS``.
        blueprint: The system.
        recent_ticks: How many ticks count as the present.
    """
    usual, present = np.median(signals[: len(signals) // 3], 0), signals[-recent_ticks:].mean(0)
    score = np.zeros(signals.shape[1])
    for name, gain in _GAINS.items():
        column = SIGNALS.index(name)
        before, after = usual[:, column].astype(np.float64), present[:, column].astype(np.float64)
        if name in _LOGARITHMIC:
            floor = 0.005 if name == "latency_p95" else 1.0
            before, after = np.log(before + floor), np.log(after + floor)
        score += np.maximum(0.0, gain * (after - before))
    age = present[:, SIGNALS.index("version_age")]
    score += 2.5 * np.exp(-np.maximum(age, 0.0) / 150.0)
    spread = score[: len(blueprint.parts)].copy()
    for link in blueprint.links:
        source, target = blueprint.index(link.source), blueprint.index(link.target)
        spread[source] = max(spread[source], NEIGHBOUR_SHARE * score[target])
        spread[target] = max(spread[target], NEIGHBOUR_SHARE * score[source])
    return np.minimum(spread, 6.0)


def draw_candidates(
    blueprint: Blueprint, unusual: NDArray[np.float64], count: int, decision_s: float, rng: np.random.Generator
) -> tuple[Request | None, ...]:
    """Return ``count`` different courses of at most one action each; the first waits (None).

    Types are drawn evenly before targets and levels, so that rare types are not drowned by the many scalable services.

    Args:
        blueprint: The system.
        unusual: From :func:`unusualness`, per part.
        count: Courses wanted, no_op included; fewer come back only when the system has fewer abilities.
        decision_s: Second at which they are requested.
        rng: For the draw.
    """
    choices = [(ability, level) for ability in blueprint.abilities for level in ability.levels]
    wanted = min(count - 1, len(choices))
    if wanted <= 0:
        return (None,)
    heat = np.array([np.exp(unusual[blueprint.index(ability.target)]) for ability, _ in choices])
    types = np.array([ability.type for ability, _ in choices])
    focused, even = np.zeros(len(choices)), np.zeros(len(choices))
    for name in np.unique(types):
        of_type = types == name
        focused[of_type] = heat[of_type] / heat[of_type].sum()
        even[of_type] = 1.0 / of_type.sum()
    number = round(wanted * FOCUSED_SHARE)
    first = rng.choice(len(choices), size=number, replace=False, p=focused / focused.sum())
    even[first] = 0.0
    rest = rng.choice(len(choices), size=wanted - number, replace=False, p=even / even.sum())
    order = rng.permutation(np.concatenate([first, rest]))
    return (None, *(Request(choices[i][0], choices[i][1], decision_s) for i in order))
