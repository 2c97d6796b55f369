"""Labelled places where a test may end the process; in production, reaching one is a call of an empty function."""

from collections.abc import Callable
from typing import Final

Failpoint = Callable[[str], None]
"""Told the label of the place that was reached."""

LABELS: Final = (
    "fill:before-commit",
    "fill:after-commit",
    "fill:verified",
    "fill:before-trim",
    "fill:after-trim",
    "compact:before-commit",
    "compact:after-commit",
    "vacuum:before",
    "vacuum:after",
    "import:before-commit",
    "import:after-commit",
)
"""Every label."""


def nowhere(_label: str) -> None:
    """Do nothing, as everywhere but in the tests of crashes."""
