"""Reading twins: what is kept apart, what is refused and where it says so."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from opswm.errors import BadInputError, NotFoundError
from opswm.evaluation.demeter.demand import read_demand
from opswm.evaluation.demeter.twins import FlinkConfiguration, TwinOutcome, TwinQuestion, read_twins

START = 1_697_072_586
GOOD = f"1,ADS,profile6,16,90000,2,3072,4,6550.2,61206.3,360,{START},{START + 60}"
UNMEASURED = f"1,ADS,profile4,8,10000,1,2048,2,8946.5,7629.8,-1,{START},{START + 60}"

WriteRun = Callable[..., Path]


def test_a_row_becomes_question_and_outcome(write_run: WriteRun) -> None:
    """A row gives the configuration, the production job's demand before the start, and the outcome in seconds."""
    first, second = read_twins(write_run([GOOD, UNMEASURED]))
    assert first.question.configuration == FlinkConfiguration(16, 4, 2.0, 3072, 90.0)
    assert first.question.group == ("1_demeter_ADS", START)
    assert first.question.demand_records_per_s == pytest.approx(25_000.0)
    assert first.outcome == TwinOutcome(6550.2, 61206.3 / 1000.0, 360.0)
    assert second.outcome.recovery_s is None


def test_cores_are_those_of_the_whole_job() -> None:
    """Parallelism over slots is the number of TaskManagers; times their cores it is the cores of the job."""
    configuration = FlinkConfiguration(20, 5, 3.0, 2048, 10.0)
    assert (configuration.task_managers, configuration.cores, configuration.cores_per_slot) == (4.0, 12.0, 0.6)


def test_a_question_holds_no_outcome() -> None:
    """No field of a question is a field of an outcome, and its only measurement is the production job's demand."""
    names = {field.name for field in fields(TwinQuestion)}
    assert names.isdisjoint(field.name for field in fields(TwinOutcome))
    assert names == {"run", "workload", "name", "started_at", "configuration", "demand_records_per_s"}


def test_demand_does_not_look_past_the_start(write_run: WriteRun) -> None:
    """Readings after the moment do not move the demand at that moment; later moments see them."""
    run = write_run([GOOD]) / "1_demeter_ADS"
    before, after = read_demand(run, [START, START + 1_100])
    assert before == pytest.approx(25_000.0)
    assert after == pytest.approx(75_000.0)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (GOOD.replace("6550.2", "nan"), "row 3, column avgThr"),
        (GOOD.replace("6550.2", "much"), "row 3, column avgThr: 'much'"),
        (GOOD.replace(",16,", ",-16,"), "row 3, column scaleOut: -16 must be above 0"),
        (GOOD.replace(",360,", ",-7,"), "row 3, column recTime"),
        (UNMEASURED, "already started at 1697072586 in row 2"),
    ],
)
def test_a_bad_row_is_named(write_run: WriteRun, row: str, says: str) -> None:
    """A row that makes no sense is refused with its file, row and column."""
    with pytest.raises(BadInputError, match=r"profiles\.csv") as refusal:
        read_twins(write_run([UNMEASURED, row]))
    assert says in str(refusal.value)


def test_missing_columns_are_named(write_run: WriteRun) -> None:
    """A file without a needed column is refused with the columns it lacks and has."""
    directory = write_run(["1,ADS"], header="expId,genType")
    with pytest.raises(BadInputError, match="lacks the columns jobName, scaleOut"):
        read_twins(directory)


def test_a_ragged_file_is_refused(write_run: WriteRun) -> None:
    """A row with more cells than the header is refused, not cut."""
    with pytest.raises(BadInputError, match="cannot be read as CSV"):
        read_twins(write_run([GOOD + ",1,2,3"]))


def test_a_folder_without_twins_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, or holds no twins, is refused."""
    with pytest.raises(NotFoundError, match="no twins to score"):
        read_twins(tmp_path)
    with pytest.raises(NotFoundError, match="not a folder"):
        read_twins(tmp_path / "absent")


def test_truncated_or_missing_series_are_refused(write_run: WriteRun) -> None:
    """The demand cannot be read from a truncated or missing series, nor where nothing was measured before."""
    directory = write_run([GOOD])
    run = directory / "1_demeter_ADS"
    with pytest.raises(BadInputError, match="holds no throughput in the 600 s before 1000"):
        read_demand(run, [1_000])
    whole = (run / "metrics.parquet").read_bytes()
    (run / "metrics.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInputError, match="cannot be read as a metrics table"):
        read_twins(directory)
    (run / "metrics.parquet").unlink()
    with pytest.raises(NotFoundError, match=r"metrics\.parquet is missing"):
        read_twins(directory)
