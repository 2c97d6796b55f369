"""Bad input: each kind is refused with its file and row, and leaves nothing behind."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from opswm_connectors.demeter.deployment import Deployment, rescaled_deployment, stated_deployment
from opswm_connectors.demeter.source import import_demeter
from opswm_connectors.errors import TerminalSourceError
from tests.connectors.demeter.made_up_run import MadeUpRun, MakeRun

Spoil = Callable[[MadeUpRun], None]


def with_value(metric: str, value: float) -> Spoil:
    """Return a change that sets the third reading of a metric."""

    def spoil(run: MadeUpRun) -> None:
        row = run.frame.with_row_index().filter(pl.col("metric") == metric)["index"][2]
        run.frame[row, "value"] = value

    return spoil


def with_time(metric: str, seconds: int) -> Spoil:
    """Return a change that moves the third reading of a metric by some seconds."""

    def spoil(run: MadeUpRun) -> None:
        row = run.frame.with_row_index().filter(pl.col("metric") == metric)["index"][2]
        run.frame[row, "timestamp"] = run.frame[row, "timestamp"] + seconds

    return spoil


def with_frame(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Spoil:
    """Return a change of the whole metrics table."""

    def spoil(run: MadeUpRun) -> None:
        run.frame = change(run.frame)

    return spoil


def with_event(position: int, column: int, value: object) -> Spoil:
    """Return a change of one cell of ``events.csv``."""

    def spoil(run: MadeUpRun) -> None:
        row = list(run.events[position])
        row[column] = value
        run.events[position] = tuple(row)

    return spoil


def repeat_event(run: MadeUpRun) -> None:
    """Put the last event there twice."""
    run.events.append(run.events[-1])


def forget_the_start(run: MadeUpRun) -> None:
    """Leave out the event that says how the job was deployed."""
    del run.events[1]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (with_value("throughput", float("nan")), "metrics.parquet, row 7357, throughput: value is not a number"),
        (with_value("latency", float("inf")), "metrics.parquet, row 2944, latency: value is infinite"),
        (with_time("cpu_load", -5), "row 1473, cpu_load: timestamp is earlier than that of the row before"),
        (with_time("cpu_load", 2_000_000_000_000), "row 1473, cpu_load: timestamp is not in unix seconds"),
        (
            with_frame(lambda frame: frame.rename({"value": "reading"})),
            "lacks column 'value'; it has metric, timestamp",
        ),
        (with_frame(lambda frame: frame.cast({"timestamp": pl.Float64})), "column 'timestamp' has type double"),
        (with_frame(lambda frame: frame.cast({"value": pl.String})), "needs floating point"),
        (with_frame(lambda frame: frame.filter(pl.col("metric") != "latency")), "missing: latency, unknown: none"),
        (with_frame(lambda frame: frame.with_columns(metric=pl.lit("heap"))), "unknown: heap"),
        (with_frame(lambda frame: frame.clear()), "missing: consumer_lag, cpu_load"),
        (with_event(0, 0, "soon"), "events.csv, line 2: ts 'soon' is no number"),
        (with_event(0, 0, "nan"), "events.csv, line 2: ts 'nan' is not in unix seconds"),
        (with_event(0, 0, 1_697_071_440_000), "events.csv, line 2: ts '1697071440000' is not in unix seconds"),
        (with_event(1, 0, 1_600_000_000), "events.csv, line 3: ts 1600000000 is earlier than the line before"),
        (with_event(2, 1, "explosion"), "events.csv, line 4 (explosion): kind 'explosion' is not known"),
        (with_event(2, 3, "{"), "events.csv, line 4 (rescale): it is not JSON with production_config.configs"),
        (with_event(1, 3, "Started"), "events.csv, line 3 (job_started): it states no config="),
        (repeat_event, "events.csv, line 7 is there twice"),
        (forget_the_start, "events.csv has no job_started line"),
    ],
)
def test_a_spoilt_run_is_refused_with_its_place(make_run: MakeRun, tmp_path: Path, spoil: Spoil, says: str) -> None:
    """A run with one thing wrong is refused, the message names file and row, and no recording is left."""
    run = make_run()
    spoil(run)
    run.write()
    with pytest.raises(TerminalSourceError) as refusal:
        import_demeter(run.folder, tmp_path / "out")
    assert says in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_conflicting_repeats_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    """Two readings of one metric at one second that differ are refused, unlike the identical ones of a seam."""
    run = make_run()
    latency = run.frame.with_row_index().filter(pl.col("metric") == "latency")
    twice = latency.filter(pl.col("timestamp").is_duplicated())["index"][-1]
    run.frame[twice, "value"] = 7.0
    with pytest.raises(TerminalSourceError, match=f"row {twice}, latency: timestamp repeats"):
        import_demeter(run.write(), tmp_path / "out")


@pytest.mark.parametrize("name", ["metrics.parquet", "app.log.gz", "events.csv"])
def test_missing_truncated_and_foreign_files_are_refused(make_run: MakeRun, tmp_path: Path, name: str) -> None:
    """A file that is missing, cut in half or something else altogether is refused by its name."""
    folder = make_run().write()
    whole = (folder / name).read_bytes()
    for content in (whole[: len(whole) // 2], b"\xff\xfe\x00 something else"):
        (folder / name).write_bytes(content)
        with pytest.raises(TerminalSourceError, match=name):
            import_demeter(folder, tmp_path / "out")
    (folder / name).unlink()
    with pytest.raises(TerminalSourceError, match=f"lacks {name}"):
        import_demeter(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_log_of_another_form_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    """A log without one line of the controller's form is refused."""
    folder = make_run().write()
    (folder / "app.log.gz").write_bytes(gzip.compress(b"hello\nworld\n"))
    with pytest.raises(TerminalSourceError, match="has no line like"):
        import_demeter(folder, tmp_path / "out")


def test_one_bad_run_leaves_no_recording_at_all(make_run: MakeRun, tmp_path: Path) -> None:
    """When the second of two runs is bad the first leaves no recording, and what was in the folder stays."""
    make_run("1_baseline_ADS_24_small").write()
    bad = make_run("2_demeter_CARS_24_new")
    with_value("throughput", float("nan"))(bad)
    data = bad.write().parent
    out = tmp_path / "out"
    out.mkdir()
    (out / "note.txt").write_text("mine")
    with pytest.raises(TerminalSourceError, match="2_demeter_CARS_24_new"):
        import_demeter(data, out)
    assert [path.name for path in out.iterdir()] == ["note.txt"]


def test_an_existing_recording_is_kept(make_run: MakeRun, tmp_path: Path) -> None:
    """A second import to the same place is refused before anything is read, and the first stays."""
    folder = make_run().write()
    (path,) = import_demeter(folder, tmp_path / "out")
    before = sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir())
    with pytest.raises(TerminalSourceError, match="already there"):
        import_demeter(folder, tmp_path / "out")
    assert sorted((file.name, file.stat().st_mtime_ns) for file in path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [("1_magic_ADS_24", "policy 'magic' is not known"), ("notes", "holds no run folder")],
)
def test_folders_that_are_no_runs_are_refused(tmp_path: Path, name: str, says: str) -> None:
    """An unknown policy and a folder without runs are refused with what is expected."""
    (tmp_path / name).mkdir()
    with pytest.raises(TerminalSourceError, match=says):
        import_demeter(tmp_path, tmp_path / "out")
    with pytest.raises(TerminalSourceError, match="is not a folder"):
        import_demeter(tmp_path / "absent", tmp_path / "out")


def test_deployments_are_read_from_text_and_json() -> None:
    """Log text and rescale JSON give the same deployment, the TaskManagers being slots rounded up."""
    stated = stated_deployment("x, config={scaleOut: 10, taskSlots: 4, cpu: 1.5, memory: 3072, chkInt: 30000}, y")
    assert stated == Deployment(10, 4, 1.5, 3072, 30_000)
    assert (stated.task_managers, stated.memory_bytes, stated.checkpoint_interval_s) == (3, 3 * 2.0**30, 30.0)
    configs = (
        '{"scaleout": 10, "task_slots": 4, "container_cpu": 1.5, "container_memory": 3072, "checkpoint_interval": 3e4}'
    )
    assert rescaled_deployment(f'{{"production_config": {{"configs": {configs}}}}}') == stated


@pytest.mark.parametrize(
    "broken", ['"scaleout": -1', '"scaleout": "x"', '"scaleout": 2.5', '"scaleout": NaN', '"slots": 4']
)
def test_impossible_deployments_are_refused(broken: str) -> None:
    """A size that is negative, no number, a fraction or missing is refused by its name."""
    configs = '"task_slots": 4, "container_cpu": 1.5, "container_memory": 3072, "checkpoint_interval": 30000'
    with pytest.raises(ValueError, match="scaleout is"):
        rescaled_deployment(f'{{"production_config": {{"configs": {{{broken}, {configs}}}}}}}')
