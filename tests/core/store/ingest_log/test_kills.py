"""SIGKILL at every labelled failpoint and at random moments: what was acknowledged is there, once and as it was."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from opswm.store.ingest_log.failpoints import LABELS
from opswm.store.ingest_log.sqlite_log import SqliteIngestLog
from opswm_schemas.ports import LoggedBatch
from tests.core.store.ingest_log.appender import CONFIG, ROOT, SEARCH_PATH, Round, made, told

LONGEST_S = 60.0


class Nursery:
    """The process that makes and buries appenders."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def deaths(self, *rounds: Round) -> list[int]:
        """Let rounds run beside each other until all are dead; return the signals they died of."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(one) for one in rounds]) + "\n")
        self._process.stdin.flush()
        found: list[int] = json.loads(self._process.stdout.readline())
        return found


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One nursery for all tests here."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.core.store.ingest_log.appender"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=SEARCH_PATH,
    )
    with process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONGEST_S) == 0


def require_reached(*rounds: Round) -> None:
    """Check that rounds with a label died there, rather than of the clock, which kills with the same signal."""
    for one in rounds:
        if one.label:
            assert [one.prefix, one.label] in told(Path(one.folder) / "reached")


def require_all_acknowledged(folder: Path) -> int:
    """Open a log whose processes were killed and hold it against what they told; return how many batches it knows."""
    assert told(folder / "failed") == []
    log = SqliteIngestLog(folder / "ingest.sqlite", CONFIG)
    try:
        kept = _all(log)
        there = {int(offset): batch_id for offset, batch_id in told(folder / "table")}
        there |= {one.offset: one.batch.batch_id for one in kept}
        assert sorted(there) == list(range(1, log.end() + 1))
        assert set(Counter(there.values()).values()) <= {1}
        acknowledged = {batch_id: int(offset) for offset, batch_id in told(folder / "acknowledged")}
        placed = {batch_id: offset for offset, batch_id in there.items()}
        assert {batch_id: placed.get(batch_id) for batch_id in acknowledged} == acknowledged
        calls = told(folder / "tried")
        assert placed.keys() <= {batch_id for call in calls for batch_id in call}
        assert [call for call in calls if len({batch_id in placed for batch_id in call}) != 1] == []
        for one in kept:
            assert rows(one) == rows(LoggedBatch(0, made(one.batch.batch_id)))
        unknown = [call for call in calls if call[0] not in placed]
        for call in [*calls[-5:], *unknown]:  # senders send again what was not acknowledged to them
            offsets = log.append([made(batch_id) for batch_id in call])
            if call not in unknown:
                assert offsets == [placed[batch_id] for batch_id in call]
        assert log.end() == len({batch_id for call in calls for batch_id in call})
        return log.end()
    finally:
        log.close()


def _all(log: SqliteIngestLog) -> list[LoggedBatch]:
    found: list[LoggedBatch] = []
    while some := log.replay(found[-1].offset if found else 0, 1 << 30):
        found += some
    return found


def rows(logged: LoggedBatch) -> "Counter[tuple[Any, ...]]":
    """Return the multiset of a batch's rows."""
    table = logged.batch.table.select(["channel_id", "event_at", "known_at", "value"])
    return Counter(tuple(row.values()) for row in table.to_pylist())


def test_killed_at_each_failpoint(nursery: Nursery, tmp_path: Path) -> None:
    """After a kill at each label in turn, and at a random moment, the same log has all that was acknowledged."""
    for number, label in enumerate(LABELS):
        one = Round(str(tmp_path), f"r{number}", label, 1 + number % 3, LONGEST_S)
        assert nursery.deaths(one) == [signal.SIGKILL]
        require_reached(one)
        require_all_acknowledged(tmp_path)
    assert nursery.deaths(Round(str(tmp_path), "last", "", 0, 0.4)) == [signal.SIGKILL]
    assert require_all_acknowledged(tmp_path) > len(LABELS)


def test_two_processes_killed_at_one_log(nursery: Nursery, tmp_path: Path) -> None:
    """One of two processes at a log dies in mid-commit, the other a moment later; nothing is lost or there twice."""
    first = Round(str(tmp_path), "a", "append:before-commit", 4, LONGEST_S)
    assert nursery.deaths(first, Round(str(tmp_path), "b", "", 0, 0.5, fills=False)) == [signal.SIGKILL] * 2
    require_reached(first)
    require_all_acknowledged(tmp_path)


def test_a_label_that_is_never_reached_is_noticed(nursery: Nursery, tmp_path: Path) -> None:
    """The clock's kill looks like a failpoint's, and is not taken for one."""
    one = Round(str(tmp_path), "r", "nowhere", 1, 0.2)
    assert nursery.deaths(one) == [signal.SIGKILL]
    with pytest.raises(AssertionError):
        require_reached(one)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_many_kills(nursery: Nursery, tmp_path: Path, seed: int) -> None:
    """Twenty rounds over one log, 240 in all: at labels after a random number of times, and at random moments."""
    chance = random.Random(seed)
    for number in range(20):
        label = chance.choice(["", "", *LABELS])
        after_s = LONGEST_S if label else chance.uniform(0.0, 0.6)
        rounds = [Round(str(tmp_path), f"r{number}a", label, chance.randint(1, 6), after_s)]
        if number % 4 == 3:
            rounds.append(Round(str(tmp_path), f"r{number}b", "", 0, chance.uniform(0.0, 0.6), fills=False))
        assert nursery.deaths(*rounds) == [signal.SIGKILL] * len(rounds)
        require_reached(*rounds)
        require_all_acknowledged(tmp_path)
