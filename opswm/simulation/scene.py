"""One simulated world as its telemetry sees it: exact signals by name, on the clock of its recording."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.past import Done
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.lived import Witnessed
from opswm_schemas.columns import INSTANT

EPOCH: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""Simulated time starts here; each world seed starts an hour after the one before, within a year."""

Readings = dict[str, NDArray[np.float64]]
"""Signals of ``kernel.signals.SIGNALS`` by name."""


def start_of(world_seed: int) -> datetime:
    """Return the instant of a world's second 0."""
    return EPOCH + timedelta(hours=world_seed % 8_760)


def decision_at(lived: Lived | Witnessed, row: int) -> datetime:
    """Return the instant of a world's decision."""
    return start_of(lived.world_seeds[row]) + timedelta(seconds=lived.decision_s)


@dataclass(frozen=True)
class Scene:
    """A world up to its decision.

    Attributes:
        blueprint: The system, its faults among it.
        seed: Of the world; everything that telemetry leaves to chance is keyed by it.
        first_s: Second at which the first tick begins.
        decision_s: Second of the decision; nothing that was known later is told.
        signals: What truly held, ``[T, N]`` each, in canonical units.
        stored: What monitoring stored of it, NaN where nothing was.
        done: Past actions of people and autoscalers.
    """

    blueprint: Blueprint
    seed: int
    first_s: float
    decision_s: float
    signals: Readings
    stored: Readings
    done: tuple[Done, ...]

    @property
    def start(self) -> datetime:
        """The instant of second 0."""
        return start_of(self.seed)

    @property
    def num_ticks(self) -> int:
        """How many ticks of history there are."""
        return int(self.signals["request_rate"].shape[0])

    def at(self, second: float) -> datetime:
        """Return the instant of a second."""
        return self.start + timedelta(seconds=second)

    def end_of(self, tick: int) -> datetime:
        """Return the instant at which a tick ends."""
        return self.at(self.first_s + (tick + 1) * self.blueprint.step_s)

    def instants(self, seconds: NDArray[np.float64]) -> pa.Array:
        """Return many seconds as instants of a table."""
        start = np.datetime64(self.start.replace(tzinfo=None), "us")
        moments = start + (seconds * 1e6).round().astype("timedelta64[us]")
        return pa.array(moments, pa.timestamp("us")).cast(INSTANT)

    def rng(self, *purpose: int) -> np.random.Generator:
        """Return the generator of one purpose, which no other purpose disturbs."""
        return np.random.default_rng([self.seed, *purpose])


def scene_of(lived: Lived | Witnessed, row: int) -> Scene:
    """Return one of the worlds.

    Args:
        lived: Worlds at their decision.
        row: Which of them.
    """
    blueprint = lived.blueprints[row]
    entities = len(blueprint.parts)
    exact = lived.exact[row, :, :entities].numpy().astype(np.float64)
    value = lived.value[row, :, :entities].numpy().astype(np.float64)
    value = np.where(lived.seen[row, :, :entities].numpy(), value, np.nan)
    return Scene(
        blueprint=blueprint,
        seed=lived.world_seeds[row],
        first_s=float(lived.decision_s - exact.shape[0] * blueprint.step_s),
        decision_s=float(lived.decision_s),
        signals={name: exact[:, :, column] for column, name in enumerate(SIGNALS)},
        stored={name: value[:, :, column] for column, name in enumerate(SIGNALS)},
        done=lived.done[row],
    )
