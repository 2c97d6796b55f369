"""A descriptor hangs together, lists what does not, and stays quick to read when it is large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.examples.system import descriptor


def test_positions_and_capabilities_are_found_by_id() -> None:
    """Entities are found by position and capabilities by id; one that is not there is a KeyError."""
    assert descriptor().entity_index() == {"frontend": 0, "checkout": 1, "orders-db": 2}
    assert descriptor().capability("rollback-checkout").type == "rollback"
    with pytest.raises(KeyError, match="reboot"):
        descriptor().capability("reboot")


def test_every_dangling_reference_is_listed() -> None:
    """A descriptor that names what it does not list is refused once, with all such names."""
    document = descriptor().model_dump(mode="json")
    document["entities"] = document["entities"][:1]
    document["relations"], document["channels"] = document["relations"][:1], document["channels"][:1]
    with pytest.raises(ValidationError) as refusal:
        SystemDescriptor.model_validate(document)
    (error,) = refusal.value.errors()
    for name in ("relation", "channel 'checkout.requests'", "capability 'scale-checkout'", "objective 'checkout-slo'"):
        assert name in error["msg"]
    assert "'orders-db'" in error["msg"]


def test_a_long_list_of_references_is_counted() -> None:
    """Beyond ten problems the rest is counted."""
    document = descriptor().model_dump(mode="json")
    document["relations"] = [{"source": "nowhere", "target": "frontend", "kind": "calls"}] * 17
    with pytest.raises(ValidationError, match=r"and 7 more"):
        SystemDescriptor.model_validate(document)


@given(order=st.permutations(range(3)))
def test_the_order_of_entities_means_nothing(order: list[int]) -> None:
    """Entities in any order make a descriptor with the same content."""
    document = descriptor().model_dump(mode="json")
    document["entities"] = [document["entities"][index] for index in order]
    shuffled = SystemDescriptor.model_validate(document)
    assert set(shuffled.entity_index()) == set(descriptor().entity_index())
    assert shuffled.channels == descriptor().channels
