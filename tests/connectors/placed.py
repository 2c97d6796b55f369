"""Places with aliases, for the tests of connectors."""

from collections.abc import Iterable, Mapping

from opswm_connectors.webhooks.places import ALIAS, Places
from opswm_schemas.descriptor import Entity


def placed(entities: Iterable[Entity], aliases: Mapping[str, str]) -> Places:
    """Return places whose entities list these aliases, given as what a source says to entity id."""
    return Places(
        entity.model_copy(
            update={
                "attributes": entity.attributes
                | {ALIAS: ",".join(alias for alias, owner in aliases.items() if owner == entity.entity_id)}
            }
        )
        for entity in entities
    )
