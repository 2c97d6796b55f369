"""Documents that the contracts accept and refuse, and the place and reason that a refusal names."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from opswm_schemas.export import EXAMPLES


def test_accepted_documents_survive_a_round_trip(accepted: dict[str, Any]) -> None:
    """A good document is read from JSON, written and read again without a change."""
    contract = type(EXAMPLES[accepted["contract"]])
    first = contract.model_validate_json(json.dumps(accepted["document"]))
    assert contract.model_validate_json(first.model_dump_json()) == first
    assert contract.model_validate(accepted["document"]) == first


def test_refused_documents_say_where_and_why(refused: dict[str, Any]) -> None:
    """A bad document is refused with the path of the field and a reason that a person can act on."""
    contract = type(EXAMPLES[refused["contract"]])
    with pytest.raises(ValidationError) as refusal:
        contract.model_validate_json(json.dumps(refused["document"]))
    errors = refusal.value.errors(include_url=False)
    reasons = {".".join(map(str, error["loc"])): error["msg"] for error in errors}
    assert refused["because"] in reasons.get(refused["at"], ""), reasons


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("contract", "template"),
    [
        ("metric-point", '{"channel_id": "a", "event_at": "%(at)s", "known_at": "%(at)s", "value": %(number)s}'),
        ("parameters/custom", '{"type": "custom", "values": {"deep": [{"down": %(number)s}]}}'),
        ("parameters/config_change", '{"type": "config_change", "key": "a", "new": %(number)s}'),
        ("parameters/fault_injection", '{"type": "fault_injection", "kind": "a", "magnitude": %(number)s}'),
        ("transition", '{"status": "started", "event_at": "%(at)s", "known_at": %(number)s}'),
    ],
)
def test_numbers_that_are_none_are_refused(contract: str, template: str, number: str) -> None:
    """NaN and infinities are refused wherever a number or a free-form value may stand."""
    text = template % {"number": number, "at": "2025-06-01T12:00:00Z"}
    with pytest.raises(ValidationError):
        type(EXAMPLES[contract]).model_validate_json(text)


@pytest.mark.parametrize("field", ["novel", "params.novel", "transitions.0.novel"])
def test_numbers_that_are_none_are_refused_in_later_fields(field: str) -> None:
    """Fields of a later minor version are kept only when they are plain JSON with finite numbers."""
    document = EXAMPLES["action"].model_dump(mode="json", by_alias=True) | {"schema_version": "1.3"}
    place: Any = document
    *parents, last = field.split(".")
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[last] = {"x": [float("nan")]}
    with pytest.raises(ValidationError, match="no JSON number"):
        type(EXAMPLES["action"]).model_validate(document)
