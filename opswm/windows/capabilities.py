"""Which capability an action uses, and which entities and resources it is said to touch."""

from opswm.action_features import Touch
from opswm.windows.layout import Layout
from opswm_schemas.actions.parameters import ConfigChange, Parameters
from opswm_schemas.actions.record import Action
from opswm_schemas.capability import Capability, validate_parameters
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.vocabulary import RESOURCES


def matching_capability(
    descriptor: SystemDescriptor, params: Parameters, target: str, capability_id: str | None = None
) -> Capability | None:
    """Return the capability that an action uses, or None where the descriptor has none for its type and target.

    Several may do (flushing a cache and warming it touch opposite things): the first whose bounds hold the
    parameters is meant, else the first that is about the same configuration key, else the first.

    Args:
        descriptor: The system.
        params: Of any type.
        target: Entity id.
        capability_id: The one meant, where that is known.
    """
    fitting = [
        capability
        for capability in descriptor.capabilities
        if capability.type == params.type
        and target in capability.targets
        and capability_id in (None, capability.capability_id)
    ]
    if len(fitting) > 1:
        within = [capability for capability in fitting if not validate_parameters(capability, params)]
        about_key = [
            capability
            for capability in fitting
            if isinstance(params, ConfigChange)
            and "key" in capability.bounds
            and capability.bounds["key"].allows(params.key)
        ]
        fitting = within or about_key or fitting
    return fitting[0] if fitting else None


def touches_of(capability: Capability | None, layout: Layout) -> tuple[Touch, ...]:
    """Return what a capability says it touches; nothing is known of an action without one.

    Args:
        capability: From :func:`matching_capability`.
        layout: Of the descriptor that it belongs to.
    """
    touches: list[Touch] = []
    for affect in capability.affects if capability else ():
        named = affect.relation or (() if affect.entity_id is None else (affect.entity_id,))
        entities = tuple(layout.entity[identifier] for identifier in named)
        touches.append(Touch(entities, RESOURCES.index(affect.resource), affect.sign))
    return tuple(touches)


def targets_of(descriptor: SystemDescriptor, action: Action) -> list[str]:
    """Return the entities of the descriptor that a logged action was aimed at.

    A selector that was never resolved matches entities that carry all its attributes. Entities that the
    descriptor lacks (removed since, or another system's) are left out.

    Args:
        descriptor: The system.
        action: A logged action.
    """
    known = descriptor.entity_index()
    wanted = action.target.selector
    if wanted is not None and not action.resolved_targets:
        return [e.entity_id for e in descriptor.entities if wanted.items() <= e.attributes.items()]
    return [identifier for identifier in action.targets if identifier in known]
