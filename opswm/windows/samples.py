"""Training data from logs of real systems: one arm per decision point, what was done and what then was seen."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from opswm.canonical import to_feature
from opswm.errors import BadInputError
from opswm.tensors import Batch
from opswm.timeline.build import build_timeline, lookback
from opswm.windows.layout import layout_of
from opswm.windows.objectives import required_objectives
from opswm.windows.outcomes import observed_bad_share
from opswm.windows.points import NO_OP, LoggedPoint
from opswm.windows.situation import encode_courses, encode_situation
from opswm.windows.stacking import stack_batches
from opswm_schemas.actions.record import Action
from opswm_schemas.descriptor import Objective, SystemDescriptor
from opswm_schemas.telemetry import Event

UNKNOWN_ERROR: Final = 1e3
"""Standard error given to effects that no log can show, so that nothing weighs them by mistake."""


def logged_batch(
    descriptor: SystemDescriptor,
    metrics: pa.Table,
    actions: Sequence[Action],
    events: Sequence[Event],
    points: Sequence[LoggedPoint],
    context_ticks: int,
    horizon_ticks: int,
    settle_s: float = 60.0,
    objectives: Sequence[Objective] | None = None,
) -> Batch:
    """Return one row per decision point: scenario 0 is ``no_op``, scenario 1 what was done where something was.

    Only the arm that was run has an outcome; effects are unknown (0 with a huge error). A point whose outcome was
    seen for less than half of its horizon at any objective has no arm at all. Gaps in an outcome hold its last value.

    Args:
        descriptor: The system.
        metrics: Its readings, in the columns of ``METRICS``.
        actions: Its log.
        events: Its events.
        points: From ``logged_points``.
        context_ticks: Ticks of history.
        horizon_ticks: Ticks of outcome.
        settle_s: How long after its horizon an outcome may still become known, seconds.
        objectives: Instead of the descriptor's own.

    Raises:
        BadInputError: When there is no point, or objectives do not fit the system.
    """
    if not points:
        raise BadInputError("no decision point: the log is shorter than a horizon, or asks overlap everywhere")
    chosen, layout = required_objectives(descriptor, objectives), layout_of(descriptor)
    horizon = timedelta(seconds=horizon_ticks * descriptor.step_s)
    settle_ticks = int(np.ceil(settle_s / descriptor.step_s))
    rows: list[Batch] = []
    for point in points:
        end = point.at + horizon + timedelta(seconds=settle_ticks * descriptor.step_s)
        near = _between(metrics, point.at - lookback(descriptor, context_ticks), end)
        before = build_timeline(descriptor, near, actions, events, point.at, context_ticks)
        after = build_timeline(descriptor, near, (), (), end, horizon_ticks + settle_ticks)
        value, seen = after.value[:horizon_ticks], after.seen[:horizon_ticks]
        bad, known = observed_bad_share(descriptor, layout, chosen, value, seen)
        courses = [NO_OP] if point.course.is_no_op else [NO_OP, point.course]
        arm = len(courses) - 1
        feature = to_feature(np.where(seen, value, 0.0), layout.channel_meaning)
        rows.append(
            Batch(
                situation=encode_situation(descriptor, before, context_ticks, chosen, ignore=point.action_ids),
                courses=encode_courses(descriptor, before, courses, horizon_ticks),
                arm=_only(arm, torch.tensor(bool(known.mean(axis=0).min() >= 0.5)), len(courses)),
                bad=_only(arm, torch.from_numpy(_hold(bad, known)).to(torch.float32), len(courses)),
                effect=torch.zeros(1, len(courses)),
                effect_error=torch.full((1, len(courses)), UNKNOWN_ERROR),
                channel=_only(arm, torch.from_numpy(layout.spread(feature)).to(torch.float32), len(courses)),
                channel_seen=_only(arm, torch.from_numpy(layout.spread(seen)), len(courses)),
            )
        )
    return stack_batches(rows)


def _between(metrics: pa.Table, since: datetime, until: datetime) -> pa.Table:
    """Readings taken in a stretch of time: what one point needs of a long log."""
    taken = metrics["event_at"]
    return metrics.filter(pc.and_(pc.greater_equal(taken, since), pc.less_equal(taken, until)))


def _only(arm: int, outcome: torch.Tensor, num_courses: int) -> torch.Tensor:
    """Put an outcome into its arm ``[1, S, ...]``, zero (false) elsewhere."""
    placed = outcome.new_zeros((1, num_courses, *outcome.shape))
    placed[0, arm] = outcome
    return placed


def _hold(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill gaps with the value before, and the first with the first known."""
    held = values.copy()
    for column in range(values.shape[1]):
        ticks = np.flatnonzero(known[:, column])
        if ticks.size:
            place = np.searchsorted(ticks, np.arange(values.shape[0]), side="right") - 1
            held[:, column] = values[ticks[np.maximum(place, 0)], column]
    return held
