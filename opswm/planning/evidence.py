"""What an effect estimate rests on, and how far that lets a verdict go.

E0 none, E1 simulation only, E2 other systems' logs, E3 this system's logs with a passed shadow backtest for the
action type, E4 this system's randomised or twin runs. ``recommend`` needs E3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opswm_schemas.answers import EvidenceGrade
from opswm_schemas.questions import Course

GRADES: Final[tuple[EvidenceGrade, ...]] = ("E0", "E1", "E2", "E3", "E4")
RECOMMEND_FROM: Final[EvidenceGrade] = "E3"


@dataclass(frozen=True)
class EvidenceBook:
    """Grades of a model's claims about one system.

    Attributes:
        model: What the model learned from, and so the grade of any claim without better evidence.
        by_type: Grades that this system's own backtests, trials or twins have earned, by action type.
    """

    model: EvidenceGrade = "E1"
    by_type: Mapping[str, EvidenceGrade] = field(default_factory=dict)

    def grade(self, course: Course, support: float, min_support: float) -> EvidenceGrade:
        """Return the grade of the effect of a course: the worst of its actions, none where nothing alike was seen.

        Args:
            course: Any course.
            support: How near the question is to what was learned from.
            min_support: Less than this is no evidence.
        """
        if support < min_support:
            return "E0"
        types = {action.params.type for action in course.actions} - {"no_op"}
        return min((self.by_type.get(name, self.model) for name in types), key=GRADES.index, default=self.model)


def may_recommend(grade: EvidenceGrade) -> bool:
    """Return whether a grade is high enough for ``recommend``.

    Args:
        grade: Of one course.
    """
    return GRADES.index(grade) >= GRADES.index(RECOMMEND_FROM)
