"""The state of a batch of worlds: all that the future depends on besides parameters, forcings and noise.

Axes as in ``opswm.simulation.kernel.parameters``. A state can be stored, repeated along rows
(``rows.take_rows``) and continued under other forcings, which is how true counterfactuals are made.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from opswm.simulation.kernel.parameters import WorldParameters

NEVER = 1e9
UNLIMITED = 1e9
SCALE_DOWN_CALM_S = 180.0
"""How long an autoscaler waits for calm before it removes a replica."""


@dataclass(frozen=True)
class Flow:
    """What moves every quarter of a second.

    Attributes:
        backlog: Requests in the entity beyond its reference occupancy (see ``kernel.queueing``).
        rate: Smoothed arrival rate of admitted requests.
        capacity: Requests per second that could be completed when last looked at.
        waiting: Requests that wait for a slot.
        served_rate: Smoothed completions per second.
        busy: Slots (or connections) taken, by requests that are worked on or wait for the CPU.
        present: Requests in the entity, waiting for a slot included.
        latency_s, latency_var: Mean and variance of the response time as callers see it, smoothed.
        failure: Share of calls refused or answered with an error, smoothed.
        downstream_s, downstream_var: Time spent in synchronous calls per request, mean and variance.
        log_success: Sum of log(success) over the calls that a request cannot do without.
        call_rate: Calls per second along each edge, retries included: ``[W, E]`` in a state, ``[K]`` within a second
            (see ``wiring.Wiring``).
        call_failure: Smoothed chance that one attempt on an edge fails or times out, likewise.
        tokens: Requests that a rate limit would admit at once.
        owed: Completions counted too early, not positive (see ``queueing.reflect``).
    """

    backlog: Float[Tensor, "W N"]
    rate: Float[Tensor, "W N"]
    capacity: Float[Tensor, "W N"]
    waiting: Float[Tensor, "W N"]
    served_rate: Float[Tensor, "W N"]
    busy: Float[Tensor, "W N"]
    present: Float[Tensor, "W N"]
    latency_s: Float[Tensor, "W N"]
    latency_var: Float[Tensor, "W N"]
    failure: Float[Tensor, "W N"]
    downstream_s: Float[Tensor, "W N"]
    downstream_var: Float[Tensor, "W N"]
    log_success: Float[Tensor, "W N"]
    call_rate: Float[Tensor, "*edges"]
    call_failure: Float[Tensor, "*edges"]
    tokens: Float[Tensor, "W N"]
    owed: Float[Tensor, "W N"]


@dataclass(frozen=True)
class Fleet:
    """Replicas and the controller that sets their number.

    Attributes:
        ready: Replicas that pass for ready, sick ones included until something removes them.
        starting, start_left_s: Replicas on their way, and the time they still need.
        stuck: Replicas that never get ready (crash loops); seen as not ready.
        gray: Replicas that pass health checks and answer badly.
        desired: Number asked for.
        cold: Share of replicas that are still warming up.
        rolling_left_s: Time left of a rolling restart, during which a quarter of the replicas is away.
        scaler_wait_s: Time until the autoscaler looks again.
        calm_left_s: Time that utilisation must stay low before it removes a replica.
        scaled: Replicas the autoscaler has added (removed: negative) since the last tick.
        restarts: Replicas restarted since the start.
        deployed_s: Second of the last change of version.
        old_version: 1 where the version before is running.
        utilization: CPU used over CPU reserved, smoothed over about ten seconds.
        scaler_min, scaler_max, scaler_target: What the autoscaler may do and aims at.
        scaler_set: 1 where an operator has set that, so that the bounds hold for any number of replicas.
        pending: 1 where new replicas find no place and wait for one.
    """

    ready: Float[Tensor, "W N"]
    starting: Float[Tensor, "W N"]
    start_left_s: Float[Tensor, "W N"]
    stuck: Float[Tensor, "W N"]
    gray: Float[Tensor, "W N"]
    desired: Float[Tensor, "W N"]
    cold: Float[Tensor, "W N"]
    rolling_left_s: Float[Tensor, "W N"]
    scaler_wait_s: Float[Tensor, "W N"]
    calm_left_s: Float[Tensor, "W N"]
    scaled: Float[Tensor, "W N"]
    restarts: Float[Tensor, "W N"]
    deployed_s: Float[Tensor, "W N"]
    old_version: Float[Tensor, "W N"]
    utilization: Float[Tensor, "W N"]
    scaler_min: Float[Tensor, "W N"]
    scaler_max: Float[Tensor, "W N"]
    scaler_target: Float[Tensor, "W N"]
    scaler_set: Float[Tensor, "W N"]
    pending: Float[Tensor, "W N"]


@dataclass(frozen=True)
class Resources:
    """Slow resources: memory, cache contents, leaked connections.

    Attributes:
        memory: Used share of the memory limit.
        warmth: Share of a cache's working set that it holds.
        warming_left_s: Time left of a warming run, which loads what the cache lacks from behind it.
        leaked: Connections of a pool that are held by nobody.
        dropped: Requests in the entity lost since the last quarter second (restarts, crashes).
    """

    memory: Float[Tensor, "W N"]
    warmth: Float[Tensor, "W N"]
    warming_left_s: Float[Tensor, "W N"]
    leaked: Float[Tensor, "W N"]
    dropped: Float[Tensor, "W N"]


@dataclass(frozen=True)
class Settings:
    """What actions set and leave behind, per entity and per edge.

    Attributes:
        shed: Share of arrivals refused on purpose.
        limit_rps, burst: Rate limit and its bucket.
        pool_size: Connections of a pool.
        cores: CPU cores per replica.
        moved: Share of the entity that was moved from its host to one with room, 1 where it was drained.
        weight: Share of traffic between equivalent targets.
        enabled: 1 where a feature flag lets the calls through.
        timeout_s, retries: How the source calls.
        breaker_ratio, breaker_open_s, breaker_left_s: Circuit breaker: what trips it, for how long, time left open.
    """

    shed: Float[Tensor, "W N"]
    limit_rps: Float[Tensor, "W N"]
    burst: Float[Tensor, "W N"]
    pool_size: Float[Tensor, "W N"]
    cores: Float[Tensor, "W N"]
    moved: Float[Tensor, "W N"]
    weight: Float[Tensor, "W E"]
    enabled: Float[Tensor, "W E"]
    timeout_s: Float[Tensor, "W E"]
    retries: Float[Tensor, "W E"]
    breaker_ratio: Float[Tensor, "W E"]
    breaker_open_s: Float[Tensor, "W E"]
    breaker_left_s: Float[Tensor, "W E"]


@dataclass(frozen=True)
class Works:
    """What actions have begun and not finished, and what they leave behind for later ones; neutral where unused.

    Attributes:
        begun: 1 in worlds in which anything here matters.
        share: Share of replicas on the version that is being rolled out.
        until, pace: The share at which that rollout halts, and how fast it gets there, per second.
        switch_left_s: Time until a blue-green deployment sends everybody to the new version at once.
        base_factor, base_errors: Service time of the version that it replaces over the first one's, errors it adds.
        factor, errors: The same of the version that is being rolled out.
        slots, slots_next: Slots of a replica now, and after the rolling restart that is under way.
        queue_limit, queue_limit_next: Likewise the places to wait.
        elsewhere: 1 where new replicas land on another host.
        seen: Replicas that were ready when last looked at.
        quarantined: 1 where nothing gets through to the entity.
        paused_left_s: Time until a queue hands out items again.
        parked: Items purged from a queue, which a replay brings back.
        owed, forgone: Purged items that count as lost with items still to come, and the share of the present ones.
        vacuum_left_s, index_left_s: Time left of a vacuum and of the making of an index.
        bloat: Extra service time for want of a vacuum.
        promoted: 1 where a database runs on its standby.
        behind: What is left of faults that a failover left behind on the primary, which a failback meets again.
    """

    begun: Float[Tensor, " W"]
    share: Float[Tensor, "W N"]
    until: Float[Tensor, "W N"]
    pace: Float[Tensor, "W N"]
    switch_left_s: Float[Tensor, "W N"]
    base_factor: Float[Tensor, "W N"]
    base_errors: Float[Tensor, "W N"]
    factor: Float[Tensor, "W N"]
    errors: Float[Tensor, "W N"]
    slots: Float[Tensor, "W N"]
    slots_next: Float[Tensor, "W N"]
    queue_limit: Float[Tensor, "W N"]
    queue_limit_next: Float[Tensor, "W N"]
    elsewhere: Float[Tensor, "W N"]
    seen: Float[Tensor, "W N"]
    quarantined: Float[Tensor, "W N"]
    paused_left_s: Float[Tensor, "W N"]
    parked: Float[Tensor, "W N"]
    owed: Float[Tensor, "W N"]
    forgone: Float[Tensor, "W N"]
    vacuum_left_s: Float[Tensor, "W N"]
    index_left_s: Float[Tensor, "W N"]
    bloat: Float[Tensor, "W N"]
    promoted: Float[Tensor, "W N"]
    behind: Float[Tensor, "W N"]


@dataclass(frozen=True)
class WorldState:
    """A moment of a batch of worlds.

    Attributes:
        second: Seconds since the start, the same in all rows.
        log_demand: Ornstein-Uhlenbeck noise of the log demand at each entry.
        client_failure: Smoothed share of failed attempts as clients see it, which sets how many come again.
        fault_left: What is left of each fault after what was done about it, in [0, 1].
        works: What actions have begun.
    """

    second: int
    flow: Flow
    fleet: Fleet
    resources: Resources
    settings: Settings
    log_demand: Float[Tensor, "W G"]
    client_failure: Float[Tensor, "W G"]
    fault_left: Float[Tensor, "W F"]
    works: Works


def initial_state(parameters: WorldParameters) -> WorldState:
    """Return empty, healthy worlds at second 0; let them run a while before looking at them.

    Args:
        parameters: The worlds.
    """
    entities, edges = parameters.entities, parameters.edges
    zero, one = torch.zeros_like(entities.slots), torch.ones_like(entities.slots)
    edge_zero = torch.zeros_like(edges.calls)
    own_s = entities.cpu_s + entities.io_s
    flow = Flow(
        backlog=zero, rate=zero, capacity=one, waiting=zero, served_rate=zero, busy=zero, present=zero, latency_s=own_s,
        latency_var=own_s * own_s * entities.scv, failure=zero, downstream_s=zero, downstream_var=zero,
        log_success=zero, call_rate=edge_zero, call_failure=edge_zero, tokens=zero, owed=zero,
    )  # fmt: skip
    fleet = Fleet(
        ready=entities.replicas.clone(), starting=zero, start_left_s=zero, stuck=zero, gray=zero,
        desired=entities.replicas.clone(), cold=zero, rolling_left_s=zero, scaler_wait_s=zero,
        calm_left_s=zero + SCALE_DOWN_CALM_S, scaled=zero,
        restarts=zero, deployed_s=entities.deployed_s.clone(), old_version=zero, utilization=zero,
        scaler_min=entities.scaler_min.clone(), scaler_max=entities.scaler_max.clone(),
        scaler_target=entities.scaler_target.clone(), scaler_set=zero, pending=zero,
    )  # fmt: skip
    resources = Resources(
        memory=entities.memory_ratio.clone(), warmth=one, warming_left_s=zero, leaked=zero, dropped=zero
    )
    settings = Settings(
        shed=zero, limit_rps=zero + UNLIMITED, burst=zero + UNLIMITED, pool_size=entities.pool_size.clone(),
        cores=entities.cores.clone(), moved=zero, weight=edges.weight.clone(), enabled=edges.there.clone(),
        timeout_s=edges.timeout_s.clone(), retries=edges.retries.clone(), breaker_ratio=edges.breaker_ratio.clone(),
        breaker_open_s=edges.breaker_open_s.clone(), breaker_left_s=edge_zero,
    )  # fmt: skip
    works = Works(
        begun=(entities.bloat > 0).any(1).to(zero.dtype), share=zero, until=zero, pace=zero, switch_left_s=zero,
        base_factor=one, base_errors=zero, factor=one, errors=zero, slots=entities.slots.clone(),
        slots_next=entities.slots.clone(), queue_limit=entities.queue_limit.clone(),
        queue_limit_next=entities.queue_limit.clone(), elsewhere=zero, seen=entities.replicas.clone(),
        quarantined=zero, paused_left_s=zero, parked=zero, owed=zero, forgone=zero, vacuum_left_s=zero,
        index_left_s=zero, bloat=entities.bloat.clone(), promoted=zero, behind=zero,
    )  # fmt: skip
    entries = torch.zeros_like(parameters.entries.rate_rps)
    return WorldState(
        second=0, flow=flow, fleet=fleet, resources=resources, settings=settings, log_demand=entries,
        client_failure=entries, fault_left=parameters.faults.there.clone(), works=works,
    )  # fmt: skip
