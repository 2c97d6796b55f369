"""Which entity of a descriptor a source means: by what somebody configured, else by attributes, else by name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opswm_schemas.descriptor import Entity, SystemDescriptor

ALIAS: Final = "opswm.alias"
"""Attribute of an entity with what sources call it, separated by commas."""

ENVIRONMENT: Final = "deployment.environment.name"
DEFAULT_ENVIRONMENTS: Final = frozenset({"production"})
"""Environments that a system is where none of its entities says."""

NAME_CONFIDENCE: Final = 0.7
"""How sure an entity is that was found by its bare name."""

SHARED: Final = frozenset(
    {"k8s.namespace.name", "k8s.cluster.name", "service.namespace", "service.version", ENVIRONMENT}
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


class Places:
    """Finds the entities of one system by what sources call them, each in the time of a few look-ups.

    Args:
        entities: Of the descriptor. Those that list aliases in attribute ``opswm.alias`` are found by them before
            everything else; an alias that two entities list stands for neither.
    """

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._attributes: dict[str, Mapping[str, str]] = {}
        aliases: defaultdict[str, set[str]] = defaultdict(set)
        self._named: defaultdict[str, set[str]] = defaultdict(set)
        self._told: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        environments: set[str] = set()
        for entity in entities:
            attributes = entity.attributes
            self._attributes[entity.entity_id] = attributes
            for alias in filter(None, map(str.strip, attributes.get(ALIAS, "").split(","))):
                aliases[alias].add(entity.entity_id)
            for name in filter(None, (entity.entity_id, entity.name)):
                self._named[name].add(entity.entity_id)
            for key in attributes.keys() - SHARED:
                self._told[key, attributes[key]].append(entity.entity_id)
            if attributes.get(ENVIRONMENT):
                environments.add(attributes[ENVIRONMENT])
        self.aliases = {alias: next(iter(owners)) for alias, owners in aliases.items() if len(owners) == 1}
        self.environments = frozenset(environments) or DEFAULT_ENVIRONMENTS

    @classmethod
    def of(cls, descriptor: SystemDescriptor) -> "Places":
        """Return the places of a system."""
        return cls(descriptor.entities)

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
        candidates = {owner for pair in told.items() for owner in self._told.get(pair, ())}
        fitting = [owner for owner in candidates if _agree(self._attributes[owner], told)]
        if len(fitting) == 1:
            return Place(fitting[0], 1.0)
        for name in names:
            owners = self._named.get(name, set())
            if len(owners) == 1:
                return Place(next(iter(owners)), NAME_CONFIDENCE)
        return None


def _agree(listed: Mapping[str, str], told: Mapping[str, str]) -> bool:
    return all(listed[key] == told[key] for key in listed.keys() & told.keys())
