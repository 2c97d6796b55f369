"""What `opswm bench ingest` sends and reports."""

from pathlib import Path

import pyarrow.compute as pc

from opswm.evaluation.ingest.bench import IngestConfig, bench_ingest
from opswm.evaluation.ingest.workload import requests
from opswm.store.admission import MAX_CHANNEL_ID_BYTES


def test_every_series_comes_once_with_ten_labels() -> None:
    """Requests are of the given size, series distinct, ids of ten labels, and about one in a hundred is new."""
    batches = list(requests(5_000, 700, 3, "r"))
    assert [batch.table.num_rows for batch in batches] == [700] * 7 + [100]
    assert len({batch.batch_id for batch in batches}) == 8
    ids = [one for batch in batches for one in batch.table["channel_id"].to_pylist()]
    assert len(set(ids)) == 5_000
    assert {one.count("=") for one in ids} == {10}
    assert 20 <= sum("-4/k8s.node" in one for one in ids) <= 90
    assert max(pc.max(pc.binary_length(batch.table["channel_id"])).as_py() for batch in batches) < MAX_CHANNEL_ID_BYTES


def test_a_small_run_reports_all_figures(tmp_path: Path) -> None:
    """Each rate is above zero, the disk's syncs and each round are told; the folder is left empty."""
    config = IngestConfig(3_000, 500, threads=2, rounds=2, raw_requests=2, import_rows=8_000, sync_s=0.1)
    steps: list[int] = []
    found = bench_ingest(config, "1", 5, tmp_path, lambda done, total: steps.append(done))
    assert [(result.model, result.metric, result.n) for result in found.results] == [
        ("opswm", "samples_per_s_durable", 3_000),
        ("opswm", "rows_per_s_import", 8_000),
        ("sqlite", "samples_per_s_durable", 1_000),
        ("deltalake", "samples_per_s_durable", 1_000),
    ]
    assert all(result.value is not None and result.value > 0.0 for result in found.results)
    assert len(str(found.settings["rounds_samples_per_s"]).split()) == 2
    assert float(found.settings["syncs_per_s"]) > 0.0
    assert float(found.settings["table_fill_rows_per_s"]) > 0.0
    assert steps == list(range(1, 10))
    assert list(tmp_path.iterdir()) == []
