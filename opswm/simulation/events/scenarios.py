"""Small systems in which each action helps, does nothing or harms: what both engines are compared on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from opswm.simulation.kernel.blueprint import Ability, Blueprint, Breakage, Execution, Goal, Inlet, Level, Link, Part
from opswm.simulation.kernel.courses import FORMS
from opswm.simulation.kernel.incidents import Request

QUICK: Final = {name: Execution(delay_s=3.0, spread=0.01, failure_ratio=0.0) for name in FORMS}


@dataclass(frozen=True)
class Scenario:
    """A system in trouble or in good health, and what is done about it.

    Attributes:
        action: Type of the action.
        case: ``helps``, ``nothing`` or ``harms``: what the action should do here.
        blueprint: The system; its faults are there from second 0 unless they say otherwise.
        requests: What is asked for, in seconds after the system has settled.
    """

    action: str
    case: str
    blueprint: Blueprint
    requests: tuple[Request, ...]


def act(action_type: str, target: str, feature: str = "", at_s: float = 0.0, **level: float | int) -> Request:
    """Return a request some seconds after the system settled.

    Args:
        action_type: What is done.
        target: To which part.
        feature: For a flag: which.
        at_s: When.
        level: Fields of ``Level``.
    """
    chosen = Level(level.get("amount", 0.0), level.get("second", -1.0), int(level.get("option", 0)))
    return Request(Ability(action_type, target, (chosen,), feature=feature), chosen, at_s)


def system(
    parts: Sequence[Part],
    links: Sequence[Link] = (),
    rate_rps: float = 100.0,
    threshold_s: float = 0.25,
    breakages: Sequence[Breakage] = (),
    client_timeout_s: float = 5.0,
    client_retries: float = 0.0,
) -> Blueprint:
    """Return a system whose demand arrives at its first part.

    Args:
        parts: The first of them is the entry.
        links: Calls.
        rate_rps: Demand.
        threshold_s: Promised latency.
        breakages: What goes wrong.
        client_timeout_s: How long people wait.
        client_retries: How often they try again.
    """
    front = parts[0].name
    inlet = Inlet(front, rate_rps, client_timeout_s=client_timeout_s, client_retries=client_retries)
    return Blueprint(
        "scenario",
        tuple(parts),
        tuple(links),
        (inlet,),
        (Goal("good", front, front, threshold_s),),
        executions=QUICK,
        breakages=tuple(breakages),
    )


def one(rate_rps: float = 100.0, breakages: Sequence[Breakage] = (), **part: float) -> Blueprint:
    """Return a single service: two replicas of one core, 10 ms of CPU per request, half used at 100 a second.

    Args:
        rate_rps: Demand.
        breakages: What goes wrong.
        part: Fields of the service that differ.
    """
    sizes = {"cpu_s": 0.01, "cores": 1.0, "replicas": 2.0, "slots": 64.0, "start_s": 20.0, "warmup_penalty": 0.2}
    return system([replace(Part("web", "service"), **(sizes | part))], (), rate_rps, 0.25, breakages)  # type: ignore[arg-type]


def store(
    rate_rps: float = 100.0,
    threshold_s: float = 0.25,
    breakages: Sequence[Breakage] = (),
    web: dict[str, float] | None = None,
    link: dict[str, float] | None = None,
    **part: float,
) -> Blueprint:
    """Return a service in front of a database with eight cores and a pool of 40 connections.

    Args:
        rate_rps: Demand.
        threshold_s: Promised latency.
        breakages: What goes wrong.
        web: Fields of the service that differ.
        link: Fields of its calls that differ.
        part: Fields of the database that differ.
    """
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=200.0, start_s=20.0)
    sizes = {"cpu_s": 0.02, "io_s": 0.01, "cores": 8.0, "pool_size": 40.0, "replicas": 1.0, "start_s": 20.0}
    database = replace(Part("db", "database"), **(sizes | part))  # type: ignore[arg-type]
    call = replace(Link("web", "db", timeout_s=2.0, retries=0.0), **(link or {}))  # type: ignore[arg-type]
    return system([replace(front, **(web or {})), database], [call], rate_rps, threshold_s, breakages)  # type: ignore[arg-type]


def helped(required: float, breakages: Sequence[Breakage] = ()) -> Blueprint:
    """Return a service that calls another behind a flag, which it can do without more or less."""
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=60.0, start_s=20.0, queue_limit=200.0)
    extra = Part("extra", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=100.0)
    call = Link("web", "extra", required=required, timeout_s=3.0, retries=0.0, feature="extras")
    return system([front, extra], [call], 100.0, 0.5, breakages)


def zones(rate_rps: float, breakages: Sequence[Breakage] = ()) -> Blueprint:
    """Return a service in two zones behind a balancer, each good for 200 requests a second."""
    lb = Part("lb", "load_balancer", cpu_s=0.0005, cores=1.0, replicas=2.0, slots=2000.0)
    pair = [
        Part(f"web-{z}", "service", cpu_s=0.01, cores=1.0, replicas=2.0, slots=40.0, peer=f"web-{o}", queue_limit=200.0)
        for z, o in (("a", "b"), ("b", "a"))
    ]
    links = [Link("lb", part.name, weight=0.5, timeout_s=2.0, retries=0.0) for part in pair]
    return system([lb, *pair], links, rate_rps, 0.25, breakages)


def cached(breakages: Sequence[Breakage] = (), db_cores: float = 4.0) -> Blueprint:
    """Return a service reading through a cache; a cold one sends the database twice what it can do on two cores."""
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=200.0)
    cache = Part("cache", "cache", cpu_s=0.0005, cores=4.0, replicas=1.0, slots=500.0, hit_max=0.9, refill_s=600.0)
    db = Part("db", "database", cpu_s=0.02, cores=db_cores, replicas=1.0, pool_size=60.0, queue_limit=100.0)
    links = [
        Link("web", "cache", timeout_s=2.0, retries=0.0),
        Link("cache", "db", on_miss=1.0, timeout_s=1.5, retries=0.0),
    ]
    return system([front, cache, db], links, 150.0, 0.25, breakages)


def hosted(rate_rps: float, steal: float = 0.0) -> Blueprint:
    """Return a service on a host that somebody else may use as well."""
    service = Part("web", "service", cpu_s=0.01, cores=1.0, replicas=3.0, slots=40.0, start_s=20.0, host="host")
    noisy = [Breakage("noisy_neighbour", "host", magnitude=steal)] if steal else []
    return system([service, Part("host", "host", host_cores=3.0)], (), rate_rps, 0.25, noisy)


LOCKED: Final = (Breakage("lock_contention", "db", magnitude=12.0),)
STORM: Final = (Breakage("retry_storm", "db", onset_s=20.0, duration_s=25.0, magnitude=1.2),)


def storm(retries: float = 3.0, breakages: Sequence[Breakage] = STORM) -> Blueprint:
    """Return a database that eager callers keep overloaded after the cause has gone."""
    link = {"retries": retries, "timeout_s": 0.4}
    return store(180.0, 0.4, breakages, link=link, cores=5.0, queue_limit=400.0)


def fault(kind: str, target: str, size: float, via_version: float = 0.0) -> tuple[Breakage, ...]:
    """Return one fault that is there from the beginning."""
    return (Breakage(kind, target, via_version=via_version, magnitude=size),)


def scenarios() -> tuple[Scenario, ...]:
    """Return every scenario."""
    crowded: dict[str, Any] = {
        "pool_size": 200.0,
        "cpu_s": 0.02,
        "cores": 6.0,
        "contention_knee": 12.0,
        "contention_slope": 0.6,
    }
    narrow = {"slots": 9.0, "queue_limit": 60.0}
    jammed: dict[str, Any] = {"pool_size": 11.0, "cores": 6.0, "contention_knee": 10.0, "contention_slope": 0.8}
    slow_extra, very_slow_extra = fault("dependency_slow", "extra", 2.5), fault("dependency_slow", "extra", 4.0)
    off = act("feature_flag", "web", feature="extras", option=0)
    leaking, sick = fault("memory_leak", "web", 0.006), fault("gray_replica", "web", 1.0)
    kill_queries = tuple(act("db_op", "db", at_s=float(at)) for at in range(0, 120, 4))
    no_retries, trip = act("timeout_retry", "db", amount=-1.0, second=0.0), act("circuit_break", "extra", amount=30.0)
    shift, kill = act("traffic_shift", "web-a", amount=0.0), act("kill_instance", "web", amount=1.0)
    out, up = act("scale_horizontal", "web", amount=4.0), act("scale_vertical", "web", amount=2.0)
    many = store(300.0, 0.6, web=narrow, **crowded)
    slow_store = store(threshold_s=3.0, io_s=0.5, pool_size=200.0, web={"slots": 400.0})
    rows: list[tuple[str, str, Blueprint, tuple[Request, ...]]] = [
        ("rollback", "helps", one(breakages=fault("slow_version", "web", 1.0, 1.0)), (act("rollback", "web"),)),
        ("rollback", "nothing", one(60.0), (act("rollback", "web"),)),
        ("rollback", "harms", one(old_version_penalty=2.5), (act("rollback", "web"),)),
        ("restart", "helps", one(150.0, leaking, replicas=4.0), (act("restart", "web"),)),
        ("restart", "nothing", one(replicas=4.0), (act("restart", "web"),)),
        ("restart", "harms", one(), (act("restart", "web", option=1),)),
        ("kill_instance", "helps", one(150.0, sick, replicas=4.0), (kill,)),
        ("kill_instance", "nothing", one(replicas=6.0), (kill,)),
        ("kill_instance", "harms", one(140.0), (kill,)),
        ("scale_horizontal", "helps", one(240.0), (out,)),
        ("scale_horizontal", "nothing", one(), (out,)),
        ("scale_horizontal", "harms", many, (act("scale_horizontal", "web", amount=8.0),)),
        ("scale_vertical", "helps", one(240.0), (up,)),
        ("scale_vertical", "nothing", one(60.0), (up,)),
        ("scale_vertical", "harms", one(), (act("scale_vertical", "web", amount=0.4),)),
        ("load_shed", "helps", one(260.0), (act("load_shed", "web", amount=0.4),)),
        ("load_shed", "nothing", one(), (act("load_shed", "web", amount=0.0),)),
        ("load_shed", "harms", one(), (act("load_shed", "web", amount=0.4),)),
        ("rate_limit", "helps", one(260.0), (act("rate_limit", "web", amount=150.0),)),
        ("rate_limit", "nothing", one(), (act("rate_limit", "web", amount=180.0),)),
        ("rate_limit", "harms", one(), (act("rate_limit", "web", amount=60.0),)),
        ("pool_resize", "helps", store(pool_size=2.0), (act("pool_resize", "db", amount=12.0),)),
        ("pool_resize", "nothing", store(), (act("pool_resize", "db", amount=80.0),)),
        ("pool_resize", "harms", store(275.0, **jammed), (act("pool_resize", "db", amount=80.0),)),
        ("cache_op", "helps", cached(fault("poisoned_cache", "cache", 0.4)), (act("cache_op", "cache", option=0),)),
        ("cache_op", "nothing", cached(), (act("cache_op", "cache", option=1),)),
        ("cache_op", "harms", cached(db_cores=2.0), (act("cache_op", "cache", option=0),)),
        ("feature_flag", "helps", helped(0.02, slow_extra), (off,)),
        ("feature_flag", "nothing", helped(0.02), (off,)),
        ("traffic_shift", "helps", zones(180.0, fault("erroring_version", "web-a", 0.5)), (shift,)),
        ("traffic_shift", "nothing", zones(100.0), (act("traffic_shift", "web-a", amount=0.3),)),
        ("traffic_shift", "harms", zones(260.0), (shift,)),
        ("failover", "helps", store(breakages=LOCKED), (act("failover", "db"),)),
        ("failover", "nothing", zones(100.0), (act("failover", "web-b"),)),
        ("failover", "harms", store(), (act("failover", "db"),)),
        ("timeout_retry", "helps", storm(), (no_retries,)),
        ("timeout_retry", "nothing", store(), (no_retries,)),
        ("timeout_retry", "harms", store(), (act("timeout_retry", "db", amount=0.02, second=0.0),)),
        ("circuit_break", "helps", helped(0.02, very_slow_extra), (trip,)),
        ("circuit_break", "nothing", helped(0.02), (trip,)),
        ("circuit_break", "harms", helped(1.0, fault("erroring_version", "extra", 0.4)), (trip,)),
        ("db_op", "helps", store(breakages=LOCKED), (act("db_op", "db"),)),
        ("db_op", "nothing", store(), (act("db_op", "db"),)),
        ("db_op", "harms", slow_store, kill_queries),
        ("drain", "helps", hosted(150.0, 0.7), (act("drain", "host"),)),
        ("drain", "nothing", hosted(120.0), (act("drain", "host"),)),
        ("drain", "harms", hosted(255.0), (act("drain", "host"),)),
    ]
    return tuple(Scenario(*row) for row in rows)
