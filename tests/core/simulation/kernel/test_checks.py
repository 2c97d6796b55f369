"""What no system can be is refused with the part or link that is meant and what to do."""

from dataclasses import replace
from typing import Any

import pytest

from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Inlet, Link, Part
from opswm.simulation.kernel.checks import check_stable
from opswm.simulation.kernel.web_shop import web_shop


def changed(plans: Any, **change: Any) -> Blueprint:
    """Return a service in front of a database with some fields replaced."""
    blueprint: Blueprint = plans.store()
    return replace(blueprint, **change)


PARTS = (Part("web", "service", slots=200.0), Part("db", "database", pool_size=40.0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"links": (Link("web", "db"), Link("db", "web"))}, "circle among db, web .*-> .*take one"),
        ({"links": (Link("web", "web"),)}, "web->web: a part cannot call itself"),
        ({"links": (Link("web", "mars"),)}, "web->mars: there is no part 'mars'; add it"),
        ({"links": (Link("web", "db", timeout_s=0.0),)}, "web->db: timeout_s is 0"),
        ({"links": (Link("web", "db", calls=-1.0),)}, "web->db: calls is -1"),
        ({"parts": (replace(PARTS[0], replicas=0.0), PARTS[1])}, "web: replicas is 0.0.*serves nobody"),
        ({"parts": (replace(PARTS[0], host="db"), PARTS[1])}, "web: its host 'db' is a database, not a host"),
        ({"parts": (replace(PARTS[0], consumer="mill"), PARTS[1])}, "web: its consumer 'mill' is no part"),
        ({"parts": (replace(PARTS[0], kind="toaster"), PARTS[1])}, "web: kind 'toaster' is none of"),
        ({"parts": (replace(PARTS[0], error_ratio=1.5), PARTS[1])}, "web: error_ratio is 1.5; it is a share"),
        ({"parts": (*PARTS, PARTS[1])}, "'db' is the name of several parts"),
        ({"inlets": (Inlet("web", -5.0),)}, "demand at web: rate_rps is -5.0"),
        ({"inlets": (Inlet("web", 5.0, profile=(1.0, -1.0)),)}, "point 1 of its profile is -1.0"),
        ({"inlets": (Inlet("web", 5.0, profile=(1.0,) * 20_000),)}, "20000 points.*resample"),
        ({"inlets": (Inlet("moon", 5.0),)}, "demand arrives at 'moon', which is no part"),
        ({"breakages": (Breakage("flood", "web"),)}, "fault 'flood' at 'web': kinds of faults are"),
        ({"breakages": (Breakage("edge_loss", "db", "moon"),)}, "there is no part 'moon'"),
        ({"breakages": (Breakage("slow_disk", "db", shape="SPIRAL"),)}, "shape 'SPIRAL' is none of STEP"),
        ({"breakages": (Breakage("slow_disk", "db", magnitude=-1.0),)}, "magnitude is -1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(plans: Any, change: dict[str, Any], told: str) -> None:
    """Circles, names that lead nowhere, impossible numbers and unknown kinds are told apart, with a place."""
    with pytest.raises(ValueError, match=told):
        assemble([changed(plans, **change)])


def test_a_circle_of_messages_is_no_circle_of_waiting(plans: Any) -> None:
    """Only synchronous calls must not run in a circle: a worker may publish to the queue before it."""
    parts = [Part("web", "service"), Part("jobs", "queue", consumer="mill"), Part("mill", "worker")]
    links = [
        Link("web", "jobs", synchronous=0.0),
        Link("jobs", "mill", synchronous=0.0),
        Link("mill", "jobs", synchronous=0.0, calls=0.1),
    ]
    assert int(assemble([plans.system(parts, links)]).edges.there.sum()) == 3


def test_what_is_full_in_good_health_is_refused(plans: Any) -> None:
    """Cores, slots, pools and hosts that usual demand fills are named, with how full they are and what to do."""
    check_stable(plans.one())
    check_stable(web_shop())
    with pytest.raises(ValueError, match=r"web: 250 requests a second take 125% of its cores.*more replicas"):
        check_stable(plans.one(rate_rps=250.0))
    with pytest.raises(ValueError, match="db: 100 requests a second take 150% of its slots or connections"):
        check_stable(plans.store(pool_size=2.0))
    service = Part("web", "service", cpu_s=0.01, replicas=4.0, host="box")
    with pytest.raises(ValueError, match=r"box: what runs on it needs 1\.0 of its 1 cores.*another host"):
        check_stable(plans.system([service, Part("box", "host", host_cores=1.0)], []))
