"""Where long work runs: the part of the composition root that picks a job runner."""

from pathlib import Path

from opswm_schemas.ports import JobRunner


def job_runner(folder: Path, processes: int, ray_address: str | None = None) -> JobRunner:
    """Return what runs shards.

    Args:
        folder: Where results are kept; the same folder goes on with the same jobs.
        processes: How many shards run at once on this machine; 0 runs them in this process.
        ray_address: Of a Ray cluster that runs them instead, ``host:port`` or ``auto``.

    Raises:
        BadInputError: When there are fewer processes than none.
        ModuleNotFoundError: When Ray is wanted and not installed.
    """
    if ray_address is not None:
        from opswm.jobs.ray_cluster import RayJobs

        return RayJobs(folder, ray_address)
    from opswm.jobs.local import LocalJobs

    return LocalJobs(folder, processes)
