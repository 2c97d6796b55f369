"""Actions travel as CloudEvents and arrive as they were sent."""

import json
import re

import pytest

from opswm_schemas.actions.lifecycle import ALL_STATUSES, ActionStatus
from opswm_schemas.actions.parameters import Parameters
from opswm_schemas.actions.record import Action
from opswm_schemas.envelope import ActionEvent, event_type, from_cloudevent, to_cloudevent
from opswm_schemas.examples.parameters import PARAMETERS
from opswm_schemas.examples.system import action, transition

CUSTOM_TYPE = r"^dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]$"
"""What CDEvents requires of the type of a custom event."""


def in_status(status: ActionStatus) -> Action:
    """Return the example action with one fact."""
    return action().model_copy(update={"transitions": [transition(status)]})


@pytest.mark.parametrize("status", ALL_STATUSES)
def test_actions_arrive_as_they_were_sent(status: ActionStatus) -> None:
    """An action in any status goes through JSON text as a CloudEvent and comes back equal."""
    event = json.loads(json.dumps(to_cloudevent(in_status(status))))
    assert from_cloudevent(event) == in_status(status)


@pytest.mark.parametrize("params", PARAMETERS, ids=lambda params: params.type)
def test_parameters_of_every_type_arrive(params: Parameters) -> None:
    """Parameters of every type go through an event unchanged, those with reserved names too."""
    rest = action().model_dump(exclude={"type", "params"})
    sent = Action.model_validate({**rest, "type": params.type, "params": params})
    assert from_cloudevent(json.loads(json.dumps(to_cloudevent(sent)))) == sent


def test_the_required_attributes_are_there() -> None:
    """An event carries the attributes that CloudEvents requires and those that help to route it."""
    event = to_cloudevent(action(), source="/ci")
    assert {name: event[name] for name in ("specversion", "source", "subject", "datacontenttype", "type")} == {
        "specversion": "1.0",
        "source": "/ci",
        "subject": "rollback-7",
        "datacontenttype": "application/json",
        "type": "dev.cdeventsx.opswm-action.succeeded.1.0.0",
    }
    assert event["time"] == "2025-06-01T12:03:02.000000Z"
    assert to_cloudevent(action())["source"] == "/default/shop"
    assert "time" not in to_cloudevent(action().model_copy(update={"transitions": []}))


def test_types_are_those_of_cdevents() -> None:
    """The type of every status follows the pattern of custom CDEvents, and no two statuses share one."""
    types = [event_type(in_status(status)) for status in ALL_STATUSES]
    assert all(re.match(CUSTOM_TYPE, name) for name in types)
    assert len(set(types)) == len(ALL_STATUSES)


def test_repeated_deliveries_share_an_id() -> None:
    """The same facts have the same event id, and a further fact has another."""
    assert to_cloudevent(action())["id"] == to_cloudevent(action())["id"]
    further = action().with_facts(transition("rolled_back", 900.0))
    assert to_cloudevent(further)["id"] != to_cloudevent(action())["id"]


def test_attributes_of_other_programs_are_kept() -> None:
    """Extension attributes are read and written again."""
    event = {**to_cloudevent(action()), "traceparent": "00-a", "sampledrate": 3}
    assert ActionEvent.model_validate(event).model_dump(mode="json")["traceparent"] == "00-a"


def test_actions_of_a_later_minor_version_arrive() -> None:
    """An action with fields of a later minor version keeps them through the envelope."""
    later = Action.model_validate({**action().model_dump(), "schema_version": "1.4", "novel": [1]})
    event = to_cloudevent(later)
    assert event["type"].endswith(".1.4.0")
    assert from_cloudevent(event).extensions == {"novel": [1]}
