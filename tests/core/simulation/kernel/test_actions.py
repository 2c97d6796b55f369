"""Every action has a situation in which it helps, one in which it does nothing and one in which it harms."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.mechanics.table import MECHANICS
from opswm_schemas.vocabulary import ACTION_INDEX

Scenario = tuple[Blueprint, list[Request]]
HELPS, NOTHING, HARMS = -0.04, 0.015, 0.02


def web_of(p: Any, *links: Link, parts: list[Part], faults: list[Breakage], rate_rps: float = 100.0) -> Blueprint:
    """Return a service in front of further parts."""
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=60.0, start_s=20.0, queue_limit=200.0)
    system: Blueprint = p.system([front, *parts], list(links), rate_rps, 0.5, faults)
    return system


def zones(p: Any, rate_rps: float, faults: list[Breakage]) -> Blueprint:
    """Return a service in two zones behind a balancer, each good for 200 requests a second."""
    lb = Part("lb", "load_balancer", cpu_s=0.0005, cores=1.0, replicas=2.0, slots=2000.0)
    pair = [
        Part(f"web-{z}", "service", cpu_s=0.01, cores=1.0, replicas=2.0, slots=40.0, peer=f"web-{o}", queue_limit=200.0)
        for z, o in (("a", "b"), ("b", "a"))
    ]
    links = [Link("lb", part.name, weight=0.5, timeout_s=2.0, retries=0.0) for part in pair]
    system: Blueprint = p.system([lb, *pair], links, rate_rps, 0.25, faults)
    return system


def cached(p: Any, faults: list[Breakage], db_cores: float = 4.0) -> Blueprint:
    """Return a service reading through a cache; a cold one sends the database twice what it can do on two cores."""
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=200.0)
    cache = Part("cache", "cache", cpu_s=0.0005, cores=4.0, replicas=1.0, slots=500.0, hit_max=0.9, refill_s=600.0)
    db = Part("db", "database", cpu_s=0.02, cores=db_cores, replicas=1.0, pool_size=60.0, queue_limit=100.0)
    links = [
        Link("web", "cache", timeout_s=2.0, retries=0.0),
        Link("cache", "db", on_miss=1.0, timeout_s=1.5, retries=0.0),
    ]
    system: Blueprint = p.system([front, cache, db], links, 150.0, 0.25, faults)
    return system


def hosted(p: Any, rate_rps: float, steal: float) -> Blueprint:
    """Return a service on a host that somebody else may use as well."""
    service = Part("web", "service", cpu_s=0.01, cores=1.0, replicas=3.0, slots=40.0, start_s=20.0, host="host")
    noisy = [Breakage("noisy_neighbour", "host", magnitude=steal)] if steal else []
    system: Blueprint = p.system([service, Part("host", "host", host_cores=3.0)], [], rate_rps, 0.25, noisy)
    return system


SICK_CALLEE = Part("extra", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=100.0)
OPTIONAL = Link("web", "extra", required=0.02, timeout_s=3.0, retries=0.0, feature="extras")
REQUIRED = Link("web", "extra", required=1.0, timeout_s=3.0, retries=0.0)
LOCKED = [Breakage("lock_contention", "db", magnitude=12.0)]
STORM = [Breakage("retry_storm", "db", onset_s=20.0, duration_s=25.0, magnitude=1.2)]
RETRYING = {"retries": 3.0, "timeout_s": 0.4}

CASES: dict[str, dict[str, Callable[[Any], Scenario]]] = {
    "rollback": {
        "helps": lambda p: (
            p.one(breakages=[Breakage("slow_version", "web", via_version=1.0, magnitude=1.0)]),
            [p.act("rollback", "web")],
        ),
        "nothing": lambda p: (p.one(rate_rps=60.0), [p.act("rollback", "web")]),
        "harms": lambda p: (p.one(old_version_penalty=2.5), [p.act("rollback", "web")]),
    },
    "restart": {
        "helps": lambda p: (
            p.one(replicas=4.0, rate_rps=150.0, breakages=[Breakage("memory_leak", "web", magnitude=0.01)]),
            [p.act("restart", "web")],
        ),
        "nothing": lambda p: (p.one(replicas=4.0), [p.act("restart", "web")]),
        "harms": lambda p: (p.one(), [p.act("restart", "web", option=1)]),
    },
    "kill_instance": {
        "helps": lambda p: (
            p.one(replicas=4.0, rate_rps=150.0, breakages=[Breakage("gray_replica", "web", magnitude=1.0)]),
            [p.act("kill_instance", "web", amount=1.0)],
        ),
        "nothing": lambda p: (p.one(replicas=6.0), [p.act("kill_instance", "web", amount=1.0)]),
        "harms": lambda p: (p.one(rate_rps=140.0), [p.act("kill_instance", "web", amount=1.0)]),
    },
    "scale_horizontal": {
        "helps": lambda p: (p.one(rate_rps=240.0), [p.act("scale_horizontal", "web", amount=4.0)]),
        "nothing": lambda p: (p.one(), [p.act("scale_horizontal", "web", amount=4.0)]),
        "harms": lambda p: (
            p.store(
                rate_rps=300.0,
                threshold_s=0.6,
                web={"slots": 9.0, "queue_limit": 60.0},
                pool_size=200.0,
                cpu_s=0.02,
                cores=6.0,
                contention_knee=12.0,
                contention_slope=0.6,
            ),
            [p.act("scale_horizontal", "web", amount=8.0)],
        ),
    },
    "scale_vertical": {
        "helps": lambda p: (p.one(rate_rps=240.0), [p.act("scale_vertical", "web", amount=2.0)]),
        "nothing": lambda p: (p.one(rate_rps=60.0), [p.act("scale_vertical", "web", amount=2.0)]),
        "harms": lambda p: (p.one(), [p.act("scale_vertical", "web", amount=0.4)]),
    },
    "load_shed": {
        "helps": lambda p: (p.one(rate_rps=260.0), [p.act("load_shed", "web", amount=0.4)]),
        "nothing": lambda p: (p.one(), [p.act("load_shed", "web", amount=0.0)]),
        "harms": lambda p: (p.one(), [p.act("load_shed", "web", amount=0.4)]),
    },
    "rate_limit": {
        "helps": lambda p: (p.one(rate_rps=260.0), [p.act("rate_limit", "web", amount=150.0)]),
        "nothing": lambda p: (p.one(), [p.act("rate_limit", "web", amount=180.0)]),
        "harms": lambda p: (p.one(), [p.act("rate_limit", "web", amount=60.0)]),
    },
    "pool_resize": {
        "helps": lambda p: (p.store(pool_size=2.0), [p.act("pool_resize", "db", amount=12.0)]),
        "nothing": lambda p: (p.store(), [p.act("pool_resize", "db", amount=80.0)]),
        "harms": lambda p: (
            p.store(rate_rps=275.0, pool_size=11.0, cores=6.0, contention_knee=10.0, contention_slope=0.8),
            [p.act("pool_resize", "db", amount=80.0)],
        ),
    },
    "cache_op": {
        "helps": lambda p: (
            cached(p, [Breakage("poisoned_cache", "cache", magnitude=0.4)]),
            [p.act("cache_op", "cache", option=0)],
        ),
        "nothing": lambda p: (cached(p, []), [p.act("cache_op", "cache", option=1)]),
        "harms": lambda p: (cached(p, [], db_cores=2.0), [p.act("cache_op", "cache", option=0)]),
    },
    "feature_flag": {
        "helps": lambda p: (
            web_of(p, OPTIONAL, parts=[SICK_CALLEE], faults=[Breakage("dependency_slow", "extra", magnitude=2.5)]),
            [p.act("feature_flag", "web", feature="extras", option=0)],
        ),
        "nothing": lambda p: (
            web_of(p, OPTIONAL, parts=[SICK_CALLEE], faults=[]),
            [p.act("feature_flag", "web", feature="extras", option=0)],
        ),
    },
    "traffic_shift": {
        "helps": lambda p: (
            zones(p, 180.0, [Breakage("erroring_version", "web-a", magnitude=0.5)]),
            [p.act("traffic_shift", "web-a", amount=0.0)],
        ),
        "nothing": lambda p: (zones(p, 100.0, []), [p.act("traffic_shift", "web-a", amount=0.3)]),
        "harms": lambda p: (zones(p, 260.0, []), [p.act("traffic_shift", "web-a", amount=0.0)]),
    },
    "failover": {
        "helps": lambda p: (p.store(breakages=LOCKED), [p.act("failover", "db")]),
        "nothing": lambda p: (zones(p, 100.0, []), [p.act("failover", "web-b")]),
        "harms": lambda p: (p.store(), [p.act("failover", "db")]),
    },
    "timeout_retry": {
        "helps": lambda p: (
            p.store(rate_rps=180.0, threshold_s=0.4, cores=5.0, link=RETRYING, breakages=STORM, queue_limit=400.0),
            [p.act("timeout_retry", "db", amount=-1.0, second=0.0)],
        ),
        "nothing": lambda p: (p.store(), [p.act("timeout_retry", "db", amount=-1.0, second=0.0)]),
        "harms": lambda p: (p.store(), [p.act("timeout_retry", "db", amount=0.02, second=0.0)]),
    },
    "circuit_break": {
        "helps": lambda p: (
            web_of(p, OPTIONAL, parts=[SICK_CALLEE], faults=[Breakage("dependency_slow", "extra", magnitude=4.0)]),
            [p.act("circuit_break", "extra", amount=30.0)],
        ),
        "nothing": lambda p: (
            web_of(p, OPTIONAL, parts=[SICK_CALLEE], faults=[]),
            [p.act("circuit_break", "extra", amount=30.0)],
        ),
        "harms": lambda p: (
            web_of(p, REQUIRED, parts=[SICK_CALLEE], faults=[Breakage("erroring_version", "extra", magnitude=0.4)]),
            [p.act("circuit_break", "extra", amount=30.0)],
        ),
    },
    "db_op": {
        "helps": lambda p: (p.store(breakages=LOCKED), [p.act("db_op", "db")]),
        "nothing": lambda p: (p.store(), [p.act("db_op", "db")]),
        "harms": lambda p: (
            p.store(threshold_s=3.0, io_s=0.5, pool_size=200.0, web={"slots": 400.0}),
            [p.act("db_op", "db", at_s=float(at)) for at in range(0, 120, 4)],
        ),
    },
    "drain": {
        "helps": lambda p: (hosted(p, 150.0, steal=0.7), [p.act("drain", "host")]),
        "nothing": lambda p: (hosted(p, 120.0, steal=0.0), [p.act("drain", "host")]),
        "harms": lambda p: (hosted(p, 255.0, steal=0.0), [p.act("drain", "host")]),
    },
}


ACTS: dict[tuple[str, str], tuple[int, int]] = {
    ("cache_op", "helps"): (0, 15),
    ("cache_op", "harms"): (1, 15),
    ("circuit_break", "helps"): (0, 15),
    ("circuit_break", "harms"): (0, 15),
    ("db_op", "helps"): (0, 15),
    ("db_op", "harms"): (0, 12),
    ("drain", "helps"): (6, 18),
    ("drain", "harms"): (0, 6),
    ("failover", "helps"): (1, 18),
    ("failover", "harms"): (0, 1),
    ("feature_flag", "helps"): (0, 15),
    ("kill_instance", "helps"): (0, 15),
    ("kill_instance", "harms"): (0, 4),
    ("load_shed", "helps"): (9, 19),
    ("load_shed", "harms"): (0, 15),
    ("pool_resize", "helps"): (2, 16),
    ("pool_resize", "harms"): (0, 15),
    ("rate_limit", "helps"): (8, 19),
    ("rate_limit", "harms"): (0, 15),
    ("restart", "helps"): (0, 10),
    ("restart", "harms"): (0, 2),
    ("rollback", "helps"): (6, 18),
    ("rollback", "harms"): (0, 15),
    ("scale_horizontal", "helps"): (7, 18),
    ("scale_horizontal", "harms"): (5, 17),
    ("scale_vertical", "helps"): (6, 18),
    ("scale_vertical", "harms"): (0, 15),
    ("timeout_retry", "helps"): (1, 15),
    ("timeout_retry", "harms"): (0, 15),
    ("traffic_shift", "helps"): (0, 15),
    ("traffic_shift", "harms"): (0, 15),
}
"""Tick at which each action first shows, and that of half its effect, in ticks of 5 s."""

TIMELY = frozenset(
    {"deploy", "rollout_control", "autoscaler_policy", "cordon", "quarantine", "config_change", "queue_op"}
)
"""Types that are tried in ``test_wider_actions``."""


@pytest.fixture(scope="module")
def responses(laboratory: Any, plans: Any) -> dict[tuple[str, str], Tensor]:
    """What each action changes in each of its situations, in the bad share tick by tick."""
    keys = [(action_type, case) for action_type in sorted(CASES) for case in CASES[action_type]]
    found = laboratory.responses([CASES[action_type][case](plans) for action_type, case in keys])
    return dict(zip(keys, found, strict=True))


@pytest.fixture(scope="module")
def effects(responses: dict[tuple[str, str], Tensor]) -> dict[tuple[str, str], float]:
    """What each action changes in each of its situations, in the mean bad share over 150 s."""
    return {key: float(response.sum()) for key, response in responses.items()}


@pytest.mark.parametrize(("action_type", "case"), sorted(ACTS))
def test_it_acts_when_it_always_did(
    laboratory: Any, responses: dict[tuple[str, str], Tensor], action_type: str, case: str
) -> None:
    """The action first shows, and has done half of what it does, within a tick of what is written down."""
    assert laboratory.delays(responses[action_type, case]) == pytest.approx(ACTS[action_type, case], abs=1)


@pytest.mark.parametrize("action_type", sorted(CASES))
def test_it_helps_where_it_should(effects: dict[tuple[str, str], float], action_type: str) -> None:
    """In one situation the action lowers the share of bad requests clearly."""
    assert effects[action_type, "helps"] < HELPS


@pytest.mark.parametrize("action_type", sorted(CASES))
def test_it_does_nothing_where_nothing_is_wrong(effects: dict[tuple[str, str], float], action_type: str) -> None:
    """In another situation the same action changes next to nothing."""
    assert abs(effects[action_type, "nothing"]) < NOTHING


@pytest.mark.parametrize("action_type", sorted(set(CASES) - {"feature_flag"}))
def test_it_harms_where_it_should(effects: dict[tuple[str, str], float], action_type: str) -> None:
    """In a third situation the same action raises the share of bad requests clearly."""
    assert effects[action_type, "harms"] > HARMS


def test_every_action_of_the_kernel_is_tried_here() -> None:
    """No action has mechanics without a situation for each of its outcomes."""
    assert {ACTION_INDEX[action_type] for action_type in {*CASES, *TIMELY}} == set(MECHANICS)
    assert {action_type for action_type, _ in ACTS} == set(CASES)


def test_switching_a_feature_back_on_harms_while_its_callee_is_sick(laboratory: Any, plans: Any) -> None:
    """A flag that was switched off does harm when it is switched on again too early."""
    faults = [Breakage("dependency_slow", "extra", magnitude=2.5)]
    blueprint = web_of(plans, OPTIONAL, parts=[SICK_CALLEE], faults=faults)
    off = plans.act("feature_flag", "web", feature="extras", option=0)
    on = plans.act("feature_flag", "web", feature="extras", option=1, at_s=40.0)
    too_early, stayed_off = laboratory.effects([(blueprint, [off, on]), (blueprint, [off])])
    assert too_early - stayed_off > HARMS
