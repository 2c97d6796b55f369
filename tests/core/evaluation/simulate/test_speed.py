"""What the speed of the simulator is measured on, and what a measurement says."""

import math
from pathlib import Path

import pytest
import torch

from opswm.errors import StoreError
from opswm.evaluation.simulate import reference
from opswm.evaluation.simulate.bench import bench_points
from opswm.evaluation.simulate.points import BRANCHES, Bulk, bulk
from opswm.evaluation.simulate.reference import ciw_entity_seconds_per_s, traffic
from opswm.evaluation.simulate.workloads import workload


def test_everything_is_going_on() -> None:
    """Random systems run with faults, past actions, retries, autoscalers, caches, pools and queues among them."""
    load = workload("random", 20, 12, 3)
    entities, edges = load.parameters.entities, load.parameters.edges
    assert len(set(load.seeds.tolist())) == 20
    assert load.entities == int(entities.there.sum()) > 20 * 6
    for present in (load.tape.there, load.parameters.faults.magnitude, entities.hit_max, entities.pooled):
        assert bool((present > 0).any())
    for present in (entities.scaler_on, entities.consumer + 1, edges.retries):
        assert bool((present > 0).any())


def test_work_is_done_while_the_clock_runs() -> None:
    """A tick moves every world on by its five seconds, and requests come in."""
    load = workload("tandem", 3, 12, 3)
    state = load.advance(load.start(), 2)
    assert state.second == 10
    assert bool((state.flow.served_rate[:, 0] > 0).all())
    assert load.entities == 9


def test_ciw_runs_beside_and_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference gives a positive figure, and none where the library is not installed."""
    monkeypatch.setattr(reference, "CIW_RUN_S", 1.0)
    figure, runs = ciw_entity_seconds_per_s(0.0, 1)
    assert figure > 0.0
    assert runs == 1

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    missing, runs = ciw_entity_seconds_per_s(0.0, 1)
    assert math.isnan(missing)
    assert runs == 0


def test_traffic_grows_with_the_batch_and_calls_do_not() -> None:
    """Bytes per entity are much the same in any batch; the number of operations hardly depends on it."""
    small, large = (traffic(workload("tandem", worlds, 12, 3)) for worlds in (128, 512))
    assert large.bytes_per_entity_second == pytest.approx(small.bytes_per_entity_second, rel=0.2)
    assert large.operations_per_second == pytest.approx(small.operations_per_second, rel=0.1)
    assert large.operations_per_second > 100


def test_points_are_extrapolated() -> None:
    """Minutes and entity-seconds follow from the points that a run made itself."""
    made = Bulk(
        points=600, points_timed=400, entities=50, processes=2, wall_s=60.0, cpu_s=96.0, peak_memory_bytes=10**9
    )
    assert made.minutes_for(10_000) == pytest.approx(25.0)
    assert made.idle_minutes_for(10_000) == pytest.approx(20.0)
    assert made.entity_seconds_per_s == pytest.approx(400 * 50 * (640 + BRANCHES * 160) / 60.0)
    found = bench_points(made, "1", 0)
    assert found.settings["minutes_for_10000"] == 25.0
    assert {result.metric for result in found.results} == {"entity_seconds_per_s", "peak_memory_mb"}


@pytest.mark.slow
def test_points_are_made_once(tmp_path: Path) -> None:
    """A second run over the same folder finds everything there and says that nothing is left to time."""
    torch.set_num_threads(1)
    made = bulk(2, 3, tmp_path, 1, 1, lambda done, total, what: None)
    assert made.points == made.points_timed == 2
    assert made.wall_s > 0.0
    with pytest.raises(StoreError, match="already"):
        bulk(2, 3, tmp_path, 1, 1, lambda done, total, what: None)
