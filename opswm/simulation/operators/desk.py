"""What lies on an operator's desk: choices made, and work that the system was asked to do because of them."""

from dataclasses import dataclass, field

from opswm.simulation.kernel.episodes import Course
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.operators.habits import Fate


@dataclass(frozen=True)
class Decision:
    """One choice of one operator.

    Attributes:
        at_s: Second at which it was made.
        alert_s: Second since which users had been suffering; None for routine work.
        policy_id: How it was chosen.
        courses: What was considered.
        propensity: True chance of each.
        chosen: Which one was taken.
        fate: What became of it.
    """

    at_s: float
    alert_s: float | None
    policy_id: str
    courses: tuple[Course, ...]
    propensity: tuple[float, ...]
    chosen: int
    fate: Fate

    @property
    def course(self) -> Course:
        """What was chosen."""
        return self.courses[self.chosen]


@dataclass
class Task:
    """One action that the system was asked for; its end is known once it is scheduled.

    Attributes:
        request: What was asked, and when.
        decision: Number of the choice behind it.
        abandoned: Whether it is given up after its start.
        effect_s: When it takes effect or fails, or would have if it had not been given up.
        succeeds: Whether it has an effect.
    """

    request: Request
    decision: int
    abandoned: bool
    effect_s: float = 0.0
    succeeds: bool = False


@dataclass
class Desk:
    """One world's operator at work.

    Attributes:
        decisions: Choices so far.
        tasks: What the system was asked to do because of them.
        busy_until_s: No new choice before this second.
        alerts: Alerts so far.
        alert_s: Start of the present one, None in quiet times.
        ready_s: When somebody has taken it up.
    """

    decisions: list[Decision] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    busy_until_s: float = 0.0
    alerts: int = 0
    alert_s: float | None = None
    ready_s: float = 0.0
