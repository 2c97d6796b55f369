"""What lies where in a stranger's JSON: nothing is taken for granted, and what is not there is None or empty."""

from collections.abc import Iterator, Mapping
from typing import Any

from opswm_connectors.webhooks.delivery import text_of


def at(value: Any, *path: str) -> Any:
    """Return what lies under a path of keys, or None.

    Args:
        value: A nested mapping, or anything else, under which nothing lies.
        path: Keys.
    """
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text_at(value: Any, *path: str, limit: int = 250) -> str:
    """Return what lies under a path of keys as safe text, empty where nothing does.

    Args:
        value: A nested mapping.
        path: Keys.
        limit: Most characters.
    """
    return text_of(at(value, *path), limit)


def members(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list, or of a mapping from list positions."""
    found = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in found:
        if isinstance(item, Mapping):
            yield item
