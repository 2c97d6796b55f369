"""Typed action parameters as features."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opswm.action_encodings import OPERATIONS
from opswm.action_features import Touch, action_features, affects_matrix, current_state
from opswm.errors import BadInputError
from opswm_schemas.vocabulary import ACTION_FEATURES, ACTION_TYPES, MEANING_INDEX, RESOURCES

LOG_2 = math.log(2.0)


@pytest.mark.parametrize(
    ("action_type", "params", "current", "wanted"),
    [
        ("scale_horizontal", {"to_replicas": 6}, {"replicas_ready": 3.0}, {"log_change": LOG_2, "direction": 1.0}),
        ("scale_horizontal", {"to_replicas": 2, "from_replicas": 4}, {}, {"log_change": -LOG_2, "direction": -1.0}),
        (
            "scale_vertical",
            {"memory_bytes": 4e9},
            {"memory_allocated": 2e9},
            {"second_log_change": LOG_2, "log_change": 0},
        ),
        (
            "scale_vertical",
            {"cpu_cores": 1.0, "previous_cpu_cores": 2.0},
            {},
            {"log_change": -LOG_2, "direction": -1.0},
        ),
        ("pool_resize", {"size_connections": 40}, {"pool_size": 20.0}, {"log_change": LOG_2, "direction": 1.0}),
        ("rate_limit", {"limit_rps": 50.0}, {"request_rate": 100.0}, {"log_change": -LOG_2, "direction": -1.0}),
        (
            "load_shed",
            {"fraction_ratio": 0.3, "priority": "all"},
            {},
            {"fraction": 0.3, "direction": -1.0, "operation": 1.0},
        ),
        ("timeout_retry", {"timeout_s": 0.5}, {"latency_p99": 0.25}, {"log_change": LOG_2}),
        (
            "timeout_retry",
            {"max_retries": 0},
            {"request_rate": 10.0, "retry_rate": 10.0},
            {"second_log_change": -LOG_2},
        ),
        ("kill_instance", {"count": 1}, {"replicas_ready": 4.0}, {"fraction": 0.25, "direction": -1.0}),
        (
            "config_change",
            {"key": "k1", "sets": "checkpoint_interval", "new": 20.0, "old": 10.0},
            {},
            {"second_log_change": LOG_2},
        ),
        (
            "config_change",
            {"key": "k2", "sets": "task_slots", "new": 4},
            {"task_slots": 2.0},
            {"log_change": LOG_2, "operation": 1.0},
        ),
        ("config_change", {"key": "task_slots", "new": 8}, {"task_slots": 4.0}, {"log_change": 0.0}),
        ("feature_flag", {"key": "x", "to": False}, {}, {"direction": -1.0, "fraction": 1.0}),
        ("feature_flag", {"key": "x", "to": "On", "rollout_ratio": 0.2}, {}, {"direction": 1.0, "fraction": 0.2}),
        ("traffic_shift", {"target_weight_ratio": 0.2}, {}, {"fraction": 0.8, "direction": -1.0}),
        ("deploy", {"version": "2"}, {}, {"version_step": 1.0, "operation": 0.25}),
        ("rollback", {}, {}, {"version_step": -1.0}),
        ("rollout_control", {"op": "abort"}, {}, {"version_step": -1.0, "operation": -1.0}),
        ("cache_op", {"op": "warm", "ttl_s": 10.0}, {}, {"direction": 1.0, "operation": -1.0}),
        ("restart", {"grace_s": 30.0}, {}, {"log_duration": math.log(31.0) / 6.0, "operation": 0.5}),
    ],
)
def test_parameters_are_told_relative_to_the_state_they_meet(
    action_type: str, params: dict[str, Any], current: dict[str, float], wanted: dict[str, float]
) -> None:
    """The features of an action say what it changes about the present state."""
    named = dict(zip(ACTION_FEATURES, action_features(action_type, params, current), strict=True))
    assert {name: named[name] for name in wanted} == pytest.approx(wanted)


@pytest.mark.parametrize("action_type", ACTION_TYPES)
def test_every_type_has_finite_features_even_without_any_parameter_or_reading(action_type: str) -> None:
    """Nothing known about an action is no reason to fail or to make up a change."""
    features = action_features(action_type, {}, {})
    assert features.shape == (len(ACTION_FEATURES),)
    assert np.isfinite(features).all()
    assert features[ACTION_FEATURES.index("log_change")] == 0.0


def test_a_wait_has_no_features() -> None:
    """No parameter of no_op changes anything."""
    assert not action_features("no_op", {"window_s": 60.0}, {"replicas_ready": 3.0}).any()


@pytest.mark.parametrize("action_type", sorted(OPERATIONS))
def test_operations_of_a_type_differ(action_type: str) -> None:
    """Each operation of a type has its own code, and none is the code of an unknown one."""
    name, _, codes = OPERATIONS[action_type]
    column = ACTION_FEATURES.index("operation")
    found = [action_features(action_type, {name: option}, {})[column] for option in codes]
    assert len({0.0, *found}) == len(codes) + 1


@given(
    wanted=st.integers(0, 100_000),
    present=st.floats(0.0, 1e6),
    action_type=st.sampled_from(["scale_horizontal", "pool_resize", "rate_limit", "circuit_break"]),
)
def test_features_stay_bounded(wanted: int, present: float, action_type: str) -> None:
    """No parameter or reading, however absurd, makes a feature large."""
    names = ("to_replicas", "size_connections", "limit_rps", "max_connections")
    readings = dict.fromkeys(("replicas_ready", "pool_size", "request_rate", "in_flight"), present)
    features = action_features(action_type, dict.fromkeys(names, wanted), readings)
    assert np.abs(features).max() <= 4.0


def test_an_unknown_type_or_a_nan_is_refused() -> None:
    """Types outside the vocabulary and numbers that are none get an error that names them."""
    with pytest.raises(BadInputError, match="'explode' is not known"):
        action_features("explode", {}, {})
    with pytest.raises(BadInputError, match="'limit_rps'"):
        action_features("rate_limit", {"limit_rps": math.nan}, {})


def test_the_current_state_is_the_latest_reading_of_each_meaning() -> None:
    """Gaps are skipped, equal meanings are averaged, and channels nobody understands are left out."""
    value = np.array([[1.0, 5.0, 3.0, 9.0], [2.0, 0.0, 5.0, 9.0]])
    seen = np.array([[True, True, True, True], [True, False, True, True]])
    meaning = np.array([MEANING_INDEX[name] for name in ("request_rate", "queue_depth", "request_rate", "other")])
    assert current_state(value, seen, meaning) == {"request_rate": 3.5, "queue_depth": 5.0}


def test_touched_entities_get_the_stated_signs() -> None:
    """A touch without entities means the target, a relation means both ends, and opposite signs cancel."""
    demand, errors = RESOURCES.index("demand"), RESOURCES.index("errors")
    touches = [Touch((), demand, 1), Touch((0, 2), errors, -1), Touch((2,), errors, 1), Touch((), demand, 1)]
    signs = affects_matrix(touches, [3], 5)
    wanted = np.zeros((5, len(RESOURCES)))
    wanted[3, demand], wanted[0, errors] = 1.0, -1.0
    np.testing.assert_array_equal(signs, wanted)
