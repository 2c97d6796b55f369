"""Answers as text for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from opswm.planning.headline import minutes_words
from opswm.planning.wording import describe_course
from opswm_api.tables import plain, table_titled
from opswm_schemas.answers import Interval, RankedCourse, RankingAnswer, WhatIfAnswer

VERDICTS = {
    "recommend": "[green]recommend[/green]",
    "worth_testing": "[cyan]worth testing[/cyan]",
    "no_op_best": "wait",
    "inconclusive": "[yellow]inconclusive[/yellow]",
}
"""Verdicts in words."""


def interval(found: Interval, digits: int = 2) -> str:
    """Return a central value with its 90 % ends.

    Args:
        found: The interval.
        digits: Behind the point.
    """
    return f"{found.value:+.{digits}f} ({found.lower:+.{digits}f} to {found.upper:+.{digits}f})"


def course_words(ranked: RankedCourse) -> str:
    """Return what a ranked course does."""
    words = describe_course(ranked.course)
    return plain(words[0].upper() + words[1:])


def ranking_table(answer: RankingAnswer) -> Table:
    """Return the ranked courses as a table."""
    title = f"Effects in bad minutes against doing nothing, over {answer.horizon_minutes:.1f} min"
    table = table_titled(title)
    table.add_column("#", justify="right")
    table.add_column("intervention", overflow="fold", ratio=1)
    table.add_column("effect (90 %)", justify="right", no_wrap=True)
    table.add_column("recovery", justify="right", no_wrap=True)
    table.add_column("P(best)", justify="right")
    table.add_column("P(harm)", justify="right")
    table.add_column("grade")
    table.add_column("verdict", overflow="fold")
    for ranked in answer.ranked:
        is_no_op = ranked.course.is_no_op
        table.add_row(
            str(ranked.rank),
            course_words(ranked),
            "0" if is_no_op else interval(ranked.effect_bad_minutes),
            _recovery(ranked, answer.horizon_minutes),
            f"{ranked.p_best:.2f}",
            "" if is_no_op else f"{ranked.p_harm:.2f}",
            "" if is_no_op else ranked.evidence_grade,
            "" if is_no_op else _verdict(ranked),
        )
    return table


def _recovery(ranked: RankedCourse, horizon_minutes: float) -> str:
    minutes = ranked.headline.recovery_minutes.value
    return minutes_words(minutes, horizon_minutes).replace("more than", ">")


def _verdict(ranked: RankedCourse) -> str:
    return f"blocked: {plain(ranked.blocked_by[0])}" if ranked.blocked_by else VERDICTS[ranked.verdict]


def print_ranking(console: Console, answer: RankingAnswer) -> None:
    """Print a ranking: headline, table, what would change it.

    Args:
        console: Where to.
        answer: The ranking.
    """
    console.print(f"[bold]{plain(answer.headline)}[/bold]")
    console.print(ranking_table(answer))
    print_sentences(console, "Would change the advice", answer.would_change)
    print_sentences(console, "Notes", answer.notes)
    told = answer.provenance
    age = "no telemetry" if told.data_age_s is None else f"telemetry {told.data_age_s:.0f} s old"
    source, model = plain(answer.calibration_source), plain(told.model_id)
    console.print(
        f"As of {told.decided_at:%Y-%m-%d %H:%M:%S} UTC, {age}, valid until {told.expires_at:%H:%M:%S}; "
        f"ties within {answer.noise_floor_bad_minutes:.2f} bad minutes; calibrated on {source}; "
        f"{model} {told.model_digest[:12]}; decision {told.decision_id}"
    )


def print_sentences(console: Console, title: str, sentences: Sequence[str]) -> None:
    """Print sentences as a list under a title, nothing where there are none."""
    if sentences:
        console.print(f"{title}:")
    for sentence in sentences:
        console.print(f"  - {plain(sentence)}")


def print_what_if(console: Console, answer: WhatIfAnswer) -> None:
    """Print the futures of a what-if: cost per course, and the median with its outer quantiles at the end.

    Args:
        console: Where to.
        answer: The futures.
    """
    minutes = (answer.ticks_at[-1] - answer.provenance.decided_at).total_seconds() / 60.0
    costs = table_titled(f"Until {answer.ticks_at[-1]:%H:%M:%S} UTC, {minutes:.1f} min ahead")
    for heading in ("course", "SLO cost, bad minutes (90 %)", "bad share: first, worst, last tick"):
        costs.add_column(heading)
    for future in answer.futures:
        share = future.bad_ratio
        shown = f"{share[0]:.3f}, {max(share):.3f}, {share[-1]:.3f}"
        cost = future.slo_cost_bad_minutes
        range_ = f"{cost.value:.2f} ({cost.lower:.2f} to {cost.upper:.2f})"
        costs.add_row(plain(_name(future.course.course_id, future.course.label)), range_, shown)
    console.print(costs)
    bands = table_titled("At the last tick: median (outer quantiles)")
    for heading in ("channel", "unit", *(plain(future.course.course_id) for future in answer.futures)):
        bands.add_column(heading)
    for position, channel in enumerate(answer.futures[0].channels):
        cells = [_band(future.channels[position].values[-1]) for future in answer.futures]
        bands.add_row(plain(channel.channel_id), plain(channel.unit), *cells)
    console.print(bands)
    print_sentences(console, "Notes", answer.notes)


def _name(course_id: str, label: str) -> str:
    return f"{course_id}: {label}" if label else course_id


def _band(row: Sequence[float]) -> str:
    return f"{row[len(row) // 2]:.4g} ({row[0]:.4g} to {row[-1]:.4g})"
