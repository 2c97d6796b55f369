"""One delivery of a webhook as it came in, and what it says in the language of the contracts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_schemas.actions.record import Action
from opswm_schemas.bounded_json import MalformedJsonError, parse_json
from opswm_schemas.telemetry import Event

MAX_DEPTH: Final = 32
SHORT_TEXT: Final = 1_000
"""Length at which names and labels of a stranger are cut."""


@dataclass(frozen=True)
class Delivery:
    """A request as it came in.

    Attributes:
        headers: Names in lower case.
        body: As sent.
        received_at: When it came in, UTC; what it tells was known then, whenever it happened.
    """

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            TerminalSourceError: When it is none, or nests too deep.
        """
        try:
            found = parse_json(self.body, MAX_DEPTH)
        except MalformedJsonError as problem:
            raise TerminalSourceError(str(problem)) from problem
        if not isinstance(found, dict):
            raise TerminalSourceError(f"the body is a JSON {type(found).__name__}, an object was expected")
        return found


@dataclass(frozen=True)
class Facts:
    """What a delivery says.

    Attributes:
        actions: Observed actions, each with the facts this delivery tells; sent again they fold into one.
        events: Alerts, incidents and state changes.
        left_out: What was told and not taken, with the reason, in words; the text of strangers is cut.
    """

    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    left_out: tuple[str, ...] = ()

    def __add__(self, other: "Facts") -> "Facts":
        """Return what both say."""
        return Facts(self.actions + other.actions, self.events + other.events, self.left_out + other.left_out)


def text_of(value: Any, limit: int = SHORT_TEXT) -> str:
    """Return a stranger's value as text that is safe to keep: without control characters, cut at a length.

    Args:
        value: Anything out of a JSON document; nothing, and what is no single value, becomes an empty text.
        limit: Most characters.
    """
    if not isinstance(value, str | int | float):
        return ""
    text = "".join(character if character.isprintable() else " " for character in str(value)[: 4 * limit])
    return " ".join(text.split())[:limit]
