"""Bounds hold parameters to what a capability allows; custom parameters are held to their JSON Schema."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opswm_schemas.actions.parameters import Custom, Parameters, ScaleHorizontal, TrafficShift, parameter_names
from opswm_schemas.bounds import Bound
from opswm_schemas.capability import Capability, validate_parameters
from opswm_schemas.examples.parameters import PARAMETERS

SHARE = {
    "type": "object",
    "properties": {"pool": {"enum": ["batch", "web"]}, "share_ratio": {"type": "number", "maximum": 0.5}},
    "required": ["pool"],
    "additionalProperties": False,
}


def custom(schema: dict[str, Any], **fields: Any) -> Capability:
    """Return a capability of a custom type."""
    return Capability(capability_id="share", type="custom", targets=["web"], custom_schema=schema, **fields)


def test_parameters_inside_their_bounds_fit() -> None:
    """Parameters within the bounds give no problem, and one that was left out is not held against its bound."""
    scale = Capability(
        capability_id="scale",
        type="scale_horizontal",
        targets=["web"],
        bounds={"to_replicas": Bound(minimum=2, maximum=5), "from_replicas": Bound(minimum=2)},
    )
    assert validate_parameters(scale, ScaleHorizontal(to_replicas=5)) == []
    assert validate_parameters(scale, ScaleHorizontal(to_replicas=6, from_replicas=1)) == [
        "to_replicas is 6, allowed is at least 2 and at most 5",
        "from_replicas is 1, allowed is at least 2",
    ]


def test_a_bound_on_shares_holds_for_each() -> None:
    """A bound on traffic weights is held against the weight of each route."""
    shift = Capability(
        capability_id="shift",
        type="traffic_shift",
        targets=["web"],
        bounds={"weights": Bound(maximum=0.5, levels=[0.1])},
    )
    assert validate_parameters(shift, TrafficShift(weights={"a": 0.6, "b": 0.4})) == [
        "weights.a is 0.6, allowed is at most 0.5"
    ]


def test_parameters_of_another_type_do_not_fit() -> None:
    """Parameters of one type never fit a capability of another."""
    scale = Capability(capability_id="scale", type="scale_horizontal", targets=["web"])
    (problem,) = validate_parameters(scale, TrafficShift(weights={"a": 1.0}))
    assert "'traffic_shift' do not fit capability 'scale' of type 'scale_horizontal'" in problem


@pytest.mark.parametrize("params", PARAMETERS, ids=lambda params: params.type)
def test_every_parameter_of_every_type_can_be_bounded(params: Parameters) -> None:
    """Each type can be offered with a bound on each of its parameters, by the name it has in JSON, and no other."""
    if params.type in ("fault_injection", "custom"):
        return
    names = parameter_names(params.type)
    written = json.loads(params.model_dump_json())
    assert set(names) == set(written) - {"type"}
    offered = Capability(capability_id="c", type=params.type, targets=["web"], bounds={name: Bound() for name in names})
    assert validate_parameters(offered, params) == []
    with pytest.raises(ValidationError, match="does not have"):
        Capability(capability_id="c", type=params.type, targets=["web"], bounds={"from_": Bound()})


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"pool": "batch", "share_ratio": 0.5}, []),
        ({"pool": "video"}, ["values.pool: 'video' is not one of ['batch', 'web']"]),
        ({"share_ratio": 0.1}, ["values: 'pool' is a required property"]),
        (
            {"pool": "web", "share_ratio": 0.9, "mood": 1},
            [
                "values.share_ratio: 0.9 is greater than the maximum of 0.5",
                "values: Additional properties are not allowed ('mood' was unexpected)",
                "share_ratio is 0.9, allowed is at most 0.4",
            ],
        ),
    ],
)
def test_custom_parameters_follow_their_schema(values: dict[str, Any], problems: list[str]) -> None:
    """Custom parameters are held to their JSON Schema and to the bounds, and every problem is listed."""
    bounds = {"share_ratio": Bound(maximum=0.4)} if "mood" in values else {}
    assert validate_parameters(custom(SHARE, bounds=bounds), Custom(values=values)) == problems


def test_custom_bounds_name_properties_of_the_schema() -> None:
    """A bound on a property that the custom schema does not have is refused."""
    with pytest.raises(ValidationError, match="it has pool, share_ratio"):
        custom(SHARE, bounds={"share": Bound(maximum=1)})


def test_a_schema_elsewhere_is_never_fetched() -> None:
    """A reference out of the custom schema is a problem to solve, not an address to load."""
    (problem,) = validate_parameters(custom({"$ref": "http://localhost:9/schema.json"}), Custom(values={"a": 1}))
    assert "write it there" in problem


@pytest.mark.parametrize("schema", [{"type": "array"}, {"properties": []}, {"required": "pool"}])
def test_a_custom_schema_describes_an_object(schema: dict[str, Any]) -> None:
    """What is no JSON Schema of an object is refused with its place."""
    with pytest.raises(ValidationError, match="custom_schema"):
        custom(schema)


@given(low=st.integers(-50, 50), high=st.integers(-50, 50), value=st.integers(-60, 60) | st.floats(-60, 60))
def test_limits_are_inclusive(low: int, high: int, value: float) -> None:
    """A bound allows exactly the numbers between its limits, and limits that cross are refused."""
    if low > high:
        with pytest.raises(ValidationError, match="above maximum"):
            Bound(minimum=low, maximum=high)
    else:
        assert Bound(minimum=low, maximum=high).allows(value) == (low <= value <= high)


def test_choices_tell_true_from_one() -> None:
    """True and 1, false and 0 are different choices, and text is compared as text."""
    switch = Bound(choices=[True, "off"])
    assert [switch.allows(value) for value in (True, 1, "off", False, 0, "on")] == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]
    assert Bound(choices=[1, 2]).allows(1.0)
    assert not Bound(choices=[1, 2]).allows(True)


def test_number_limits_allow_no_text() -> None:
    """A bound with limits allows numbers alone; one without limits allows anything."""
    assert not Bound(minimum=0).allows("5")
    assert Bound().allows("5")


@given(weights=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.floats(0, 1), min_size=1))
def test_traffic_weights_share_a_whole(weights: dict[str, float]) -> None:
    """Weights are accepted exactly when they sum to at most one, but for rounding."""
    total = math.fsum(weights.values())
    if total <= 1.0:
        assert TrafficShift(weights=weights).weights == weights
    elif total > 1.0 + 1e-5:
        with pytest.raises(ValidationError, match="at most 1"):
            TrafficShift(weights=weights)
