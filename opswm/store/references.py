"""Whether readings, events and actions speak of a system as its descriptor does."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from opswm.errors import BadInputError
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.telemetry import Event

_SHOWN = 10


def require_channels(descriptor: SystemDescriptor, metrics: pa.Table) -> None:
    """Check that every reading belongs to a channel of the system and is of its kind.

    Args:
        descriptor: The system.
        metrics: Readings with at least ``channel_id``, ``value`` and ``counts``.

    Raises:
        BadInputError: On unknown channels, on histograms in a channel of numbers, and the other way round.
    """
    known = {channel.channel_id: channel for channel in descriptor.channels}
    given = pc.unique(metrics["channel_id"]).to_pylist()
    _require_listed("channels", given, known, descriptor)
    for column, wanted in (("value", False), ("counts", True)):
        if column in metrics.column_names:
            there = set(pc.unique(metrics["channel_id"].filter(pc.is_valid(metrics[column]))).to_pylist())
            wrong = sorted(name for name in there if (known[name].instrument == "histogram") != wanted)
            if wrong:
                kind = "numbers, and got histograms" if wanted else "histograms, and got numbers"
                raise BadInputError(
                    f"channels {wrong[:_SHOWN]} are described as {kind}; correct the descriptor or the source"
                )


def require_entities(
    descriptor: SystemDescriptor, *, actions: Iterable[Action] = (), events: Iterable[Event] = ()
) -> None:
    """Check that actions and events are about entities of the system.

    Raises:
        BadInputError: When one names an entity, tenant or system that the descriptor is not about.
    """
    named: set[str] = set()
    for action in actions:
        if (action.tenant_id, action.system_id) != (descriptor.tenant_id, descriptor.system_id):
            raise BadInputError(
                f"action {action.action_id!r} is of system {action.system_id!r} of tenant {action.tenant_id!r}, not of "
                f"{descriptor.system_id!r} of {descriptor.tenant_id!r}"
            )
        named.update(action.targets)
    named.update(event.entity_id for event in events if event.entity_id is not None)
    _require_listed("entities", named, {entity.entity_id for entity in descriptor.entities}, descriptor)


def _require_listed(what: str, given: Iterable[str], known: Iterable[str], descriptor: SystemDescriptor) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise BadInputError(
            f"{what} {unknown[:_SHOWN]}{more} are not in revision {descriptor.revision} of system "
            f"{descriptor.system_id!r}; register a descriptor that lists them first"
        )
