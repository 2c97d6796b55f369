"""The one path from a question to a ranking, for command line, service and benchmark alike."""

from opswm.errors import BadInputError
from opswm.planning.candidates import enumerate_candidates, given_candidates
from opswm.planning.outlook import Adviser
from opswm.planning.provenance import Sources
from opswm.planning.rank import RankingPolicy, judge
from opswm.planning.ranking_answer import Deliberation, ranking_answer
from opswm.rollout.cost import noise_floor
from opswm.timeline.timeline import Timeline
from opswm.windows.objectives import required_objectives
from opswm.windows.situation import encode_courses, encode_situation
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.questions import ForecastRequest, RankingRequest, WhatIfRequest


def advise(
    timeline: Timeline,
    request: RankingRequest,
    adviser: Adviser,
    sources: Sources,
    policy: RankingPolicy | None = None,
) -> RankingAnswer:
    """Rank the candidate courses of one question.

    The request's harm tolerance goes before the policy's. The same arguments give the same answer, bit for bit.

    Args:
        timeline: The system's past, as known at the decision; carries the descriptor.
        request: The question.
        adviser: Who estimates effects.
        sources: What else the answer is made from, for its provenance and evidence grade.
        policy: How cautious to be.

    Raises:
        BadInputError: When the question is about another system or moment, has no objective, names unknown
            entities or capabilities, or looks further ahead than the adviser can.
    """
    require_same(timeline, request)
    descriptor = timeline.descriptor
    objectives = required_objectives(descriptor, request.objectives)
    if request.courses is None:
        listed = enumerate_candidates(descriptor, timeline, request.max_candidates, request.seed, objectives)
    else:
        listed = given_candidates(descriptor, timeline, request.courses)
    courses = [candidate.course for candidate in listed.candidates]
    situation = encode_situation(descriptor, timeline, adviser.context_ticks, objectives)
    slots = encode_courses(descriptor, timeline, courses, request.horizon_ticks)
    outlook = adviser.outlook(situation, slots, request.seed, request.horizon_ticks)
    floor = float(noise_floor(request.horizon_ticks, situation.structure.step_s.double().numpy())[0])
    chosen = (policy or RankingPolicy()).tolerating(request.harm_tolerance)
    judgement = judge(outlook, listed.candidates, floor, chosen, sources.evidence, request.seed)
    deliberation = Deliberation(objectives, outlook, judgement, chosen, floor, adviser.calibration_source, listed.notes)
    return ranking_answer(timeline, request, sources, deliberation)


def require_same(timeline: Timeline, request: RankingRequest | WhatIfRequest | ForecastRequest) -> None:
    """Check that a timeline is the one a question is about.

    Args:
        timeline: Up to the decision.
        request: The question.

    Raises:
        BadInputError: When it is of another system, or ends at another moment than was asked about.
    """
    if request.system_id != timeline.descriptor.system_id:
        raise BadInputError(
            f"the question is about system {request.system_id!r}, the data are of {timeline.descriptor.system_id!r}"
        )
    if request.at is not None and request.at != timeline.at:
        raise BadInputError(
            f"the question is about {request.at.isoformat()}, the data end at {timeline.at.isoformat()}"
        )
