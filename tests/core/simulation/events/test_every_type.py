"""Every type of action and every kind of fault that there are has mechanics of its own here."""

from typing import Any

import pytest

from opswm.simulation.events.actions import DOINGS
from opswm.simulation.events.fault_kinds import KINDS
from opswm.simulation.events.world import Observed
from opswm.simulation.kernel.courses import FORMS
from opswm.simulation.kernel.faults import FAULT_KINDS, Shape
from opswm_schemas.vocabulary import ACTION_TYPES
from tests.core.simulation.events.probes import Probe, probes
from tests.core.simulation.events.test_breakages import SYMPTOMS

PROBES = probes()


@pytest.fixture(scope="module")
def run_before() -> dict[Any, Observed]:
    """What was seen in runs so far, as many probes are compared with the same one."""
    return {}


@pytest.mark.parametrize("probe", [pytest.param(one, id=f"{one.action}-{one.choice or one.part}") for one in PROBES])
def test_every_action_changes_what_it_is_for(lab: Any, run_before: dict[Any, Observed], probe: Probe) -> None:
    """With the action a reading of the system differs from the one without it, by the factor that it should."""
    means = []
    for requests in (probe.requests, probe.requests[:-1]):
        key = (id(probe.blueprint), probe.ticks, requests)
        if key not in run_before:
            world = lab.started(probe.blueprint)
            for request in requests:
                world.request(request)
            run_before[key] = world.run(probe.ticks)
        found = lab.reading(run_before[key], probe.blueprint, probe.part, probe.signal)
        means.append(float(found[probe.first :].mean()) + probe.floor)
    assert probe.least <= means[0] / means[1] <= probe.most, means


def test_every_type_and_operation_is_tried() -> None:
    """What courses can ask for is carried out here, each type by a function of its own, and tried above."""
    assert set(DOINGS) == set(FORMS)
    assert len(set(DOINGS.values())) == len(FORMS) == 23
    tried = {(probe.action, probe.choice) for probe in PROBES}
    wanted = {(name, choice) for name, form in FORMS.items() for choice in form.choices or ("",)}
    assert tried == wanted
    assert set(ACTION_TYPES) - set(FORMS) == {"no_op", "fault_injection", "custom"}


def test_every_kind_of_fault_and_every_shape_is_known() -> None:
    """What can befall a system of the other engine can befall it here, and has a symptom that is tried."""
    kinds = {kind.name for kind in FAULT_KINDS}
    assert set(KINDS) == kinds
    assert set(SYMPTOMS) == kinds - {"none"}
    assert len(SYMPTOMS) == 26
    assert {shape.name for shape in Shape} <= {"STEP", "RAMP", "INTERMITTENT", "DECAY", "REBOUND", "ROLLOUT"}
