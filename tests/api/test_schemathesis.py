"""Whatever the OpenAPI document allows, and much that it does not, is answered as it says; never with a 5xx."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema
from starlette.testclient import TestClient

from opswm.store.tables.background import Background
from opswm_api.app import create_app
from opswm_api.openapi import export_openapi
from opswm_api.self_telemetry import silent
from opswm_api.service_wiring import open_services
from opswm_api.services import Services
from opswm_api.settings import Settings
from tests.api.system import descriptor_document, points

OPERATIONS = {
    operation["operationId"]: operation
    for methods in json.loads(export_openapi())["paths"].values()
    for operation in methods.values()
}
WITH_INPUT = [name for name, operation in OPERATIONS.items() if "requestBody" in operation or "parameters" in operation]
EXAMPLES = hypothesis.settings(max_examples=20, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))


@schemathesis.serializer("application/zip")
def send_as_it_is(_: object, value: object) -> bytes:
    """Generated recordings are bytes of any kind, hardly ever a zip."""
    return value if isinstance(value, bytes) else str(value).encode()


def open_services_without_filling(settings: Settings, patch: pytest.MonkeyPatch) -> AbstractContextManager[Services]:
    """Open services that fill no tables meanwhile: jaxtyping's checks draw random numbers, in that thread as well.

    Hypothesis takes what another thread draws for a request that is generated in another way each time.
    """
    patch.setattr(Background, "_work", lambda self: self._stop.wait())
    return open_services(settings, silent())


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Iterator[OpenApiSchema]:
    """The schema of a running service that knows the small system."""
    settings = Settings(store=tmp_path_factory.mktemp("store"), checkpoint=checkpoint, torch_threads=1)
    with pytest.MonkeyPatch.context() as patch, open_services_without_filling(settings, patch) as services:
        app = create_app(settings, services=services)
        client = TestClient(app)
        client.post("/v1/systems", json=descriptor_document()).raise_for_status()
        batch = {"batch_id": "b-1", "points": points()}
        client.post("/v1/systems/corner-shop/telemetry", json=batch).raise_for_status()
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def answered_as_described(case: schemathesis.Case[Any]) -> None:
    """Send a request and check the answer against the document.

    What is valid field by field may still be refused (a name that the system lacks, fields that contradict each
    other), so refusing valid data is no fault here; and what is too large is refused unread, whatever it holds.
    """
    response = case.call()
    unread = [negative_data_rejection] if response.status_code == 413 else []
    case.validate_response(response, excluded_checks=[positive_data_acceptance, *unread])


@pytest.mark.parametrize("name", OPERATIONS)
def test_valid_requests_are_answered_as_described(described: OpenApiSchema, name: str) -> None:
    """Generated valid requests about the registered system get documented statuses, media types and bodies."""
    operation = described.find_operation_by_id(name)

    @hypothesis.given(case=operation.as_strategy(), known=st.booleans())
    @EXAMPLES
    def answered(case: schemathesis.Case[Any], known: bool) -> None:
        for part in (case.path_parameters, case.body):
            if known and isinstance(part, dict) and "system_id" in part and name != "register_system":
                part["system_id"] = "corner-shop"
        answered_as_described(case)

    answered()


@pytest.mark.parametrize("name", WITH_INPUT)
def test_invalid_requests_are_refused_as_described(described: OpenApiSchema, name: str) -> None:
    """Generated invalid requests are refused with a documented problem, never with a 5xx."""
    operation = described.find_operation_by_id(name)

    @hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    @EXAMPLES
    def refused(case: schemathesis.Case[Any]) -> None:
        answered_as_described(case)

    refused()
