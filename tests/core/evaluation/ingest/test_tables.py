"""What filling tables and importing files is measured by."""

from pathlib import Path

from opswm.evaluation.ingest.tables import fill_table, import_parquet
from opswm.evaluation.ingest.workload import requests


def test_all_that_was_sent_is_in_the_table(tmp_path: Path) -> None:
    """The figure of filling counts the rows of the table, which are those that were sent."""
    moved = fill_table(list(requests(3_000, 700, 3, "r")), tmp_path)
    assert moved.num_rows == 3_000
    assert min(moved.rows_per_s, moved.rows_per_cpu_s) > 0.0


def test_an_imported_file_is_in_the_table(tmp_path: Path) -> None:
    """Whole channels of 8,000 ticks are made, and all of them are imported."""
    moved = import_parquet(17_000, 3, tmp_path)
    assert moved.num_rows == 16_000
    assert min(moved.rows_per_s, moved.rows_per_cpu_s) > 0.0
