"""Export every public contract as JSON Schema (draft 2020-12), each with a valid example.

``python -m opswm_schemas.export schemas/json`` writes; with ``--check`` it only says what differs from the code.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from opswm_schemas.base import SCHEMA_VERSION
from opswm_schemas.envelope import ActionEvent, to_cloudevent
from opswm_schemas.examples import advice, aftermath, system
from opswm_schemas.examples.parameters import PARAMETERS

EXAMPLES: Final[dict[str, BaseModel]] = {
    "descriptor": system.descriptor(),
    "action": system.action(),
    "transition": system.transition(),
    "action-event": ActionEvent.model_validate(to_cloudevent(system.action())),
    "event": system.event(),
    "metric-point": system.metric_point(),
    "log-record": system.log_record(),
    "span": system.span(),
    "manifest": system.manifest(),
    "problem": system.problem(),
    "course": advice.scale_out(),
    "forecast-request": advice.forecast_request(),
    "what-if-request": advice.what_if_request(),
    "ranking-request": advice.ranking_request(),
    "forecast-answer": advice.forecast_answer(),
    "what-if-answer": advice.what_if_answer(),
    "ranking-answer": advice.ranking_answer(),
    "incident": aftermath.incident(),
    "outcome": aftermath.outcome(),
    "api-token": aftermath.api_token(),
    **{f"parameters/{params.type}": params for params in PARAMETERS},
}
"""An example of every public contract, by the name of its schema file; its class is the contract."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(name: str, contract: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a contract, with its dialect and a URN that carries the version.

    Args:
        name: Name of the schema file.
        contract: The model it describes.
    """
    urn = f"urn:opswm:schema:{name.replace('/', ':')}:{SCHEMA_VERSION}"
    return {"$schema": _DIALECT, "$id": urn, **contract.model_json_schema(by_alias=True)}


def exported_files() -> dict[str, str]:
    """Return the text of every exported file by its path below the export folder."""
    files: dict[str, str] = {}
    for name, example in EXAMPLES.items():
        files[f"{name}.json"] = _text(json_schema(name, type(example)))
        files[f"examples/{name}.json"] = _text(example.model_dump(mode="json", by_alias=True))
    return files


def drift(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Return a sentence for each file in ``folder`` that is not what the code would write.

    Args:
        folder: Where the contracts were exported to.
        files: What should be there.
    """
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.json"))}
    problems = [f"{name} is missing" for name in files if name not in there]
    problems += [f"{name} belongs to no contract" for name in there if name not in files]
    problems += [
        f"{name} differs from the code"
        for name, text in files.items()
        if name in there and there[name].read_text(encoding="utf-8") != text
    ]
    return problems


def export(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file and remove JSON files that belong to no contract any more.

    Args:
        folder: Where to export to.
        files: What to write.
    """
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.json"):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Export or check, and return the exit code: 0 when the folder holds what the code says, 1 where it drifted."""
    parser = argparse.ArgumentParser(prog="python -m opswm_schemas.export", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the exported schemas, such as schemas/json")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where anything differs")
    options = parser.parse_args(arguments)
    files = exported_files()
    if not options.check:
        export(options.folder, files)
        return 0
    problems = drift(options.folder, files)
    for problem in problems:
        print(f"{options.folder}/{problem}: run python -m opswm_schemas.export {options.folder}", file=sys.stderr)
    return 1 if problems else 0


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
