"""What of the ingest log a verified table holds, and how long the log keeps it all the same, for repairs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from opswm.errors import StoreError
from opswm.store.durable_files import make_folder, replace_file


@dataclass(frozen=True)
class Fill:
    """One verified step of filling.

    Attributes:
        at_s: When it was verified, seconds since 1970.
        through: The last offset it took in.
        size_bytes: How much that was, in memory.
    """

    at_s: float
    through: int
    size_bytes: int


@dataclass(frozen=True)
class Kept:
    """How far the table was verified, and what the log has not dropped yet.

    Attributes:
        version: The last version of the table that was verified.
        through: The offset up to which that version is filled.
        trimmed: The offset up to which the log was told to drop readings.
        fills: Steps the log still holds, the oldest first.
        imports: Names of batches that came into the table directly; no log has them.
    """

    version: int = -1
    through: int = 0
    trimmed: int = 0
    fills: Sequence[Fill] = field(default_factory=tuple)
    imports: Sequence[str] = field(default_factory=tuple)

    def verified(self, version: int, fill: Fill | None = None) -> "Kept":
        """Return the same after a version was verified, which took in a step or none."""
        if fill is None:
            return replace(self, version=version)
        return replace(self, version=version, through=fill.through, fills=(*self.fills, fill))

    def imported(self, version: int, name: str) -> "Kept":
        """Return the same after a version was verified that took in a batch directly."""
        return replace(self, version=version, imports=(*self.imports, name))

    def due(self, now_s: float, keep_s: float, keep_bytes: int) -> int:
        """Return the offset up to which the log may drop readings.

        Args:
            now_s: Seconds since 1970. A clock that stepped back keeps more, never less.
            keep_s: How long a step is kept after it was verified.
            keep_bytes: How much is kept at most.
        """
        size = 0
        for fill in reversed(self.fills):
            size += fill.size_bytes
            if size > keep_bytes or now_s - fill.at_s >= keep_s:
                return fill.through
        return self.trimmed

    def dropped(self, through: int) -> "Kept":
        """Return the same after the log was told to drop readings up to an offset."""
        kept = tuple(fill for fill in self.fills if fill.through > through)
        return replace(self, trimmed=max(self.trimmed, through), fills=kept)


def read_kept(file: Path) -> Kept:
    """Return what was written last, and the beginning where nothing was.

    Raises:
        StoreError: When the file cannot be read.
    """
    try:
        told = json.loads(file.read_bytes())
        fills = tuple(Fill(float(at), int(through), int(size)) for at, through, size in told["fills"])
        return Kept(int(told["version"]), int(told["through"]), int(told["trimmed"]), fills, tuple(told["imports"]))
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StoreError(
            f"{file} cannot be read: {problem}; restore it with the rest of the store from a backup"
        ) from problem


def write_kept(file: Path, kept: Kept) -> None:
    """Write it down, whole or not at all.

    Raises:
        OSError: When it cannot be written.
    """
    told = {
        "version": kept.version,
        "through": kept.through,
        "trimmed": kept.trimmed,
        "imports": list(kept.imports),
        "fills": [[fill.at_s, fill.through, fill.size_bytes] for fill in kept.fills],
    }
    make_folder(file.parent)
    replace_file(file, json.dumps(told).encode())
