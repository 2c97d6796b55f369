"""Outcomes of twins as bad shares, and configurations as courses."""

import numpy as np

from opswm.evaluation.demeter.questions import configuration_course
from opswm.evaluation.demeter.training_data import latency_share, recovery_share
from opswm.evaluation.demeter.twins import FlinkConfiguration
from opswm_schemas.actions.parameters import ConfigChange, ScaleHorizontal, ScaleVertical
from opswm_schemas.descriptor import Bound, Capability, Entity, SystemDescriptor


def test_a_worse_outcome_is_a_larger_share() -> None:
    """Shares grow with latency and recovery time, from 0 at a second to 1 at the longest that was watched."""
    shares = latency_share(np.array([0.5, 1.0, 2.0, 40.0, 120.0, 500.0]))
    assert shares[:2].tolist() == [0.0, 0.0]
    assert np.all(np.diff(shares[1:5]) > 0)
    assert shares[4:].tolist() == [1.0, 1.0]
    assert [recovery_share(seconds) for seconds in (90.0, 360.0, 400.0)] == [0.25, 1.0, 1.0]


def test_a_configuration_is_asked_for_through_capabilities() -> None:
    """Each capability asks for its part of a configuration; TaskManagers are rounded up; other keys are left."""
    keys = ("taskmanager.numberOfTaskSlots", "checkpoint_interval_s", "rest.port")
    settings = [
        Capability(
            capability_id=f"set-{index}",
            type="config_change",
            targets=["pool"],
            bounds={"key": Bound(choices=[key]), "new": Bound()},
        )
        for index, key in enumerate(keys)
    ]
    descriptor = SystemDescriptor(
        system_id="flink",
        entities=[Entity(entity_id="pool", kind="worker")],
        capabilities=[
            Capability(capability_id="out", type="scale_horizontal", targets=["pool"]),
            Capability(capability_id="up", type="scale_vertical", targets=["pool"]),
            *settings,
        ],
    )
    course = configuration_course(descriptor, "twin", FlinkConfiguration(10, 4, 2.0, 2048, 30.0))
    assert [action.params for action in course.actions] == [
        ScaleHorizontal(to_replicas=3),
        ScaleVertical(cpu_cores=2.0, memory_bytes=float(2048 << 20)),
        ConfigChange(key=keys[0], new=4.0),
        ConfigChange(key=keys[1], new=30.0),
    ]
    assert course.course_id == "twin"
