"""JSON Pointers of validation errors point into the document that was sent."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from opswm_api.pointers import problem_items
from opswm_schemas.questions import RankingRequest

ACTION = {"target": "checkout", "params": {"type": "scale_horizontal", "to_replicas": 5}}


def pointers(body: Any) -> dict[str | None, str]:
    """Validate a ranking request and return the details by pointer."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(RankingRequest).validate_python(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    return {item.pointer: item.detail for item in problem_items(errors, body)}


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"to_replicas": "many"}, "#/courses/0/actions/0/params/to_replicas", "'many'"),
        ({"replicas": 7}, "#/courses/0/actions/0/params/replicas", "'replicas' is not known"),
        ({"to_replicas": ...}, "#/courses/0/actions/0/params/to_replicas", "'to_replicas' is required"),
        ({"type": "teleport"}, "#/courses/0/actions/0/params", "scale_horizontal"),
        ({"type": ...}, "#/courses/0/actions/0/params", "type"),
    ],
)
def test_pointers_skip_the_members_of_unions(change: dict[str, Any], pointer: str, detail: str) -> None:
    """An error inside typed parameters points at the field as it stands in the body, without the union's tag."""
    params = {**ACTION["params"], **change}  # type: ignore[dict-item]
    kept = {name: value for name, value in params.items() if value is not ...}
    course = {"course_id": "a", "actions": [{**ACTION, "params": kept}]}
    found = pointers({"system_id": "shop", "courses": [course]})
    assert list(found) == [pointer]
    assert detail in str(found[pointer])


def test_pointers_escape_what_rfc_6901_reserves() -> None:
    """A field name with a slash and a tilde is escaped."""
    assert set(pointers({"system_id": "shop", "a/b~c": 1})) == {"#/a~1b~0c"}


def test_secret_values_are_not_echoed() -> None:
    """The old and new value of a configuration key never appear in an error."""
    params = {"type": "config_change", "key": "password", "old": ["hunter2"], "new": {"a": "hunter3"}}
    found = pointers(
        {"system_id": "s", "courses": [{"course_id": "a", "actions": [{"target": "t", "params": params}]}]}
    )
    assert found
    assert "hunter" not in str(found)


def test_long_lists_of_errors_are_counted() -> None:
    """Of 73 errors 50 are listed and the rest is counted."""
    courses = [{"course_id": f"c{index}", "wrong": 1} for index in range(73)]
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(RankingRequest).validate_python({"system_id": "s", "courses": courses})
    items = problem_items(refused.value.errors(), None)
    assert len(items) == 51
    assert "and 23 more" in items[-1].detail
