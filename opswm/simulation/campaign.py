"""Many simulated incidents as recordings in one folder: resumable, never half a recording, never two kinds mixed.

The folder remembers its settings. Recordings of the same settings are kept, so that a command that was interrupted goes
on where it was; other settings are refused. A recording depends on its seed alone, not on what is written beside it.
"""

import json
import multiprocessing
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from errno import EDQUOT, ENOSPC
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch

from opswm.errors import BadInputError, StoreError
from opswm.simulation.branch import true_outcomes
from opswm.simulation.candidates import candidates_of
from opswm.simulation.engines import EngineName, engine_named
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.kernel.healthy import System
from opswm.simulation.recorder import write_recording
from opswm.simulation.scene import scene_of
from opswm.simulation.truth_files import BRANCHES_FILE, branches_file
from opswm_schemas.recordings.archive import ArchiveLimits, open_files
from opswm_schemas.recordings.problem import RecordingError
from opswm_schemas.recordings.reader import Recording

SETTINGS_FILE: Final = ".simulate.json"
VERSION: Final = 1
"""Counts up when the same settings and seed mean another recording."""

_LOOK_S: Final = 0.5
_FULL: Final = frozenset({ENOSPC, EDQUOT})


@dataclass(frozen=True)
class Campaign:
    """What is simulated; whatever a recording depends on beside its seed.

    Attributes:
        engine: Which simulator.
        system: The demo system, or random ones.
        entities: Entities of each random system; as drawn where left out.
        has_truth: Whether what each candidate truly does goes to ``truth/``.
        context_ticks, step_s: History before the decision.
        candidates: Courses of the truth, waiting included; as many as suit the simulator where left out.
        horizon_ticks: How far the truth looks.
        most_futures: Where doubling of its futures stops; where it suits the simulator if left out.
    """

    engine: EngineName = "kernel"
    system: System = "web_shop"
    entities: int | None = None
    has_truth: bool = True
    context_ticks: int = 128
    step_s: int = 5
    candidates: int | None = None
    horizon_ticks: int = 32
    most_futures: int | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that makes a recording what it is, the software among it."""
        return {"version": VERSION, "software": metadata.version("opswm"), **asdict(self)}

    @property
    def origin(self) -> str:
        """What manifests say: the simulator, and which settings."""
        digest = sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()
        return f"simulation by {self.engine}, settings {digest[:16]}"

    @property
    def plan(self) -> EpisodePlan:
        """How worlds are made."""
        given: dict[str, Any] = {} if self.entities is None else {"entities": self.entities}
        return EpisodePlan(system=self.system, context_ticks=self.context_ticks, step_s=self.step_s, **given)


def recording_path(campaign: Campaign, out: Path, seed: int, as_zip: bool) -> Path:
    """Return where the recording of a seed goes."""
    return out / f"{campaign.system.replace('_', '-')}-seed-{seed}{'.zip' if as_zip else ''}"


def write_recordings(
    campaign: Campaign,
    seeds: Sequence[int],
    out: Path,
    as_zip: bool,
    workers: int,
    told: Callable[[int, int], None],
) -> list[Path]:
    """Write the recordings of some seeds that are not there yet; return the paths of all.

    Args:
        campaign: What is simulated.
        seeds: Of the worlds, one recording each.
        out: The folder.
        as_zip: Whether recordings are zips.
        workers: Processes that simulate at once; the recordings are the same for any number.
        told: Called with how many are there, and how many there will be.

    Raises:
        BadInputError: When the folder holds recordings of other settings or something else in their place, is being
            written to, or the engine is not installed.
        StoreError: When there is no room left; what was finished stays, and nothing is half-written.
    """
    engine_named(campaign.engine)
    paths = {seed: recording_path(campaign, out, seed, as_zip) for seed in seeds}
    with _claimed(campaign, out):
        missing = [seed for seed in seeds if not _is_there(campaign, paths[seed])]

        def report() -> None:
            told(sum(path.exists() for path in paths.values()), len(paths))

        report()
        try:
            for _ in _carried_out(campaign, missing, paths, workers):
                report()
        except BrokenProcessPool as problem:
            raise StoreError(
                "a process that simulated was ended from outside, most likely for want of memory; what is written is "
                "whole. Run the same command with fewer --workers"
            ) from problem
        except OSError as problem:
            if problem.errno not in _FULL:
                raise
            done = sum(path.exists() for path in paths.values())
            raise StoreError(
                f"{out}: no space left on the device after {done} of {len(paths)} recordings; these are whole. "
                "Make room, and the same command goes on from there"
            ) from problem
        finally:
            _sweep(out)
    return list(paths.values())


def _carried_out(campaign: Campaign, missing: list[int], paths: dict[int, Path], workers: int) -> Iterator[None]:
    """Write what is missing, and yield now and then."""
    parts = 1 if workers == 1 else 2 * workers
    at_once = max(1, min(engine_named(campaign.engine).at_once, -(-len(missing) // parts)))
    batches = [missing[first : first + at_once] for first in range(0, len(missing), at_once)]
    if workers == 1 or len(batches) <= 1:
        for batch in batches:
            yield from _simulated(campaign, batch, paths)
        return
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(workers, len(batches)), mp_context=context) as pool:
        waiting: set[Future[None]] = {
            pool.submit(_work, campaign, batch, {seed: paths[seed] for seed in batch}) for batch in batches
        }
        try:
            while waiting:
                finished, waiting = wait(waiting, _LOOK_S, FIRST_COMPLETED)
                for one in finished:
                    one.result()
                yield
        except BaseException:  # an interrupt ends the work at once: what was under way leaves no trace
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            raise


def _work(campaign: Campaign, seeds: list[int], paths: dict[int, Path]) -> None:
    torch.set_num_threads(1)
    for _ in _simulated(campaign, seeds, paths):
        pass


def _simulated(campaign: Campaign, seeds: list[int], paths: dict[int, Path]) -> Iterator[None]:
    """Simulate some worlds together and write each; yield once it is there."""
    engine = engine_named(campaign.engine)
    with torch.inference_mode():
        lived = engine.live(campaign.plan, seeds)
        for row, seed in enumerate(seeds):
            truth: dict[str, bytes] = {}
            if campaign.has_truth:
                scene = scene_of(lived, row)
                courses = candidates_of(scene, campaign.candidates or engine.candidates)
                ticks, most = campaign.horizon_ticks, campaign.most_futures or engine.most_futures
                verdict = true_outcomes(lived, row, courses, ticks, most, engine.looks_further, engine.branch)
                truth[BRANCHES_FILE] = branches_file(scene, courses, verdict, ticks)
            write_recording(lived, row, paths[seed], truth=truth, origin=campaign.origin)
            yield


def _is_there(campaign: Campaign, path: Path) -> bool:
    """Return whether the recording is there already, whole.

    Raises:
        BadInputError: When something else is in its place.
    """
    if not path.exists():
        return False
    try:
        with Recording.open(path) as recording:
            manifest = recording.manifest
        files = open_files(path, ArchiveLimits())
        sizes = {name: files.size_bytes(name) for name in files.names()}
        files.close()
    except (RecordingError, zipfile.BadZipFile) as problem:
        raise BadInputError(f"{path} is in the way and is no recording ({problem}); remove it") from problem
    if manifest.origin != campaign.origin:
        raise BadInputError(f"{path} is a recording of other settings; choose another folder, or remove it")
    stated: dict[str, int] = {str(entry.path): entry.size_bytes for entry in manifest.files}
    stated |= {entry.path: entry.size_bytes for entry in manifest.truth}
    if any(sizes.get(name) != size_bytes for name, size_bytes in stated.items()):
        raise BadInputError(f"{path} is not whole any more; remove it, and it is simulated again")
    return True


@contextmanager
def _claimed(campaign: Campaign, out: Path) -> Iterator[None]:
    """Hold the folder, which is made and given its settings where it is new.

    Raises:
        BadInputError: When it has other settings, or another process holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / SETTINGS_FILE
    with _locked(out):
        if file.exists():
            _compare(file, campaign.identity)
        else:
            partial = out / f"{SETTINGS_FILE}.partial"
            partial.write_text(json.dumps(campaign.identity, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            partial.replace(file)
        _sweep(out)
        yield


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # not on every platform; two commands at once are then not told apart
        yield
        return
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise BadInputError(f"{out} is being written to by another opswm simulate; wait until it ends") from problem
        yield
    finally:
        os.close(descriptor)


def _compare(file: Path, wanted: dict[str, Any]) -> None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as problem:
        raise BadInputError(f"{file} cannot be read ({problem}); choose another folder") from problem
    if not isinstance(found, dict):
        raise BadInputError(f"{file} holds no settings; choose another folder")
    differing = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if differing:
        told = ", ".join(f"{name} {found.get(name)!r} there and {wanted.get(name)!r} now" for name in differing)
        raise BadInputError(f"{file.parent} holds recordings of other settings ({told}); choose another --out")


def _sweep(out: Path) -> None:
    """Remove what a process that was killed left half-written."""
    for path in out.glob(".*.partial"):
        if re.fullmatch(r"\..+-seed-\d+(\.zip)?\.[0-9a-f]{32}\.partial", path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
