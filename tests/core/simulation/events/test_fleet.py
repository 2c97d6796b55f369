"""Replicas are replaced one by one, and what they run, read and finish goes with them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from opswm.simulation.events.scenarios import act, one, system
from opswm.simulation.events.wider_scenarios import two_hosts
from opswm.simulation.kernel.blueprint import Breakage, Link, Part

CANARY, BLUE_GREEN = 1, 2


def shares(world: Any) -> list[float]:
    """Return, sorted, which shares of the replicas of the service run which version."""
    fleet = world.servers["web"].fleet
    return sorted(fleet.share_of(version) for version in {replica.version for replica in fleet.serving})


def test_a_canary_is_a_fifth_until_it_is_promoted(lab: Any) -> None:
    """Beside four replicas one more runs the new version, for as long as nobody says so; then all do."""
    blueprint = one(40.0, replicas=4.0, start_s=5.0, next_factor=1.5)
    world = lab.started(blueprint)
    world.request(act("deploy", "web", option=CANARY))
    world.run(12, record=False)
    assert shares(world) == [0.2, 0.8]
    world.request(act("rollout_control", "web", option=1, at_s=60.0))
    world.run(4, record=False)
    assert shares(world) == [1.0]
    assert world.servers["web"].fleet.num_ready == 4


def test_blue_and_green_are_never_mixed(lab: Any) -> None:
    """Requests go to replicas of one version at any second, and nobody is turned away in between."""
    blueprint = one(40.0, replicas=3.0, start_s=5.0, next_factor=1.5)
    world = lab.started(blueprint)
    world.request(act("deploy", "web", option=BLUE_GREEN))
    seen = set()
    for _ in range(4):
        seen |= {len(shares(world))}
        found = world.run(1)
        assert lab.reading(found, blueprint, "web", "shed_rate").sum() == 0.0
    assert seen == {1}
    assert world.servers["web"].fleet.version.factor == 1.5


def test_a_bad_version_reaches_replicas_over_its_ramp(lab: Any) -> None:
    """Half of the replicas run it halfway, and a copy made then goes on as the world itself."""
    bad = Breakage("slow_version", "web", via_version=1.0, shape="ROLLOUT", ramp_s=40.0, magnitude=0.5)
    world = lab.started(one(40.0, (bad,), replicas=4.0), settle_s=20)
    assert shares(world) == [0.5, 0.5]
    copy = world.branch(0)
    there, again = world.run(5), copy.run(5)
    assert np.array_equal(there.signals, again.signals)
    assert shares(world) == shares(copy) == [1.0]


def test_a_rollback_returns_to_what_an_operator_replaced(lab: Any) -> None:
    """After a deployment it is the version before it, not the one before that."""
    world = lab.started(one(40.0, start_s=3.0, next_factor=2.0, old_version_penalty=3.0))
    fleet = world.servers["web"].fleet
    first = fleet.version
    world.request(act("deploy", "web", amount=1.0))
    world.run(4, record=False)
    assert fleet.version.factor == 2.0
    world.request(act("rollback", "web", at_s=20.0))
    world.run(4, record=False)
    assert fleet.version is first
    world.request(act("rollback", "web", at_s=40.0))
    world.run(4, record=False)
    assert fleet.version.factor == 3.0


@pytest.mark.parametrize(("grace_s", "lost"), [(-1.0, False), (0.5, True)])
def test_a_drain_gives_time_to_finish(lab: Any, grace_s: float, lost: bool) -> None:
    """Requests of three seconds are lost where replicas may go on for half a second only, and no others."""
    blueprint = two_hosts(io_s=3.0, scv=0.0, slots=400.0, start_s=2.0, replicas=4.0)
    world = lab.started(replace(blueprint, inlets=(replace(blueprint.inlets[0], rate_rps=20.0),)), settle_s=10)
    world.request(act("drain", "host-0", at_s=10.0, second=grace_s))
    dropped = lab.reading(world.run(4), blueprint, "web", "shed_rate").sum()
    assert (dropped > 0.0) == lost
    assert {replica.host for replica in world.servers["web"].fleet.replicas} == {world.hosts["host-1"]}


def test_a_cordoned_host_without_another_takes_nobody(lab: Any) -> None:
    """What is killed there is never made good, and waits for a place."""
    world = lab.started(two_hosts(hosts=1))
    world.request(act("cordon", "host-0"))
    world.request(act("kill_instance", "web", amount=2.0, at_s=4.0))
    world.run(12, record=False)
    fleet = world.servers["web"].fleet
    assert (fleet.num_ready, len(fleet.replicas)) == (1, 3)


def test_replicas_that_start_read_the_new_certificate(lab: Any) -> None:
    """An expired certificate keeps callers out until replicas have started anew."""
    parts = [Part("web", "service", replicas=1.0), Part("api", "service", replicas=2.0, start_s=3.0)]
    expired = Breakage("certificate_expired", "api", onset_s=2.0, magnitude=1.0)
    blueprint = system(parts, [Link("web", "api", retries=0.0)], 20.0, 0.4, (expired,))
    world = lab.started(blueprint)
    world.request(act("restart", "api", at_s=10.0))
    errors = lab.reading(world.run(6), blueprint, "web", "error_ratio")
    assert errors[1] > 0.9
    assert errors[4:].max() < 0.05
