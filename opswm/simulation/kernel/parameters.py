"""What a batch of worlds is made of: entities, call edges, demand, objectives, faults and how actions are carried out.

Legend of the kernel's axes: ``W`` world (a row), ``N`` entity, ``E`` call edge, ``G`` entry where demand arrives,
``L`` point of a workload's profile, ``O`` objective, ``F`` fault, ``Y`` action type. Durations are seconds, rates per
second. Nothing here changes while a world runs; what changes is in ``opswm.simulation.kernel.state``.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Entities:
    """Services, databases, caches, queues, hosts and external dependencies.

    Attributes:
        kind: Index into ``opswm_schemas.vocabulary.ENTITY_KINDS``.
        slots: Requests that one replica works on at once.
        pooled: 1 where a connection pool bounds concurrency instead of ``slots``.
        pool_size: Connections of that pool at the start.
        cores: CPU cores of one replica.
        cpu_s: CPU time of one request.
        io_s: Own time of one request that needs no CPU.
        scv: Squared coefficient of variation of the own time.
        thinning: Variance of the inflow from other entities over its mean (1 is Poisson).
        error_ratio: Errors in good health.
        queue_limit: Waiting requests beyond which arrivals are refused.
        patience_s: Wait after which a request leaves the queue unserved (its deadline has passed, its caller
            cancelled); very long where nobody cancels, so that work goes on for callers who have left.
        replicas: At the start; ``replicas_max`` is the quota.
        start_s: From a replica's creation to ready.
        warmup_s, warmup_penalty: How long a fresh replica is slow, and by which extra fraction.
        contention_knee, contention_slope: Concurrency at which work starts to get in its own way, and how fast
            (the retrograde part of Gunther's universal scalability law).
        memory_ratio: Memory in use after a start.
        hit_max, refill_s: Of a cache: hit ratio when warm, time to warm under its usual load.
        host: Entity that it runs on, itself where none.
        host_cores: Of a host: cores that its residents share.
        peer: The equivalent entity in another zone, -1 where none.
        consumer: Of a queue: the entity that takes its items, -1 where none.
        scaler_on, scaler_target, scaler_min, scaler_max: Autoscaler: 1 where there is one, CPU utilization
            aimed at, bounds.
        old_version_penalty: Service time of the version before, over the present one.
        deployed_s: Second of the last deployment before the start (negative).
        next_factor, next_errors, next_fixes: The version that a deployment would bring: its service time over the
            present one's, errors that it adds, and the share of what a bad version brought that it does away with.
        bloat: Of a database: extra service time for want of a vacuum.
        standby_factor: Of a database: service time on its standby over that on its primary.
    """

    there: Bool[Tensor, "W N"]
    kind: Int[Tensor, "W N"]
    slots: Float[Tensor, "W N"]
    pooled: Float[Tensor, "W N"]
    pool_size: Float[Tensor, "W N"]
    cores: Float[Tensor, "W N"]
    cpu_s: Float[Tensor, "W N"]
    io_s: Float[Tensor, "W N"]
    scv: Float[Tensor, "W N"]
    thinning: Float[Tensor, "W N"]
    error_ratio: Float[Tensor, "W N"]
    queue_limit: Float[Tensor, "W N"]
    patience_s: Float[Tensor, "W N"]
    replicas: Float[Tensor, "W N"]
    replicas_max: Float[Tensor, "W N"]
    start_s: Float[Tensor, "W N"]
    warmup_s: Float[Tensor, "W N"]
    warmup_penalty: Float[Tensor, "W N"]
    contention_knee: Float[Tensor, "W N"]
    contention_slope: Float[Tensor, "W N"]
    memory_ratio: Float[Tensor, "W N"]
    hit_max: Float[Tensor, "W N"]
    refill_s: Float[Tensor, "W N"]
    host: Int[Tensor, "W N"]
    host_cores: Float[Tensor, "W N"]
    peer: Int[Tensor, "W N"]
    consumer: Int[Tensor, "W N"]
    scaler_on: Float[Tensor, "W N"]
    scaler_target: Float[Tensor, "W N"]
    scaler_min: Float[Tensor, "W N"]
    scaler_max: Float[Tensor, "W N"]
    old_version_penalty: Float[Tensor, "W N"]
    deployed_s: Float[Tensor, "W N"]
    next_factor: Float[Tensor, "W N"]
    next_errors: Float[Tensor, "W N"]
    next_fixes: Float[Tensor, "W N"]
    bloat: Float[Tensor, "W N"]
    standby_factor: Float[Tensor, "W N"]


@dataclass(frozen=True)
class Edges:
    """Calls and messages from one entity to another.

    Attributes:
        there: 1 where the slot holds an edge.
        synchronous: 1 where the source waits for the target.
        calls: Calls per request served at the source.
        on_path: Share of the calls' latency that the source's latency contains (less than 1 for parallel calls).
        required: Chance that a failed call fails the request at the source.
        on_miss: 1 where the call is made only on a miss of the source, which is then a cache.
        weight: Share of traffic between equivalent targets, at the start.
        timeout_s, retries, backoff_s: How the source calls, at the start.
        breaker_ratio, breaker_open_s: Failure ratio that opens the circuit breaker (above 1: never), and for
            how long.
    """

    there: Float[Tensor, "W E"]
    source: Int[Tensor, "W E"]
    target: Int[Tensor, "W E"]
    synchronous: Float[Tensor, "W E"]
    calls: Float[Tensor, "W E"]
    on_path: Float[Tensor, "W E"]
    required: Float[Tensor, "W E"]
    on_miss: Float[Tensor, "W E"]
    weight: Float[Tensor, "W E"]
    timeout_s: Float[Tensor, "W E"]
    retries: Float[Tensor, "W E"]
    backoff_s: Float[Tensor, "W E"]
    breaker_ratio: Float[Tensor, "W E"]
    breaker_open_s: Float[Tensor, "W E"]


@dataclass(frozen=True)
class Entries:
    """Where exogenous demand arrives, and how it moves.

    Attributes:
        there: 1 where the slot holds an entry.
        rate_rps: Mean first attempts per second.
        diurnal_amplitude, diurnal_period_s, diurnal_phase: Slow sine around the mean (fraction, s, radians).
        jitter, jitter_s: Standard deviation and memory of the log demand's Ornstein-Uhlenbeck noise.
        burst_amplitude, burst_period_s, burst_share: Recurring bursts: extra fraction, period, share of it.
        client_timeout_s, client_retries: How long clients wait, and how often they try again.
        profile, profile_points, profile_step_s: Multipliers of the rate, how many there are, seconds between two.
    """

    there: Float[Tensor, "W G"]
    entity: Int[Tensor, "W G"]
    rate_rps: Float[Tensor, "W G"]
    diurnal_amplitude: Float[Tensor, "W G"]
    diurnal_period_s: Float[Tensor, "W G"]
    diurnal_phase: Float[Tensor, "W G"]
    jitter: Float[Tensor, "W G"]
    jitter_s: Float[Tensor, "W G"]
    burst_amplitude: Float[Tensor, "W G"]
    burst_period_s: Float[Tensor, "W G"]
    burst_share: Float[Tensor, "W G"]
    client_timeout_s: Float[Tensor, "W G"]
    client_retries: Float[Tensor, "W G"]
    profile: Float[Tensor, "W G L"]
    profile_points: Float[Tensor, "W G"]
    profile_step_s: Float[Tensor, "W G"]


@dataclass(frozen=True)
class Objectives:
    """What users are promised.

    Attributes:
        entity: Where it is measured: an entry's entity, or the queue of a ``deadline`` objective.
        entry: The entry whose first attempts count as offered.
        items: Items offered per first attempt (1 for requests).
        threshold_s: Latency, or age of an item, beyond which it is bad.
        weight: Share in the SLO cost; weights of a world sum to 1.
        deadline: 1 where items of a queue are meant.
    """

    there: Float[Tensor, "W O"]
    entity: Int[Tensor, "W O"]
    entry: Int[Tensor, "W O"]
    items: Float[Tensor, "W O"]
    threshold_s: Float[Tensor, "W O"]
    weight: Float[Tensor, "W O"]
    deadline: Float[Tensor, "W O"]


@dataclass(frozen=True)
class Faults:
    """What goes wrong, where and how it sets in; kinds and shapes are named in ``kernel.faults``.

    Attributes:
        target: Entity where the mechanism bites; of a fault of calls, the one that is called.
        origin: Entity that causes it (the service whose new version locks the database's table); of a fault of calls,
            the one that calls, or the target where all its callers are meant.
        via_version: 1 where a new version of ``origin`` brought it, so that a rollback takes it away.
        magnitude: In the unit of the kind's mechanism.
    """

    there: Float[Tensor, "W F"]
    kind: Int[Tensor, "W F"]
    target: Int[Tensor, "W F"]
    origin: Int[Tensor, "W F"]
    via_version: Float[Tensor, "W F"]
    shape: Int[Tensor, "W F"]
    onset_s: Float[Tensor, "W F"]
    ramp_s: Float[Tensor, "W F"]
    duration_s: Float[Tensor, "W F"]
    magnitude: Float[Tensor, "W F"]


@dataclass(frozen=True)
class Operations:
    """How actions of each type are carried out in a world.

    Attributes:
        delay_s: Median time from request to effect.
        spread: Standard deviation of the log of that time.
        failure_ratio: Chance that it is carried out without any effect.
    """

    delay_s: Float[Tensor, "W Y"]
    spread: Float[Tensor, "W Y"]
    failure_ratio: Float[Tensor, "W Y"]


@dataclass(frozen=True)
class WorldParameters:
    """A batch of worlds. ``step_s`` is the length of a telemetry tick, whole seconds."""

    step_s: int
    entities: Entities
    edges: Edges
    entries: Entries
    objectives: Objectives
    faults: Faults
    operations: Operations
