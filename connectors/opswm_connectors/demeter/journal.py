"""What happened in a run, from ``events.csv``: starts, rescales, faults, states; never what happened to a twin."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opswm_connectors.demeter.deployment import Deployment, rescaled_deployment, stated_deployment
from opswm_connectors.errors import TerminalSourceError

_COLUMNS: Final = ("ts", "kind", "job", "detail")
_STATES: Final = frozenset({"state_change", "experiment"})
_PASSED_OVER: Final = frozenset({"fault_injection_profile"})
"""Faults put into twins; twins are no part of the recorded system."""


@dataclass(frozen=True)
class Entry:
    """One event: when (unix seconds, UTC) and what the log said."""

    at: float
    text: str


@dataclass(frozen=True)
class Rescale:
    """A logged request to redeploy the job otherwise."""

    at: float
    deployment: Deployment


@dataclass(frozen=True)
class Journal:
    """What happened in a run, in order.

    Attributes:
        started_at: When the job was started, unix seconds.
        deployment: What it was started with.
        rescales: Logged requests; empty for policies that log none.
        faults: Network delays injected into the job.
        states: State changes of the controller and of the experiment.
    """

    started_at: float
    deployment: Deployment
    rescales: tuple[Rescale, ...]
    faults: tuple[Entry, ...]
    states: tuple[Entry, ...]


def read_journal(file: Path) -> Journal:
    """Read ``events.csv``: columns ``ts`` (unix seconds), ``kind``, ``job`` and ``detail``.

    Raises:
        TerminalSourceError: When it cannot be read, a column is missing, or a line makes no sense, is out of
            order or is there twice; names the line (the header is line 1).
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                has = ", ".join(reader.fieldnames or ()) or "none"
                raise TerminalSourceError(f"{file} lacks the columns {', '.join(missing)}; it has {has}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise TerminalSourceError(f"{file} cannot be read as CSV ({problem}); copy it again") from problem
    return _journal(file, rows)


def _journal(file: Path, rows: list[tuple[int, dict[str, str]]]) -> Journal:
    started: tuple[float, Deployment] | None = None
    rescales: list[Rescale] = []
    faults: list[Entry] = []
    states: list[Entry] = []
    before = -math.inf
    seen: set[tuple[str, ...]] = set()
    for line, row in rows:
        where = f"{file}, line {line}"
        cells = tuple(row[name] for name in _COLUMNS)
        if None in row or None in cells:
            raise TerminalSourceError(f"{where} has not the {len(_COLUMNS)} cells of the header; copy the file again")
        at = _instant(where, cells[0])
        if at < before:
            raise TerminalSourceError(f"{where}: ts {cells[0]} is earlier than the line before; put the lines in order")
        if cells in seen:
            raise TerminalSourceError(f"{where} is there twice; remove one of them")
        before = at
        seen.add(cells)
        kind, detail = cells[1], cells[3]
        try:
            if kind == "job_started":
                started = started or (at, stated_deployment(detail))
            elif kind == "rescale":
                rescales.append(Rescale(at, rescaled_deployment(detail)))
            elif kind == "fault_injection":
                faults.append(Entry(at, detail))
            elif kind in _STATES:
                states.append(Entry(at, detail))
            elif kind not in _PASSED_OVER:
                known = ", ".join(sorted({"job_started", "rescale", "fault_injection"} | _STATES | _PASSED_OVER))
                raise ValueError(f"kind {kind!r} is not known; the connector reads {known}")
        except ValueError as problem:
            raise TerminalSourceError(f"{where} ({kind}): {problem}") from problem
    if started is None:
        raise TerminalSourceError(f"{file} has no job_started line, so nobody knows how the job was deployed")
    return Journal(started[0], started[1], tuple(rescales), tuple(faults), tuple(states))


def _instant(where: str, text: str) -> float:
    try:
        at = float(text)
    except ValueError as problem:
        raise TerminalSourceError(f"{where}: ts {text!r} is no number of unix seconds") from problem
    if not 946_684_800 <= at < 4_102_444_800:
        raise TerminalSourceError(f"{where}: ts {text!r} is not in unix seconds between 2000 and 2100")
    return at
