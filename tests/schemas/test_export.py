"""The exported schemas describe what the code accepts, and drift is noticed."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from opswm_schemas.actions.parameters import parameter_model
from opswm_schemas.export import EXAMPLES, drift, export, exported_files, main
from opswm_schemas.vocabulary import ACTION_TYPES

EXPORTED = Path(__file__).parents[2] / "schemas" / "json"


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid_by_schema_and_by_code(name: str) -> None:
    """Every exported example is valid by its exported JSON Schema and by its model, with nothing lost."""
    schema = json.loads((EXPORTED / f"{name}.json").read_text(encoding="utf-8"))
    example = json.loads((EXPORTED / "examples" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert list(Draft202012Validator(schema).iter_errors(example)) == []
    read = type(EXAMPLES[name]).model_validate(example)
    assert read == EXAMPLES[name]
    assert json.loads(read.model_dump_json()) == example


def test_schemas_refuse_what_a_schema_can_say(refused: dict[str, Any]) -> None:
    """What the corpus marks as refused by schema is refused by the exported schema, the rest by the code alone."""
    schema = json.loads((EXPORTED / f"{refused['contract']}.json").read_text(encoding="utf-8"))
    assert Draft202012Validator(schema).is_valid(refused["document"]) == (refused["by"] == "code")


def test_every_action_type_is_exported() -> None:
    """The parameters of each action type have a schema and an example of their own."""
    assert [name.removeprefix("parameters/") for name in EXAMPLES if "/" in name] == list(ACTION_TYPES)
    for name in ACTION_TYPES:
        assert type(EXAMPLES[f"parameters/{name}"]) is parameter_model(name)


def test_tags_are_required() -> None:
    """A schema of tagged parts requires the tag, as the code does."""
    schema = json.loads((EXPORTED / "action.json").read_text(encoding="utf-8"))
    untagged = json.loads((EXPORTED / "examples" / "action.json").read_text(encoding="utf-8"))
    del untagged["params"]["type"]
    assert not Draft202012Validator(schema).is_valid(untagged)
    with pytest.raises(ValidationError):
        type(EXAMPLES["action"]).model_validate(untagged)


def test_the_exported_folder_is_what_the_code_says() -> None:
    """The folder in the repository does not drift from the code."""
    assert drift(EXPORTED, exported_files()) == []


def test_drift_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed, a missing and a foreign file each fail the check, with the command that repairs it."""
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    path = tmp_path / "action.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Action", "action", 1), encoding="utf-8")
    (tmp_path / "event.json").unlink()
    (tmp_path / "examples" / "foreign.json").write_text("{}", encoding="utf-8")
    assert main(["--check", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].removeprefix(f"{tmp_path}/") for line in said] == [
        "event.json is missing",
        "examples/foreign.json belongs to no contract",
        "action.json differs from the code",
    ]
    assert all(f"run python -m opswm_schemas.export {tmp_path}" in line for line in said)


def test_exporting_repairs_drift(tmp_path: Path) -> None:
    """Exporting over a drifted folder leaves exactly the files of the code, the same bytes every time."""
    (tmp_path / "stale.json").write_text("{}", encoding="utf-8")
    export(tmp_path, exported_files())
    assert drift(tmp_path, exported_files()) == []
    assert not (tmp_path / "stale.json").exists()
