"""The OpenAPI document: stable, closed, complete in its errors, and guarded against drift."""

import json
from pathlib import Path
from typing import Any

import pytest

from opswm_api.openapi import export_openapi, main

DOCUMENT: dict[str, Any] = json.loads(export_openapi())
OPERATIONS = {
    operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
}


def test_operation_ids_are_the_promised_ones() -> None:
    """Clients are generated from these names, so a change of one is a breaking change."""
    assert sorted(OPERATIONS) == [
        "append_telemetry",
        "forecast",
        "get_action",
        "get_liveness",
        "get_ranking",
        "get_readiness",
        "get_system",
        "ingest_recording",
        "list_actions",
        "list_systems",
        "rank",
        "receive_webhook",
        "record_action",
        "record_events",
        "record_transition",
        "register_system",
        "request_action",
        "request_transition",
        "what_if",
    ]


def test_every_error_is_described_as_a_problem_document() -> None:
    """All responses from 400 on are problem documents, but for readiness, which says what is missing."""
    kinds = {
        (name, status): set(answer["content"])
        for name, operation in OPERATIONS.items()
        for status, answer in operation["responses"].items()
        if int(status) >= 400 and name != "get_readiness"
    }
    assert len(kinds) > 50
    assert set(map(frozenset, kinds.values())) == {frozenset({"application/problem+json"})}
    assert {"type", "title", "status", "detail", "instance", "errors"} == set(
        DOCUMENT["components"]["schemas"]["Problem"]["properties"]
    )


def test_request_bodies_are_closed() -> None:
    """No schema that a request body refers to takes fields it does not name."""
    open_schemas: set[str] = set()
    seen: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, list):
            for inner in part:
                walk(inner)
        elif isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                schema = DOCUMENT["components"]["schemas"][name]
                if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
                    open_schemas.add(name)
                walk(schema)
            for inner in part.values():
                walk(inner)

    for operation in OPERATIONS.values():
        walk(operation.get("requestBody", {}))
    assert "ScaleHorizontal" in seen
    assert open_schemas == set()


def test_the_exported_file_is_up_to_date_and_drift_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The committed document is the service's own; a changed or missing copy fails the check and says what to do."""
    committed = Path(__file__).resolve().parents[2] / "api" / "openapi.json"
    assert main(["--check", str(committed)]) == 0
    copy = tmp_path / "openapi.json"
    assert main(["--check", str(copy)]) == 1
    assert main([str(copy)]) == 0
    assert main(["--check", str(copy)]) == 0
    copy.write_text(copy.read_text().replace("rank", "sort", 1))
    assert main(["--check", str(copy)]) == 1
    assert "make schemas" in capsys.readouterr().err


def test_the_export_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine sets, the document is the same."""
    monkeypatch.setenv("OPSWM_PORT", "1234")
    monkeypatch.setenv("OPSWM_TENANT_ID", "acme")
    assert json.loads(export_openapi()) == DOCUMENT
