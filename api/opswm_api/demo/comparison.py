"""What the model said beside what is true: every ranked course carried out in the simulator, and each miss marked."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from opswm.simulation.branch import Verdict
from opswm_api.tables import table_titled
from opswm_api.words import course_words, interval
from opswm_schemas.answers import RankedCourse, RankingAnswer


@dataclass(frozen=True)
class Compared:
    """One course as it was predicted and as it truly is, in bad minutes against doing nothing.

    Attributes:
        ranked: As it was predicted.
        effect, effect_error: True mean effect, and its standard error.
        is_best: Whether no other course is truly better by more than the noise floor.
        misses: What the model got wrong about it, in words.
    """

    ranked: RankedCourse
    effect: float
    effect_error: float
    is_best: bool
    misses: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A whole ranking against the truth.

    Attributes:
        courses: In the order of the ranking.
        regret: By how many bad minutes the course ranked first is worse than the best.
        avoidable: By how many the best course is better than doing nothing.
        num_futures: Simulated futures that the true effects are means over.
        noise_floor: Difference below which courses are tied, bad minutes.
    """

    courses: tuple[Compared, ...]
    regret: float
    avoidable: float
    num_futures: int
    noise_floor: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "regret_bad_minutes": self.regret,
            "avoidable_bad_minutes": self.avoidable,
            "num_futures": self.num_futures,
            "courses": [
                {
                    "course_id": one.ranked.course.course_id,
                    "true_effect_bad_minutes": one.effect,
                    "standard_error": one.effect_error,
                    "is_best": one.is_best,
                    "misses": list(one.misses),
                }
                for one in self.courses
            ],
        }


def compare(answer: RankingAnswer, truth: Verdict) -> Comparison:
    """Return a ranking beside the truth.

    The chosen course is the one ranked first, blocked ones left out; they are not carried out.

    Args:
        answer: The ranking.
        truth: Of the same courses, in any order.
    """
    true = {outcome.course_id: outcome for outcome in truth.outcomes}
    floor = truth.noise_floor_bad_minutes
    courses = []
    for ranked in answer.ranked:
        outcome = true[ranked.course.course_id]
        effect = outcome.effect_bad_minutes
        misses = _misses(ranked, effect, outcome.effect_error, floor)
        courses.append(Compared(ranked, effect, outcome.effect_error, outcome.is_tied_with_best, misses))
    open_to_us = [one for one in courses if not one.ranked.blocked_by]
    best = min(one.effect for one in open_to_us)
    return Comparison(tuple(courses), open_to_us[0].effect - best, -best, truth.num_futures, floor)


def comparison_table(comparison: Comparison) -> Table:
    """Return the comparison as a table."""
    table = table_titled(f"Beside the truth: mean effect in {comparison.num_futures} simulated futures")
    table.add_column("#", justify="right")
    table.add_column("intervention", overflow="fold", ratio=1)
    table.add_column("predicted (90 %)", justify="right", no_wrap=True)
    table.add_column("true effect", justify="right", no_wrap=True)
    table.add_column("where the model was wrong")
    for one in comparison.courses:
        is_no_op = one.ranked.course.is_no_op
        best = " [bold]best[/bold]" if one.is_best else ""
        table.add_row(
            str(one.ranked.rank),
            course_words(one.ranked),
            "0" if is_no_op else interval(one.ranked.effect_bad_minutes),
            ("0" if is_no_op else f"{one.effect:+.2f} ± {one.effect_error:.2f}") + best,
            "; ".join(one.misses),
        )
    return table


def verdict_words(comparison: Comparison) -> str:
    """Return in one sentence how good the choice was."""
    wrong = sum(bool(one.misses) for one in comparison.courses)
    total = len(comparison.courses) - 1
    misses = f"{wrong} of {total} predictions missed." if wrong else f"None of {total} predictions missed."
    if comparison.avoidable <= comparison.noise_floor:
        return f"Nothing here helps by more than {comparison.noise_floor:.2f} bad minutes. {misses}"
    share = comparison.regret / comparison.avoidable
    if comparison.regret <= comparison.noise_floor:
        choice = f"The first choice is the best or tied with it: {comparison.avoidable:.2f} bad minutes can be avoided."
    else:
        choice = (
            f"The first choice is {comparison.regret:.2f} bad minutes worse than the best, which avoids "
            f"{comparison.avoidable:.2f} (regret {share:.2f})."
        )
    return f"{choice} {misses}"


def _misses(ranked: RankedCourse, effect: float, error: float, floor: float) -> tuple[str, ...]:
    """A miss is a wrong sign beyond the noise floor, or a true effect outside the interval by more than its error."""
    if ranked.course.is_no_op:
        return ()
    found = []
    predicted = ranked.effect_bad_minutes
    if predicted.value < -floor and effect > floor:
        found.append("said to help, harms")
    elif predicted.value > floor and effect < -floor:
        found.append("said to harm, helps")
    if not predicted.lower - 2.0 * error <= effect <= predicted.upper + 2.0 * error:
        found.append("outside the interval")
    return tuple(found)
