"""Result files: who did how well at what, with intervals, seed and machine, written whole or not at all."""

import json
import math
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from opswm.errors import BadInputError, NotFoundError
from opswm.evaluation.machine import Machine
from opswm.evaluation.names import METRICS, MODELS, TASKS

SPLITS: Final = ("", "iid", "topology", "schema", "fault", "action", "cold", "load", "mechanism")
"""Test splits; empty where there are none."""

REGIMES: Final = ("", "logged", "logged-hidden", "branched")
"""How training data were collected; empty where that does not apply."""

_NAMES: Final = {"task": TASKS, "split": SPLITS, "regime": REGIMES, "model": MODELS, "metric": METRICS}
_SUITE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Result:
    """One figure.

    Attributes:
        value: None where nothing counted.
        ci_low, ci_high: 95 % interval, None where none was computed.
        n: How many decision points, requests or rows it rests on.

    Raises:
        BadInputError: On names that the benchmark does not know, or numbers that are not finite.
    """

    task: str
    split: str
    regime: str
    model: str
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int

    def __post_init__(self) -> None:
        for name, allowed in _NAMES.items():
            if getattr(self, name) not in allowed:
                raise BadInputError(f"{name} {getattr(self, name)!r} is no name of result files; use one of {allowed}")
        numbers = {name: getattr(self, name) for name in ("value", "ci_low", "ci_high")}
        if any(number is not None and not math.isfinite(number) for number in numbers.values()) or self.n < 0:
            raise BadInputError(
                f"{self.metric} of {self.model!r}: {numbers} with n = {self.n}; give finite numbers or None"
            )


@dataclass(frozen=True)
class ResultFile:
    """All figures of one run of a suite.

    Attributes:
        suite: What was run, such as ``smoke`` or ``standard``.
        version: Of the software.
        machine: From ``describe_machine``.
        settings: What else decided the figures, such as a lifted evidence cap.
    """

    suite: str
    version: str
    seed: int
    machine: Machine
    results: tuple[Result, ...]
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _SUITE.fullmatch(self.suite):
            raise BadInputError(f"suite {self.suite!r} is no name; use lower-case letters, digits, _ and -")


def figure(
    task: str, model: str, metric: str, value: float, n: int, *,
    low: float | None = None, high: float | None = None, split: str = "", regime: str = "",
) -> Result:  # fmt: skip
    """Return one figure, with None for what is NaN.

    Raises:
        BadInputError: On names that the benchmark does not know, or infinite numbers.
    """
    return Result(task, split, regime, model, metric, _known(value), _known(low), _known(high), n)


def write_results(path: str | Path, file: ResultFile) -> None:
    """Write a result file, in place of an earlier one; at every moment one of both is there, whole.

    Args:
        path: Where to.
        file: The figures.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{uuid.uuid4().hex}.partial"
    document = {item.name: getattr(file, item.name) for item in fields(file)} | {
        "results": [asdict(result) for result in file.results],
        "settings": dict(file.settings),
    }
    try:
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, allow_nan=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_results(path: str | Path) -> ResultFile:
    """Read a result file.

    Raises:
        NotFoundError: When it is not there.
        BadInputError: When it is no result file.
    """
    source = Path(path)
    try:
        document = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise NotFoundError(f"there is no result file {source}") from problem
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise BadInputError(f"{source} is no JSON: {problem}; it may be truncated, run the suite again") from problem
    try:
        rows: Iterable[dict[str, Any]] = document.pop("results")
        return ResultFile(results=tuple(Result(**row) for row in rows), **document)
    except (TypeError, KeyError, AttributeError) as problem:
        raise BadInputError(
            f"{source} is no result file: {problem}; it needs {[item.name for item in fields(ResultFile)]}"
        ) from problem


def _known(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else float(number)
