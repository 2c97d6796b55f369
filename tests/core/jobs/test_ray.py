"""Jobs on a Ray cluster of three nodes of this machine: what the port asks, and a node that is killed."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from opswm.errors import BadInputError, StoreError
from opswm.jobs.local import LocalJobs
from opswm.jobs.ray_cluster import RayJobs
from tests.core.jobs.conformance import JobRunnerConformance
from tests.core.jobs.work import Shards, held, nothing, runs, squares, wait_for

ray = pytest.importorskip("ray", reason="ray is not installed; opswm[ray] has it")

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with one processor each, on loopback addresses, without dashboard and telemetry."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray-")  # sockets in it have long names, and a socket's path is short
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {**NODE, "node_ip_address": "127.0.0.2", "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=head)
        try:
            for last in (3, 4):
                made.add_node(**NODE, node_ip_address=f"127.0.0.{last}")
            yield made
        finally:
            ray.shutdown()
            made.shutdown()  # type: ignore[no-untyped-call]
            shutil.rmtree(folder)


@pytest.fixture
def jobs(cluster: Any, tmp_path: Path) -> RayJobs:
    """The runner."""
    return RayJobs(tmp_path / "jobs", cluster.address)


@pytest.mark.slow
class TestThreeNodes(JobRunnerConformance):
    """Three nodes; each job connects and leaves again."""


@pytest.mark.slow
def test_a_node_killed_in_the_middle_changes_nothing(cluster: Any, jobs: RayJobs, tmp_path: Path) -> None:
    """While three nodes are busy one is killed: its shard runs elsewhere, and the digest is that of processes here."""
    seen = tmp_path / "seen"
    seen.mkdir()
    shards: Shards = {f"square of {number}": partial(held, seen, number) for number in range(1, 10)}
    killed: list[int] = []

    def kill_one() -> None:
        wait_for(lambda: len(list(seen.glob("began-*"))) == 3)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        killed.append(len(runs(seen)))
        (seen / "go").touch()

    killer = Thread(target=kill_one)
    killer.start()
    digest = jobs.run("squares", shards, nothing)
    killer.join()
    assert killed == [0]
    assert sorted(runs(seen)) == [1] * 9
    assert digest == LocalJobs(tmp_path / "local", processes=2).run("squares", squares(9), nothing)
    cluster.add_node(**NODE, node_ip_address="127.0.0.5")


@pytest.mark.slow
def test_jobs_of_this_machine_go_on_with_those_of_a_cluster(jobs: RayJobs, tmp_path: Path) -> None:
    """Results are kept the same way, so a job begun on a cluster is finished here and the other way round."""
    seen = tmp_path / "seen"
    seen.mkdir()
    jobs.run("squares", squares(2, seen), nothing)
    local = LocalJobs(tmp_path / "jobs", processes=0)
    local.run("squares", squares(4, seen), nothing)
    assert jobs.run("squares", squares(5, seen), nothing) == local.run("squares", squares(5), nothing)
    assert runs(seen) == [1] * 5


@pytest.mark.slow
def test_an_open_connection_is_used_and_left_open(cluster: Any, tmp_path: Path) -> None:
    """Who connected to Ray stays connected, whatever address the runner was given."""
    ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
    try:
        RayJobs(tmp_path / "jobs", "nowhere:1").run("squares", squares(1), nothing)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_a_cluster_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    """Where nobody listens, and at what is no address, the job ends at once with where it looked."""
    for address in ("127.0.0.1:9", "nowhere", "nowhere:port"):
        with pytest.raises(StoreError, match=f"the Ray cluster at '{address}' cannot be reached"):
            RayJobs(tmp_path / "jobs", address).run("squares", squares(1), nothing)
    with pytest.raises(BadInputError, match="at least 1 is needed"):
        RayJobs(tmp_path, attempts=0)
