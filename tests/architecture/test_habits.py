"""Habits of the source tree that no linter checks."""

import ast
import re
from pathlib import Path, PurePath

MAX_LINES = 300
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
WRITTEN_BY_HAND = ("*.py", "*.md", "*.toml", "*.yml", "*.yaml", "*.html", "*.js", "*.css", "*.ipynb", "*.json")


def test_every_module_is_small_enough_to_read(package_modules: dict[str, str], test_modules: dict[str, str]) -> None:
    """No module is longer than 300 lines."""
    lengths = {path: text.count("\n") for path, text in (package_modules | test_modules).items()}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_package_initialisers_are_empty(package_modules: dict[str, str]) -> None:
    """Every ``__init__.py`` is empty, so a name is imported from where it lives."""
    initialisers = {path: text for path, text in package_modules.items() if PurePath(path).name == "__init__.py"}
    assert {path for path, text in initialisers.items() if text} == set()
    assert len(initialisers) >= 4


def test_rooms_are_folders_and_packages_are_typed(root: Path) -> None:
    """The rooms ``schemas``, ``connectors`` and ``api`` hold a package and are none; each package has its py.typed."""
    assert [room for room in ("schemas", "connectors", "api") if (root / room / "__init__.py").exists()] == []
    packages = ("opswm", "schemas/opswm_schemas", "connectors/opswm_connectors", "api/opswm_api")
    assert [package for package in packages if not (root / package / "py.typed").exists()] == []


def test_no_import_hides_from_run_time(package_modules: dict[str, str], test_modules: dict[str, str]) -> None:
    """No module asks for TYPE_CHECKING, because annotations are read at run time and a circle is no excuse."""
    hidden = [
        f"{path}:{node.lineno}"
        for path, text in (package_modules | test_modules).items()
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        or (isinstance(node, ast.alias) and node.name == "TYPE_CHECKING")
    ]
    assert hidden == []


def test_no_drawers(package_modules: dict[str, str]) -> None:
    """No module or folder is a drawer for whatever has no place."""
    assert [path for path in package_modules if DRAWERS & {*PurePath(path).with_suffix("").parts}] == []


def test_every_module_says_what_it_is_for(package_modules: dict[str, str]) -> None:
    """Every module that holds code opens with a docstring."""
    assert [path for path, text in package_modules.items() if text and not ast.get_docstring(ast.parse(text))] == []


def test_every_test_says_what_it_expects(test_modules: dict[str, str]) -> None:
    """Every test has a docstring of one paragraph that states the behaviour."""
    docstrings = {
        f"{path}:{node.name}": ast.get_docstring(node)
        for path, text in test_modules.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert [test for test, docstring in docstrings.items() if not docstring or "\n\n" in docstring] == []
    assert len(docstrings) > 5


def test_no_path_of_one_machine(root: Path) -> None:
    """No file written by hand names a home or working directory of the machine it was written on."""
    machine = re.compile(r"(?<![\w.*}])/(?:work|home|root|Users|private|scratch)/")
    rooms = ("opswm", "schemas", "connectors", "api", "tests", "docs", "notebooks")
    files = [path for room in rooms for pattern in WRITTEN_BY_HAND for path in (root / room).rglob(pattern)]
    files += [*root.glob("*.md"), *root.glob("*.toml"), root / "Makefile", root / "requirements.lock", root / ".ci/run"]
    named = [
        f"{path.relative_to(root)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if machine.search(line)
    ]
    assert named == []


def test_the_lock_pins_by_hash_and_names_no_host(root: Path) -> None:
    """Every locked package has an exact version and hashes, no host is named, and torch with its CUDA stays out."""
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    entries = re.findall(r"^[A-Za-z0-9].*(?:\n[ ].*)*", lock, re.MULTILINE)
    assert [entry.splitlines()[0] for entry in entries if not re.match(r"[\w.-]+==[\w.]+", entry)] == []
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in lock
    names = {entry.split("==")[0] for entry in entries}
    assert {"pydantic", "pyarrow", "sympy"} <= names
    assert {name for name in names if name in {"torch", "triton"} or name.startswith(("nvidia-", "cuda-"))} == set()
