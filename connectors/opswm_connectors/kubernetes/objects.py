"""Objects of the Kubernetes API as audit events carry them: whole, as a merge patch, or as JSON Patch steps."""

from collections.abc import Mapping
from typing import Any

from opswm_connectors.errors import TerminalSourceError

_MOST_STEPS = 1_000
_MOST_KEYS = 32


def partial_object(body: Any) -> Mapping[str, Any]:
    """Return what a request body sets, as a nested mapping; list positions of a JSON Patch become keys.

    Args:
        body: An object, a merge patch, or JSON Patch steps (RFC 6902); removals set nothing.

    Raises:
        TerminalSourceError: When it is none of them.
    """
    if isinstance(body, Mapping):
        return body
    if not isinstance(body, list) or len(body) > _MOST_STEPS:
        raise TerminalSourceError("'requestObject' is neither an object nor a JSON Patch")
    whole: dict[str, Any] = {}
    for step in body:
        if not isinstance(step, Mapping) or not isinstance(step.get("path"), str):
            raise TerminalSourceError("'requestObject' is a list of something else than JSON Patch steps")
        if step.get("op") in ("add", "replace"):
            _put(whole, step["path"], step.get("value"))
    return whole


def _put(whole: dict[str, Any], pointer: str, value: Any) -> None:
    if pointer.count("/") > _MOST_KEYS:
        raise TerminalSourceError(f"a path of the JSON Patch has over {_MOST_KEYS} keys; no object nests as deep")
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    if not keys:
        if isinstance(value, Mapping):
            whole.update(value)
        return
    place = whole
    for key in keys[:-1]:
        below = place.get(key)
        if not isinstance(below, dict):
            below = place[key] = {}
        place = below
    place[keys[-1]] = value
