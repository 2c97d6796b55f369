"""Problems of a recording: each says where it is, what is wrong and what to do about it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from opswm_schemas.base import Closed

SHOWN = 5
"""How many problems an error message spells out before it counts the rest."""


class Problem(Closed):
    """One thing wrong with a recording.

    Attributes:
        file: Name inside the recording, such as ``metrics.parquet``; empty where it is the recording itself.
        row: Zero-based row of a table, or one-based line of a JSON Lines file; None where it is no single row.
        field: Column, or path to the field inside a document (``params.to_replicas``).
        what: What was found and what is allowed.
        fix: What to do about it.
        severity: An ``error`` makes the recording unusable; a ``note`` is kept as it was observed.
    """

    file: str
    row: Annotated[int, Field(ge=0)] | None = None
    field: str = ""
    what: str
    fix: str
    severity: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        place = self.file or "recording"
        if self.row is not None:
            place += f", {'line' if self.file.endswith('.jsonl') else 'row'} {self.row}"
        if self.field:
            place += f", {self.field}"
        return f"{place}: {self.what}; {self.fix}"


class RecordingError(ValueError):
    """A recording that cannot be read or written as it stands.

    Attributes:
        problems: Every problem found, never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = "\n".join(str(problem) for problem in self.problems[:SHOWN])
        more = len(self.problems) - SHOWN
        super().__init__(f"{shown}\n(and {more} more)" if more > 0 else shown)


def refuse(file: str, what: str, fix: str, *, field: str = "", row: int | None = None) -> RecordingError:
    """Return the error of a single problem, ready to be raised."""
    return RecordingError([Problem(file=file, row=row, field=field, what=what, fix=fix)])
