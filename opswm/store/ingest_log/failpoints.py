"""Labelled places where a test may end the process; in production, reaching one is a call of an empty function."""

from collections.abc import Callable
from typing import Final

Failpoint = Callable[[str], None]
"""Told the label of the place that was reached."""

LABELS: Final = (
    "append:before-commit",
    "append:after-commit",
    "append:after-mark",
    "trim:before-commit",
    "trim:after-commit",
    "trim:after-mark",
    "checkpoint:before",
    "checkpoint:after",
)
"""Every label, of an append, of a trim, and of the checkpoint that either may end with."""


def nowhere(_label: str) -> None:
    """Do nothing, as everywhere but in the tests of crashes."""
