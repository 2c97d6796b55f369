"""Blueprints become worlds; what makes no sense is refused with where and what."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.sizing import call_order
from opswm.simulation.kernel.web_shop import web_shop


def test_differing_sizes_are_padded_and_masked(plans: Any) -> None:
    """A batch of a small and a large system keeps both, and marks what is padding."""
    small, large = plans.one(), plans.store()
    worlds = assemble([small, large])
    assert worlds.entities.there.tolist() == [[True, False], [True, True]]
    assert worlds.edges.there.tolist() == [[0.0], [1.0]]
    assert worlds.entities.pool_size[1].tolist() == [0.0, 40.0]


@pytest.mark.parametrize("field", ["cpu_s", "cores", "replicas", "start_s", "queue_limit", "scv"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_impossible_numbers_are_refused(plans: Any, field: str, value: float) -> None:
    """Negative, infinite and missing numbers are refused, naming part, field and value."""
    blueprint = plans.one(**{field: value})
    with pytest.raises(ValueError, match=f"web: {field} is"):
        assemble([blueprint])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"inlets": (Inlet("web", -5.0),)}, "rate_rps"),
        ({"inlets": ()}, "one entry of demand"),
        ({"links": (Link("web", "nowhere"),)}, "no part 'nowhere'"),
        ({"goals": (Goal("g", "web", "db", 0.2),)}, "is no entry"),
        ({"goals": (Goal("g", "web", "web", 0.2, weight=0.4),)}, "sum to 0.4"),
        ({"step_s": 0}, "whole seconds"),
    ],
)
def test_what_does_not_hang_together_is_refused(plans: Any, change: dict[str, Any], told: str) -> None:
    """Unknown names, missing demand, weights that do not sum to 1 and impossible steps are refused."""
    with pytest.raises(ValueError, match=told):
        assemble([replace(plans.store(), **change)])


def test_a_batch_has_one_step(plans: Any) -> None:
    """Systems with different telemetry steps cannot share a batch, and a batch is never empty."""
    with pytest.raises(ValueError, match=r"\[5, 15\]"):
        assemble([plans.one(), replace(plans.one(), step_s=15)])
    with pytest.raises(ValueError, match="at least one"):
        assemble([])


def test_calls_in_a_circle_are_refused() -> None:
    """A call graph without a beginning is refused."""
    parts = [Part("a", "service"), Part("b", "service")]
    with pytest.raises(ValueError, match="circle among a, b"):
        call_order(parts, [Link("a", "b"), Link("b", "a")])


def test_nobody_waits_for_a_message(plans: Any) -> None:
    """Asynchronous edges have neither timeouts nor retries, whatever was written down."""
    parts = [Part("web", "service"), Part("jobs", "queue", consumer="worker"), Part("worker", "worker")]
    links = [Link("web", "jobs", synchronous=0.0, timeout_s=0.1, retries=3.0), Link("jobs", "worker", synchronous=0.0)]
    worlds = assemble([plans.system(parts, links)])
    assert worlds.edges.retries.tolist() == [[0.0, 0.0]]
    assert float(worlds.edges.timeout_s.min()) > 1000.0


def test_the_web_shop_is_one_fixed_system() -> None:
    """The demo system is the same every time, with about ten services and at least twelve types of action."""
    one, other = web_shop(), web_shop()
    assert one == other
    assert isinstance(one, Blueprint)
    assert sum(part.kind in ("service", "load_balancer", "worker") for part in one.parts) in range(9, 13)
    assert len({ability.type for ability in one.abilities}) >= 12
    assert torch.equal(assemble([one]).entities.cpu_s, assemble([other]).entities.cpu_s)
