"""Where things are: one folder per run, named after repetition, policy and job."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from opswm_connectors.errors import TerminalSourceError

Policy = Literal["baseline", "reactive", "operator", "demeter"]
"""``baseline``: fixed size. ``reactive``: Flink's reactive mode behind a horizontal pod autoscaler. ``operator``: the
autoscaler of the Flink Kubernetes operator. ``demeter``: the paper's controller, which logs what it does."""

METRICS_FILE: Final = "metrics.parquet"
EVENTS_FILE: Final = "events.csv"
LOG_FILE: Final = "app.log.gz"
_NAME: Final = re.compile(r"^(?P<repetition>\d+)_(?P<policy>[a-z]+)\d*_(?P<workload>[A-Z]+)_[A-Za-z0-9_]+$")
_POLICIES: Final[dict[str, Policy]] = {
    "baseline": "baseline",
    "reactive": "reactive",
    "operator": "operator",
    "demeter": "demeter",
}


@dataclass(frozen=True)
class RunFolder:
    """One run on disk.

    Attributes:
        path: The folder.
        repetition: Which repetition of the experiment it is.
        policy: Who decides about scaling.
        workload: The Flink job that runs: ``ADS`` (advertising stream) or ``CARS`` (connected cars).
    """

    path: Path
    repetition: int
    policy: Policy
    workload: str

    @property
    def name(self) -> str:
        """The folder's name, which names the run."""
        return self.path.name

    @property
    def system_id(self) -> str:
        """Id of the system that ran: every run deployed its own, some of them at the same time."""
        return f"flink-{self.workload.lower()}-{self.policy}-{self.repetition}"


def find_runs(directory: Path) -> list[RunFolder]:
    """Return the runs in a folder, or the folder itself where it is a run, ordered by name.

    Folders whose names are not those of runs (``workloads``) are passed over.

    Raises:
        TerminalSourceError: When the folder is not there or has no run, or a run lacks one of its files or
            was made under an unknown policy.
    """
    if not directory.is_dir():
        raise TerminalSourceError(f"{directory} is not a folder; give the one that holds the Demeter run folders")
    candidates = [directory] if _NAME.match(directory.name) else sorted(directory.iterdir())
    runs = [run for path in candidates if path.is_dir() and (run := _run(path)) is not None]
    if not runs:
        raise TerminalSourceError(
            f"{directory} holds no run folder; one is named like 1_demeter_ADS_24_small (repetition, policy, job, rest)"
        )
    return runs


def _run(path: Path) -> RunFolder | None:
    match = _NAME.match(path.name)
    if match is None:
        return None
    if match["policy"] not in _POLICIES:
        known = ", ".join(_POLICIES)
        raise TerminalSourceError(f"{path}: policy {match['policy']!r} is not known; the connector reads {known}")
    missing = [name for name in (METRICS_FILE, EVENTS_FILE, LOG_FILE) if not (path / name).is_file()]
    if missing:
        raise TerminalSourceError(f"{path} lacks {', '.join(missing)}; copy the whole run folder again")
    return RunFolder(path, int(match["repetition"]), _POLICIES[match["policy"]], match["workload"])
