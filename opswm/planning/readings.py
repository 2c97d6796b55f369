"""What a person on call would read off the dashboards now: latest values per entity and meaning."""

from typing import Final

from opswm.timeline.timeline import Timeline
from opswm.windows.history import state_at
from opswm.windows.layout import layout_of
from opswm_schemas.capability import Condition
from opswm_schemas.descriptor import SystemDescriptor

PRESENT_TICKS: Final = 12
"""A reading older than this says nothing about the present."""


class Readings:
    """The present state of a system, in canonical units.

    Args:
        descriptor: The system.
        timeline: Up to the decision.
    """

    def __init__(self, descriptor: SystemDescriptor, timeline: Timeline) -> None:
        self._layout = layout_of(descriptor)
        self._value, self._seen = timeline.value[-PRESENT_TICKS:], timeline.seen[-PRESENT_TICKS:]
        self._states: dict[str, dict[str, float]] = {}

    def at(self, entity_id: str) -> dict[str, float]:
        """Return the latest reading of each meaning at an entity, nothing older than ``PRESENT_TICKS``.

        Args:
            entity_id: An entity of the descriptor.
        """
        if entity_id not in self._states:
            index = self._layout.entity[entity_id]
            self._states[entity_id] = state_at(self._layout, self._value, self._seen, (index,))
        return self._states[entity_id]

    def holds(self, condition: Condition, target: str) -> bool | None:
        """Return whether a condition holds now; None where nothing recent was measured.

        Args:
            condition: A precondition or guardrail.
            target: Entity that the action is aimed at, looked at where the condition names none.
        """
        value = self.at(condition.entity_id or target).get(condition.meaning)
        if value is None:
            return None
        return value > condition.threshold if condition.comparison == "above" else value < condition.threshold
