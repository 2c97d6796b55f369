"""Validating a recording from a stranger in a process of its own, so that whatever it does to a decoder ends there.

Parquet, zip and JSON are read by native code. A file made for the purpose can make such code take all memory or
end its process; a service that goes on has to see that from outside.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from opswm_schemas.recordings.archive import ArchiveLimits
from opswm_schemas.recordings.problem import Problem

DEFAULT_MEMORY_BYTES: Final = 8 << 30
DEFAULT_TIMEOUT_S: Final = 300.0

_MODULE: Final = "opswm_schemas.recordings.apart"


def validate_apart(
    path: Path | str,
    limits: ArchiveLimits | None = None,
    *,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> list[Problem]:
    """Return what ``validate_recording`` finds, found in another process; never raises for what the recording holds.

    Args:
        path: A recording folder or zip.
        limits: How large it may be.
        memory_bytes: Address space that the other process may take, where the platform can limit it.
        timeout_s: Seconds after which it is ended.
    """
    request = json.dumps({"path": str(path), "limits": asdict(limits or ArchiveLimits()), "memory_bytes": memory_bytes})
    command = [sys.executable, "-m", _MODULE]
    try:
        done = subprocess.run(
            [*command, request], capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return [_ended(f"took longer than {timeout_s:g} s to validate")]
    if done.returncode != 0:
        return [_ended(f"ended the process that validated it (exit code {done.returncode})")]
    return [Problem.model_validate_json(line) for line in done.stdout.splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Validate as the one argument asks, a JSON object, and print a problem a line."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("request", type=json.loads, help="JSON object of path, limits and memory_bytes")
    request = parser.parse_args(arguments).request
    _limit_memory(request["memory_bytes"])
    from opswm_schemas.recordings.validation import validate_recording  # loads the decoders under the limit

    for problem in validate_recording(request["path"], ArchiveLimits(**request["limits"])):
        print(problem.model_dump_json())
    return 0


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on every platform; the time limit still holds there
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _ended(what: str) -> Problem:
    return Problem(file="", what=what, fix="it is damaged or hostile: export it again from a source you trust")


if __name__ == "__main__":
    sys.exit(main())
