"""Shards for the tests of job runners: some count how often they ran, some raise, some end their process."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import rmtree
from time import monotonic, sleep

Shards = dict[str, Callable[[], bytes]]


class OwnError(Exception):
    """An error whose class cannot be made again from what it says."""

    def __init__(self, at: str, *, why: str) -> None:
        super().__init__(f"{at}: {why}")


def squared(number: int) -> bytes:
    """The square of a number, in words; a different length for each."""
    return f"{number} squared is {number * number}".encode() * number


def counted(folder: Path, number: int) -> bytes:
    """A square, and a line in a file for each time it was asked for."""
    with (folder / f"runs-{number}").open("a") as file:
        file.write("once\n")
    with (folder / "order").open("a") as file:
        file.write(f"{number}\n")
    return squared(number)


def refused(number: int) -> bytes:
    """Raise an error of Python's own."""
    raise ValueError(f"{number} is not welcome")


def refused_in_own_words(number: int) -> bytes:
    """Raise an error that cannot be pickled."""
    raise OwnError("shard", why=f"{number} is odd")


def talkative() -> bytes:
    """Return something else than bytes."""
    words: object = "words"
    return words  # type: ignore[return-value]


def mortal(folder: Path, deaths: int, number: int) -> bytes:
    """End the own process, as the kernel does when memory runs out, until it did so a few times; then count."""
    died = len(list(folder.glob(f"died-{number}-*")))
    if died < deaths:
        (folder / f"died-{number}-{died}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return counted(folder, number)


def held(folder: Path, number: int) -> bytes:
    """Say which process has begun, wait until it is let go, then count."""
    (folder / f"begins-{number}").write_text(str(os.getpid()))
    (folder / f"begins-{number}").rename(folder / f"began-{number}")
    wait_for(lambda: (folder / "go").exists())
    return counted(folder, number)


def removing(folder: Path, number: int) -> bytes:
    """Take the folder of the results away, as a lost mount does."""
    rmtree(folder)
    return squared(number)


def wait_for(condition: Callable[[], bool], most_s: float = 60.0) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: When it never is.
    """
    until = monotonic() + most_s
    while not condition():
        if monotonic() > until:
            raise TimeoutError("waited in vain")
        sleep(0.01)


def squares(count: int, folder: Path | None = None) -> Shards:
    """So many shards by name, which leave lines in a folder where one is given."""
    work = squared if folder is None else partial(counted, folder)
    return {f"square of {number}": partial(work, number) for number in range(1, count + 1)}


def runs(folder: Path) -> list[int]:
    """How often each counted shard ran, by number."""
    files = sorted(folder.glob("runs-*"), key=lambda path: int(path.name.removeprefix("runs-")))
    return [path.read_text().count("once") for path in files]


def nothing(done: int, total: int) -> None:
    """Take no notice of progress."""
