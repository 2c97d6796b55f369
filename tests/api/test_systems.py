"""Systems over HTTP: registering, revisions, reading back."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.system import descriptor_document


def test_a_system_is_registered_once_and_revised_when_it_changes(client: TestClient) -> None:
    """The first document is revision 1, the same adds none, a changed one is revision 2; old ones stay readable."""
    first = client.post("/v1/systems", json=descriptor_document())
    assert (first.status_code, first.json()["revision"]) == (201, 1)
    assert first.headers["location"] == "/v1/systems/corner-shop"
    again = client.post("/v1/systems", json=descriptor_document())
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    changed = client.post("/v1/systems", json={**descriptor_document(), "name": "Corner shop II"})
    assert (changed.status_code, changed.json()["revision"]) == (201, 2)

    assert client.get(first.headers["location"]).json()["name"] == "Corner shop II"
    assert client.get("/v1/systems/corner-shop?revision=1").json() == first.json()
    assert client.get("/v1/systems/corner-shop?revision=3").status_code == 404


def test_systems_are_listed_with_their_sizes(client: TestClient) -> None:
    """The list is empty at first, then counts what each descriptor holds, by id."""
    assert client.get("/v1/systems").json() == {"systems": []}
    for name in ("zoo", "apiary"):
        client.post("/v1/systems", json={**descriptor_document(), "system_id": name}).raise_for_status()
    listed = client.get("/v1/systems").json()["systems"]
    assert [one["system_id"] for one in listed] == ["apiary", "zoo"]
    sizes = ("num_entities", "num_channels", "num_capabilities", "num_objectives")
    assert [listed[0][size] for size in sizes] == [3, 10, 3, 1]


@pytest.mark.parametrize(
    ("part", "change", "pointer", "detail"),
    [
        ("channels", {"unit": "By"}, "#/channels/0", "'By' cannot be converted"),
        ("channels", {"meaning": "mood"}, "#/channels/0/meaning", "'mood'"),
        ("channels", {"entity_id": "egde"}, "#", "'egde'"),
        ("channels", {"colour": "red"}, "#/channels/0/colour", "'colour' is not known"),
        ("entities", {"kind": "robot"}, "#/entities/0/kind", "'robot'"),
        ("objectives", {"weight": 0.5}, "#", "sum to"),
        ("objectives", {"target_ratio": "high"}, "#/objectives/0/target_ratio", "'high'"),
        ("capabilities", {"targets": ["chekout"]}, "#", "'chekout'"),
    ],
)
def test_descriptors_that_do_not_hang_together_are_refused(
    client: TestClient, part: str, change: dict[str, Any], pointer: str, detail: str
) -> None:
    """Wrong units, unknown meanings, kinds, entities and fields, and weights that do not add up are named in place."""
    document = descriptor_document()
    document[part][0] |= change
    refused = client.post("/v1/systems", json=document)
    assert refused.status_code == 422
    (item,) = refused.json()["errors"]
    assert item["pointer"] == pointer
    assert detail in item["detail"]
    assert client.get("/v1/systems").json() == {"systems": []}


def test_descriptors_of_other_tenants_and_unaddressable_ids_are_refused(client: TestClient) -> None:
    """A descriptor of another tenant, or with a slash in its id, is refused at the field that says so."""
    for field, value in (("tenant_id", "somebody-else"), ("system_id", "team/shop")):
        refused = client.post("/v1/systems", json={**descriptor_document(), field: value})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == f"#/{field}"
    assert client.get("/v1/systems").json() == {"systems": []}
