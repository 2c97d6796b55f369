"""A service killed while it fills or keeps the table loses nothing that was acknowledged, and stores nothing twice."""

import random
import signal
from pathlib import Path

import pytest

from opswm.store.tables.failpoints import LABELS
from tests.core.store.tables.victim import check, started

OF_THE_TABLE = [label for label in LABELS if not label.startswith("import:")]


def killed_at(folder: Path, label: str, visits: int) -> None:
    """Run until a place is reached for the nth time, and check what is there then."""
    process = started(folder, label, visits, 60)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    check(folder)


@pytest.mark.parametrize("label", OF_THE_TABLE)
def test_killed_at_each_place(tmp_path: Path, label: str) -> None:
    """Killed at the second visit of a place, the store holds what was acknowledged, once."""
    killed_at(tmp_path, label, 2)


@pytest.mark.slow
@pytest.mark.parametrize("label", OF_THE_TABLE)
def test_killed_again_and_again_at_one_place(tmp_path: Path, label: str) -> None:
    """The same over ten kills in one folder, at earlier and later visits."""
    chance = random.Random(label)
    for _ in range(10):
        killed_at(tmp_path, label, chance.randint(1, 4))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Thirty kills at random moments under load in one folder: each acknowledged reading is there once."""
    chance = random.Random(seed)
    kills = 0
    while kills < 30:
        process = started(tmp_path, "", 0, 200)
        process.join(chance.uniform(0.05, 1.0))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        check(tmp_path)
