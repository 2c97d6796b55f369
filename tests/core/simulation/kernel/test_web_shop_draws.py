"""The demo system's worlds mean the same for a seed in every version: checkpoints were trained on them."""

import hashlib
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from opswm.simulation.kernel import demand, noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.hazards import CLASSIC
from opswm.simulation.kernel.incidents import draw_incident
from opswm.simulation.kernel.web_shop import web_shop

SYSTEM = "2a17e42c984e191a"
INCIDENTS = "f0b71976a0079ed2"


def plain(value: Any) -> Any:
    """Return a value as text that new fields with defaults and the last bits of a float leave alone."""
    if is_dataclass(value):
        told = []
        for field in fields(value):
            item = getattr(value, field.name)
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            if item != default:
                told.append((field.name, plain(item)))
        return (type(value).__name__, told)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return [(key, plain(item)) for key, item in sorted(value.items())]
    return float(f"{value:.6g}") if isinstance(value, (float, int)) else value


def digest(value: Any) -> str:
    """Return a short digest of what a value says."""
    return hashlib.sha256(repr(plain(value)).encode()).hexdigest()[:16]


def test_the_shop_itself_is_pinned() -> None:
    """Parts, links, demand, promises, abilities, channels and delays of the demo system stay what they are."""
    shop = web_shop()
    assert shop.hazards == CLASSIC
    assert digest(replace(shop, hazards=())) == SYSTEM


def test_what_befalls_the_shop_is_pinned() -> None:
    """The first draws of incidents of forty seeds, with their faults and past actions, stay what they are."""
    shop = web_shop()
    drawn = [
        draw_incident(shop, 790.0, 640.0, np.random.default_rng([seed, draw, 5]))
        for seed in range(20)
        for draw in (0, 1)
    ]
    assert digest([(incident.label, incident.breakages, incident.past) for incident in drawn]) == INCIDENTS


def test_the_demand_of_the_shop_is_pinned() -> None:
    """Expected arrivals at both entries are those of sine and burst alone, to the last bit."""
    entries = assemble([web_shop()]).entries
    calm = torch.zeros(1, 2)
    for second in (0, 37, 800):
        phase = second / entries.diurnal_period_s * (2.0 * np.pi) + entries.diurnal_phase
        slow = 1.0 + entries.diurnal_amplitude * torch.sin(phase)
        assert torch.equal(demand.rate(entries, calm, calm, second), entries.rate_rps * slow)
    keys = noise.stream(noise.world_seeds(0, torch.tensor([7]), torch.tensor([0])), 2, noise.Purpose.DEMAND)
    assert demand.next_log_demand(entries, calm, keys, 3)[0].tolist() == pytest.approx([0.0, 0.0], abs=0.05)
