"""Reading how far the present is from an objective."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opswm.canonical import to_feature
from opswm.model.objectives import present_bad_share
from opswm_schemas.vocabulary import MEANING_INDEX
from tests.core.model.queue_world import QueueWorld


def share(readings: dict[str, float], about: str, threshold: float) -> float:
    """Return the present bad share of one objective, from canonical readings at its entity."""
    meaning = np.array([MEANING_INDEX[name] for name in readings] or [0])
    level = to_feature(np.array(list(readings.values()) or [0.0]), meaning)
    limit = to_feature(np.array([threshold]), np.array([MEANING_INDEX[about]])) * (about != "error_ratio")
    base = QueueWorld(entities=3).structure(1)
    slots = (1, 3, len(meaning))
    structure = replace(
        base,
        meaning=torch.tensor(meaning).expand(slots),
        channel=torch.full(slots, bool(readings)),
        objective_meaning=torch.tensor([[MEANING_INDEX[about]]]),
        objective_threshold=torch.tensor([[float(limit[0])]]),
    )
    values = torch.tensor(level, dtype=torch.float32).expand(slots)
    return float(present_bad_share(structure, values, structure.channel)[0, 0])


def test_errors_count_as_they_are() -> None:
    """Without a latency threshold the bad share is the error ratio."""
    assert share({"error_ratio": 0.37}, "error_ratio", 0.0) == pytest.approx(0.37)


@pytest.mark.parametrize(("quantile", "expected"), [("latency_p50", 0.5), ("latency_p95", 0.05), ("latency_p99", 0.01)])
def test_a_threshold_at_a_quantile(quantile: str, expected: float) -> None:
    """A threshold where a quantile is read means that share beyond it."""
    latencies = {"latency_p50": 0.1, "latency_p95": 0.4, "latency_p99": 0.8}
    assert share(latencies, "latency_p99", latencies[quantile]) == pytest.approx(expected, rel=0.35)


def test_errors_and_slowness_add_up_as_independent() -> None:
    """Half of the answers late and a tenth failed leave 45 % good."""
    readings = {"error_ratio": 0.1, "latency_p50": 0.2, "latency_p99": 0.9}
    assert share(readings, "latency_p99", 0.2) == pytest.approx(0.55, abs=0.03)


def test_slower_is_never_better() -> None:
    """The share grows as all latencies grow."""
    shares = [share({"latency_p50": s, "latency_p99": 5 * s}, "latency_p99", 0.8) for s in (0.02, 0.1, 0.4, 0.8, 2.0)]
    assert shares == sorted(shares)
    assert shares[0] < 0.02 < 0.5 < shares[-1]


def test_a_gauge_beyond_its_threshold_is_bad() -> None:
    """A gauge objective is bad above its threshold and good below."""
    assert share({"queue_depth": 500.0}, "queue_depth", 100.0) > 0.95
    assert share({"queue_depth": 10.0}, "queue_depth", 100.0) < 0.05


def test_nothing_known_is_no_alarm() -> None:
    """Without any reading the share is 0."""
    assert share({}, "latency_p99", 0.5) == 0.0
