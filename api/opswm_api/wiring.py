"""The composition root: the one place that picks implementations and puts them together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from opswm.clock import Clock
from opswm.errors import BadInputError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.ledger import SqlLedger
from opswm.store.open import Store, open_store
from opswm_api.console import Advance

CONNECTORS: Final = "opswm.connectors"
"""Entry-point group in which connectors announce themselves."""

Importer = Callable[[Path, Path, Advance], list[Path]]
"""Reads a directory, writes recordings to a folder, reports progress, returns what it wrote."""


@contextmanager
def folder_store(
    folder: Path, *, create: bool = True, clock: Clock | None = None, background: bool = False
) -> Iterator[Store]:
    """Open the store in a folder and close it at the end.

    Args:
        folder: The folder.
        create: Whether to make it when it is not there.
        clock: Says when descriptors are registered; this machine's clock where left out.
        background: Whether its tables are filled and kept while it is open, as a service wants it.

    Raises:
        NotFoundError: When there is no store and none shall be made.
        StoreError: When it cannot be opened, or something of it is lost.
    """
    store = open_store(folder, create=create, clock=clock, background=background)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def memory_store() -> Iterator[Store]:
    """Open a store that lives in memory, for a recording that is read once."""
    store = Store(SqlLedger.open("sqlite://"), ArrowTelemetry())
    try:
        yield store
    finally:
        store.close()


def importer(name: str) -> Importer:
    """Return the importer of the connector of that name, with its errors in the core's language.

    Raises:
        BadInputError: When no such connector is installed, naming those that are.
    """
    found = entry_points(group=CONNECTORS)
    if name not in found.names:
        installed = ", ".join(sorted(found.names)) or "none"
        raise BadInputError(f"there is no connector {name!r}; installed are: {installed}")
    read: Importer = found[name].load()

    def translated(directory: Path, out: Path, advance: Advance) -> list[Path]:
        from opswm_connectors.errors import SourceError

        try:
            return read(directory, out, advance)
        except SourceError as problem:
            raise BadInputError(str(problem)) from problem

    return translated
