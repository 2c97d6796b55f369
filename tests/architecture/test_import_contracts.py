"""Who may import whom: checked in the import graph and, where it matters, by importing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# On a machine that lacks packages, importing one fails; what follows runs as if on such a machine.
WITHOUT = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed on this machine", name=name)

sys.meta_path.insert(0, Absent())
"""
IMPORT_ALL = """
for name in {packages!r}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", []), name + "."):
        importlib.import_module(module.name)
    print(name)
"""
RUN = """
from opswm_api.cli import main

sys.argv = ["opswm", *{arguments!r}]
main()
"""
EXTRAS = ["torch", "jaxtyping", "lightgbm", "safetensors", "fastapi", "starlette", "uvicorn"]


def test_import_contracts_are_kept(root: Path) -> None:
    """The layers, independence and lightness that pyproject.toml states hold in the import graph."""
    lint = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert " 0 broken." in lint.stdout


@pytest.mark.parametrize(
    ("packages", "absent"),
    [
        pytest.param(
            ["opswm.tensors", "opswm.simulation.kernel", "opswm.model", "opswm.rollout", "opswm.training"],
            ["polars", "duckdb", "pyarrow", "deltalake", "pydantic", "fastapi", "sqlalchemy"],
            id="a bare GPU machine",
        ),
        pytest.param(
            ["opswm_schemas", "opswm_connectors"],
            ["torch", "torch_geometric", "fastapi", "lightgbm"],
            id="a base install",
        ),
    ],
)
def test_packages_import_without_what_they_must_not_need(packages: list[str], absent: list[str]) -> None:
    """Generating and training need torch, PyG and numpy only; contracts and connectors need no torch."""
    script = WITHOUT.format(absent=absent) + IMPORT_ALL.format(packages=packages)
    importing = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert importing.returncode == 0, importing.stderr
    assert importing.stdout.split() == packages


def run(arguments: list[str], absent: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command line as on a machine that lacks some packages."""
    script = WITHOUT.format(absent=absent) + RUN.format(arguments=arguments)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", ["ingest", "describe", "import", "version"])
def test_light_verbs_explain_themselves_at_once(verb: str) -> None:
    """The command line explains its light verbs on a base install, and loads neither polars nor pyarrow for it."""
    helped = run([verb, "--help"], absent=[*EXTRAS, "polars", "pyarrow"])
    assert helped.returncode == 0, helped.stderr
    assert f"Usage: opswm {verb}" in helped.stdout


def test_a_base_install_stores_and_describes_a_recording(tmp_path: Path) -> None:
    """Without torch and without the service's packages a recording is stored, found again and described."""
    night, store = str(tmp_path / "web-shop-seed-5"), str(tmp_path / "store")
    simulated = run(["simulate", "--seed", "5", "--out", str(tmp_path)], absent=[])
    assert simulated.returncode == 0, simulated.stderr
    stored = run(["ingest", night, "--store", store], absent=EXTRAS)
    assert stored.returncode == 0, stored.stderr
    (receipt,) = json.loads(run(["ingest", night, "--store", store, "--json"], absent=EXTRAS).stdout)
    described = run(["describe", "--system", receipt["system_id"], "--store", store, "--json"], absent=EXTRAS)
    assert described.returncode == 0, described.stderr
    assert receipt["system_id"] in described.stdout
