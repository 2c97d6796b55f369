"""The built distribution, as somebody else's environment sees it."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source tree with the build tools of the lock."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(root)]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    """The wheel puts exactly four names into site-packages, each typed, and brings the licence."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    packages = {"opswm", "opswm_api", "opswm_connectors", "opswm_schemas"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_wheel_ranks_outside_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with the wheel ranks the interventions of an unseen incident, away from the source tree."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies come from the environment of this test, whose own path files are not read from there.
    (site,) = environment.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    where = "import importlib; print(*(importlib.import_module(n).__file__ for n in {!r}))"
    packages = ["opswm", "opswm_api", "opswm_connectors", "opswm_schemas"]
    found = subprocess.run(
        [python, "-c", where.format(packages)], cwd=elsewhere, env=clean, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(site / package / "__init__.py") for package in packages]

    demo = [str(environment / "bin" / "opswm"), "demo", "--once", "--seed", "3", "--json"]
    ranking = subprocess.run(demo, cwd=elsewhere, env=clean, capture_output=True, text=True, check=False)
    assert ranking.returncode in (0, 3), ranking.stdout + ranking.stderr
    answer = json.loads(ranking.stdout)
    assert answer["seed"] == 3
    ranked = answer["ranking"]["ranked"]
    assert [one["rank"] for one in ranked] == list(range(1, len(ranked) + 1))
    assert "no_op" in {one["course"]["course_id"] for one in ranked}
    assert len(ranked) > 5
