"""The plan of one system in plain numbers and names, before it becomes tensors (a world) or a descriptor."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

Number = float | int
UNLIMITED_ITEMS: Final = 1e6
SHOWN_PARTS: Final = 12


@dataclass(frozen=True)
class Part:
    """One entity; fields as in ``kernel.parameters.Entities``, with other parts named rather than numbered.

    ``zone`` says where all of it runs; where a part of kind ``zone`` has that name, what strikes the zone strikes it.
    """

    name: str
    kind: str
    zone: str = ""
    slots: Number = 32.0
    pool_size: Number = 0.0
    cores: Number = 2.0
    cpu_s: Number = 0.005
    io_s: Number = 0.0
    scv: Number = 1.0
    thinning: Number = 0.3
    error_ratio: Number = 0.0005
    queue_limit: Number = 2000.0
    patience_s: Number = 1e4
    replicas: Number = 2.0
    replicas_max: Number = 12.0
    start_s: Number = 40.0
    warmup_s: Number = 30.0
    warmup_penalty: Number = 0.5
    contention_knee: Number = 1e6
    contention_slope: Number = 0.0
    memory_ratio: Number = 0.4
    hit_max: Number = 0.0
    refill_s: Number = 90.0
    host: str = ""
    host_cores: Number = 1e6
    peer: str = ""
    consumer: str = ""
    scaler_on: Number = 0.0
    scaler_target: Number = 0.6
    scaler_min: Number = 1.0
    scaler_max: Number = 12.0
    old_version_penalty: Number = 1.0
    deployed_s: Number = -86_400.0
    next_factor: Number = 1.0
    next_errors: Number = 0.0
    next_fixes: Number = 0.0
    bloat: Number = 0.0
    standby_factor: Number = 1.0


@dataclass(frozen=True)
class Link:
    """One call edge; fields as in ``kernel.parameters.Edges``. ``feature`` names the flag that switches it, if any."""

    source: str
    target: str
    kind: str = "calls"
    synchronous: Number = 1.0
    calls: Number = 1.0
    on_path: Number = 1.0
    required: Number = 1.0
    on_miss: Number = 0.0
    weight: Number = 1.0
    timeout_s: Number = 1.0
    retries: Number = 1.0
    backoff_s: Number = 0.05
    breaker_ratio: Number = 2.0
    breaker_open_s: Number = 30.0
    feature: str = ""


@dataclass(frozen=True)
class Inlet:
    """One entry of demand; fields as in ``kernel.parameters.Entries``.

    ``profile`` holds multipliers of the rate, one each ``profile_step_s`` seconds, joined by straight lines and
    repeated from the beginning where a run is longer; none where the rate only moves by the other fields.
    """

    entity: str
    rate_rps: Number
    diurnal_amplitude: Number = 0.0
    diurnal_period_s: Number = 86_400.0
    diurnal_phase: Number = 0.0
    jitter: Number = 0.0
    jitter_s: Number = 60.0
    burst_amplitude: Number = 0.0
    burst_period_s: Number = 600.0
    burst_share: Number = 0.1
    client_timeout_s: Number = 10.0
    client_retries: Number = 0.0
    profile: tuple[float, ...] = ()
    profile_step_s: Number = 10.0


@dataclass(frozen=True)
class Goal:
    """One objective; fields as in ``kernel.parameters.Objectives``."""

    name: str
    entity: str
    inlet: str
    threshold_s: Number
    weight: Number = 1.0
    items: Number = 1.0
    deadline: Number = 0.0


@dataclass(frozen=True)
class Touch:
    """What an ability is said to change: a resource of its target, of a named entity or of a link (source, target)."""

    resource: Literal["capacity", "demand", "latency", "errors", "connections", "cache"]
    sign: Literal[-1, 0, 1]
    entity: str = ""
    relation: tuple[str, str] | None = None


@dataclass(frozen=True)
class Level:
    """One way of using an ability, as an ``ActionTape`` slot carries it."""

    amount: Number = 0.0
    second: Number = -1.0
    option: int = 0
    third: Number = -1.0


@dataclass(frozen=True)
class Ability:
    """An action that may be taken on one entity, with its candidate parameters.

    Attributes:
        type: Action type of ``opswm_schemas.vocabulary.ACTION_TYPES``.
        feature: For feature flags: which one; for changes of a configuration: which key.
        levels: Candidate parameters.
        affects: What it is said to touch.
        cost: What doing it costs, bad minutes.
    """

    type: str
    target: str
    levels: tuple[Level, ...]
    affects: tuple[Touch, ...] = ()
    cost: Number = 0.02
    feature: str = ""
    reconciled_by: tuple[str, ...] = ()
    reversibility: Literal["reversible", "partly_reversible", "irreversible"] = "reversible"


@dataclass(frozen=True)
class Sensor:
    """One channel: which signal of which part is measured, and how it is written down.

    Attributes:
        part: The part.
        signal: One of ``kernel.signals.SIGNALS``.
        unit: Unit that its source uses, in UCUM.
        instrument: ``counter`` where the source counts up instead of giving a rate; ``histogram`` where it counts
            latencies into buckets, from which a quantile is read.
        name: What its source calls it, which may tell little about what it measures.
    """

    part: str
    signal: str
    unit: str
    instrument: Literal["gauge", "counter", "histogram"] = "gauge"
    name: str = ""


@dataclass(frozen=True)
class Execution:
    """How one action type is carried out; fields as in ``kernel.parameters.Operations``."""

    delay_s: Number = 8.0
    spread: Number = 0.3
    failure_ratio: Number = 0.02


@dataclass(frozen=True)
class Breakage:
    """One fault; fields as in ``kernel.parameters.Faults``, kind and shape by name.

    A fault whose target is a zone strikes every part in that zone.
    """

    kind: str
    target: str
    origin: str = ""
    via_version: Number = 0.0
    shape: str = "STEP"
    onset_s: Number = 0.0
    ramp_s: Number = 30.0
    duration_s: Number = 1e6
    magnitude: Number = 1.0


@dataclass(frozen=True)
class Blueprint:
    """A whole system: parts, links, demand, objectives, abilities, channels and what will go wrong.

    Attributes:
        executions: By action type; types that are absent are carried out by default.
        missing_ratio: Chance that a scrape of a part fails.
        step_s: Telemetry step, whole seconds.
        noise_scale: How noisy its monitoring is, as a multiple of what is usual.
        gap_ratio: Chance that a part's readings are missing for half a dozen ticks on end.
        hazards: Kinds of faults that may befall it, by name; every kind where empty.
    """

    name: str
    parts: tuple[Part, ...]
    links: tuple[Link, ...]
    inlets: tuple[Inlet, ...]
    goals: tuple[Goal, ...]
    abilities: tuple[Ability, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    missing_ratio: Number = 0.01
    executions: dict[str, Execution] = field(default_factory=dict)
    breakages: tuple[Breakage, ...] = ()
    step_s: int = 5
    noise_scale: Number = 1.0
    gap_ratio: Number = 0.0
    hazards: tuple[str, ...] = ()

    @cached_property
    def _positions(self) -> dict[str, int]:
        positions: dict[str, int] = {}
        for position, part in enumerate(self.parts):
            positions.setdefault(part.name, position)
        return positions

    def index(self, name: str) -> int:
        """Return the position of a part.

        Raises:
            ValueError: When the blueprint has no part of that name.
        """
        if name not in self._positions:
            some = [part.name for part in self.parts[:SHOWN_PARTS]]
            more = f" and {len(self.parts) - SHOWN_PARTS} more" if len(self.parts) > SHOWN_PARTS else ""
            raise ValueError(f"{self.name!r} has no part {name!r}; it has {', '.join(some)}{more}")
        return self._positions[name]

    def members(self, zone: str) -> tuple[str, ...]:
        """Return the names of the parts in a zone."""
        return tuple(part.name for part in self.parts if part.zone == zone and part.kind != "zone")
