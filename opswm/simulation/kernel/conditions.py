"""What holds for one second: effective service times, capacities and edge gains, from parameters and slow state.

The quarter-second steps read nothing but these conditions and the flow, so every slow mechanism (versions, warm-up,
contention, memory pressure, hosts, caches, breakers, settings) meets the queues in this one place.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel import queueing
from opswm.simulation.kernel.alterations import alterations
from opswm.simulation.kernel.faults import Drive
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.passing import OnTheWay, disturb
from opswm.simulation.kernel.scalars import scalar
from opswm.simulation.kernel.state import WorldState
from opswm.simulation.kernel.wiring import Wiring

GRAY_CAPACITY_LOSS: Final = 0.7
GRAY_ERRORS: Final = 0.5
MEMORY_KNEE: Final = 0.85
MEMORY_PENALTY: Final = 4.0
OPEN_BREAKER_PASSES: Final = 0.05
WARMING_EXTRA: Final = 0.35
ROLLING_SHARE: Final = 0.25
PULLED_SHARE: Final = 0.95


@dataclass(frozen=True)
class Conditions:
    """Constants of one second, per entity and per edge.

    Attributes:
        own_s, own_var: Own time of a request, mean and variance.
        cpu_s: CPU time of a request.
        cpu_rps: Completions per second that the CPU allows.
        cores, reserved: CPU cores in use at most, and those its replicas have reserved.
        stolen: Share of a host's cores that others take.
        slots: Requests worked on at once.
        no_error: Share of served requests that are not answered with an error of its own.
        up: Share of arrivals that find a replica at all.
        queue_limit, patience_s, not_shed, token_rate, token_limit: Admission.
        scv, variability, twice_variability: ``cs2``, ``(ca2 + cs2) / 2`` and ``ca2 + cs2``.
        reference: Occupancy above which requests wait (see ``kernel.queueing``).
        flow_gain: Calls along the edge per request served at its source, before retries.
        optional: Chance that a request makes no such call.
        extra_calls: Calls per second that warming a cache adds.
        time_gain: Weight of the edge's latency in its source's.
        fail_gain: Chance that a failed call fails the request at the source.
        passes: Share of calls that circuit breakers let through.
        timeout_s, log_timeout, backoff_s, retry_1, retry_2, retry_3: How the source calls.
        memory_of_failure: How quickly the seen failure ratio follows, per substep.
    """

    own_s: Float[Tensor, "W N"]
    own_var: Float[Tensor, "W N"]
    cpu_s: Float[Tensor, "W N"]
    cpu_rps: Float[Tensor, "W N"]
    cores: Float[Tensor, "W N"]
    reserved: Float[Tensor, "W N"]
    stolen: Float[Tensor, "W N"]
    slots: Float[Tensor, "W N"]
    no_error: Float[Tensor, "W N"]
    up: Float[Tensor, "W N"]
    not_shed: Float[Tensor, "W N"]
    token_rate: Float[Tensor, "W N"]
    token_limit: Float[Tensor, "W N"]
    queue_limit: Float[Tensor, "W N"]
    patience_s: Float[Tensor, "W N"]
    scv: Float[Tensor, "W N"]
    variability: Float[Tensor, "W N"]
    twice_variability: Float[Tensor, "W N"]
    reference: Float[Tensor, "W N"]
    flow_gain: Float[Tensor, " K"]
    optional: Float[Tensor, " K"]
    extra_calls: Float[Tensor, " K"]
    time_gain: Float[Tensor, " K"]
    fail_gain: Float[Tensor, " K"]
    passes: Float[Tensor, " K"]
    timeout_s: Float[Tensor, " K"]
    log_timeout: Float[Tensor, " K"]
    backoff_s: Float[Tensor, " K"]
    retry_1: Float[Tensor, " K"]
    retry_2: Float[Tensor, " K"]
    retry_3: Float[Tensor, " K"]
    memory_of_failure: Float[Tensor, " K"]


def conditions(
    parameters: WorldParameters,
    wiring: Wiring,
    state: WorldState,
    drives: Float[Tensor, "D W N"],
    way: OnTheWay | None,
    substep_s: float,
) -> Conditions:
    """Return what holds for the coming second.

    Args:
        parameters: The worlds.
        wiring: Index tensors of the call graph.
        state: The state at the start of the second.
        drives: How hard faults push each mechanism (axis ``kernel.faults.Drive``).
        way: What they do to calls on their way, None where they do nothing.
        substep_s: Length of a step of the queues.
    """
    entities, settings = parameters.entities, state.settings
    fleet, resources, flow = state.fleet, state.resources, state.flow

    one = scalar(1.0)
    rolling = one - scalar(ROLLING_SHARE) * (fleet.rolling_left_s > 0)
    ready = (fleet.ready - fleet.stuck - scalar(GRAY_CAPACITY_LOSS) * fleet.gray).clamp(min=0.0) * rolling
    up = (fleet.ready - fleet.stuck).clamp(0.0, 1.0)
    short = ((resources.memory - scalar(MEMORY_KNEE)) / scalar(1.0 - MEMORY_KNEE)).clamp(min=0.0)
    pressure = one + scalar(MEMORY_PENALTY) * short
    crowd = flow.busy / entities.contention_knee
    contention = one + entities.contention_slope * (crowd - one).clamp(min=0.0)
    version = one + (entities.old_version_penalty - one) * fleet.old_version
    lock, disk, errors = drives[Drive.LOCK], drives[Drive.IO], drives[Drive.ERROR]
    slots_each, queue_limit, pull = entities.slots, entities.queue_limit, wiring.queue.new_tensor(PULLED_SHARE)
    altered = alterations(parameters, wiring, state)
    if altered is not None:
        up, version, lock, disk = up * altered.up, version * altered.service, lock + altered.lock, disk + altered.log_io
        slots_each, queue_limit, errors = altered.slots, altered.queue_limit, errors + altered.errors
        pull = pull * altered.pull
    stretch = (
        torch.exp(drives[Drive.SERVICE])
        * version
        * contention
        * pressure
        * (one + entities.warmup_penalty * fleet.cold)
    )
    cpu_s = entities.cpu_s * stretch
    locked_s = lock * (entities.cpu_s + entities.io_s) * (scalar(0.5) + crowd.clamp(max=3.0))
    io_s = entities.io_s * stretch * torch.exp(disk)
    own_s = cpu_s + io_s + locked_s + drives[Drive.DELAY]

    missed = one - (entities.hit_max * resources.warmth).view(-1).index_select(0, wiring.source) * wiring.on_miss
    calls = wiring.calls * wiring.of_edges(settings.weight) * wiring.of_edges(settings.enabled)
    flow_gain = calls * missed
    passes = one - scalar(1.0 - OPEN_BREAKER_PASSES) * (wiring.of_edges(settings.breaker_left_s) > 0)
    if altered is not None:
        passes = passes * altered.reached
    time_gain = flow_gain * wiring.on_path * wiring.synchronous
    asked_s, retries = wiring.of_edges(settings.timeout_s), wiring.of_edges(settings.retries)
    timeout_s = asked_s
    if way is not None:
        at = way.edge
        reached, spent_s, left_s = disturb(way, asked_s[at], retries[at])
        passes = passes.index_copy(0, at, passes[at] * (1.0 - wiring.synchronous[at] * (1.0 - reached)))
        own_s = own_s.view(-1).scatter_add(0, wiring.source[at], time_gain[at] * spent_s).view_as(own_s)
        timeout_s = timeout_s.index_copy(0, at, left_s)

    cores = (settings.cores * ready).clamp(min=1e-3)
    stay = one - settings.moved
    share = _host_share(parameters, wiring, state, cpu_s, drives[Drive.STEAL])
    cores = torch.minimum(cores * stay, share * stay) + cores * settings.moved
    pool = (settings.pool_size - resources.leaked).clamp(min=1.0) * ready.clamp(max=1.0)
    slots = torch.lerp(slots_each * ready, pool, entities.pooled).clamp(min=1e-3)
    pulled = flow.capacity.view(-1).index_select(0, wiring.consumer).view_as(cores) * pull
    cpu_rps = cores / cpu_s.clamp(min=1e-6)
    cpu_rps = torch.lerp(cpu_rps, pulled.clamp(min=1e-2), wiring.queue)
    slot_rps = slots / (own_s + flow.downstream_s)
    capacity = torch.minimum(slot_rps, cpu_rps)
    servers = torch.lerp(cores, slots, (slot_rps < cpu_rps).float())
    variability = scalar(0.5) * (one + entities.scv)
    gray = fleet.gray / fleet.ready.clamp(min=1.0)
    error_ratio = (entities.error_ratio + errors + scalar(GRAY_ERRORS) * gray).clamp(max=0.98)

    warming = (resources.warming_left_s > 0) * flow.served_rate * WARMING_EXTRA
    return Conditions(
        own_s=own_s,
        own_var=own_s * own_s * entities.scv,
        cpu_s=cpu_s,
        cpu_rps=cpu_rps,
        cores=cores,
        reserved=(settings.cores * fleet.ready).clamp(min=1e-2),
        stolen=drives[Drive.STEAL],
        slots=slots,
        no_error=one - error_ratio,
        up=up,
        not_shed=one - settings.shed,
        token_rate=settings.limit_rps * scalar(substep_s),
        token_limit=settings.burst,
        queue_limit=queue_limit,
        patience_s=entities.patience_s,
        scv=entities.scv,
        variability=variability,
        twice_variability=scalar(2.0) * variability,
        reference=queueing.reference(flow.rate / capacity, servers.clamp(min=1.0), variability),
        flow_gain=flow_gain,
        optional=(one - flow_gain).clamp(min=0.0),
        extra_calls=warming.view(-1).index_select(0, wiring.source) * wiring.on_miss * calls,
        time_gain=time_gain,
        fail_gain=wiring.required * wiring.synchronous * flow_gain.clamp(max=1.0),
        passes=passes,
        timeout_s=timeout_s,
        log_timeout=torch.log(timeout_s),
        backoff_s=wiring.backoff_s,
        retry_1=retries.clamp(0.0, 1.0),
        retry_2=(retries - one).clamp(0.0, 1.0),
        retry_3=(retries - scalar(2.0)).clamp(0.0, 1.0),
        memory_of_failure=scalar(substep_s) / asked_s.clamp(2.0 * substep_s, 4.0),
    )


def _host_share(
    parameters: WorldParameters,
    wiring: Wiring,
    state: WorldState,
    cpu_s: Float[Tensor, "W N"],
    steal: Float[Tensor, "W N"],
) -> Float[Tensor, "W N"]:
    """Return the cores that each entity may use of its host, shared in proportion to what residents want.

    Who was moved away is no resident any more.
    """
    wanted = (state.flow.rate * cpu_s).clamp(min=0.02)
    total = (
        torch.zeros_like(wanted)
        .view(-1)
        .scatter_add_(0, wiring.host, (wanted * wiring.resident * (scalar(1.0) - state.settings.moved)).view(-1))
    )
    available = parameters.entities.host_cores * (scalar(1.0) - steal).clamp(min=0.05)
    share = available.reshape(-1) / total.clamp(min=1e-3)
    return wanted * share.index_select(0, wiring.host).view_as(wanted)
