"""The composition root: the one place that picks implementations and puts them together."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from opswm.clock import Clock
from opswm.errors import BadInputError, OpswmError
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.ledger import SqlLedger
from opswm.store.open import Store, open_store
from opswm.store.tables.limits import TenantLimits
from opswm.store.tables.upkeep import UpkeepConfig
from opswm_api.console import Advance
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey
from opswm_schemas.telemetry import Event

CONNECTORS: Final = "opswm.connectors"
"""Entry-point group in which connectors announce themselves."""

WEBHOOKS: Final = "opswm.webhooks"
"""Entry-point group of connectors that are told by webhook."""

Importer = Callable[[Path, Path, Advance], list[Path]]
"""Reads a directory, writes recordings to a folder, reports progress, returns what it wrote."""


@contextmanager
def folder_store(
    folder: Path,
    *,
    database: str | None = None,
    create: bool = True,
    clock: Clock | None = None,
    background: bool = False,
    upkeep: UpkeepConfig | None = None,
    limits: TenantLimits | None = None,
) -> Iterator[Store]:
    """Open the store in a folder and close it at the end.

    Args:
        folder: The folder.
        database: URL of the ledger's database; a file in the folder where left out.
        create: Whether to make it when it is not there.
        clock: Says when descriptors are registered; this machine's clock where left out.
        background: Whether its tables are filled and kept while it is open, as a service wants it.
        upkeep: How they are kept then, such as for how long; all for good where left out.
        limits: Of each tenant; the usual ones where left out.

    Raises:
        NotFoundError: When there is no store and none shall be made.
        StoreError: When it cannot be opened, or something of it is lost.
    """
    store = open_store(
        folder, database=database, create=create, clock=clock, background=background, upkeep=upkeep, limits=limits
    )
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


class RefusedWebhookError(OpswmError):
    """A delivery whose sender did not show that it has the secret."""


@dataclass(frozen=True)
class Told:
    """What a webhook said: observed actions, events, and what was left out, with the reason, in words."""

    actions: tuple[Action, ...]
    events: tuple[Event, ...]
    left_out: tuple[str, ...]


def webhook_names() -> tuple[str, ...]:
    """Return the names of the installed sources that tell by webhook."""
    return tuple(sorted(entry_points(group=WEBHOOKS).names))


def hear_webhook(
    name: str,
    secret: bytes,
    headers: Mapping[str, str],
    body: bytes,
    received_at: datetime,
    descriptor: SystemDescriptor,
) -> Told:
    """Return what a delivery of a webhook says, once it is known whom it is from.

    Args:
        name: Of the source.
        secret: Shared with it.
        headers: Names in lower case.
        body: As sent.
        received_at: When it came in.
        descriptor: The system that it is about.

    Raises:
        BadInputError: When no such source is installed, or the body is not what it sends.
        RefusedWebhookError: When the sender does not show that it has the secret; nothing was read then.
    """
    from opswm_connectors.errors import SourceError
    from opswm_connectors.webhooks.delivery import Delivery
    from opswm_connectors.webhooks.places import Places
    from opswm_connectors.webhooks.signatures import RefusedDeliveryError

    found = entry_points(group=WEBHOOKS)
    if name not in found.names:
        raise BadInputError(f"there is no webhook {name!r}; installed are: {', '.join(webhook_names()) or 'none'}")
    webhook = found[name].load()
    delivery, system = Delivery(headers, body, received_at), SystemKey(descriptor.tenant_id, descriptor.system_id)
    try:
        webhook.verify(delivery, secret)
        facts = webhook.translate(delivery, system, Places.of(descriptor))
    except RefusedDeliveryError as problem:
        raise RefusedWebhookError(str(problem)) from problem
    except SourceError as problem:
        raise BadInputError(str(problem)) from problem
    return Told(facts.actions, facts.events, facts.left_out)
