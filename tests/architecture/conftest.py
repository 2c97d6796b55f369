"""The source tree as the architecture tests read it: path below the root to text."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def read(*folders: str) -> dict[str, str]:
    """Read every Python file below the folders."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def package_modules() -> dict[str, str]:
    """Every module of the four packages."""
    return read("opswm", "schemas/opswm_schemas", "connectors/opswm_connectors", "api/opswm_api")


@pytest.fixture(scope="session")
def test_modules() -> dict[str, str]:
    """Every module below tests/."""
    return read("tests")
