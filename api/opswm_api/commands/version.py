"""``opswm version``: what is installed."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from opswm_api.console import AsJson, print_json, stdout
from opswm_schemas.base import SCHEMA_VERSION

_PARTS = ("torch", "torch-geometric", "polars", "deltalake", "pydantic", "fastapi")


def version(as_json: AsJson = False) -> None:
    """Print the version of opswm, of its contracts and of the libraries an answer depends on."""
    versions = {"opswm": installed_version("opswm"), "schema": SCHEMA_VERSION, "python": platform.python_version()}
    for part in _PARTS:
        try:
            versions[part] = installed_version(part)
        except PackageNotFoundError:
            versions[part] = "not installed"
    if as_json:
        print_json(versions)
        return
    console = stdout()
    for name, number in versions.items():
        console.print(f"{name:16}{number}", markup=False)
