"""Telemetry differs from system to system in names, units, instruments, noise and gaps; its meaning does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from opswm.simulation.embodiment import descriptor_of
from opswm.simulation.kernel import noise
from opswm.simulation.kernel.observe import GAP_TICKS, measured, observe
from opswm.simulation.kernel.sensors import SAID_AS, STYLES, choose_sensors, local_name
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.topologies import random_blueprint
from opswm.simulation.kernel.web_shop import web_shop


def test_names_are_local_and_units_vary() -> None:
    """Many systems name their channels themselves, in several units and instruments; every descriptor is valid."""
    systems = [random_blueprint(np.random.default_rng(seed), 14) for seed in range(12)]
    sensors = [sensor for system in systems for sensor in system.sensors]
    named = [sensor for sensor in sensors if sensor.name]
    assert len(named) > len(sensors) / 3
    assert not [sensor for sensor in named if sensor.name == sensor.signal]
    assert {"ms", "s", "%", "1"} <= {sensor.unit for sensor in sensors}
    assert {"gauge", "counter"} <= {sensor.instrument for sensor in sensors}
    assert len({system.noise_scale for system in systems}) == 12
    for system in systems:
        assert len(descriptor_of(system).channels) == len(system.sensors)


def test_every_signal_has_a_name_in_every_style() -> None:
    """No style repeats the canonical name, and the demo system has none but its own."""
    assert set(SAID_AS) == set(SIGNALS)
    for style in STYLES[1:]:
        assert all(local_name(style, "a-b", signal) not in ("", signal) for signal in SIGNALS)
    assert {sensor.name for sensor in choose_sensors(web_shop().parts, np.random.default_rng(1), True)} == {""}


def test_gaps_last_and_noise_scales(plans: Any) -> None:
    """Gaps take whole stretches of ticks away; twice the noise is twice as far from the truth."""
    blueprint = replace(plans.one(), sensors=web_shop().sensors[:0])
    parts = choose_sensors(blueprint.parts, np.random.default_rng(1), True)
    there = measured([replace(blueprint, sensors=parts)], 1)
    signals = torch.full((1, 600, 1, len(SIGNALS)), 0.9)
    seeds, none = noise.world_seeds(1, torch.tensor([0]), torch.tensor([0])), torch.zeros(1)
    usual, _ = observe(signals, there, none, seeds, 0, 5)
    same, _ = observe(signals, there, none, seeds, 0, 5, torch.ones(1), none)
    noisy, seen = observe(signals, there, none, seeds, 0, 5, torch.full((1,), 2.0), torch.full((1,), 0.3))
    assert torch.equal(usual, same)
    column = SIGNALS.index("request_rate")
    stretches = seen[0, :, 0, column].view(-1, GAP_TICKS).float().mean(1)
    assert set(stretches.tolist()) == {0.0, 1.0}
    assert 0.15 < 1.0 - float(stretches.mean()) < 0.45
    read = noisy[0, seen[0, :, 0, column], 0, column]
    assert 1.5 < float((read / 0.9).log().std() / (usual[0, :, 0, column] / 0.9).log().std()) < 2.5
