"""The typed relations of a blueprint, as a descriptor states them."""

from dataclasses import dataclass

from opswm.simulation.kernel.blueprint import Blueprint


@dataclass(frozen=True)
class Edge:
    """One relation; kinds as in ``opswm_schemas.vocabulary.RELATION_KINDS``."""

    source: str
    target: str
    kind: str
    synchronous: bool = True
    calls_per_request: float | None = None


def relations_of(blueprint: Blueprint) -> list[Edge]:
    """Return calls and messages, and on which hosts and in which zones parts run.

    Which parts are equivalent is said by what a traffic shift touches.
    """
    found = [
        Edge(link.source, link.target, link.kind, bool(link.synchronous), round(link.calls * link.weight, 4))
        for link in blueprint.links
    ]
    zones = {part.name for part in blueprint.parts if part.kind == "zone"}
    found += [Edge(part.name, part.host, "hosted_on") for part in blueprint.parts if part.host]
    return found + [Edge(part.name, part.zone, "located_in") for part in blueprint.parts if part.zone in zones]
