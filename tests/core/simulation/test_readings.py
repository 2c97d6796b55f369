"""Readings as their sources write them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opswm.simulation.kernel.episodes import Lived
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.recorder import decision_at, write_recording
from opswm.timeline.build import build_timeline
from opswm_schemas.recordings.reader import Recording
from opswm_schemas.recordings.validation import validate_recording

BUCKET = 2**0.5
"""Upper bounds of neighbouring buckets differ by this factor."""


def test_latency_histograms_are_read_at_their_quantile(shops: Lived, tmp_path: Path) -> None:
    """A latency that its source counts into buckets comes back as the stored quantile, as far as buckets tell."""
    blueprint = shops.blueprints[0]
    sensors = tuple(
        replace(sensor, instrument="histogram", unit="ms")
        if sensor.signal in ("latency_p50", "latency_p99")
        else sensor
        for sensor in blueprint.sensors
    )
    lived = replace(shops, blueprints=(replace(blueprint, sensors=sensors), *shops.blueprints[1:]))
    write_recording(lived, 0, tmp_path / "buckets")
    assert validate_recording(tmp_path / "buckets") == []
    with Recording.open(tmp_path / "buckets") as opened:
        told = build_timeline(
            opened.descriptor, opened.metrics(), opened.actions(), opened.events(), decision_at(lived, 0), 40
        )
    compared = 0
    for position, sensor in enumerate(sensors):
        if sensor.instrument != "histogram":
            continue
        entity = blueprint.index(sensor.part)
        at = (0, slice(None), entity, SIGNALS.index(sensor.signal))
        requests = 5.0 * lived.exact[0, :, entity, SIGNALS.index("request_rate")].numpy()
        both = lived.seen[at].numpy() & told.seen[:, position] & (requests > 300)
        ratio = told.value[both, position] / lived.value[at].numpy()[both]
        compared += both.sum()
        if both.any():
            assert np.median(ratio) == pytest.approx(1.0, rel=0.25)
            assert np.mean((ratio > 1 / BUCKET**2) & (ratio < BUCKET**2)) > 0.9
    assert compared > 200
