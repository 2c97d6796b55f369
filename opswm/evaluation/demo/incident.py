"""One incident of the demo web shop: lived in the simulator, recorded, and read back the way a real one is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opswm.simulation.branch import Verdict, true_outcomes
from opswm.simulation.kernel.episodes import EpisodePlan, Lived, live
from opswm.simulation.recorder import decision_at, write_recording
from opswm.timeline.build import build_timeline
from opswm.timeline.timeline import Timeline
from opswm_schemas.questions import Course
from opswm_schemas.recordings.reader import Recording

SYSTEM_ID: Final = "web-shop"
MAX_CANDIDATES: Final = 16


@dataclass(frozen=True)
class DemoIncident:
    """An incident up to its decision.

    Attributes:
        seed: Of the world; below 1,000,000, where training never draws its own.
        lived: True states at the decision, to branch from.
        row: Which of them is this one.
        recording: What monitoring kept of it.
        timeline: That recording, as known at the decision.
    """

    seed: int
    lived: Lived
    row: int
    recording: Path
    timeline: Timeline

    @property
    def label(self) -> str:
        """What truly went wrong."""
        return self.lived.incidents[self.row].label

    def truth(self, courses: Sequence[Course], horizon_ticks: int) -> Verdict:
        """Return what each course truly does, in futures that all share; the first must be ``no_op``."""
        return true_outcomes(self.lived, self.row, courses, horizon_ticks)


def demo_incidents(seeds: Sequence[int], folder: Path, context_ticks: int) -> list[DemoIncident]:
    """Let incidents happen, side by side, and record them; each depends on its own seed alone.

    Args:
        seeds: Of the worlds, 0 or more.
        folder: Where the recordings go, under names with the seeds; they must not be there yet.
        context_ticks: Ticks of history that the timelines hold.

    Raises:
        ValueError: When a seed is negative.
        FileExistsError: When a recording is already there.
    """
    lived = live(EpisodePlan(system="web_shop"), seeds)
    return [_recorded(lived, row, seed, folder, context_ticks) for row, seed in enumerate(seeds)]


def demo_incident(seed: int, folder: Path, context_ticks: int) -> DemoIncident:
    """Let one incident happen and record it; raises as :func:`demo_incidents` does.

    Args:
        seed: Of the world, 0 or more.
        folder: Where the recording goes, under a name with the seed.
        context_ticks: Ticks of history that the timeline holds.
    """
    return demo_incidents([seed], folder, context_ticks)[0]


def _recorded(lived: Lived, row: int, seed: int, folder: Path, context_ticks: int) -> DemoIncident:
    path = folder / f"{SYSTEM_ID}-seed-{seed}"
    write_recording(lived, row, path, SYSTEM_ID)
    with Recording.open(path) as recording:
        timeline = build_timeline(
            recording.descriptor,
            recording.metrics(),
            recording.actions(),
            recording.events(),
            decision_at(lived, row),
            context_ticks,
        )
    return DemoIncident(seed, lived, row, path, timeline)
