"""A simulated decision point takes the same path as a real system's recording."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from opswm.simulation.embodiment import descriptor_of, typed_parameters
from opswm.simulation.kernel.courses import FORMS, level_of, plain_parameters
from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.web_shop import web_shop
from opswm.simulation.recorder import decision_at, write_recording
from opswm.timeline.build import build_timeline
from opswm.windows.parameters import plain_parameters as plain_of
from opswm_schemas.capability import validate_parameters
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording
from opswm_schemas.vocabulary import MEANING_INDEX

TICKS = 30


@pytest.fixture(scope="module")
def lived(odd_worlds: Lived) -> Lived:
    """Two random systems, whose telemetry has odd units and counters."""
    return odd_worlds


@pytest.fixture(scope="module")
def recording(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of them, written down."""
    path = tmp_path_factory.mktemp("recordings") / "first"
    write_recording(lived, 0, path)
    return path


def test_a_recording_of_the_simulator_is_valid(recording: Path) -> None:
    """Validation finds nothing to say about it."""
    assert validate_recording(recording) == []


def test_what_is_read_back_is_what_was_stored(lived: Lived, recording: Path) -> None:
    """Timeline gives back every gauge as it was stored, in canonical units, and every counter as a near rate."""
    blueprint = lived.blueprints[0]
    with Recording.open(recording) as opened:
        descriptor = opened.descriptor
        metrics, actions, events = opened.metrics(), opened.actions(), opened.events()
    timeline = build_timeline(descriptor, metrics, actions, events, decision_at(lived, 0), TICKS)
    assert {sensor.instrument for sensor in blueprint.sensors} >= {"gauge", "counter"}
    assert any(sensor.unit in ("ms", "%", "min") for sensor in blueprint.sensors)
    for position, sensor in enumerate(blueprint.sensors):
        if sensor.instrument == "histogram":  # read back as far as buckets tell: see test_readings
            continue
        at = (0, slice(None), blueprint.index(sensor.part), SIGNALS.index(sensor.signal))
        stored, seen = lived.value[at].numpy(), lived.seen[at].numpy()
        assert np.array_equal(timeline.seen[:, position], seen)
        read = timeline.value[seen, position]
        if sensor.instrument == "gauge":
            assert read == pytest.approx(stored[seen], rel=1e-4, abs=1e-6)
        elif seen.all():
            assert read == pytest.approx(stored, rel=1e-3, abs=1e-3)


def test_truth_stays_apart(lived: Lived, recording: Path) -> None:
    """The fault's label is in a file of truth and nowhere else in the recording."""
    with Recording.open(recording) as opened:
        told = json.loads(opened.truth("truth/incident.json"))
        logs, spans = opened.logs(), opened.spans()
    assert told["label"] == lived.incidents[0].label
    told_of = [(recording / name).read_text() for name in ("descriptor.json", "events.jsonl", "actions.jsonl")]
    for content in (*told_of, str(logs.to_pylist()), str(spans.to_pylist())):
        assert all(breakage.kind not in content for breakage in lived.incidents[0].breakages)


def test_nothing_in_a_recording_was_known_after_the_decision(lived: Lived, recording: Path) -> None:
    """Readings, alerts and transitions were all known when the decision fell."""
    at = decision_at(lived, 0)
    with Recording.open(recording) as opened:
        assert opened.metrics()["known_at"].to_pylist()
        assert max(opened.metrics()["known_at"].to_pylist()) <= at
        assert all(event.known_at <= at for event in opened.events())
        for table in (opened.logs(), opened.spans()):
            assert table.num_rows > 50
            assert max(table["known_at"].to_pylist()) <= at
        facts = [fact for action in opened.actions() for fact in action.transitions]
    assert all(fact.known_at <= at for fact in facts)


def test_a_place_is_written_once(lived: Lived, recording: Path) -> None:
    """A recording never overwrites what is there."""
    with pytest.raises(FileExistsError):
        write_recording(lived, 1, recording)


def test_the_same_world_is_written_alike(lived: Lived, recording: Path, tmp_path: Path) -> None:
    """Writing a world twice gives the same bytes, a zip the same content."""
    again = write_recording(lived, 0, tmp_path / "again")
    zipped = write_recording(lived, 0, tmp_path / "again.zip")
    with Recording.open(recording) as opened:
        assert opened.manifest == again
    assert zipped.content_digest == again.content_digest


def test_every_capability_of_the_shop_takes_its_own_levels() -> None:
    """Typed parameters of every level fit their capability, and name the same numbers as the direct path."""
    shop = web_shop()
    descriptor = descriptor_of(shop)
    assert {ability.type for ability in shop.abilities} <= set(FORMS)
    for ability, capability in zip(shop.abilities, descriptor.capabilities, strict=True):
        for level in ability.levels:
            params = typed_parameters(shop, ability, level)
            assert validate_parameters(capability, params) == []
            direct = plain_parameters(shop, ability, level)
            typed = {name: value for name, value in plain_of(params, ability.target).items() if name in direct}
            assert typed == pytest.approx(direct)
            assert level_of(ability.type, direct).amount == pytest.approx(level.amount)
            assert level_of(ability.type, direct).option == level.option


def test_descriptors_say_what_exists_and_nothing_hidden(lived: Lived) -> None:
    """Entities, relations, channels and objectives match the system; meanings are known ones."""
    for blueprint in lived.blueprints:
        descriptor = descriptor_of(blueprint)
        assert [entity.entity_id for entity in descriptor.entities] == [part.name for part in blueprint.parts]
        assert len(descriptor.channels) == len(blueprint.sensors)
        assert all(channel.meaning in MEANING_INDEX for channel in descriptor.channels)
        assert sum(objective.weight for objective in descriptor.objectives) == pytest.approx(1.0)
        assert descriptor.step_s == blueprint.step_s


def test_events_tell_of_deployments_scaling_and_restarts(shops: Lived, tmp_path: Path) -> None:
    """What the platform did to an entity is told where its signals show it, and nothing else is."""
    lived = replace(shops, exact=shops.exact.clone())
    shop = lived.blueprints[0]
    for name in ("version_age", "replicas_desired", "restart_rate"):
        lived.exact[0, :, :, SIGNALS.index(name)] = 0.0
    at, step_s = shop.index("cart"), shop.step_s
    lived.exact[0, :, at, SIGNALS.index("version_age")] = torch.tensor([100.0] * 10 + [1.0] * 30)
    lived.exact[0, :, at, SIGNALS.index("replicas_desired")] = torch.tensor([2.0] * 20 + [5.0] * 20)
    lived.exact[0, 30, at, SIGNALS.index("restart_rate")] = 2.0 / step_s
    write_recording(lived, 0, tmp_path / "told")
    with Recording.open(tmp_path / "told") as opened:
        told = [event for event in opened.events() if event.type == "state_change"]
    assert [event.name for event in told] == ["Deployed", "ScaledUp", "Restarted"]
    assert {event.entity_id for event in told} == {"cart"}
    assert told[1].attributes == {"from_replicas": "2", "to_replicas": "5"}
    assert all(event.event_at < event.known_at for event in told)


def test_the_files_of_a_recording_are_small(shops: Lived, tmp_path: Path) -> None:
    """Logs and spans are sampled, so that they take no more room than a few times what metrics take."""
    for row in range(3):
        write_recording(shops, row, tmp_path / str(row))
        sizes = {path.name: path.stat().st_size for path in (tmp_path / str(row)).iterdir()}
        assert sizes["logs.parquet"] + sizes["spans.parquet"] < 1_000_000
