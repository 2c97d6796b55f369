"""A decision point and its candidate courses as tensors: everything known by then, nothing stamped later."""

from collections.abc import Sequence

from opswm.action_features import action_features, affects_matrix
from opswm.errors import BadInputError
from opswm.tensors import ActionSlots, Situation
from opswm.timeline.timeline import Timeline
from opswm.windows.capabilities import matching_capability, touches_of
from opswm.windows.history import encode_history, state_at
from opswm.windows.layout import layout_of
from opswm.windows.objectives import chosen_objectives
from opswm.windows.parameters import plain_parameters
from opswm.windows.past import encode_past
from opswm.windows.slots import ActionRow, pack
from opswm.windows.structure import encode_structure
from opswm_schemas.descriptor import Objective, SystemDescriptor
from opswm_schemas.questions import CandidateAction, Course


def encode_situation(
    descriptor: SystemDescriptor,
    timeline: Timeline,
    context_ticks: int,
    objectives: Sequence[Objective] | None = None,
    ignore: Sequence[str] = (),
) -> Situation:
    """Return one decision point (``B`` = 1).

    Args:
        descriptor: The system.
        timeline: Up to the decision, made from what was known by then.
        context_ticks: Ticks of history; older ones are cut, missing ones are padded as unseen.
        objectives: Instead of the descriptor's own.
        ignore: Ids of logged actions to leave out (those that a training sample asks about).

    Raises:
        BadInputError: When objectives do not fit the system; having none is fine where no cost is asked for.
    """
    layout = layout_of(descriptor)
    chosen = chosen_objectives(descriptor, objectives)
    return Situation(
        structure=encode_structure(descriptor, layout, timeline.relations, chosen, descriptor.step_s),
        history=encode_history(layout, timeline.value, timeline.seen, context_ticks),
        past=encode_past(descriptor, layout, timeline, context_ticks, ignore),
    )


def encode_courses(
    descriptor: SystemDescriptor, timeline: Timeline, courses: Sequence[Course], horizon_ticks: int
) -> ActionSlots:
    """Return candidate courses (``B`` = 1): requests only, with parameters relative to the present state.

    ``no_op`` has no filled slot, so any number of deliberate waits is the same course.

    Args:
        descriptor: The system.
        timeline: Up to the decision.
        courses: The first is ``no_op``, which the others are compared with.
        horizon_ticks: How far ahead is looked.

    Raises:
        BadInputError: When the first course is not ``no_op``, a target is unknown, or an action would be
            requested only after the horizon.
    """
    if not courses or not courses[0].is_no_op:
        raise BadInputError("the first course must be no_op: every effect is a difference to it")
    layout = layout_of(descriptor)
    states: dict[tuple[int, ...], dict[str, float]] = {}

    def encode(action: CandidateAction, course_id: str) -> ActionRow:
        if action.target not in layout.entity:
            raise BadInputError(
                f"course {course_id!r} aims at {action.target!r}, which system {descriptor.system_id!r} lacks; use one "
                "of its entity ids"
            )
        if action.delay_ticks >= horizon_ticks:
            raise BadInputError(
                f"course {course_id!r} asks for an action after {action.delay_ticks} ticks, but the question ends "
                f"after {horizon_ticks}: ask for it earlier or look further ahead"
            )
        targets = (layout.entity[action.target],)
        capability = matching_capability(descriptor, action.params, action.target, action.capability_id)
        if targets not in states:
            states[targets] = state_at(layout, timeline.value, timeline.seen, targets)
        plain = plain_parameters(action.params, action.target, capability=capability)
        return ActionRow(
            type=action.params.type,
            targets=targets,
            features=action_features(action.params.type, plain, states[targets]),
            affects=affects_matrix(touches_of(capability, layout), targets, layout.num_entities),
            tick=float(action.delay_ticks),
        )

    return pack(
        [
            [encode(action, course.course_id) for action in course.actions if action.params.type != "no_op"]
            for course in courses
        ],
        layout.num_entities,
    )
