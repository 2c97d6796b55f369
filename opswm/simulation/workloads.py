"""Workload shapes from files: measured request rates become a profile that the kernel multiplies demand with.

Text and CSV have one sample a line, Parquet one a row. Samples without a time are evenly spaced; with a time column,
uneven ones are resampled onto an even step.
"""

import csv
import math
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opswm.errors import BadInputError
from opswm.simulation.kernel.profiles import Profile, of_values

MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 64 * 2**20
MOST_POINTS: Final = 16_384
TIME_NAMES: Final = ("timestamp", "time", "at", "ts", "second", "seconds")


def read_profile(path: Path, column: str = "", step_s: float = 1.0, profile_step_s: float = 10.0) -> Profile:
    """Return the shape of a measured load, with a mean of one.

    Args:
        path: ``.txt`` (a number per line), ``.csv`` (with a header) or ``.parquet``.
        column: Which column holds the rate; the only numeric one where left out.
        step_s: Seconds between two samples, where no column says when they were taken.
        profile_step_s: Seconds between two points of the profile; samples in between are averaged.

    Raises:
        BadInputError: When the file is missing, empty, too large or of another kind, a value is no finite number from
            0 on, times do not rise, or no column can be chosen; the message names file and row.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such file; give a .txt, .csv or .parquet with request rates")
    if path.stat().st_size > MOST_BYTES:
        raise BadInputError(
            f"{path}: {path.stat().st_size} bytes are too many, at most {MOST_BYTES}; cut it or resample"
        )
    if not (step_s > 0.0 and profile_step_s > 0.0):
        raise BadInputError(f"{path}: steps are {step_s} s and {profile_step_s} s; both must be positive")
    readers = {".txt": _text, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise BadInputError(f"{path}: files ending in {path.suffix!r} are not read; use {', '.join(readers)}")
    raw, times, first_row = readers[path.suffix](path, column)
    if not raw:
        raise BadInputError(f"{path}: there is no sample in it; give at least one row with a rate")
    if len(raw) > MOST_ROWS:
        raise BadInputError(f"{path}: {len(raw)} rows are too many, at most {MOST_ROWS}; cut it or resample")
    rates = np.array([_rate(path, first_row + at, value) for at, value in enumerate(raw)])
    if times is None:
        at_s = np.arange(len(rates), dtype=np.float64) * np.float64(step_s)
    else:
        at_s = _seconds(path, first_row, times)
        step_s = float(np.median(np.diff(at_s))) if len(at_s) > 1 else step_s
    if not rates.sum() > 0.0:
        raise BadInputError(f"{path}: every rate is 0; a shape needs some load")
    return _even(path, at_s, rates, step_s, profile_step_s)


def _even(path: Path, at_s: NDArray[np.float64], rates: NDArray[np.float64], step_s: float, wanted_s: float) -> Profile:
    """Return samples averaged over steps of ``wanted_s``, straight lines between those that are further apart."""
    length_s = float(at_s[-1] - at_s[0]) + step_s
    num = max(1, math.floor(length_s / wanted_s + 1e-9))
    if num > MOST_POINTS:
        raise BadInputError(
            f"{path}: {length_s:.0f} s make {num} points of {wanted_s:g} s, at most {MOST_POINTS}; ask for longer steps"
        )
    fine_s = min(step_s, wanted_s)
    within = (np.arange(max(1, round(wanted_s / fine_s))) + 0.5) * fine_s - 0.5 * step_s
    asked_s = at_s[0] + np.arange(num)[:, None] * wanted_s + within[None, :]
    return of_values(np.interp(asked_s, at_s, rates).mean(1), wanted_s)


def _rate(path: Path, row: int, value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{path}, row {row}: {value!r} is no number; give a request rate") from error
    if not 0.0 <= rate < math.inf:
        raise BadInputError(f"{path}, row {row}: the rate is {rate}; rates are finite and not negative")
    return rate


def _seconds(path: Path, first_row: int, times: list[Any]) -> NDArray[np.float64]:
    found: list[float] = []
    for at, value in enumerate(times):
        try:
            moment = value if isinstance(value, datetime) else None
            if moment is None and isinstance(value, str) and not value.replace(".", "", 1).isdigit():
                moment = datetime.fromisoformat(value)
            seconds = float(value) if moment is None else _since_epoch(moment)
        except (TypeError, ValueError) as error:
            raise BadInputError(
                f"{path}, row {first_row + at}: {value!r} is no time; give seconds or an ISO 8601 instant"
            ) from error
        if not math.isfinite(seconds) or (found and seconds <= found[-1]):
            raise BadInputError(
                f"{path}, row {first_row + at}: its time {value!r} is not after that of the row before; sort the rows"
            )
        found.append(seconds)
    return np.array(found)


def _since_epoch(moment: datetime) -> float:
    return (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()


def _text(path: Path, column: str) -> tuple[list[Any], list[Any] | None, int]:
    del column
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()], None, 1


def _csv(path: Path, column: str) -> tuple[list[Any], list[Any] | None, int]:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or [])
        rows = list(reader)
    chosen, time = _choose(path, names, names, column)
    return [row[chosen] for row in rows], [row[time] for row in rows] if time else None, 2


def _parquet(path: Path, column: str) -> tuple[list[Any], list[Any] | None, int]:
    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: it cannot be read as Parquet ({error}); write it again") from error
    numeric = [field.name for field in table.schema if str(field.type).startswith(("int", "uint", "float", "double"))]
    chosen, time = _choose(path, table.column_names, numeric, column)
    return table[chosen].to_pylist(), table[time].to_pylist() if time else None, 1


def _choose(path: Path, names: list[str], numeric: list[str], column: str) -> tuple[str, str]:
    """Return the column with rates, and that with times or nothing."""
    time = next((name for name in names if name.lower() in TIME_NAMES), "")
    rates = [name for name in numeric if name != time and name.lower() != "index"]
    if column and column not in names:
        raise BadInputError(f"{path}: it has no column {column!r}; it has {', '.join(names)}")
    if not column and len(rates) != 1:
        raise BadInputError(f"{path}: name the column with the rate; it has {', '.join(rates) or 'none'}")
    return column or rates[0], time
