"""A million distinct series of ten labels, one sample each, as requests of 2,000 samples."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa

from opswm_schemas.columns import INSTANT
from opswm_schemas.ports import Batch, SystemKey

SYSTEM: Final = SystemKey("default", "large-shop")
SCRAPED_AT: Final = datetime(2024, 3, 5, 12, tzinfo=UTC)
CHURN: Final = 0.01
"""Share of series that take the place of others: a new pod with a new name."""


def requests(series: int, samples: int, seed: int, name: str) -> Iterator[Batch]:
    """Yield batches that together hold each series once.

    Series come in random order, as they do from many hosts. Labels repeat as in a cluster: few regions, more
    deployments, and a pod of its own for each series.

    Args:
        series: How many.
        samples: In each request; the last one may have fewer.
        seed: Of order, churn and values.
        name: Begins the id of each batch.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(series)
    churned = chance.random(series) < CHURN
    for number, start in enumerate(range(0, series, samples)):
        ids = [_channel_id(one, bool(churned[one]), seed) for one in order[start : start + samples].tolist()]
        moments = pa.array([SCRAPED_AT] * len(ids), INSTANT)
        table = pa.table(
            {"channel_id": ids, "event_at": moments, "known_at": moments, "value": chance.random(len(ids))}
        )
        yield Batch(SYSTEM, "otlp", f"{name}-{number}", table)


def _channel_id(one: int, is_new: bool, seed: int) -> str:
    """Return metric and ten labels of a series in one fixed order."""
    generation = seed + 1 if is_new else 0
    return (
        f"http.server.requests/cloud.region=eu-{one % 4}/deployment.environment=production"
        f"/http.method={('GET', 'POST', 'PUT')[one % 3]}/http.route=r{one % 97}/http.status_code={200 + one % 5}"
        f"/k8s.cluster=c{one % 7}/k8s.deployment=d{one % 1_013}/k8s.namespace=n{one % 53}"
        f"/k8s.pod=d{one % 1_013}-{one:07x}-{generation}/k8s.node=node-{one % 331}"
    )
