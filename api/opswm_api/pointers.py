"""From pydantic's error locations to JSON Pointers that exist in the document the caller sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from opswm_api.problem_documents import ProblemItem

_ABOUT_A_MISSING_FIELD = frozenset({"missing", "union_tag_not_found"})
_SECRET_FIELDS = frozenset({"old", "new", "values", "from", "to", "previous_params", "note"})
_MAX_SHOWN = 80
_MAX_ITEMS = 50


def problem_items(errors: Sequence[Mapping[str, Any]], body: Any = None) -> list[ProblemItem]:
    """Turn pydantic errors into problem items.

    Args:
        errors: As from ``ValidationError.errors()``, locations led by ``body``, ``query``, ``path`` or ``header``.
        body: The JSON document that was sent, to find out which parts of a location are in it: pydantic
            names the members of unions too, which no pointer may.

    Returns:
        At most 50 items; the last says how many more there were.
    """
    items = [_item(error, body) for error in errors[:_MAX_ITEMS]]
    if len(errors) > _MAX_ITEMS:
        items.append(ProblemItem(detail=f"and {len(errors) - _MAX_ITEMS} more; correct these first"))
    return items


def json_pointer(location: Sequence[str | int], body: Any, *, names_missing_field: bool) -> str:
    """Return the JSON Pointer, as a URI fragment, of a pydantic location within a document.

    Args:
        location: The parts of the location, without its leading ``body``.
        body: The document.
        names_missing_field: Whether the last part is a field that should be there and is not.
    """
    parts: list[str] = []
    here = body
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if _has(here, part):
            here = here[part]
        elif is_last and names_missing_field:
            here = None
        else:
            continue  # a union member's tag or a validator's name, which the document does not have
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "#" + "".join(f"/{part}" for part in parts)


def _has(here: Any, part: str | int) -> bool:
    if isinstance(here, Mapping):
        return part in here
    return isinstance(here, list) and isinstance(part, int) and part < len(here)


def _item(error: Mapping[str, Any], body: Any) -> ProblemItem:
    where, *location = error["loc"] or ("body",)
    detail = _sentence(error, location)
    if where != "body":
        return ProblemItem(parameter=str(location[0]) if location else str(where), detail=detail)
    missing = error["type"] in _ABOUT_A_MISSING_FIELD
    return ProblemItem(pointer=json_pointer(location, body, names_missing_field=missing), detail=detail)


def _sentence(error: Mapping[str, Any], location: Sequence[str | int]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"field {str(location[-1])!r} is not known here; remove it or correct its name"
    if error["type"] == "missing":
        return f"field {str(location[-1]) if location else 'body'!r} is required"
    given = error.get("input")
    secret = any(part in _SECRET_FIELDS for part in location)
    if secret or not isinstance(given, str | int | float | bool) or error["type"] == "value_error":
        return message
    shown = repr(given)
    return f"{message}; got {shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + '...'}"
