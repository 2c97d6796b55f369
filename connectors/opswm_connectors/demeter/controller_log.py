"""The controller's log (``app.log.gz``): its lines about the production job, and when an upgrade was reported done."""

import gzip
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from opswm_connectors.demeter.deployment import Deployment, stated_deployment
from opswm_connectors.errors import TerminalSourceError

_LINE: Final = re.compile(r"^\[(\w+) *\] (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \[[^\]]*\] (\S+) - (.*)$")
_ABOUT_THE_RUN: Final = frozenset({"SequenceFSM", "Listener"})
_ABOUT_TWINS: Final = re.compile(r"profil|^target: ", re.IGNORECASE)
"""Twins are called profiles, and their outcomes are printed; none of that belongs to the recorded system."""
_UPGRADED: Final = "Upgrade target job"
_LEVELS: Final[dict[str, Literal["trace", "debug", "info", "warn", "error", "fatal"]]] = {
    "TRACE": "trace",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warn",
    "ERROR": "error",
    "FATAL": "fatal",
}
_MAX_CHARACTERS: Final = 4_000


@dataclass(frozen=True)
class Line:
    """One line about the production job; ``at`` is in UTC, as the log's clock was."""

    at: datetime
    severity: Literal["trace", "debug", "info", "warn", "error", "fatal"]
    body: str


@dataclass(frozen=True)
class Upgrade:
    """The controller's word that the job runs as deployed; it says so a minute after each rescale."""

    at: float
    deployment: Deployment


@dataclass(frozen=True)
class ControllerLog:
    """What the log says about the production job, in order."""

    lines: tuple[Line, ...]
    upgrades: tuple[Upgrade, ...]


def read_controller_log(file: Path) -> ControllerLog:
    """Read the log.

    Raises:
        TerminalSourceError: When it is truncated or no gzip file, has no line of the expected form, or an
            upgrade states no deployment; names the line.
    """
    try:
        text = gzip.decompress(file.read_bytes()).decode("utf-8", errors="replace")
    except (OSError, EOFError, zlib.error) as problem:
        raise TerminalSourceError(f"{file} is truncated or no gzip file ({problem}); copy it again") from problem
    lines: list[Line] = []
    upgrades: list[Upgrade] = []
    num_matched = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        match = _LINE.match(raw)
        if match is None:
            continue  # a continuation: stack traces and notes of charts
        num_matched += 1
        level, stamp, logger, body = match.groups()
        if logger not in _ABOUT_THE_RUN or _ABOUT_TWINS.search(body):
            continue
        try:
            at = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
            if body.startswith(_UPGRADED):
                upgrades.append(Upgrade(at.timestamp(), stated_deployment(body)))
        except ValueError as problem:
            raise TerminalSourceError(f"{file}, line {number}: {problem}") from problem
        lines.append(Line(at, _LEVELS.get(level, "info"), body[:_MAX_CHARACTERS]))
    if not num_matched:
        raise TerminalSourceError(f"{file} has no line like '[INFO ] 2023-10-12 00:37:19.594 [main] Logger - text'")
    return ControllerLog(tuple(lines), tuple(upgrades))
