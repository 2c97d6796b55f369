"""Many simulated incidents as recordings in one folder: resumable, never half a recording, never two kinds mixed.

The folder remembers its settings. Recordings of the same settings are kept, so that a command that was interrupted goes
on where it was; other settings are refused. A recording depends on its seed alone, not on what is written beside it.
"""

import json
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from errno import EDQUOT, ENOSPC
from hashlib import sha256
from importlib import metadata
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Final, Literal

import torch

from opswm.errors import StoreError
from opswm.simulation.branch import true_outcomes
from opswm.simulation.campaign_folder import claimed, is_there, sweep
from opswm.simulation.candidates import candidates_of
from opswm.simulation.engines import WORLDS_VERSION, EngineName, engine_named
from opswm.simulation.kernel.episodes import EpisodePlan
from opswm.simulation.kernel.healthy import System
from opswm.simulation.recorder import write_recording
from opswm.simulation.scene import scene_of
from opswm.simulation.truth_files import BRANCHES_FILE, Generator, branches_file

Step = Literal["history", "truth", "recording"]
Told = Callable[[int, int, str], None]
"""Called with how many recordings are there, how many there will be, and how far the work on the others is."""

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
    def generator(self) -> Generator:
        """Who makes a world of a seed."""
        return Generator(self.engine, WORLDS_VERSION, metadata.version("opswm"))

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that makes a recording what it is, the software among it."""
        made_by = self.generator
        return {"version": made_by.version, "software": made_by.software, **asdict(self)}

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
    told: Told,
) -> list[Path]:
    """Write the recordings of some seeds that are not there yet; return the paths of all.

    Args:
        campaign: What is simulated.
        seeds: Of the worlds, one recording each.
        out: The folder.
        as_zip: Whether recordings are zips.
        workers: Processes that simulate at once; the recordings are the same for any number.
        told: Called at once, and whenever there is something new.

    Raises:
        BadInputError: When the folder holds recordings of other settings or something else in their place, is being
            written to, or the engine is not installed.
        StoreError: When there is no room left; what was finished stays, and nothing is half-written.
    """
    engine_named(campaign.engine)
    paths = {seed: recording_path(campaign, out, seed, as_zip) for seed in seeds}
    try:
        with claimed(out, campaign.identity):
            work = _Work(campaign, paths, told)
            try:
                work.carry_out(workers)
            finally:
                sweep(out)
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
    return list(paths.values())


@dataclass(frozen=True)
class _Work:
    """What is to be written, and what has been done for it."""

    campaign: Campaign
    paths: dict[int, Path]
    told: Told
    steps: Counter[Step] = field(default_factory=Counter)

    def carry_out(self, workers: int) -> None:
        """Write what is missing, and tell of it."""
        missing = [seed for seed, path in self.paths.items() if not is_there(path, self.campaign.origin)]
        there = len(self.paths) - len(missing)
        self.steps.update(history=there, truth=there, recording=there)
        self.tell()
        parts = 1 if workers == 1 else 2 * workers
        at_once = max(1, min(engine_named(self.campaign.engine).at_once, -(-len(missing) // parts)))
        batches = [missing[first : first + at_once] for first in range(0, len(missing), at_once)]
        if workers == 1 or len(batches) <= 1:
            for batch in batches:
                for done in _simulated(self.campaign, batch, self.paths):
                    self.steps.update(done)
                    self.tell()
            return
        self._side_by_side(batches, min(workers, len(batches)))

    def tell(self) -> None:
        """Say how far everything is."""
        total = len(self.paths)
        what = f"histories {self.steps['history']}/{total}"
        if self.campaign.has_truth:
            what += f", truths {self.steps['truth']}/{total}"
        self.told(self.steps["recording"], total, what)

    def _side_by_side(self, batches: Sequence[list[int]], workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        before = set(multiprocessing.active_children())
        steps: SimpleQueue[Counter[Step]] = context.SimpleQueue()
        with ProcessPoolExecutor(workers, context, _begin_work, (steps,)) as pool:
            waiting: set[Future[None]] = {
                pool.submit(_work, self.campaign, batch, {seed: self.paths[seed] for seed in batch})
                for batch in batches
            }
            try:
                while waiting:
                    finished, waiting = wait(waiting, _LOOK_S, FIRST_COMPLETED)
                    while not steps.empty():
                        self.steps.update(steps.get())
                    for one in finished:
                        one.result()
                    self.tell()
            except BaseException:  # an interrupt ends the work at once: what was under way leaves no trace
                pool.shutdown(wait=False, cancel_futures=True)
                for child in set(multiprocessing.active_children()) - before:
                    child.terminate()
                raise
            finally:
                steps.close()


_steps: "SimpleQueue[Counter[Step]] | None" = None
"""Where a process that simulates tells of its steps; such a process has nothing else to do."""


def _begin_work(steps: "SimpleQueue[Counter[Step]]") -> None:
    global _steps
    _steps = steps
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the command is no more, so that a killed one does not go on writing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(campaign: Campaign, seeds: list[int], paths: dict[int, Path]) -> None:
    for step in _simulated(campaign, seeds, paths):
        if _steps is not None:
            _steps.put(step)


def _simulated(campaign: Campaign, seeds: list[int], paths: dict[int, Path]) -> Iterator[Counter[Step]]:
    """Simulate some worlds together and write each; yield what was done."""
    engine = engine_named(campaign.engine)
    with torch.inference_mode():
        lived = engine.live(campaign.plan, seeds)
        yield Counter({"history": len(seeds)})
        for row, seed in enumerate(seeds):
            truth: dict[str, bytes] = {}
            if campaign.has_truth:
                scene = scene_of(lived, row)
                courses = candidates_of(scene, campaign.candidates or engine.candidates)
                ticks, most = campaign.horizon_ticks, campaign.most_futures or engine.most_futures
                verdict = true_outcomes(lived, row, courses, ticks, most, engine.looks_further, engine.branch)
                truth[BRANCHES_FILE] = branches_file(scene, courses, verdict, ticks, campaign.generator)
                yield Counter({"truth": 1})
            write_recording(lived, row, paths[seed], truth=truth, origin=campaign.origin)
            yield Counter({"recording": 1})
