"""What other systems tell by webhook, over HTTP: who is heard, what is stored, and that it is stored once."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from opswm.errors import BadInputError
from opswm_api.app import create_app
from opswm_api.settings import Settings
from tests.api.system import descriptor_document

SECRETS = {"alertmanager": SecretStr("s3cret"), "github": SecretStr("s3cret"), "argo": SecretStr("")}
TOKEN = {"authorization": "Bearer s3cret"}


@pytest.fixture
def heard(tmp_path: Path, checkpoint: Path) -> Iterator[TestClient]:
    """A service that hears Alertmanager and GitHub, with the small system."""
    settings = Settings(store=tmp_path / "store", checkpoint=checkpoint, torch_threads=1, webhook_secrets=SECRETS)
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        running.post("/v1/systems", json=descriptor_document()).raise_for_status()
        yield running


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    """Return a notification of Alertmanager."""
    return {"version": "4", "status": "firing", "alerts": list(alerts)}


def alert(name: str = "Slow") -> dict[str, Any]:
    """Return an alert about nobody in particular."""
    return {"status": "firing", "labels": {"alertname": name}, "startsAt": "2026-03-02T11:58:00Z", "fingerprint": name}


PATH = "/v1/systems/corner-shop/webhooks/"


def test_a_delivery_is_stored_once(heard: TestClient) -> None:
    """A notification becomes events; sent again, with another alert, only that one is new."""
    first = heard.post(PATH + "alertmanager", json=notification(alert()), headers=TOKEN)
    assert first.json() == {"num_actions": 0, "num_events": 1, "num_new_events": 1, "left_out": []}
    again = heard.post(PATH + "alertmanager", json=notification(alert(), alert("Down"), {}), headers=TOKEN).json()
    assert (again["num_events"], again["num_new_events"]) == (2, 1)
    assert "alertname" in again["left_out"][0]


def test_an_alert_whose_entity_became_known_stops_no_other(heard: TestClient) -> None:
    """What is repeated and means another entity since is left out with the reason; what is new beside it is stored."""
    descriptor = descriptor_document()
    first = alert() | {"labels": {"alertname": "Slow", "service": "the-shop-front"}}
    heard.post(PATH + "alertmanager", json=notification(first), headers=TOKEN).raise_for_status()
    descriptor["entities"][0]["attributes"] = {"opswm.alias": "the-shop-front"}
    heard.post("/v1/systems", json=descriptor).raise_for_status()
    again = heard.post(PATH + "alertmanager", json=notification(first, alert("Down")), headers=TOKEN)
    assert again.status_code == 200
    assert again.json()["num_new_events"] == 1
    assert "entity_id" in again.json()["left_out"][0]


def test_actions_of_a_webhook_are_in_the_ledger(heard: TestClient) -> None:
    """Statuses of a deployment that come in the wrong order are one action that ended."""
    entity = descriptor_document()["entities"][0]["entity_id"]
    for state, minute in (("success", 55), ("in_progress", 52)):
        deployment = {"id": 7, "ref": "v2", "sha": "abc", "creator": {"login": "anna"}, "environment": "production"}
        status = {"state": state, "created_at": f"2026-03-02T11:{minute}:00Z"}
        document = {"deployment": deployment, "deployment_status": status, "repository": {"name": entity}}
        body = json.dumps(document).encode()
        mark = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        headers = {"x-github-event": "deployment_status", "x-hub-signature-256": f"sha256={mark}"}
        assert heard.post(PATH + "github", content=body, headers=headers).json()["num_actions"] == 1
    (found,) = heard.get("/v1/systems/corner-shop/actions").json()["actions"]
    assert (found["action"]["type"], found["status"], found["contradictions"]) == ("deploy", "succeeded", [])


@pytest.mark.parametrize(
    ("source", "headers", "status"),
    [
        ("alertmanager", {}, 401), ("alertmanager", {"authorization": "Bearer guess"}, 401), ("github", TOKEN, 401),
        ("kubernetes", TOKEN, 403), ("argo", TOKEN, 403), ("nagios", TOKEN, 404), ("NAGIOS", TOKEN, 422),
    ],
)  # fmt: skip
def test_only_known_senders_are_heard(heard: TestClient, source: str, headers: dict[str, str], status: int) -> None:
    """Without the secret, or where none is set, nothing is read, and no answer names a secret."""
    answer = heard.post(PATH + source, json=notification(alert()), headers=headers)
    assert answer.status_code == status
    assert "s3cret" not in answer.text
    assert heard.get("/v1/systems/corner-shop/actions").json()["actions"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"version": "3", "alerts": []}', b'{"a": NaN}'])
def test_a_body_that_is_none_is_refused(heard: TestClient, body: bytes) -> None:
    """What the source does not send is answered with 422, and the service goes on."""
    assert heard.post(PATH + "alertmanager", content=body, headers=TOKEN).status_code == 422
    assert heard.post(PATH + "alertmanager", json=notification(alert()), headers=TOKEN).status_code == 200


def test_an_unknown_system_is_not_found(heard: TestClient) -> None:
    """A webhook about nobody's system is a 404."""
    answer = heard.post("/v1/systems/nobody/webhooks/alertmanager", json=notification(), headers=TOKEN)
    assert answer.status_code == 404


def test_a_secret_for_nobody_is_told_at_the_start(tmp_path: Path, checkpoint: Path) -> None:
    """A misspelt source among the secrets ends the start, naming those there are and no secret."""
    secrets = {"alertmanagr": SecretStr("s3cret")}
    settings = Settings(store=tmp_path / "store", checkpoint=checkpoint, webhook_secrets=secrets)
    with pytest.raises(BadInputError, match=r"alertmanagr.*alertmanager") as refused, TestClient(create_app(settings)):
        pass
    assert "s3cret" not in str(refused.value)
