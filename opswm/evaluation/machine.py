"""The machine a result was measured on, in as many words as it takes to repeat the measurement."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("numpy", "torch", "torch-geometric", "lightgbm", "polars", "pyarrow", "deltalake")
"""Whose versions matter to numbers or speed."""

Machine = dict[str, str | int]


def describe_machine() -> Machine:
    """Return processor, usable cores, memory, system and versions; no name of the machine or its user."""
    described: Machine = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for library in LIBRARIES:
        try:
            described[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
