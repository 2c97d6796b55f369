"""The numbers an on-call person feels: minutes to recovery and failed requests avoided, in words first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm.planning.outlook import Outlook
from opswm.planning.rank import Judged
from opswm.planning.readings import PRESENT_TICKS
from opswm.planning.wording import describe_course
from opswm.timeline.timeline import Timeline
from opswm.windows.layout import layout_of
from opswm_schemas.answers import Headline, Interval
from opswm_schemas.descriptor import Objective
from opswm_schemas.vocabulary import MEANING_INDEX

LEVEL: Final = 0.9
_TAILS: Final = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Feel:
    """How one course feels, next to doing nothing.

    Attributes:
        recovery: Minutes until users are well served, the horizon if never within it; None where nobody imagined it.
        avoided: Failed requests avoided against doing nothing; None where no request rate is measured.
    """

    recovery: Interval | None
    avoided: Interval | None


def request_rates(timeline: Timeline, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Return the present requests per second behind each objective ``[O]``; NaN where there is no such reading.

    Telemetry counts attempts, retries included, so this is an upper bound of the first attempts.

    Args:
        timeline: Up to the decision.
        objectives: Those of the question.
    """
    layout = layout_of(timeline.descriptor)
    rates = np.full(len(objectives), np.nan)
    value, seen = timeline.value[-PRESENT_TICKS:], timeline.seen[-PRESENT_TICKS:]
    for index, objective in enumerate(objectives):
        columns = layout.channels_at(layout.entity[objective.entity_id])
        columns = columns[layout.channel_meaning[columns] == MEANING_INDEX["request_rate"]]
        there = seen[:, columns]
        if objective.kind == "request" and there.any():
            rates[index] = value[:, columns][there].mean()
    return rates


def feel(
    outlook: Outlook, scenario: int, objectives: Sequence[Objective], rates: NDArray[np.float64], step_s: float
) -> Feel:
    """Return how a course feels.

    Several objectives of one entity count its requests once, by their weights.

    Args:
        outlook: What is expected of all courses.
        scenario: Which course.
        objectives: Those of the question.
        rates: From :func:`request_rates`.
        step_s: Length of a tick, seconds.
    """
    imagined = outlook.imagined
    shares = _shares(objectives, rates)
    measured = bool(shares.any())
    if imagined is None:
        return Feel(None, _avoided_from_effect(outlook, scenario, shares, rates) if measured else None)
    recovery = _interval(imagined.recovery[scenario])
    if not measured:
        return Feel(recovery, None)
    saved = (imagined.bad[0] - imagined.bad[scenario]).sum(axis=1)  # [K, O], ticks of badness
    return Feel(recovery, _interval(saved @ (shares * np.nan_to_num(rates)) * step_s))


def course_headline(judged: Judged, felt: Feel, waiting: Feel, horizon_minutes: float) -> Headline:
    """Return the headline of one ranked course.

    Args:
        judged: The course with its verdict.
        felt: How it feels.
        waiting: How doing nothing feels.
        horizon_minutes: How far ahead was looked; recovery is not known beyond.
    """
    unknown = Interval(value=horizon_minutes, lower=0.0, upper=horizon_minutes, level=LEVEL)
    recovery, alone = felt.recovery or unknown, waiting.recovery or unknown
    words = describe_course(judged.candidate.course)
    parts = [words[0].upper() + words[1:]]
    if felt.recovery is not None:
        parts.append(_recovery_words(recovery, alone, horizon_minutes, judged.scenario == 0))
    if judged.scenario and felt.avoided is not None:
        parts.append(_avoided_words(felt.avoided))
    if judged.scenario and felt.recovery is None and felt.avoided is None:
        parts.append(f"changes the SLO cost by {judged.value:+.2f} bad minutes")
    return Headline(
        text=f"{parts[0]}: {'; '.join(parts[1:]) or 'the course all others are compared with'}.",
        recovery_minutes=recovery,
        recovery_minutes_no_op=alone,
        failed_requests_avoided=felt.avoided if judged.scenario else None,
    )


def minutes_words(minutes: float, horizon_minutes: float) -> str:
    """Return a duration as a person says it; what reaches the horizon is only known to be longer.

    Args:
        minutes: How long.
        horizon_minutes: How far ahead was looked.
    """
    if minutes >= horizon_minutes - 1e-9:
        return f"more than {horizon_minutes:.1f} min"
    return "at once" if minutes <= 0.0 else f"{minutes:.1f} min"


def _recovery_words(recovery: Interval, alone: Interval, horizon_minutes: float, is_no_op: bool) -> str:
    when = minutes_words(recovery.value, horizon_minutes)
    said = f"users well served {when if when == 'at once' else f'again in {when}'}"
    if is_no_op or minutes_words(alone.value, horizon_minutes) == when:
        return said
    return f"{said} instead of {minutes_words(alone.value, horizon_minutes)}"


def _avoided_words(avoided: Interval) -> str:
    count = abs(avoided.value)
    number = f"about {count:,.0f}" if count >= 1.0 else "hardly any"
    return f"{number} {'more failed requests' if avoided.value < -1.0 else 'failed requests avoided'}"


def _shares(objectives: Sequence[Objective], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of its entity's requests that each objective speaks for ``[O]``; 0 where no rate is measured."""
    weight = np.where(np.isnan(rates), 0.0, [objective.weight for objective in objectives])
    total = np.zeros(len(objectives))
    for index, objective in enumerate(objectives):
        same = np.array([other.entity_id == objective.entity_id for other in objectives])
        total[index] = (weight * same).sum()
    return np.asarray(np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0), dtype=np.float64)


def _avoided_from_effect(
    outlook: Outlook, scenario: int, shares: NDArray[np.float64], rates: NDArray[np.float64]
) -> Interval:
    """Bad minutes at the mean request rate behind the objectives."""
    rate = 60.0 * float((shares * np.nan_to_num(rates)).sum())
    effects = outlook.effects
    value, low, high = (-rate * float(part[0, scenario]) for part in (effects.value, effects.upper, effects.lower))
    return Interval(value=value, lower=low, upper=high, level=LEVEL)


def _interval(samples: NDArray[np.float64]) -> Interval:
    lower, middle, upper = (float(value) for value in np.quantile(samples, _TAILS))
    return Interval(value=middle, lower=lower, upper=upper, level=LEVEL)
