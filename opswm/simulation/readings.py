"""The readings of a simulated world's channels, as their sources write them: gauges, counters, histograms.

Counters and histograms grow from scrape to scrape and start again when replicas do; failed scrapes stay gaps.
"""

import math
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opswm.simulation.embodiment import LATENCY_QUANTILES, channel_id
from opswm.simulation.kernel.blueprint import Sensor
from opswm.simulation.scene import Scene
from opswm_schemas.columns import METRICS
from opswm_schemas.units import conversion_factor
from opswm_schemas.vocabulary import MEANING_INDEX, MEANINGS

SCRAPE_EARLY: Final = 0.08
REPORT_LATE: Final = 0.04
"""A scrape is taken this share of a tick before the tick ends, and known that much later."""

BOUNDS_S: Final = tuple(float(f"{0.001 * 2 ** (number / 2):.3g}") for number in range(30))
"""Upper bounds of latency buckets: two in each doubling, from 1 ms to 23 s."""

_Z: Final = {0.5: 0.0, 0.9: 1.2816, 0.95: 1.6449, 0.99: 2.3263}


def metrics_of(scene: Scene) -> pa.Table:
    """Return what was stored of a world's channels, in their own units, as rows of ``METRICS``.

    Args:
        scene: The world.
    """
    position = {part.name: index for index, part in enumerate(scene.blueprint.parts)}
    restarted = scene.signals["restart_rate"] > 0
    tables = [_channel(scene, sensor, position[sensor.part], restarted) for sensor in scene.blueprint.sensors]
    return pa.concat_tables([METRICS.empty_table(), *tables])


def _channel(scene: Scene, sensor: Sensor, entity: int, restarted: NDArray[np.bool_]) -> pa.Table:
    step_s = scene.blueprint.step_s
    stored = scene.stored[sensor.signal][:, entity]
    seen = np.isfinite(stored)
    true = np.where(seen, stored, scene.signals[sensor.signal][:, entity])
    ends_s: NDArray[np.float64] = scene.first_s + step_s * np.arange(1, scene.num_ticks + 1, dtype=np.float64)
    columns: dict[str, pa.Array] = {}
    if sensor.instrument == "gauge":
        factor = conversion_factor(MEANINGS[MEANING_INDEX[sensor.signal]].unit, sensor.unit)
        columns["value"] = pa.array((true * factor)[seen], pa.float64())
    else:  # what grows says nothing without the reading before
        seen, ends_s = np.insert(seen, 0, True), np.insert(ends_s, 0, ends_s[0] - step_s)
        if sensor.instrument == "counter":
            columns["value"] = pa.array(np.insert(_grown(true * step_s, restarted[:, entity]), 0, 0.0)[seen])
        else:
            counts = _buckets(scene, sensor, entity, true)
            grown = np.stack([_grown(counts[:, bucket], restarted[:, entity]) for bucket in range(counts.shape[1])], 1)
            cumulative = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(grown, 1)])[seen]
            bounds = np.array(BOUNDS_S) * conversion_factor("s", sensor.unit)
            columns["counts"] = _lists(cumulative)
            columns["upper_bounds"] = _lists(np.tile(bounds, (len(cumulative), 1)))
    taken_s = np.asarray(ends_s[seen] - SCRAPE_EARLY * step_s, dtype=np.float64)
    columns["channel_id"] = pa.array([channel_id(sensor.part, sensor.signal)] * len(taken_s), pa.string())
    columns["event_at"] = scene.instants(taken_s)
    columns["known_at"] = scene.instants(np.asarray(taken_s + REPORT_LATE * step_s, dtype=np.float64))
    whole = [columns.get(field.name, pa.nulls(len(taken_s), field.type)) for field in METRICS]
    return pa.table(dict(zip(METRICS.names, whole, strict=True))).cast(METRICS)


def _grown(amounts: NDArray[np.float64], restarted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return running sums that start again from zero in a tick in which replicas restarted."""
    grown = np.cumsum(amounts)
    before = np.concatenate([[0.0], grown[:-1]])
    return np.asarray(grown - np.maximum.accumulate(np.where(restarted, before, 0.0)))


def _buckets(scene: Scene, sensor: Sensor, entity: int, quantile_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many requests of each tick fell into each bucket, ``[T, len(BOUNDS_S) + 1]``.

    Latencies are lognormal, as wide as they truly were, and moved so that their quantile is the one that was measured.
    """
    quantile = LATENCY_QUANTILES[sensor.signal]
    middle, tail = (np.maximum(scene.signals[name][:, entity], 1e-6) for name in ("latency_p50", "latency_p99"))
    scale = np.maximum(np.log(tail / middle) / _Z[0.99], 1e-3)
    location = np.log(np.maximum(quantile_s, 1e-6)) - _Z[quantile] * scale
    requests = np.round(np.maximum(scene.signals["request_rate"][:, entity], 0.0) * scene.blueprint.step_s)
    z = (np.log(np.array(BOUNDS_S))[None] - location[:, None]) / scale[:, None]
    below = np.round(requests[:, None] * 0.5 * (1.0 + _erf(z * math.sqrt(0.5))))
    return np.diff(np.concatenate([below, requests[:, None]], 1), prepend=0.0, axis=1)


_erf: Final = np.vectorize(math.erf, otypes=[np.float64])


def _lists(rows: NDArray[np.float64]) -> pa.Array:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1)))
