"""Takes in batches of a stream: rows that can be stored are, the others go into quarantine."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pyarrow as pa

from opswm.errors import BadInputError, NotFoundError
from opswm.store.tables.quarantine import Quarantine
from opswm.store.tables.sifting import Refused, sift
from opswm_schemas.ports import Batch, SystemKey

Append = Callable[[Batch], object]
"""Stores a batch once and whole, or refuses it."""

ChannelsOf = Callable[[SystemKey], Collection[str]]
"""Returns the channels of a system, or raises ``NotFoundError``."""


@dataclass(frozen=True)
class Taken:
    """What became of a batch.

    Attributes:
        num_stored: Readings that are stored, now or before.
        num_refused: Rows that are in quarantine.
    """

    num_stored: int
    num_refused: int


class Intake:
    """Takes in streams of readings; nothing of them vanishes, and nothing is half applied.

    A batch delivered again is sifted again: where the descriptor has changed in between, it says something else under
    its name and goes into quarantine whole.

    Args:
        append: Stores what can be stored.
        channels_of: Says which channels a system has.
        quarantine: Keeps the rest.
    """

    def __init__(self, append: Append, channels_of: ChannelsOf, quarantine: Quarantine) -> None:
        self._append = append
        self._channels_of = channels_of
        self._quarantine = quarantine

    def take(self, system: SystemKey, source: str, batch_id: str, rows: pa.Table) -> Taken:
        """Take in one batch.

        Args:
            system: Whose its sender says it is.
            source: Who delivers it.
            batch_id: Names it within system and source.
            rows: As they came.

        Raises:
            StoreError: When store or quarantine cannot be written; delivered again, it is taken in once.
        """
        try:
            sifted = sift(rows, self._channels_of(system))
        except NotFoundError as unknown:
            return self._refuse(system, source, Refused("unknown-system", str(unknown), rows))
        if sifted.admitted.num_rows:
            try:
                self._append(Batch(system, source, batch_id, sifted.admitted))
            except BadInputError as problem:
                return self._refuse(system, source, Refused("refused", str(problem), rows))
        num_refused = self._quarantine.keep(system, source, sifted.refused) if sifted.refused else 0
        return Taken(sifted.admitted.num_rows, num_refused)

    def _refuse(self, system: SystemKey, source: str, refused: Refused) -> Taken:
        return Taken(0, self._quarantine.keep(system, source, [refused]))
