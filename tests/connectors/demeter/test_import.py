"""Import of whole runs: what a recording then holds, on both clocks, and what it must not hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from opswm_connectors.demeter.source import import_demeter
from opswm_schemas.actions.record import Action
from opswm_schemas.recordings.reader import Recording
from tests.connectors.demeter.made_up_run import START as START_S
from tests.connectors.demeter.made_up_run import MakeRun, rescale_detail

START = datetime(2023, 10, 12, 0, 44, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return the instant so many seconds into the run."""
    return START + timedelta(seconds=seconds)


def import_one(make_run: MakeRun, out: Path, name: str = "1_demeter_ADS_24_small_new") -> Recording:
    """Write a run, import it alone and open the recording."""
    (path,) = import_demeter(make_run(name).write(), out)
    return Recording.open(path)


def actions_of(recording: Recording, *kinds: str) -> list[Action]:
    """Return the actions of some types, in order."""
    return [action for action in recording.actions() if action.type in kinds]


@pytest.mark.parametrize(
    ("name", "system_id", "num_entities"),
    [
        ("1_baseline_ADS_24_small", "flink-ads-baseline-1", 7),
        ("2_reactive35_CARS_24", "flink-cars-reactive-2", 6),
        ("1_operator35_CARS_24", "flink-cars-operator-1", 6),
        ("1_demeter_ADS_24_small_new", "flink-ads-demeter-1", 7),
    ],
)
def test_every_policy_becomes_a_recording(
    make_run: MakeRun, tmp_path: Path, name: str, system_id: str, num_entities: int
) -> None:
    """A run of each policy becomes a recording of its own system, every reading in a channel it describes."""
    recording = import_one(make_run, tmp_path / "out", name)
    descriptor = recording.descriptor
    assert (recording.manifest.recording_id, descriptor.system_id) == (name, system_id)
    assert len(descriptor.entities) == num_entities
    assert {capability.type for capability in descriptor.capabilities} == {
        "scale_horizontal",
        "scale_vertical",
        "config_change",
    }
    channels = {channel.channel_id for channel in descriptor.channels}
    assert set(recording.metrics()["channel_id"].to_pylist()) == channels
    assert all(action.system_id == system_id for action in recording.actions())
    entities = {entity.entity_id for entity in descriptor.entities}
    assert {target for action in recording.actions() for target in action.targets} <= entities


def test_no_fact_is_known_before_it_happened(make_run: MakeRun, tmp_path: Path) -> None:
    """Every reading, line, event and transition is known a second after it happened, never before."""
    recording = import_one(make_run, tmp_path / "out")
    for table in (recording.metrics(), recording.logs()):
        frame = pl.DataFrame(table)
        assert (frame["known_at"] - frame["event_at"]).unique().to_list() == [timedelta(seconds=1)]
    facts = [fact for action in recording.actions() for fact in action.transitions]
    assert len(facts) > 5
    assert {fact.known_at - fact.event_at for fact in [*facts, *recording.events()]} == {timedelta(seconds=1)}


def test_a_rescale_becomes_one_typed_action_per_change(make_run: MakeRun, tmp_path: Path) -> None:
    """One logged rescale gives a scaling, a resize and three settings, as one incident, with old and new values."""
    recording = import_one(make_run, tmp_path / "out")
    actions = {
        action.action_id.rpartition(".")[2]: action for action in recording.actions() if "rescale" in action.action_id
    }
    given = {
        name: (action.type, action.targets, action.params.model_dump(exclude={"type"}), action.previous_params)
        for name, action in actions.items()
    }
    assert given == {
        "task-managers": ("scale_horizontal", ["task-managers"], {"from_replicas": 24, "to_replicas": 4}, None),
        "resources": (
            "scale_vertical",
            ["task-managers"],
            {"cpu_cores": 2.0, "memory_bytes": 2.0**31},
            {"cpu_cores": 1.0, "memory_bytes": 2.0**32},
        ),
        "slots": (
            "config_change",
            ["task-managers"],
            {"key": "taskmanager.numberOfTaskSlots", "old": 1.0, "new": 3.0},
            None,
        ),
        "parallelism": ("config_change", ["job"], {"key": "parallelism.default", "old": 24.0, "new": 12.0}, None),
        "checkpoints": ("config_change", ["job"], {"key": "checkpoint_interval_s", "old": 10.0, "new": 50.0}, None),
    }
    assert {action.incident_id for action in actions.values()} == {"1_demeter_ADS_24_small_new.rescale-001"}
    assert {(action.actor.kind, action.confidence) for action in actions.values()} == {("autoscaler", 1.0)}
    for action in actions.values():
        assert (action.first_at("started"), action.first_at("succeeded")) == (at(400.5), at(460.75))
        assert action.status_as_of(at(461.0)) == "started"
        assert action.status_as_of(at(462.0)) == "succeeded"


def test_only_what_differs_becomes_an_action(make_run: MakeRun, tmp_path: Path) -> None:
    """A second rescale is compared with the first, not with the start, and unreported upgrades do not succeed."""
    run = make_run()
    moment, _, _, first = run.events[2]
    detail = str(first).replace('"checkpoint_interval": 50000', '"checkpoint_interval": 70000')
    run.events.insert(3, (float(str(moment)) + 100.0, "rescale", "target", detail))
    (path,) = import_demeter(run.write(), tmp_path / "out")
    second = [action for action in Recording.open(path).actions() if "rescale-002" in action.action_id]
    assert [action.params.model_dump() for action in second] == [
        {"type": "config_change", "key": "checkpoint_interval_s", "old": 50.0, "new": 70.0}
    ]
    assert second[0].status == "started"


def test_a_report_belongs_to_the_latest_request(make_run: MakeRun, tmp_path: Path) -> None:
    """An upgrade reported after a third rescale is no success of the first, though both asked for the same."""
    run = make_run()
    rescale = run.events[2]
    other = rescale_detail(8, 2, 1.0, 1024, 10_000)
    run.events[3:3] = [(START_S + 450.0, "rescale", "target", other), (START_S + 455.0, *rescale[1:])]
    (path,) = import_demeter(run.write(), tmp_path / "out")
    statuses = {
        str(action.incident_id)[-3:]: action.status for action in Recording.open(path).actions() if action.incident_id
    }
    assert statuses == {"001": "started", "002": "started", "003": "succeeded"}


def test_faults_are_injections_without_an_end(make_run: MakeRun, tmp_path: Path) -> None:
    """A fault put into the job is one fault injection; its end was not logged, and what was assumed is said."""
    (fault,) = actions_of(import_one(make_run, tmp_path / "out"), "fault_injection")
    assert fault.actor.kind == "fault_injector"
    assert fault.params.model_dump(exclude={"type"}) == {"kind": "network_delay", "magnitude": 60.0, "duration_s": 30.0}
    assert [(fact.status, fact.event_at) for fact in fault.transitions] == [("started", at(900.25))]
    assert [evidence.kind for evidence in fault.evidence] == ["assumption"]


def test_twins_are_no_part_of_it(make_run: MakeRun, tmp_path: Path) -> None:
    """Nothing about a twin is recorded: no log line with its outcome, no fault that was put into it."""
    recording = import_one(make_run, tmp_path / "out")
    bodies = recording.logs()["body"].to_pylist()
    assert [body for body in bodies if "profil" in body.lower() or body.startswith("target:")] == []
    assert "Failed to connect" in bodies
    everything = "".join(action.model_dump_json() for action in recording.actions())
    assert "profile1" not in everything


def test_absent_readings_are_left_out_and_seams_kept_once(make_run: MakeRun, tmp_path: Path) -> None:
    """NaN lag and zero latency are no readings, a reading repeated at a seam counts once, other zeros stay."""
    run = make_run()
    seconds = run.frame["timestamp"].unique().sort().to_list()
    absent = pl.col("timestamp").is_in(seconds[:7])
    run.frame = run.frame.with_columns(
        pl.when(absent & (pl.col("metric") == "consumer_lag"))
        .then(float("nan"))
        .when(absent & pl.col("metric").is_in(["latency", "throughput"]))
        .then(0.0)
        .otherwise(pl.col("value"))
        .alias("value")
    )
    (path,) = import_demeter(run.write(), tmp_path / "out")
    frame = pl.DataFrame(Recording.open(path).metrics())
    counts = dict(frame.group_by("channel_id").len().iter_rows())
    assert counts["job.consumer_lag"] == counts["job.latency_p95"] == len(seconds) - 7
    assert counts["job.throughput"] == counts["task-managers.replicas_ready"] == len(seconds)
    assert not frame["value"].is_nan().any()


def test_the_deployment_moves_with_the_request(make_run: MakeRun, tmp_path: Path) -> None:
    """What is deployed per TaskManager holds its old value before the request and its new one from then on."""
    frame = pl.DataFrame(import_one(make_run, tmp_path / "out").metrics())
    expected = {
        "task-managers.cores_allocated": (1.0, 2.0),
        "task-managers.memory_allocated": (2.0**32, 2.0**31),
        "task-managers.task_slots": (1.0, 3.0),
        "job.checkpoint_interval": (10.0, 50.0),
    }
    for channel_id, (old, new) in expected.items():
        channel = frame.filter(pl.col("channel_id") == channel_id)
        before = channel.filter(pl.col("event_at") < at(400.5))["value"]
        after = channel.filter(pl.col("event_at") >= at(400.5))["value"]
        assert (before.unique().to_list(), after.unique().to_list()) == ([old], [new])
        assert min(len(before), len(after)) > 20


def test_a_folder_of_runs_becomes_as_many_recordings(make_run: MakeRun, tmp_path: Path) -> None:
    """All runs of a folder are imported in order of name, other folders are passed over, progress is told."""
    names = ["1_baseline_ADS_24_small", "1_demeter_CARS_24_new"]
    data = {make_run(name).write().parent for name in names}.pop()
    (data / "workloads").mkdir()
    told: list[tuple[int, int, str]] = []
    paths = import_demeter(data, tmp_path / "out", lambda done, total, run: told.append((done, total, run)))
    assert [path.name for path in paths] == names
    assert told == [(0, 2, names[0]), (1, 2, names[1]), (2, 2, "")]


def test_the_same_run_gives_the_same_content(make_run: MakeRun, tmp_path: Path) -> None:
    """Two imports of one run agree in every checksum."""
    folder = make_run().write()
    (first,), (second,) = import_demeter(folder, tmp_path / "a"), import_demeter(folder, tmp_path / "b")
    digests = [Recording.open(path).manifest.content_digest for path in (first, second)]
    assert digests[0] == digests[1]


def test_the_controller_clock_is_compared_with_the_metrics(make_run: MakeRun, tmp_path: Path) -> None:
    """The offset between log and metrics is estimated from injections that name the metrics' instant."""
    (offset,) = import_one(make_run, tmp_path / "out").manifest.clock_offsets
    assert (offset.offset_s, offset.uncertainty_s) == (-0.25, 0.5)
