"""``/v1/forecasts``: what happens if nothing is done."""

from functools import partial
from time import perf_counter

from fastapi import APIRouter, Request

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentServices
from opswm_api.problems import described
from opswm_schemas.answers import ForecastAnswer
from opswm_schemas.questions import ForecastRequest

router = APIRouter(prefix="/forecasts", tags=["questions"], route_class=BoundedRoute)


@router.post("", responses=described(404, 413, 415, 422, 503))
async def forecast(question: ForecastRequest, request: Request, services: CurrentServices) -> ForecastAnswer:
    """Return each channel's quantile bands, and the SLO cost, if nothing is done."""
    since = perf_counter()
    answer = await services.questions.run(request, partial(services.advisor.forecast, question))
    services.metrics.answered("forecast", "none", since)
    return answer
