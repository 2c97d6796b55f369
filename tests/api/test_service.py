"""The service as a whole: liveness, readiness, limits, and errors that tell nothing internal."""

import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from opswm.errors import BadInputError
from opswm.store.open import open_store
from opswm.store.tables.limits import TenantLimits
from opswm.store.tables.upkeep import UpkeepConfig
from opswm_api.app import create_app
from opswm_api.self_telemetry import from_environment
from opswm_api.service_wiring import open_services
from opswm_api.settings import Settings
from tests.api.system import AT, descriptor_document
from tests.core.store.shop import SHOP, readings

QUESTION = {"system_id": "corner-shop", "at": AT.isoformat()}


def test_a_service_with_store_and_model_is_ready(client: TestClient) -> None:
    """Live and ready, with every part checked."""
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"ledger": "ok", "telemetry": "ok", "tables": "ok", "world_model": "ok"}


def test_before_it_has_started_a_service_is_live_and_not_ready(settings: Settings) -> None:
    """Without its services open, readiness and questions are answered with 503 rather than an error."""
    starting = TestClient(create_app(settings))
    assert starting.get("/health/live").status_code == 200
    assert starting.get("/health/ready").json() == {"status": "not_ready", "checks": {"service": "starting"}}
    refused = starting.get("/v1/systems")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize("damage", ["missing", "corrupt", "foreign"])
def test_without_a_readable_checkpoint_facts_are_taken_and_questions_wait(
    settings: Settings, checkpoint: Path, tmp_path: Path, damage: str
) -> None:
    """With the checkpoint missing, corrupt or foreign, the service says it is not ready, stores facts, answers 503."""
    broken = tmp_path / "broken"
    if damage != "missing":
        broken.mkdir()
        card, weights = ((checkpoint / name).read_bytes() for name in ("model.json", "model.safetensors"))
        (broken / "model.json").write_bytes(card if damage == "corrupt" else b'{"format": "somebody else\'s"}')
        (broken / "model.safetensors").write_bytes(weights[:-8] + b"\0" * 8)
    with TestClient(create_app(settings.model_copy(update={"checkpoint": broken}))) as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["world_model"] == "the checkpoint could not be loaded"
        assert client.post("/v1/systems", json=descriptor_document()).status_code == 201
        refused = client.post("/v1/rankings", json=QUESTION)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert str(tmp_path) not in refused.text


def test_with_the_ledger_gone_the_service_is_not_ready_and_says_nothing_internal(
    shop: TestClient, settings: Settings
) -> None:
    """A ledger that cannot be read makes the service unready and requests 503, without paths or SQL in the answer."""
    with sqlite3.connect(settings.store / "ledger.sqlite") as ledger:
        ledger.execute("ALTER TABLE descriptors RENAME TO lost")
    ledger.close()
    assert shop.get("/health/ready").status_code == 503
    refused = shop.post("/v1/rankings", json=QUESTION)
    assert refused.status_code == 503
    assert not any(word in refused.text for word in (str(settings.store), "SELECT", "sqlite"))


def test_an_error_nobody_foresaw_is_a_problem_document_without_its_cause(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect answers 500 without its message, and the next request is served."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError("internal detail")

    with monkeypatch.context() as patched:
        patched.setattr("opswm_api.advisor.read_timeline", fails)
        refused = shop.post("/v1/rankings", json=QUESTION)
    assert refused.status_code == 500
    assert refused.headers["content-type"] == "application/problem+json"
    assert "internal detail" not in refused.text
    assert shop.post("/v1/rankings", json=QUESTION).status_code == 201


def test_unknown_paths_and_methods_are_problem_documents(client: TestClient) -> None:
    """404 and 405 are problem documents; 405 names every method that is possible."""
    missing = client.get("/v1/sistems")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = client.delete("/v1/systems")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
    assert wrong.json()["instance"] == "/v1/systems"


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    ("path", "field", "limit"),
    [
        ("/v1/systems", "max_body_bytes", 1_000),
        ("/v1/systems/corner-shop/telemetry", "max_telemetry_bytes", 2_000),
        ("/v1/systems/corner-shop/recordings", "max_recording_bytes", 3_000),
    ],
)
def test_bodies_are_bounded_per_route(settings: Settings, path: str, field: str, limit: int, announced: bool) -> None:
    """A body over its route's limit gets 413 whether its length was announced or not; one below is read."""
    media = "application/zip" if "recordings" in path else "application/json"
    bounded = settings.model_copy(update={field: limit})
    with TestClient(create_app(bounded), raise_server_exceptions=False) as client:
        client.post("/v1/systems", json=descriptor_document())

        def post(size: int) -> int:
            content = b" " * size
            body = content if announced else (content[i : i + 97] for i in range(0, size, 97))
            answer = client.post(path, content=body, headers={"content-type": media})
            assert answer.headers["content-type"] == "application/problem+json"
            return answer.status_code

        assert post(limit + 1) == 413
        assert post(limit) in (404, 422)


def test_settings_come_from_the_environment_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPSWM_ variables set the fields, and a value out of range is refused."""
    monkeypatch.setenv("OPSWM_PORT", "8123")
    monkeypatch.setenv("OPSWM_TENANT_ID", "acme")
    read = Settings()
    assert (read.port, read.tenant_id, read.host) == (8123, "acme", "127.0.0.1")
    with pytest.raises(ValueError, match="port"):
        Settings(port=70_000)


@pytest.mark.parametrize(("days", "kept_s"), [("0", None), ("0.5", 43_200.0), (None, None)])
def test_retention_and_limits_reach_the_store(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, days: str | None, kept_s: float | None
) -> None:
    """OPSWM_RETENTION_DAYS says how long readings stay, for good where it is 0 or unset; limits are of each tenant."""
    if days is not None:
        monkeypatch.setenv("OPSWM_RETENTION_DAYS", days)
    monkeypatch.setenv("OPSWM_MAX_BATCH_ROWS", "7")
    given: dict[str, object] = {}

    class Opened(Exception):
        """The store was asked for; nothing else of the service is needed."""

    def asked(_folder: Path, **options: object) -> None:
        given.update(options)
        raise Opened

    monkeypatch.setattr("opswm_api.wiring.open_store", asked)
    with pytest.raises(Opened), open_services(Settings(store=settings.store), from_environment()):
        pass
    assert given["upkeep"] == UpkeepConfig(retention_s=kept_s)
    assert given["limits"] == TenantLimits(max_rows=7)


def test_a_store_keeps_tenants_to_the_limits_it_is_given(tmp_path: Path) -> None:
    """A batch beyond the limit is refused with its name."""
    store = open_store(tmp_path, limits=TenantLimits(max_rows=1))
    two = readings([("web.rps", 1, 1, 1.0), ("web.rps", 2, 2, 2.0)])
    with pytest.raises(BadInputError, match="allowed are 1"):
        store.telemetry.append_metrics(SHOP, two, "b1")
    store.close()
