"""Settings for every test: one thread per worker, shapes checked at run time, reproducible property tests."""

import os

import hypothesis
import jaxtyping

# Before numpy, torch or polars is imported: the default run has two workers on two cores. Subprocesses inherit it.
THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
for variable in THREAD_COUNTS:
    os.environ.setdefault(variable, "1")

# Before any module of the core is imported: jaxtyping annotations become checks.
jaxtyping.install_import_hook("opswm", "beartype.beartype")

# No deadline, because the cores are shared; in CI the examples are the same in every run.
hypothesis.settings.register_profile("opswm", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("opswm")

# Servers that tests of several packages talk to.
pytest_plugins = ("tests.postgresql", "tests.metrics_servers")
