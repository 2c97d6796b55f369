"""The demo itself: an incident happens, is recorded, ranked from its recording, and compared with the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from opswm.clock import FixedClock
from opswm.evaluation.demo.incident import MAX_CANDIDATES, SYSTEM_ID, DemoIncident, demo_incident
from opswm.simulation.branch import true_outcomes
from opswm_api.advisor import Advisor
from opswm_api.demo.comparison import Comparison, compare, comparison_table, verdict_words
from opswm_api.demo.situation import situation, truth
from opswm_api.mind import Mind, load_mind
from opswm_api.storing import store_recording
from opswm_api.tables import plain
from opswm_api.wiring import memory_store
from opswm_api.words import print_ranking
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.questions import RankingRequest

TORCH_THREADS: Final = 2
FUTURES: Final = 8
"""Simulated futures behind each true effect: as many as can be waited for; their standard error is shown."""


@dataclass(frozen=True)
class Shown:
    """What the demo showed.

    Attributes:
        incident: What happened.
        answer: The ranking.
        comparison: Beside the truth.
        sentences: The situation in words.
        truth: What is truly wrong, in words.
    """

    incident: DemoIncident
    answer: RankingAnswer
    comparison: Comparison
    sentences: tuple[str, ...]
    truth: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "seed": self.incident.seed,
            "situation": list(self.sentences),
            "truth": self.truth,
            "ranking": self.answer.model_dump(mode="json", by_alias=True),
            "comparison": self.comparison.to_json(),
        }


def show(seed: int, folder: Path, checkpoint: Path | None, console: Console) -> Shown:
    """Let an incident happen and print what the model makes of it; the ranking is out before the truth is known.

    Args:
        seed: Which incident.
        folder: Where its recording goes.
        checkpoint: The world model; the shipped one where left out.
        console: Where to print.

    Raises:
        CheckpointError: When the world model cannot be read.
    """
    mind = load_mind(checkpoint, TORCH_THREADS)
    incident = demo_incident(seed, folder, mind.planner.context_ticks)
    sentences = tuple(situation(incident))
    for sentence in sentences:
        console.print(plain(sentence))
    answer = _rank(incident, mind)
    console.print()
    print_ranking(console, answer)
    console.print("\n[dim]The same courses are now carried out in the simulator ...[/dim]")
    courses = sorted((ranked.course for ranked in answer.ranked), key=lambda course: not course.is_no_op)
    horizon = mind.planner.horizon_ticks
    comparison = compare(answer, true_outcomes(incident.lived, 0, courses, horizon, most_futures=FUTURES))
    wrong = truth(incident)
    console.print(f"Truly wrong (neither model nor rules are told): {plain(wrong)}")
    console.print(comparison_table(comparison))
    console.print(f"[bold]{plain(verdict_words(comparison))}[/bold]")
    return Shown(incident, answer, comparison, sentences, wrong)


def _rank(incident: DemoIncident, mind: Mind) -> RankingAnswer:
    """Rank from the recording alone, by the same path as any other recording."""
    at = incident.timeline.at
    request = RankingRequest(system_id=SYSTEM_ID, at=at, max_candidates=MAX_CANDIDATES, seed=incident.seed)
    with memory_store() as store:
        store_recording(store, incident.recording)
        return Advisor(store, mind, FixedClock(at)).rank(request)
