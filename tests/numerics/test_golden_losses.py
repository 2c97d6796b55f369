"""Golden losses: a change that is not about numbers leaves the training losses of a fixed recipe as they are."""

import pytest
import torch

from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from tests.core.model.queue_world import QueueWorld

CONFIG = GraphWorldModelConfig(width=16, message_width=8, hidden=24, rounds=2, history_rounds=1, samples=16)


def descend(steps: int) -> list[dict[str, float]]:
    """Return the loss terms of a few plain gradient steps from fixed weights on fixed data."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = GraphWorldModel(CONFIG)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = QueueWorld(entities=3).batch(24, seed=7)
    found = []
    for _ in range(steps):
        terms = model.loss(batch)
        found.append({name: float(term.detach()) for name, term in terms.items()})
        optimizer.zero_grad()
        terms["total"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return found


def test_golden_losses() -> None:
    """The terms at the start and after eight steps are those written down here, to four digits."""
    found = descend(9)
    assert found[0] == pytest.approx(START, rel=1e-4, abs=1e-6)
    assert found[-1] == pytest.approx(LATER, rel=1e-4, abs=1e-6)


START = {
    "bad": 0.448238,
    "effect": 0.049281,
    "spread": 0.18054,
    "choice": 0.160201,
    "channel": 0.007952,
    "response": 0.0,
    "total": 4.350843,
}
LATER = {
    "bad": 0.448114,
    "effect": 0.049276,
    "spread": 0.177803,
    "choice": 0.160199,
    "channel": 0.007951,
    "response": 0.0,
    "total": 4.323287,
}
