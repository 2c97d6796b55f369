"""Sampled traces of a simulated world: plausible requests through the call graph of their tick.

A trace is grown from its root down. Durations are lognormals with the quantiles that an entity truly had in the tick
(as ``kernel.latency`` has them), drawn with one common quantile along the trace, since a request that is slow at the
bottom is slow at the top; a callee that would outlast its caller is cut to fit. Errors come from a callee in proportion
to what it adds to the errors of its caller, and a failed call may be tried again.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from opswm.simulation.kernel.blueprint import Link
from opswm.simulation.scene import Scene
from opswm_schemas.columns import SPANS

MAX_TRACES: Final = 240
MAX_TRACE_SPANS: Final = 64
"""Traces of a recording and spans of a trace at most: a recording holds at most 15,360 spans."""

EXPORT_LATE_S: Final = (0.3, 1.5)
"""A trace is known between so many seconds after its last span ended."""

_PURPOSE: Final = 22
_Z99: Final = 2.3263
_COMMON: Final = 0.9
"""Correlation of the quantiles of a caller and its callee."""

_NETWORK_S: Final = 0.0002
_WAITED_FOR: Final = 0.98
_BEFORE_CALLS: Final = 0.3
"""A caller waits for its callees for at most this share of its own time, and spends so much of the rest before."""

_NAMES: Final = {
    "load_balancer": "route",
    "service": "handle",
    "cache": "GET",
    "database": "SELECT",
    "external": "call",
    "worker": "process",
    "queue": "receive",
}


@dataclass
class _Trace:
    """A trace that is being grown: its own generator, and spans as rows of ``SPANS`` on the clock of the world."""

    trace_id: str
    tick: int
    rng: np.random.Generator
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(
        self, parent: str | None, entity: str, name: str, kind: str, begin_s: float, length_s: float, failed: bool
    ) -> str:
        span_id = f"{int(self.rng.integers(1, 1 << 63)):016x}"
        self.rows.append(
            {
                "trace_id": self.trace_id,
                "span_id": span_id,
                "parent_span_id": parent,
                "entity_id": entity,
                "name": name,
                "kind": kind,
                "begin_s": begin_s,
                "duration_s": length_s,
                "failed": failed,
            }
        )
        return span_id

    def is_full(self) -> bool:
        return len(self.rows) >= MAX_TRACE_SPANS - 2


def spans_of(scene: Scene) -> pa.Table:
    """Return the sampled spans of a world that were known at its decision, as rows of ``SPANS``.

    Args:
        scene: The world; the same world gives the same spans.
    """
    rows = [row for number, tick in enumerate(_sampled_ticks(scene)) for row in _trace(scene, number, tick)]
    if not rows:
        return SPANS.empty_table()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    begin_s, known_s = (np.array(columns.pop(name), dtype=np.float64) for name in ("begin_s", "known_s"))
    table = pa.table(columns | {"event_at": scene.instants(begin_s), "known_at": scene.instants(known_s)})
    return table.select(SPANS.names).cast(SPANS)


def shape_of(scene: Scene, tick: int, entity: int) -> tuple[float, float]:
    """Return location and scale of the lognormal of an entity's durations in one tick, scale 0 without traffic."""
    middle, tail = (float(scene.signals[name][tick, entity]) for name in ("latency_p50", "latency_p99"))
    if middle <= 0.0:
        return float(np.log(max(float(scene.signals["latency_mean"][tick, entity]), 1e-4))), 0.0
    return float(np.log(middle)), float(np.log(max(tail, middle) / middle)) / _Z99


def _sampled_ticks(scene: Scene) -> list[int]:
    ticks = scene.num_ticks
    return [int(at) for at in np.linspace(0, ticks - 1, min(MAX_TRACES, 2 * ticks))]


def _trace(scene: Scene, number: int, tick: int) -> list[dict[str, object]]:
    """Return the spans of one trace, none where no request came in or it was not known in time."""
    rng = scene.rng(_PURPOSE, number)
    inlets = [scene.blueprint.index(inlet.entity) for inlet in scene.blueprint.inlets]
    rates = np.array([scene.signals["request_rate"][tick, entity] for entity in inlets]).clip(min=0.0)
    if rates.sum() <= 0.0:
        return []
    root = inlets[int(rng.choice(len(inlets), p=rates / rates.sum()))]
    trace = _Trace(f"{scene.seed % (1 << 32):08x}{number:08x}{int(rng.integers(1, 1 << 62)):016x}", tick, rng)
    z = float(rng.standard_normal())
    failed = bool(rng.random() < scene.signals["error_ratio"][tick, root])
    begin_s = scene.first_s + (tick + float(rng.random())) * scene.blueprint.step_s
    _serve(scene, trace, None, root, begin_s, _draw(scene, tick, root, z), z, failed)
    ends_s = max(float(row["begin_s"]) + float(row["duration_s"]) for row in trace.rows)  # type: ignore[arg-type]
    known_s = ends_s + float(rng.uniform(*EXPORT_LATE_S))
    return [row | {"known_s": known_s} for row in trace.rows] if known_s <= scene.decision_s else []


def _draw(scene: Scene, tick: int, entity: int, z: float) -> float:
    location, scale = shape_of(scene, tick, entity)
    return float(np.exp(location + scale * z))


def _serve(
    scene: Scene,
    trace: _Trace,
    parent: str | None,
    entity: int,
    begin_s: float,
    length_s: float,
    z: float,
    failed: bool,
) -> None:
    """Add the span of one entity and, below it, its calls: one after the other, or at once where time is too short."""
    part = scene.blueprint.parts[entity]
    kind = "consumer" if part.kind == "worker" and parent is not None else "server"
    name = f"{_NAMES.get(part.kind, 'handle')} {part.name}"
    span = trace.add(parent, part.name, name, kind, begin_s, length_s, failed)
    calls = _calls(scene, trace, entity)
    guilty = _guilty(scene, trace, entity, calls) if failed else -1
    waited = [_common(trace, z) for _ in calls]
    lengths = [
        _draw(scene, trace.tick, scene.blueprint.index(link.target), own) if link.synchronous else 0.0
        for link, own in zip(calls, waited, strict=True)
    ]
    room_s = _WAITED_FOR * length_s
    at_once = sum(lengths) > room_s
    lengths = [min(called_s, room_s) for called_s in lengths]
    waited_s = max(lengths, default=0.0) if at_once else sum(lengths)
    at_s = begin_s + _BEFORE_CALLS * (length_s - waited_s)
    for number, (link, own, called_s) in enumerate(zip(calls, waited, lengths, strict=True)):
        if trace.is_full():
            return
        target = scene.blueprint.index(link.target)
        if not link.synchronous:
            _publish(scene, trace, span, link, at_s, begin_s + length_s, own)
            continue
        errs = scene.signals["error_ratio"][trace.tick, target]
        fails = number == guilty or (link.required < 0.5 and bool(trace.rng.random() < errs))
        again = not fails and link.retries >= 1 and bool(trace.rng.random() < errs)
        done_s = at_s
        for tried, share in ((True, 0.4), (fails, 0.6)) if again else ((fails, 1.0),):
            if trace.is_full():
                return
            done_s = _call(scene, trace, span, entity, link, done_s, share * called_s, own, tried)
        at_s = at_s if at_once else done_s


def _call(
    scene: Scene,
    trace: _Trace,
    parent: str,
    entity: int,
    link: Link,
    at_s: float,
    length_s: float,
    z: float,
    failed: bool,
) -> float:
    """Add one attempt, as its caller and its callee saw it; return when it was over."""
    caller = scene.blueprint.parts[entity].name
    timed_out = length_s >= float(link.timeout_s)
    outer_s = min(length_s, float(link.timeout_s))
    client = trace.add(parent, caller, f"call {link.target}", "client", at_s, outer_s, failed or timed_out)
    hop_s = min(_NETWORK_S, 0.05 * outer_s)
    target = scene.blueprint.index(link.target)
    _serve(scene, trace, client, target, at_s + hop_s, max(outer_s - 2 * hop_s, 0.0), z, failed)
    return at_s + outer_s


def _publish(scene: Scene, trace: _Trace, parent: str, link: Link, at_s: float, until_s: float, z: float) -> None:
    """Add a message and, once it has waited in its queue, its consumer: that goes on after the request is over."""
    queue = scene.blueprint.parts[scene.blueprint.index(link.target)]
    length_s = min(0.001, max(until_s - at_s, 0.0))
    source = scene.blueprint.index(link.source)
    caller = scene.blueprint.parts[source].name
    sent = trace.add(parent, caller, f"send {queue.name}", "producer", at_s, length_s, False)
    if not queue.consumer:
        return
    worker = scene.blueprint.index(queue.consumer)
    lag, rate = (
        float(scene.signals[name][trace.tick, scene.blueprint.index(link.target)])
        for name in ("consumer_lag", "throughput")
    )
    waits_s = float(trace.rng.exponential(1.0)) * (0.005 + lag / max(rate, 0.1))
    fails = bool(trace.rng.random() < scene.signals["error_ratio"][trace.tick, worker])
    _serve(scene, trace, sent, worker, at_s + length_s + waits_s, _draw(scene, trace.tick, worker, z), z, fails)


def _calls(scene: Scene, trace: _Trace, entity: int) -> list[Link]:
    """Draw which calls one request at an entity makes; a cache calls on a miss alone."""
    found: list[Link] = []
    missed = bool(trace.rng.random() >= scene.signals["cache_hit_ratio"][trace.tick, entity])
    for link in scene.blueprint.links:
        if link.source != scene.blueprint.parts[entity].name:
            continue
        if scene.signals["request_rate"][trace.tick, scene.blueprint.index(link.target)] <= 0.0 and link.synchronous:
            continue
        mean = (link.on_miss * missed) if link.on_miss else link.calls * link.weight
        found += [link] * min(int(mean) + bool(trace.rng.random() < mean - int(mean)), 4)
    return found


def _guilty(scene: Scene, trace: _Trace, entity: int, calls: list[Link]) -> int:
    """Return which call made a failed request fail, -1 for the entity's own error."""
    errors = scene.signals["error_ratio"][trace.tick]
    shares = [
        float(errors[scene.blueprint.index(link.target)] * link.required) if link.synchronous else 0.0 for link in calls
    ]
    own = max(float(errors[entity]) - sum(shares), 0.0)
    weights = np.array([*shares, own + 1e-9])
    chosen = int(trace.rng.choice(len(weights), p=weights / weights.sum()))
    return chosen if chosen < len(calls) else -1


def _common(trace: _Trace, z: float) -> float:
    return _COMMON * z + float(np.sqrt(1.0 - _COMMON**2)) * float(trace.rng.standard_normal())
