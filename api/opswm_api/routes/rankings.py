"""``/v1/rankings``: which course is best; every ranking is a stored decision."""

from functools import partial
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentServices
from opswm_api.problems import ProblemError, described
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.base import Identifier
from opswm_schemas.questions import RankingRequest

router = APIRouter(prefix="/rankings", tags=["questions"], route_class=BoundedRoute)

DecisionId = Annotated[Identifier, Path(description="As in the ranking's provenance.")]


@router.post("", status_code=201, responses=described(404, 413, 415, 422, 503))
async def rank(
    question: RankingRequest, request: Request, services: CurrentServices, response: Response
) -> RankingAnswer:
    """Rank the caller's courses, or those the system's capabilities allow, by their effect against doing nothing."""
    since = perf_counter()
    answer = await services.questions.run(request, partial(services.advisor.rank, question))
    services.metrics.answered("ranking", answer.verdict, since)
    response.headers["Location"] = f"/v1/rankings/{answer.provenance.decision_id}"
    return answer


@router.get("/{decision_id}", responses=described(404, 422, 503))
def get_ranking(decision_id: DecisionId, services: CurrentServices) -> RankingAnswer:
    """Return a stored ranking."""
    answer = services.store.ledger.decision(decision_id)
    if answer.provenance.tenant_id != services.tenant_id:
        raise ProblemError(404, f"decision {decision_id!r} is not stored", kind="not-found")
    return answer
