"""Chaos Mesh experiments to injected faults."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opswm_connectors.chaos_mesh.source import translate
from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts
from opswm_connectors.webhooks.places import Places
from opswm_schemas.descriptor import Entity
from opswm_schemas.ports import SystemKey
from tests.connectors.placed import placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP = SystemKey("default", "shop")
ENTITIES = [Entity(entity_id="store", kind="database", attributes={"k8s.deployment.name": "tikv"})]
PLACES = Places(ENTITIES)
FIXTURES = Path(os.environ.get("OPSWM_DATA", "../shared/data")) / "connector_fixtures" / "chaos_mesh"


def record(*events: tuple[str, str, int]) -> dict[str, Any]:
    """Return what happened to one container: operation, outcome, second past noon less one minute."""
    return {
        "events": [
            {"operation": what, "type": ended, "timestamp": f"2026-03-02T11:59:{second:02d}Z"}
            for what, ended, second in events
        ]
    }


def experiment(*records: dict[str, Any], **changes: Any) -> Delivery:
    """Return a delay of the network with what happened to its containers."""
    document = {
        "apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos",
        "metadata": {"name": "network-delay", "uid": "u-1"},
        "spec": {"action": "delay", "duration": "1m30s", "selector": {"labelSelectors": {"app": "tikv"}}},
        "status": {"experiment": {"containerRecords": list(records)}},
    }  # fmt: skip
    return Delivery({}, json.dumps(document | changes).encode(), NOON)


def test_an_experiment_is_a_fault_from_first_to_last() -> None:
    """It starts where it was first applied and ends where it was last recovered; the kind names resource and action."""
    told = experiment(
        record(("Apply", "Failed", 1), ("Apply", "Succeeded", 3), ("Recover", "Succeeded", 40)),
        record(("Apply", "Succeeded", 2), ("Recover", "Succeeded", 42)),
    )
    (fault,) = translate(told, SHOP, PLACES).actions
    assert fault.params.model_dump() == {
        "type": "fault_injection", "kind": "network.delay", "magnitude": None, "duration_s": 90.0,
    }  # fmt: skip
    assert (fault.target.entity_id, fault.status, fault.actor.kind) == ("store", "succeeded", "fault_injector")
    assert [fact.event_at.second for fact in fault.transitions] == [2, 42]


@pytest.mark.parametrize(
    ("records", "status"),
    [([record(("Apply", "Succeeded", 2))], "started"), ([record(("Apply", "Failed", 2))], "failed")],
)
def test_under_way_or_failed(records: list[dict[str, Any]], status: str) -> None:
    """What is not recovered goes on; what never worked has failed."""
    assert translate(experiment(*records), SHOP, PLACES).actions[0].status == status


def test_what_was_never_applied_says_nothing() -> None:
    """An experiment without events has done nothing yet, whatever its status holds."""
    assert translate(experiment(), SHOP, PLACES) == Facts()
    broken: tuple[Any, ...] = (None, [], {"experiment": {"containerRecords": [1, {"events": {"a": 1}}]}})
    for status in broken:
        assert translate(experiment(status=status), SHOP, PLACES) == Facts()


def test_a_selector_of_nobody_is_told() -> None:
    """An experiment on nobody known asks for an alias."""
    facts = translate(experiment(record(("Apply", "Succeeded", 2))), SHOP, Places([]))
    assert "alias" in facts.left_out[0]


@pytest.mark.parametrize("changes", [{"kind": "Pod"}, {"kind": "Chaos"}, {"apiVersion": "v1"}, {"kind": None}])
def test_other_objects_are_refused(changes: dict[str, Any]) -> None:
    """Objects of other kinds and groups are terminal errors."""
    with pytest.raises(TerminalSourceError):
        translate(experiment(**changes), SHOP, PLACES)


def test_the_manifests_of_the_project() -> None:
    """Manifests that were never applied say nothing, of whatever kind of chaos they are."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    if not FIXTURES.is_dir():
        pytest.skip(f"the manifests of Chaos Mesh are not in {FIXTURES}; set OPSWM_DATA")
    places, read = placed(ENTITIES, {"tikv": "store", "etcd": "store"}), 0
    for path in sorted(FIXTURES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not str(document["kind"]).endswith("Chaos"):
            continue
        facts = translate(Delivery({}, json.dumps(document, default=str).encode(), NOON), SHOP, places)
        assert facts.actions == ()
        read += 1
    assert read > 10
