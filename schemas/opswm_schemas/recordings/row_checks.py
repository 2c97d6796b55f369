"""Row checks over a whole table at once: each is an expression that is true where a row is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa

from opswm_schemas.recordings.problem import Problem

MAX_LISTED: Final = 100
"""How many rows of one kind of problem are listed one by one before the rest is counted."""

ROW: Final = "row"
"""Name of the added column that numbers the rows from zero."""


@dataclass(frozen=True)
class RowCheck:
    """What makes a row wrong, and how to say so.

    Attributes:
        field: The column to point at.
        broken: True where a row is wrong; null counts as right.
        what: Sentence with ``{column}`` in it wherever the row's own value helps.
        fix: What to do about it.
        severity: As in ``Problem``.
        per: One problem for each value of this column, at its first wrong row, instead of one for each row.
        max_listed: How many problems to list before counting the rest.
    """

    field: str
    broken: pl.Expr
    what: str
    fix: str
    severity: Literal["error", "note"] = "error"
    per: str | None = None
    max_listed: int = MAX_LISTED


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Return a table as a frame whose rows are numbered."""
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected a table, got {type(table).__name__}")
    return frame.with_row_index(ROW)


def run_checks(file: str, frame: pl.DataFrame, checks: Sequence[RowCheck]) -> list[Problem]:
    """Return the problems that the checks find in a frame, in the order of the checks.

    Args:
        file: The file that the frame was read from.
        frame: Numbered rows, as from ``frame_of``.
        checks: What to look for; all are evaluated in one pass.
    """
    masks = frame.select(check.broken.fill_null(False).alias(str(number)) for number, check in enumerate(checks))
    problems: list[Problem] = []
    for number, check in enumerate(checks):
        mask = masks[str(number)]
        if mask.any():
            problems += _listed(file, frame.filter(mask), check)
    return problems


def _listed(file: str, wrong: pl.DataFrame, check: RowCheck) -> list[Problem]:
    total = wrong.height
    if check.per is not None:
        counts = wrong.group_by(check.per, maintain_order=True).agg(pl.all().first(), pl.len().alias("_rows"))
        shown, left = counts.head(check.max_listed), counts.height - check.max_listed
        unit = "others"
    else:
        shown = wrong.head(check.max_listed).with_columns(_rows=pl.lit(1))
        left, unit = total - check.max_listed, "more rows"
    problems = [_problem(file, row, check) for row in shown.to_dicts()]
    if left > 0:
        last = problems[-1]
        problems[-1] = last.model_copy(update={"what": f"{last.what} (and {left} {unit} like it)"})
    return problems


def _problem(file: str, row: dict[str, Any], check: RowCheck) -> Problem:
    what = check.what.format(**{name: _shown(value) for name, value in row.items()})
    if row["_rows"] > 1:
        what += f" ({row['_rows']} rows, this is the first)"
    return Problem(file=file, row=row[ROW], field=check.field, what=what, fix=check.fix, severity=check.severity)


def _shown(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return f"{value!r:.80}" if isinstance(value, str) else f"{value!s:.80}"
