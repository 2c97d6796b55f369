"""Versions and unknown fields: what a document from another version of the software keeps, and what is refused."""

import json
import pickle
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opswm_schemas.actions.record import Action, Transition
from opswm_schemas.base import MAX_DEPTH, SCHEMA_VERSION, format_utc, require_json
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.export import EXAMPLES

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def later(contract: str, **changes: Any) -> dict[str, Any]:
    """Return an example as a later minor version would write it."""
    document: dict[str, Any] = EXAMPLES[contract].model_dump(mode="json", by_alias=True)
    return document | {"schema_version": "1.12"} | changes


def with_novelties(document: Any, value: Any) -> Any:
    """Return a document with a field that nobody knows in each of its objects."""
    if isinstance(document, dict):
        return {**{key: with_novelties(item, value) for key, item in document.items()}, "novel_field": value}
    if isinstance(document, list):
        return [with_novelties(item, value) for item in document]
    return document


def keeping_free_form(document: dict[str, Any], novel: dict[str, Any], *free: tuple[str, ...]) -> dict[str, Any]:
    """Return ``novel`` with its free-form parts, whose every key is allowed, as they were."""
    for *parents, last in free:
        old: Any = document
        new: Any = novel
        for parent in parents:
            key: Any = int(parent) if parent.isdigit() else parent
            old, new = old[key], new[key]
        new[last] = old[last]
    return novel


@given(value=JSON)
def test_later_minor_fields_survive_at_any_depth(value: Any) -> None:
    """A later document with an unknown field in every object is written exactly as it was read."""
    document = later("action")
    novel = keeping_free_form(document, with_novelties(document, value), ("previous_params",))
    action = Action.model_validate(novel)
    assert json.loads(action.model_dump_json()) == json.loads(json.dumps(novel))
    assert Action.model_validate_json(action.model_dump_json()) == action


def test_later_minor_fields_survive_in_descriptors() -> None:
    """Unknown fields inside entities, bounds, conditions and objectives of a later descriptor survive."""
    document = later("descriptor")
    free = [("entities", str(index), "attributes") for index in range(3)] + [("capabilities", "0", "bounds")]
    novel = keeping_free_form(
        document, with_novelties(document, {"a": [1, None]}), *free, ("capabilities", "1", "bounds")
    )
    novel["capabilities"][0]["bounds"]["to_replicas"]["novel_field"] = 2
    assert json.loads(SystemDescriptor.model_validate(novel).model_dump_json()) == novel


def test_later_minor_fields_stay_with_their_part() -> None:
    """A fact with unknown fields keeps them when it moves to another place, alone or in another record."""
    document = later("action")
    document["transitions"][2]["operator_mood"] = "calm"
    fact = Action.model_validate(document).transitions[2]
    assert json.loads(fact.model_dump_json())["operator_mood"] == "calm"
    moved = Action.model_validate(EXAMPLES["action"].model_dump()).with_facts(fact)
    assert json.loads(moved.model_dump_json())["transitions"][-1]["operator_mood"] == "calm"


def test_later_minor_fields_are_readable_as_extensions() -> None:
    """Unknown fields at the top of a later document are listed under ``extensions``; our own version has none."""
    assert Action.model_validate(later("action", novel={"a": 1})).extensions == {"novel": {"a": 1}}
    assert Action.model_validate(EXAMPLES["action"].model_dump()).extensions == {}


def test_later_documents_can_be_built_by_name() -> None:
    """Building a later document from keyword arguments keeps unknown fields as reading it does."""
    document = later("action", novel=1)
    document["target"]["shard"] = 4
    assert Action(**document) == Action.model_validate(document)
    assert pickle.loads(pickle.dumps(Action(**document))) == Action(**document)


@pytest.mark.parametrize("place", ["", "target", "params", "transitions.0", "actor"])
def test_unknown_fields_of_our_own_version_are_refused(place: str) -> None:
    """The same unknown field is a typing error in a document of our own version, and is named by its path."""
    document = later("action") | {"schema_version": SCHEMA_VERSION}
    part: Any = document
    for name in filter(None, place.split(".")):
        part = part[int(name) if name.isdigit() else name]
    part["novel"] = 1
    with pytest.raises(ValidationError) as refusal:
        Action.model_validate(document)
    (error,) = refusal.value.errors()
    assert error["type"] == "extra_forbidden"
    assert error["loc"][-1] == "novel"


def test_a_refused_later_document_leaves_no_leniency_behind() -> None:
    """After a later document was refused, unknown fields of our own version are still refused."""
    with pytest.raises(ValidationError):
        Action.model_validate(later("action", confidence="high", novel=1))
    with pytest.raises(ValidationError, match="novel"):
        Action.model_validate(EXAMPLES["action"].model_dump() | {"novel": 1})


@pytest.mark.parametrize("version", ["0.9", "2.0", "10.0"])
def test_foreign_majors_are_refused_with_what_to_do(version: str) -> None:
    """A foreign major version is refused, and the message says how to convert."""
    with pytest.raises(ValidationError, match="upgrade opswm"):
        Action.model_validate(later("action") | {"schema_version": version})


@given(moment=st.datetimes(timezones=st.timezones(), allow_imaginary=False))
def test_instants_are_kept_to_the_microsecond(moment: Any) -> None:
    """Any aware instant from 2000 to 2100 is held in UTC, written with a Z and read back as the same instant."""
    if not 2001 <= moment.year < 2099:
        with_year = moment.replace(year=2001 + moment.year % 90, day=min(moment.day, 28))
    else:
        with_year = moment
    fact = Transition.observed(with_year, status="started")
    text = json.loads(fact.model_dump_json())["event_at"]
    assert text.endswith("Z")
    assert text == format_utc(with_year)
    assert Transition.model_validate_json(fact.model_dump_json()).event_at == with_year.astimezone(UTC)


def test_free_form_json_is_bounded() -> None:
    """Free-form values may be nested to the stated depth and no deeper."""
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert require_json(value) is value
    with pytest.raises(ValueError, match="flatten"):
        require_json([value])


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1, 2}}, [object()], b"x"])
def test_free_form_values_are_json(value: Any) -> None:
    """What JSON cannot say is refused in free-form values."""
    with pytest.raises(ValueError, match=r"no JSON value|is no text"):
        require_json(value)
