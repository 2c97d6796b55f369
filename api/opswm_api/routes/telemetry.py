"""``/v1/systems/{system_id}/telemetry``: batches of points as JSON."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from opswm_api.bodies import BoundedRoute
from opswm_api.dependencies import CurrentDescriptor, CurrentKey, CurrentServices
from opswm_api.problem_documents import ProblemItem
from opswm_api.problems import ProblemError, described
from opswm_schemas.base import Closed, Identifier
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.plausible import clock_problem, largest, value_problem
from opswm_schemas.rows import metrics_table
from opswm_schemas.telemetry import MetricPoint

router = APIRouter(prefix="/systems/{system_id}/telemetry", tags=["telemetry"], route_class=BoundedRoute)

_MAX_LISTED = 50


class TelemetryBatch(Closed):
    """Points that are stored together or not at all.

    Attributes:
        batch_id: The sender's name for the batch: sent again, it adds nothing.
        points: Within one channel in the order of ``event_at``; later batches may reach further back.
    """

    batch_id: Identifier
    points: Annotated[list[MetricPoint], Field(min_length=1, max_length=100_000)]


class TelemetryReceipt(Closed):
    """A batch that is stored.

    Attributes:
        table_version: Version of the telemetry table that holds it.
    """

    batch_id: Identifier
    num_points: int
    table_version: int


@router.post("", responses=described(404, 413, 415, 422, 503))
def append_telemetry(
    batch: TelemetryBatch, key: CurrentKey, descriptor: CurrentDescriptor, services: CurrentServices
) -> TelemetryReceipt:
    """Store a batch of points, exactly once per ``batch_id``."""
    problems = list(_problems(batch.points, descriptor))
    if problems:
        count = f"{len(problems)} of {len(batch.points)} points cannot be stored, so none was; see 'errors'"
        raise ProblemError(422, count, kind="telemetry", errors=problems[:_MAX_LISTED])
    version = services.store.telemetry.append_metrics(key, metrics_table(batch.points), batch.batch_id)
    services.metrics.points.add(len(batch.points), {"opswm.system.id": key.system_id})
    return TelemetryReceipt(batch_id=batch.batch_id, num_points=len(batch.points), table_version=version)


def _problems(points: list[MetricPoint], descriptor: SystemDescriptor) -> Iterator[ProblemItem]:
    channels = {channel.channel_id: channel for channel in descriptor.channels}
    latest: dict[str, datetime] = {}
    seen: dict[tuple[str, datetime, datetime], int] = {}
    for index, point in enumerate(points):
        channel = channels.get(point.channel_id)
        if channel is None:
            detail = (
                f"channel {point.channel_id!r} is not in revision {descriptor.revision} of the descriptor; add it there"
            )
            yield ProblemItem(pointer=f"#/points/{index}/channel_id", detail=detail)
            continue
        if (channel.instrument == "histogram") != (point.histogram is not None):
            wanted = "histogram" if channel.instrument == "histogram" else "value"
            detail = f"channel {point.channel_id!r} is a {channel.instrument}: give {wanted!r}"
            yield ProblemItem(pointer=f"#/points/{index}", detail=detail)
        wrong = value_problem(channel, largest(point))
        if wrong:
            part = "value" if point.histogram is None else "histogram"
            yield ProblemItem(pointer=f"#/points/{index}/{part}", detail=wrong)
        early = clock_problem(point)
        if early:
            yield ProblemItem(pointer=f"#/points/{index}/known_at", detail=early)
        first = seen.setdefault((point.channel_id, point.event_at, point.known_at), index)
        if first != index:
            detail = f"the same channel, event_at and known_at as in point {first}; keep one"
            yield ProblemItem(pointer=f"#/points/{index}", detail=detail)
        before = latest.setdefault(point.channel_id, point.event_at)
        if point.event_at < before:
            detail = f"event_at goes back behind {before.isoformat()} within one channel; sort the batch by event_at"
            yield ProblemItem(pointer=f"#/points/{index}/event_at", detail=detail)
        latest[point.channel_id] = max(before, point.event_at)
