"""Which entity of a descriptor a source means: by what somebody configured, else by attributes, else by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from opswm_schemas.descriptor import Entity, SystemDescriptor

ALIAS: Final = "opswm.alias"
"""Attribute of an entity with what sources call it, separated by commas."""

NAME_CONFIDENCE: Final = 0.7
"""How sure an entity is that was found by its bare name."""

SHARED: Final = frozenset(
    {"k8s.namespace.name", "k8s.cluster.name", "service.namespace", "service.version", "deployment.environment.name"}
)
"""Attributes that many entities of a system have in common, so that none is told by them alone."""


@dataclass(frozen=True)
class Place:
    """An entity that a source means.

    Attributes:
        entity_id: In the descriptor.
        confidence: 1 where configured or told by attributes; less where only the name fits.
    """

    entity_id: str
    confidence: float


@dataclass(frozen=True)
class Places:
    """Finds the entities of one system by what sources call them.

    Attributes:
        entities: Of the descriptor.
        aliases: What a source calls an entity, to entity id; holds before everything else.
    """

    entities: Sequence[Entity]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, descriptor: SystemDescriptor) -> "Places":
        """Return the places of a system, with the aliases that its entities list in attribute ``opswm.alias``.

        An alias that two entities list stands for neither.
        """
        listed = [
            (alias.strip(), entity.entity_id)
            for entity in descriptor.entities
            for alias in entity.attributes.get(ALIAS, "").split(",")
            if alias.strip()
        ]
        owners = {alias: {owner for other, owner in listed if other == alias} for alias, _ in listed}
        return cls(descriptor.entities, {alias: owner for alias, owner in listed if len(owners[alias]) == 1})

    def find(self, names: Sequence[str], attributes: Mapping[str, str] | None = None) -> Place | None:
        """Return the entity meant, or None where none or several fit.

        Args:
            names: What the source calls it, the most specific first.
            attributes: OpenTelemetry resource attributes that it has, such as ``k8s.deployment.name``; an entity fits
                that lists at least one of them with the same value, besides those that many share, and none with
                another value.
        """
        for name in names:
            if name in self.aliases:
                return Place(self.aliases[name], 1.0)
        told = {key: value for key, value in (attributes or {}).items() if value}
        fitting = [entity.entity_id for entity in self.entities if _fits(entity.attributes, told)]
        if len(fitting) == 1:
            return Place(fitting[0], 1.0)
        for name in names:
            same = {entity.entity_id for entity in self.entities if name and name in (entity.entity_id, entity.name)}
            if len(same) == 1:
                return Place(same.pop(), NAME_CONFIDENCE)
        return None


def _fits(listed: Mapping[str, str], told: Mapping[str, str]) -> bool:
    shared = listed.keys() & told.keys()
    return bool(shared - SHARED) and all(listed[key] == told[key] for key in shared)
