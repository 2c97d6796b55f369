"""What the packages import, against what pyproject.toml says they need."""

import ast
import re
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

OURS = {"opswm", "opswm_api", "opswm_connectors", "opswm_schemas"}


def test_packages_import_what_is_declared_and_nothing_else(root: Path, package_modules: dict[str, str]) -> None:
    """Each third-party module that the packages import is a declared dependency, and each declared one is imported."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    declared = {re.split(r"[<>=\[]", requirement)[0] for requirement in requirements} - OURS
    imported = {name for text in package_modules.values() for name in third_party_imports(text)}
    tops = packages_distributions()
    owners = {name: distributions_with(name, sorted(set(tops.get(name.partition(".")[0], [])))) for name in imported}
    assert {name: owner for name, owner in owners.items() if not owner & declared} == {}
    assert declared - set().union(*owners.values()) == set()


def test_connectors_are_found_by_entry_point(root: Path, package_modules: dict[str, str]) -> None:
    """Every connector that pyproject.toml registers loads, and the composition root alone opens the registry."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    registered = project["entry-points"]["opswm.connectors"]
    installed = {point.name: point for point in distribution("opswm").entry_points.select(group="opswm.connectors")}
    assert {name: point.value for name, point in installed.items()} == registered
    assert [name for name, point in installed.items() if not callable(point.load())] == []
    openers = [path for path, text in package_modules.items() if re.search(r"\bentry_points\b", text)]
    assert openers == ["api/opswm_api/wiring.py"]


def third_party_imports(text: str) -> set[str]:
    """List the dotted names that a module imports from neither the standard library nor our packages."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # ``from a import b`` may import the module a.b; both names are looked up and either may own it.
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] not in OURS | sys.stdlib_module_names}


def distributions_with(name: str, owners: Sequence[str]) -> set[str]:
    """Name those of the owners of its first part that hold the most of a dotted name, in the spelling of a lock."""
    parts = name.split(".")
    holders = set(owners)
    for depth in range(len(parts), 1, -1):
        inside = "/".join(parts[:depth])
        nearer = {owner for owner in owners if len(owners) > 1 and holds(owner, inside)}
        if nearer:
            holders = nearer
            break
    return {re.sub(r"[-_.]+", "-", owner).lower() for owner in holders}


@cache
def holds(owner: str, path: str) -> bool:
    """Say whether a distribution installs a package folder or module at a path."""
    return any(str(file).startswith((f"{path}/", f"{path}.py")) for file in distribution(owner).files or [])
