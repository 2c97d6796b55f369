"""Results of shards on disk: each is whole, says what it is the result of, and is told by its SHA-256."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.jobs.failures import ShardFailure

_MAGIC: Final = b"opswm result 1\n"
_MOST_HEADER: Final = 1 << 20
_READABLE: Final = 60


class JobResults:
    """The folder of one job.

    A result is a file: a line that names the format, a line of JSON (job, shard, size and SHA-256 of what follows),
    then the bytes. It is written aside, brought to disk and renamed, so what is under its name is whole unless
    somebody damaged it since, and then its digest tells.

    Args:
        folder: Where the jobs are.
        job: Name of the job.

    Raises:
        BadInputError: When the job has no name.
    """

    def __init__(self, folder: Path, job: str) -> None:
        if not job:
            raise BadInputError("a job needs a name; the same name goes on with the same job")
        self.job = job
        self.path = folder / _file_name(job)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the job for one runner, and sweep what a killed one left half-written.

        Raises:
            BadInputError: When another process runs it.
            StoreError: When the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"the results of job {self.job!r} cannot be kept in {self.path}: {problem}") from problem
        with _locked(self.path, self.job):
            self._sweep()
            try:
                yield
            finally:
                self._sweep()

    def write(self, shard: str, result: bytes) -> str:
        """Keep a result and return its SHA-256 once it is on disk.

        Raises:
            StoreError: When it cannot be written.
        """
        digest = sha256(result).hexdigest()
        header = {"job": self.job, "shard": shard, "size_bytes": len(result), "sha256": digest}
        path = self.file(shard)
        partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
        try:
            with partial.open("wb") as file:
                file.write(_MAGIC + json.dumps(header).encode() + b"\n")
                file.write(result)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(self.path)
        except OSError as problem:
            partial.unlink(missing_ok=True)
            raise StoreError(
                f"the result of shard {shard!r} cannot be written to {self.path}: {problem}; what was finished before "
                "is kept, and the same command goes on from there"
            ) from problem
        return digest

    def digest(self, shard: str) -> str | None:
        """Return the SHA-256 of a result, or None where there is none or it is damaged."""
        found = self._read(shard)
        return None if found is None else sha256(found).hexdigest()

    def read(self, shard: str) -> bytes:
        """Return a result.

        Raises:
            NotFoundError: When there is none.
            StoreError: When it is damaged.
        """
        found = self._read(shard)
        if found is not None:
            return found
        if self.file(shard).exists():
            raise StoreError(f"{self.file(shard)} is damaged; run job {self.job!r} again, and it is made anew")
        raise NotFoundError(f"shard {shard!r} of job {self.job!r} has no result; run the job first")

    def note_failure(self, failure: ShardFailure) -> None:
        """Keep why a shard has no result, beside where it would be; a note that cannot be written is left out."""
        raised = {name: value for name, value in asdict(failure.raised).items() if name != "pickled"}
        told = {"job": self.job, "shard": failure.shard, "attempts": failure.attempts, **raised}
        try:
            self._note(failure.shard).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        except OSError:  # the failure is raised all the same
            return

    def forget_failure(self, shard: str) -> None:
        """Drop the note of a shard that has a result now."""
        self._note(shard).unlink(missing_ok=True)

    def file(self, shard: str) -> Path:
        """Return where the result of a shard is, or would be."""
        return self.path / f"{_file_name(shard)}.result"

    def _note(self, shard: str) -> Path:
        return self.path / f"{_file_name(shard)}.failure.json"

    def _read(self, shard: str) -> bytes | None:
        try:
            with self.file(shard).open("rb") as file:
                if file.readline(len(_MAGIC)) != _MAGIC:
                    return None
                header = json.loads(file.readline(_MOST_HEADER))
                result = file.read()
        except FileNotFoundError:
            return None
        except ValueError:  # no JSON, no UTF-8
            return None
        except OSError as problem:
            raise StoreError(f"{self.file(shard)} cannot be read: {problem}") from problem
        stated = {"job": self.job, "shard": shard, "size_bytes": len(result), "sha256": sha256(result).hexdigest()}
        return result if header == stated else None

    def _sweep(self) -> None:
        for path in self.path.glob(".*.partial"):
            path.unlink(missing_ok=True)


def digest_of(digests: Mapping[str, str]) -> str:
    """Return one SHA-256 for the results of a job.

    Args:
        digests: SHA-256 of each result, in hexadecimal, by shard.
    """
    whole = sha256()
    for shard in sorted(digests):
        name = shard.encode()
        whole.update(f"{len(name)}:".encode() + name + bytes.fromhex(digests[shard]))
    return whole.hexdigest()


def _file_name(name: str) -> str:
    """Return a name that every file system takes: something readable, and a digest that keeps names apart."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:_READABLE].strip("-")
    return f"{readable}-{sha256(name.encode()).hexdigest()[:16]}".lstrip("-")


@contextmanager
def _locked(folder: Path, job: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # not on every platform; two runners at once are then not told apart
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise BadInputError(f"job {job!r} in {folder} is being run by another process; wait until it ends") from (
                problem
            )
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring a rename to disk; some platforms cannot open folders, and need not."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
