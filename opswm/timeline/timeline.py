"""A system's past on a regular grid of ticks, as it was known at one moment."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import Relation, SystemDescriptor
from opswm_schemas.telemetry import Event

Instants = NDArray[np.generic]
"""``datetime64[us]`` in UTC; run-time checkers know no unit of ``datetime64``, so none is written."""


@dataclass(frozen=True)
class Timeline:
    """Everything that may be known at ``at``, tick by tick, oldest first.

    Tick ``t`` covers ``(ticks_at[t] - step_s, ticks_at[t]]``; the last one ends at ``at``. Columns follow the
    order of the descriptor's channels and entities, and of ``actions``.

    Attributes:
        descriptor: The system.
        at: The moment; nothing known later is in here.
        ticks_at: End of each tick, ``datetime64[us]`` in UTC.
        value: ``[T, num_channels]`` in the canonical unit of each channel's meaning; 0 where unseen.
        seen: ``[T, num_channels]``, whether there was something to read in that tick; gaps stay gaps.
        newest_at: When the newest reading of any channel was taken; None when there is none.
        newest_channel_at: The same for each channel, ``datetime64[us]``, NaT where there is none.
        actions: Actions of which something was known, with the facts known by ``at`` alone.
        in_force: ``[T, num_actions]``, whether an action's change held in that tick (see ``in_force``).
        events: Events known by ``at``, in the order they happened.
        alerting: ``[T, num_entities]``, whether an alert on that entity was firing in that tick.
        relations: Relations that held at ``at`` and were known by then.
    """

    descriptor: SystemDescriptor
    at: datetime
    ticks_at: Instants
    value: NDArray[np.float64]
    seen: NDArray[np.bool_]
    newest_at: datetime | None
    newest_channel_at: Instants
    actions: tuple[Action, ...]
    in_force: NDArray[np.bool_]
    events: tuple[Event, ...]
    alerting: NDArray[np.bool_]
    relations: tuple[Relation, ...]

    @property
    def step_s(self) -> float:
        """Length of a tick, seconds."""
        return self.descriptor.step_s

    @property
    def num_ticks(self) -> int:
        """How many ticks there are."""
        return len(self.ticks_at)

    @property
    def data_age_s(self) -> float | None:
        """Age of the newest reading at ``at``, seconds; None when there is none."""
        return None if self.newest_at is None else (self.at - self.newest_at).total_seconds()
