"""``/v1/whatif``: the future under each of the caller's courses of action."""

from functools import partial
from time import perf_counter

from fastapi import APIRouter, Request

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentServices
from opswm_api.problems import described
from opswm_schemas.answers import WhatIfAnswer
from opswm_schemas.questions import WhatIfRequest

router = APIRouter(prefix="/whatif", tags=["questions"], route_class=BoundedRoute)


@router.post("", responses=described(404, 413, 415, 422, 503))
async def what_if(question: WhatIfRequest, request: Request, services: CurrentServices) -> WhatIfAnswer:
    """Return each channel's quantile bands, and the SLO cost, under each course and under doing nothing."""
    since = perf_counter()
    answer = await services.questions.run(request, partial(services.advisor.what_if, question))
    services.metrics.answered("whatif", "none", since)
    return answer
