"""The laboratory as a fixture, since test modules are no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """Runs of scenarios, readings by name."""
    spec = importlib.util.spec_from_file_location("events_laboratory", Path(__file__).with_name("laboratory.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
