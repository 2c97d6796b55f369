"""What can go wrong: kinds of faults, how they set in, and which mechanism of an entity each one drives.

A fault never touches an outcome. It drives a mechanism (service time, errors, a leak, CPU taken away, demand), holds
replicas down, disturbs the calls between two entities, or changes the state once at its onset (replicas down, a cache
emptied); symptoms follow from the queueing.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from opswm.simulation.kernel.parameters import Edges, Faults
from opswm.simulation.kernel.state import WorldState


class Drive(IntEnum):
    """Mechanisms that a fault can push while it lasts."""

    SERVICE = 0  # log factor on the CPU and other own time of a request
    ERROR = 1  # added share of errors
    LEAK = 2  # memory ratio per second
    LOCK = 3  # time held under a lock, in multiples of the own time, growing with concurrency
    POOL_LEAK = 4  # connections per second
    STEAL = 5  # share of a host's cores taken by somebody else
    DELAY = 6  # seconds added to each request
    DEMAND = 7  # log factor on first attempts at an entry
    IO = 8  # log factor on the own time of a request that needs no CPU
    DOWN = 9  # share of the replicas that is away while it lasts, replacements included


class Passage(IntEnum):
    """What a fault can do to calls on their way to the target, while it lasts."""

    DELAY = 0  # seconds added to each call
    LOSS = 1  # share of connections that never come about


class Onset(IntEnum):
    """Changes of state that a fault makes once."""

    STUCK = 0  # replicas that go down and do not come back
    GRAY = 1  # replicas that go on answering, badly
    CHILL = 2  # share of a cache's contents that is lost
    POOL = 3  # share of a connection pool that a changed configuration takes away
    BACKLOG = 4  # items that appear in a queue


class Shape(IntEnum):
    """How a fault's strength develops from its onset."""

    STEP = 0
    RAMP = 1  # rises over ramp_s and falls over the last ramp_s
    INTERMITTENT = 2  # on and off, ramp_s each
    DECAY = 3  # full at once, then exponential with ramp_s
    REBOUND = 4  # next to nothing arrives for ramp_s (of a drive of demand), then full at once and exponential
    ROLLOUT = 5  # with the share of replicas that a progressive rollout of its origin has reached, in ``state.Works``


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: its name, the mechanisms it drives, what it changes once and what it does to calls.

    Each comes with a factor on the fault's magnitude.
    """

    name: str
    drives: tuple[tuple[Drive, float], ...] = ()
    onset: tuple[tuple[Onset, float], ...] = ()
    passages: tuple[tuple[Passage, float], ...] = ()


FAULT_KINDS: Final[tuple[FaultKind, ...]] = (
    FaultKind("none"),
    FaultKind("slow_version", ((Drive.SERVICE, 1.0),)),
    FaultKind("erroring_version", ((Drive.ERROR, 1.0),)),
    FaultKind("memory_leak", ((Drive.LEAK, 1.0),)),
    FaultKind("replica_down", (), ((Onset.STUCK, 1.0),)),
    FaultKind("gray_replica", (), ((Onset.GRAY, 1.0),)),
    FaultKind("lock_contention", ((Drive.LOCK, 1.0),)),
    FaultKind("slow_queries", ((Drive.SERVICE, 1.0),)),
    FaultKind("pool_leak", ((Drive.POOL_LEAK, 1.0),)),
    FaultKind("cold_cache", (), ((Onset.CHILL, 1.0),)),
    FaultKind("poisoned_cache", ((Drive.ERROR, 1.0),)),
    FaultKind("retry_storm", ((Drive.ERROR, 0.6), (Drive.SERVICE, 1.5))),
    FaultKind("demand_surge", ((Drive.DEMAND, 1.0),)),
    FaultKind("dependency_outage", ((Drive.ERROR, 1.0), (Drive.DELAY, 1.0))),
    FaultKind("dependency_slow", ((Drive.DELAY, 1.0),)),
    FaultKind("noisy_neighbour", ((Drive.STEAL, 1.0),)),
    FaultKind("harmless_deploy"),
    FaultKind("pool_shrunk", (), ((Onset.POOL, 1.0),)),
    FaultKind("zone_down", ((Drive.DOWN, 1.0),)),
    FaultKind("slow_disk", ((Drive.IO, 1.0),)),
    FaultKind("queue_backlog", (), ((Onset.BACKLOG, 1.0),)),
    FaultKind("poison_message", ((Drive.SERVICE, 1.0), (Drive.ERROR, 0.2))),
    FaultKind("edge_delay", (), (), ((Passage.DELAY, 1.0),)),
    FaultKind("edge_loss", (), (), ((Passage.LOSS, 1.0),)),
    FaultKind("certificate_expired", (), (), ((Passage.LOSS, 1.0),)),
    FaultKind("bad_config", ((Drive.ERROR, 1.0), (Drive.DELAY, 0.2))),
    FaultKind("thundering_herd", ((Drive.DEMAND, 1.0),)),
)
"""Kinds in fixed order, so that a kind's number means the same in every file; append, never reorder."""

FAULT_INDEX: Final[dict[str, int]] = {kind.name: index for index, kind in enumerate(FAULT_KINDS)}


def _table(size: int, pairs: list[tuple[tuple[int, float], ...]]) -> Tensor:
    table = torch.zeros(len(pairs), size)
    for row, entries in enumerate(pairs):
        for column, factor in entries:
            table[row, column] = factor
    return table


_DRIVES: Final = _table(len(Drive), [tuple((int(d), f) for d, f in kind.drives) for kind in FAULT_KINDS])
_ONSETS: Final = _table(len(Onset), [tuple((int(o), f) for o, f in kind.onset) for kind in FAULT_KINDS])
_PASSAGES: Final = _table(len(Passage), [tuple((int(p), f) for p, f in kind.passages) for kind in FAULT_KINDS])
_ABSENT: Final = -4.0
"""Log factor on the demand of users who cannot reach a system at all."""


def strength(faults: Faults, left: Float[Tensor, "W F"], second: int) -> Float[Tensor, "W F"]:
    """Return each fault's magnitude at one second, after its onset shape and what is left of it.

    Args:
        faults: The faults.
        left: What was not yet done away with, in [0, 1].
        second: Seconds since the start.
    """
    age = second - faults.onset_s
    active = ((age >= 0) & (age < faults.duration_s)).float() * faults.there * left
    ramp = faults.ramp_s.clamp(min=1.0)
    rising = torch.minimum(age / ramp, (faults.duration_s - age) / ramp).clamp(0.0, 1.0)
    blinking = (torch.remainder(age, 2.0 * ramp) < ramp).float()
    fading = torch.exp(-age.clamp(min=0.0) / ramp)
    rebound = torch.where(age < ramp, _ABSENT / faults.magnitude.clamp(min=1e-3), torch.exp(1.0 - age / ramp))
    shapes = torch.stack([torch.ones_like(age), rising, blinking, fading, rebound, torch.ones_like(age)])
    return faults.magnitude * active * shapes.gather(0, faults.shape[None])[0]


def drives(faults: Faults, level: Float[Tensor, "W F"], count: int) -> Float[Tensor, "D W N"]:
    """Return how hard each mechanism of each of ``count`` entities is driven (axis ``Drive``).

    Args:
        faults: The faults.
        level: Their strength now.
        count: Entities of each world.
    """
    pushes = (level[..., None] * _DRIVES.to(level.device)[faults.kind]).permute(2, 0, 1)
    field = torch.zeros(len(Drive), level.shape[0], count, device=level.device)
    return field.scatter_add_(2, faults.target[None].expand_as(pushes), pushes)


def passages(faults: Faults, level: Float[Tensor, "W F"], edges: Edges) -> Float[Tensor, "P W E"] | None:
    """Return what faults do to the calls along each edge (axis ``Passage``), None where there are none.

    Args:
        faults: The faults.
        level: Their strength now.
        edges: The calls; a fault means those from its origin to its target, all to its target where they are the same.
    """
    some = about_calls(faults).any(0).nonzero()[:, 0]
    if not some.numel():
        return None
    table = _PASSAGES.to(level.device)[faults.kind[:, some]]
    pushes = (level[:, some, None] * table).permute(2, 0, 1)
    return (pushes[..., None] * meant(faults, edges)).sum(2)


def about_calls(faults: Faults) -> Bool[Tensor, "W F"]:
    """Return which faults do something to calls on their way, those of the padding not among them."""
    return (_PASSAGES.to(faults.kind.device)[faults.kind] > 0).any(-1)


def meant(faults: Faults, edges: Edges) -> Bool[Tensor, "W S E"]:
    """Return which edges those slots of faults are about that hold a fault of calls in any world, in their order.

    Args:
        faults: The faults.
        edges: The calls.
    """
    some = about_calls(faults).any(0).nonzero()[:, 0]
    target, origin = faults.target[:, some, None], faults.origin[:, some, None]
    about = (edges.target[:, None] == target) & ((origin == target) | (edges.source[:, None] == origin))
    return about & (edges.there[:, None] > 0)


def apply_onsets(faults: Faults, state: WorldState) -> WorldState:
    """Return the state after the one-time changes of the faults that set in during this second.

    Args:
        faults: Those of all worlds side by side, see ``kernel.struck``.
        state: The state at the start of the second.
    """
    due = ((faults.onset_s >= state.second) & (faults.onset_s < state.second + 1)).float() * faults.there
    fleet, resources = state.fleet, state.resources
    pushes = (due * faults.magnitude)[..., None] * _ONSETS.to(due.device)[faults.kind]
    field = torch.zeros(len(Onset), 1, fleet.ready.numel(), device=due.device)
    field.scatter_add_(2, faults.target[None].expand(len(Onset), -1, -1), pushes.permute(2, 0, 1))
    field = field.view(len(Onset), *fleet.ready.shape)
    deployed = torch.zeros_like(fleet.ready).view(1, -1).scatter_add_(1, faults.origin, due * faults.via_version)
    deployed = deployed.view(fleet.ready.shape)
    share = field[Onset.STUCK] / fleet.ready.clamp(min=1.0)
    fleet = replace(
        fleet,
        stuck=torch.minimum(fleet.stuck + field[Onset.STUCK], fleet.ready),
        gray=torch.minimum(fleet.gray + field[Onset.GRAY], fleet.ready),
        deployed_s=torch.where(deployed > 0, torch.full_like(deployed, float(state.second)), fleet.deployed_s),
        old_version=torch.where(deployed > 0, torch.zeros_like(deployed), fleet.old_version),
    )
    pool_size = torch.ceil(state.settings.pool_size * (1.0 - field[Onset.POOL]).clamp(0.0, 1.0))
    settings = replace(state.settings, pool_size=torch.maximum(pool_size, state.settings.pool_size.clamp(max=1.0)))
    resources = replace(
        resources,
        warmth=resources.warmth * (1.0 - field[Onset.CHILL]).clamp(0.0, 1.0),
        dropped=resources.dropped + state.flow.present * share.clamp(max=1.0),
    )
    flow = replace(state.flow, backlog=state.flow.backlog + field[Onset.BACKLOG])
    return replace(state, flow=flow, fleet=fleet, resources=resources, settings=settings)


def hold_down(faults: Faults) -> Float[Tensor, "W F"]:
    """Return the share of its target's replicas that each fault takes away, per magnitude."""
    return _DRIVES.to(faults.kind.device)[faults.kind][..., Drive.DOWN]


def held_down(faults: Faults, left: Float[Tensor, "1 J"], state: WorldState) -> WorldState:
    """Return the state with the replicas away that a fault takes while it lasts, and back, cold, when it is over.

    Whatever replaces them meanwhile is away as well.

    Args:
        faults: Those of all worlds side by side that take any away, see ``kernel.struck``.
        left: What is left of them.
        state: The state at the start of the second.
    """
    share = hold_down(faults)
    fleet, like = state.fleet, state.fleet.ready
    now, before = (
        torch.zeros_like(like)
        .view(1, -1)
        .scatter_add_(1, faults.target, strength(faults, left, second) * share)
        .clamp(max=1.0)
        .view(like.shape)
        for second in (state.second, state.second - 1)
    )
    over = (now <= 0) & (before > 0)
    stuck = torch.where(over, torch.zeros_like(like), torch.maximum(fleet.stuck, now * fleet.ready))
    lost = state.flow.present * (now - before).clamp(min=0.0)
    return replace(
        state,
        fleet=replace(fleet, stuck=stuck, cold=torch.where(over, before, fleet.cold)),
        resources=replace(state.resources, dropped=state.resources.dropped + lost),
    )
