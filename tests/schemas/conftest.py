"""What the tests of the contracts share: the corpus of accepted and refused documents."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from opswm_schemas.export import EXAMPLES

CORPUS = Path(__file__).parent / "corpus"


def changed(document: Any, changes: dict[str, Any]) -> Any:
    """Return a document with fields set, each named by its dotted path; one past the end of a list is appended."""
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        place = document
        for part in parents:
            place = place[part]
        if isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return document


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``accepted`` or ``refused`` each case of that corpus."""
    for kind in ("accepted", "refused"):
        if kind in metafunc.fixturenames:
            cases = json.loads((CORPUS / f"{kind}.json").read_text(encoding="utf-8"))
            for case in cases:
                example = EXAMPLES[case["contract"]].model_dump(mode="json", by_alias=True)
                case["document"] = changed(example, case["set"])
            metafunc.parametrize(kind, cases, ids=[f"{case['contract']}: {case['name']}" for case in cases])
