"""What every runner of jobs keeps to; a test module of a runner inherits these and says how to make one."""

import json
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock

import pytest

from opswm.errors import BadInputError, NotFoundError, StoreError
from opswm.jobs.failures import ShardsFailedError
from opswm.jobs.results import JobResults
from opswm_schemas.ports import JobRunner
from tests.core.jobs.work import (
    Shards,
    counted,
    mortal,
    nothing,
    refused,
    refused_in_own_words,
    runs,
    squared,
    squares,
    talkative,
)


class JobRunnerConformance:
    """Tests that every runner passes; ``jobs`` keeps its results in ``tmp_path / "jobs"``."""

    @pytest.fixture
    def seen(self, tmp_path: Path) -> Path:
        """Where shards leave what they did."""
        folder = tmp_path / "seen"
        folder.mkdir()
        return folder

    def test_it_is_the_port(self, jobs: JobRunner) -> None:
        """It offers what the core asks of a runner."""
        assert isinstance(jobs, JobRunner)

    def test_results_are_those_of_the_shards(self, jobs: JobRunner) -> None:
        """Each result is what its shard gave, the digest is the known one, progress goes from none to all."""
        told: list[tuple[int, int]] = []
        digest = jobs.run("squares", squares(5), lambda done, total: told.append((done, total)))
        assert told == [(done, 5) for done in range(6)]
        assert [jobs.result("squares", name) for name in squares(5)] == [squared(number) for number in range(1, 6)]
        whole = sha256()
        for number in range(1, 6):
            name = f"square of {number}".encode()
            whole.update(f"{len(name)}:".encode() + name + sha256(squared(number)).digest())
        assert digest == whole.hexdigest()

    def test_the_same_job_again_runs_nothing(self, jobs: JobRunner, seen: Path) -> None:
        """What has a result is not run again, further shards are, and the digest is that of one go."""
        jobs.run("squares", squares(3, seen), nothing)
        told: list[tuple[int, int]] = []
        later = jobs.run("squares", squares(5, seen), lambda done, total: told.append((done, total)))
        assert runs(seen) == [1, 1, 1, 1, 1]
        assert told == [(3, 5), (4, 5), (5, 5)]
        assert later == jobs.run("at once", dict(reversed(squares(5).items())), nothing)

    def test_a_job_of_nothing_is_done(self, jobs: JobRunner) -> None:
        """Without shards there is a digest all the same, the one of no results."""
        assert jobs.run("nothing", {}, nothing) == sha256().hexdigest()

    def test_a_shard_that_raises_is_named_after_the_others_are_done(
        self, jobs: JobRunner, seen: Path, tmp_path: Path
    ) -> None:
        """Both that raise are told with their errors, on disk too; the others are kept, and only those run again."""
        shards: Shards = {"bad": partial(refused, 7), "worse": partial(refused_in_own_words, 9), **squares(3, seen)}
        with pytest.raises(ShardsFailedError, match="2 of 5 shards of job 'mixed'") as caught:
            jobs.run("mixed", shards, nothing)
        first, second = caught.value.failures
        assert (first.shard, first.raised.kind, first.raised.message) == ("bad", "ValueError", "7 is not welcome")
        assert (second.shard, second.raised.message) == ("worse", "shard: 9 is odd")
        assert "in refused" in first.raised.told
        assert isinstance(caught.value.__cause__, ValueError)
        notes = [json.loads(path.read_text()) for path in (tmp_path / "jobs").rglob("*.failure.json")]
        assert sorted((note["shard"], note["kind"]) for note in notes) == [("bad", "ValueError"), ("worse", "OwnError")]
        good: Shards = {name: partial(counted, seen, number) for number, name in enumerate(("bad", "worse"), start=4)}
        jobs.run("mixed", shards | good, nothing)
        assert runs(seen) == [1, 1, 1, 1, 1]
        assert list((tmp_path / "jobs").rglob("*.failure.json")) == []

    def test_what_is_no_shard_is_told_by_name(self, jobs: JobRunner) -> None:
        """One that returns words and one that cannot travel fail by name; the others are done."""
        shards: Shards = {"words": talkative, "stays": partial(_read, Lock()), **squares(2)}
        with pytest.raises(ShardsFailedError, match="words: TypeError: a shard returns bytes") as caught:
            jobs.run("odd", shards, nothing)
        assert [failure.shard for failure in caught.value.failures] == ["stays", "words"]
        assert jobs.result("odd", "square of 2") == squared(2)

    def test_a_shard_whose_process_dies_is_tried_again(self, jobs: JobRunner, seen: Path) -> None:
        """Two deaths cost nothing but time, and the digest is that of a quiet run."""
        shards: Shards = {**squares(3), "square of 2": partial(mortal, seen, 2, 2)}
        assert jobs.run("deaths", shards, nothing) == jobs.run("quiet", squares(3), nothing)
        assert runs(seen) == [1]

    def test_a_shard_whose_process_always_dies_is_given_up(self, jobs: JobRunner, seen: Path) -> None:
        """After three attempts it is reported by name, and the others are done."""
        with pytest.raises(ShardsFailedError, match="1 of 3 shards") as caught:
            jobs.run("deadly", {**squares(3, seen), "square of 2": partial(mortal, seen, 99, 2)}, nothing)
        (failure,) = caught.value.failures
        assert (failure.shard, failure.attempts) == ("square of 2", 3)
        assert len(list(seen.glob("died-2-*"))) == 3
        assert runs(seen) == [1, 1]

    def test_damaged_results_are_told_and_made_again(self, jobs: JobRunner, seen: Path, tmp_path: Path) -> None:
        """Whatever happened to its file, a result is never handed out damaged, and the next run makes it again."""
        whole = jobs.run("squares", squares(8, seen), nothing)
        results = JobResults(tmp_path / "jobs", "squares")
        files = [results.file(name) for name in squares(8)]
        contents = [file.read_bytes() for file in files]
        spoilt = [
            contents[0].replace(b"1", b"2"),  # flipped
            contents[1][:-1],  # torn
            b"",
            contents[6],  # another's
            contents[4].replace(b"squares", b"cubes"),  # another job's
            b"opswm result 1\n[]\n",
        ]
        for name, file, content in zip(squares(8), files, spoilt, strict=False):
            file.write_bytes(content)
            with pytest.raises(StoreError, match="is damaged; run job 'squares' again"):
                jobs.result("squares", name)
        assert jobs.run("squares", squares(8, seen), nothing) == whole
        assert runs(seen) == [2, 2, 2, 2, 2, 2, 1, 1]
        assert [file.read_bytes() for file in files] == contents

    def test_what_was_half_written_is_swept(self, jobs: JobRunner, tmp_path: Path) -> None:
        """A file that a killed process left aside counts for nothing and goes."""
        results = JobResults(tmp_path / "jobs", "squares")
        results.path.mkdir(parents=True)
        left = results.path / f".{results.file('square of 1').name}.0.partial"
        left.write_bytes(b"opswm result 1\n")
        jobs.run("squares", squares(1), nothing)
        assert sorted(results.path.iterdir()) == [results.file("square of 1")]

    def test_jobs_and_shards_of_like_names_are_kept_apart(self, jobs: JobRunner) -> None:
        """Names that look alike in a file name, that are long, or that point elsewhere, are different names."""
        names = ["a/b", "a-b", "a b", "A-B", "..", "../a-b", "x" * 500, "x" * 501, "ä"]
        shards: Shards = {name: partial(squared, index) for index, name in enumerate(names, start=1)}
        for job in ("j/k", "j-k", ".."):
            jobs.run(job, shards, nothing)
            assert [jobs.result(job, name) for name in names] == [shard() for shard in shards.values()]

    def test_names_have_to_be_given(self, jobs: JobRunner) -> None:
        """A job or a shard without a name, and a result that is not there, are refused with what to do."""
        with pytest.raises(BadInputError, match="a job needs a name"):
            jobs.run("", squares(1), nothing)
        with pytest.raises(BadInputError, match="a shard has no name"):
            jobs.run("squares", {"": partial(squared, 1)}, nothing)
        with pytest.raises(NotFoundError, match="'square of 9' of job 'squares' has no result; run the job first"):
            jobs.result("squares", "square of 9")


def _read(held: object) -> bytes:
    return repr(held).encode()
