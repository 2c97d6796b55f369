"""Workload shapes from files: what is measured becomes a profile, what makes no sense is refused by file and row."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opswm.errors import BadInputError
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.demand import profile_at
from opswm.simulation.kernel.web_shop import web_shop
from opswm.simulation.workloads import read_profile

DATA = Path(os.environ.get("OPSWM_DATA", Path(__file__).parents[4] / "shared" / "data")) / "workload_shapes"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="measured workload shapes are not there; set OPSWM_DATA")


def written(path: Path, text: str) -> Path:
    """Return the path after writing text there."""
    path.write_text(text)
    return path


def test_text_has_a_rate_per_line(tmp_path: Path) -> None:
    """Samples are averaged over the profile's step and divided by their mean."""
    path = written(tmp_path / "a.txt", "\n".join(str(rate) for rate in [100, 200] * 10 + [300, 400] * 10))
    profile = read_profile(path, step_s=1.0, profile_step_s=20.0)
    assert profile.step_s == 20.0
    assert profile.values == pytest.approx((0.6, 1.4), abs=0.02)


def test_csv_with_uneven_times_is_resampled(tmp_path: Path) -> None:
    """Samples that are further apart than others are joined by straight lines."""
    path = written(tmp_path / "a.csv", "second,rate\n0,10\n10,10\n40,40\n50,40\n60,40\n")
    profile = read_profile(path, profile_step_s=10.0)
    values = np.array(profile.values) / profile.values[0] * 10.0
    assert values.tolist() == pytest.approx([10.0, 10.0, 20.0, 30.0, 40.0, 40.0, 40.0], rel=0.01)


def test_the_kernel_follows_a_profile(tmp_path: Path) -> None:
    """Demand is multiplied by the line between two points, and begins again at the end."""
    profile = read_profile(written(tmp_path / "a.txt", "1\n3\n2\n2\n"), step_s=10.0)
    shop = web_shop()
    inlets = tuple(replace(inlet, profile=profile.values, profile_step_s=profile.step_s) for inlet in shop.inlets)
    entries = assemble([replace(shop, inlets=inlets)]).entries
    found = [float(profile_at(entries, second)[0, 1]) for second in (0, 5, 10, 30, 35, 40, 45)]
    assert found == pytest.approx([0.5, 1.0, 1.5, 1.0, 0.75, 0.5, 1.0])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "1\n2\nmany\n", "row 3: 'many' is no number"),
        ("a.txt", "1\n-2\n", "row 2: the rate is -2"),
        ("a.txt", "1\nnan\n", "row 2: the rate is nan"),
        ("a.txt", "", "no sample"),
        ("a.txt", "0\n0\n", "every rate is 0"),
        ("a.csv", "time,rate\n0,1\n5,1\n5,2\n", "row 4: its time '5' is not after"),
        ("a.csv", "time,rate\nnoon,1\n", "row 2: 'noon' is no time"),
        ("a.csv", "one,other\n1,2\n", "name the column.*one, other"),
        ("a.json", "[]", "'.json' are not read"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    """The message says which file and row, what is wrong and what to do."""
    with pytest.raises(BadInputError, match=told) as refused:
        read_profile(written(tmp_path / name, text))
    assert name in str(refused.value)


def test_files_that_are_missing_or_broken_are_refused(tmp_path: Path) -> None:
    """A missing file, a column that is not there, a torn Parquet and too many points are each told apart."""
    with pytest.raises(BadInputError, match="no such file"):
        read_profile(tmp_path / "none.csv")
    with pytest.raises(BadInputError, match="cannot be read as Parquet"):
        read_profile(written(tmp_path / "torn.parquet", "PAR1"))
    pq.write_table(pa.table({"rate": [1.0, 2.0]}), tmp_path / "a.parquet")
    with pytest.raises(BadInputError, match="no column 'load'; it has rate"):
        read_profile(tmp_path / "a.parquet", column="load")
    with pytest.raises(BadInputError, match="ask for longer steps"):
        read_profile(written(tmp_path / "long.txt", "1\n" * 20_000), profile_step_s=1.0)


@needs_data
def test_measured_shapes_are_read() -> None:
    """Hours of measured load become profiles with a mean of one; what is bursty stays so."""
    profiles = [read_profile(path) for path in sorted((DATA / "autothrottle").glob("*.txt"))]
    profiles.append(read_profile(DATA / "pbscaler" / "wiki.parquet", column="frontend"))
    assert len(profiles) >= 2
    for profile in profiles:
        assert 355 <= len(profile.values) <= 362
        assert float(np.mean(profile.values)) == pytest.approx(1.0, abs=1e-3)
        assert max(profile.values) > 1.02
