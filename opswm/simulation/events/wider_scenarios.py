"""Small systems for the types of action that take their time: versions, configuration, places, queues, maintenance."""

from dataclasses import replace
from typing import Any, Final

from opswm.simulation.events.scenarios import (
    Scenario,
    act,
    cached,
    fault,
    helped,
    one,
    store,
    system,
    zones,
)
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Goal, Link, Part
from opswm.simulation.kernel.incidents import Request

ROLLED_OUT_S: Final = 50.0
"""Second at which a bad version begins to go out: shortly before anybody acts."""


def two_hosts(steal: float = 0.0, hosts: int = 2, **part: Any) -> Blueprint:
    """Return a service on a host that somebody else may use as well, perhaps beside an empty one."""
    sizes = {"cpu_s": 0.01, "cores": 1.0, "replicas": 3.0, "slots": 40.0, "start_s": 20.0}
    service = replace(Part("web", "service", host="host-0"), **(sizes | part))
    noisy = [Breakage("noisy_neighbour", "host-0", magnitude=steal)] if steal else []
    machines = [Part(f"host-{at}", "host", host_cores=3.0) for at in range(hosts)]
    return system([service, *machines], [], 150.0, 0.25, noisy)


def queued(backlog: float = 0.0, deadline_s: float = 10.0) -> Blueprint:
    """Return a service that leaves work in a queue, whose worker uses the same database; items should be in time."""
    web = Part("web", "service", cpu_s=0.002, cores=2.0, replicas=2.0, slots=200.0)
    worker = Part("worker", "worker", cpu_s=0.01, cores=1.0, replicas=2.0, slots=100.0)
    database = Part("db", "database", cpu_s=0.01, cores=8.0, replicas=1.0, pool_size=60.0)
    queue = Part("queue", "queue", cpu_s=0.0001, consumer="worker", queue_limit=1e6)
    links = [
        Link("web", "db", timeout_s=2.0, retries=0.0),
        Link("web", "queue", "publishes", synchronous=0.0),
        Link("queue", "worker", "consumes", synchronous=0.0),
        Link("worker", "db", timeout_s=2.0, retries=0.0),
    ]
    piled = [Breakage("queue_backlog", "queue", onset_s=ROLLED_OUT_S, magnitude=backlog)] if backlog else []
    blueprint = system([web, worker, database, queue], links, 100.0, 0.25, piled)
    return replace(blueprint, goals=(Goal("items", "queue", "web", deadline_s, deadline=1.0),))


def rolled_out(ramp_s: float) -> tuple[Breakage, ...]:
    """Return a slow version that reaches all replicas little by little."""
    version = Breakage("slow_version", "web", via_version=1.0, shape="ROLLOUT", magnitude=1.2)
    return (replace(version, onset_s=ROLLED_OUT_S, ramp_s=ramp_s),)


def wider_scenarios() -> tuple[Scenario, ...]:
    """Return every scenario; a word after the type of an action says which of its operations is meant."""
    slow, sick = fault("slow_version", "web", 1.0, 1.0), fault("gray_replica", "web", 1.0)
    slow_queries, poisoned = fault("slow_queries", "db", 1.8), fault("poisoned_cache", "cache", 0.4)
    tight: dict[str, Any] = {"pool_size": 8.0, "io_s": 0.04, "queue_limit": 200.0}
    surge = act("deploy", "web", amount=0.5)
    canary, green, recreate = (act("deploy", "web", option=option) for option in (1, 2, 3))
    pause, promote, abort = (act("rollout_control", "web", option=option) for option in range(3))
    more, cordon = act("scale_horizontal", "web", amount=6.0, at_s=5.0), act("cordon", "host-0")
    wide = act("autoscaler_policy", "web", amount=-1.0, second=6.0)
    cut, aside = act("quarantine", "extra"), act("quarantine", "web", option=2)
    hold, purge, replay = (act("queue_op", "queue", option=option) for option in range(3))
    vacuum, index, back = (act("db_op", "db", option=option) for option in (1, 2, 3))
    trim, threads = act("cache_op", "cache", option=2), act("config_change", "web", amount=64.0)
    kill = act("kill_instance", "web", amount=2.0, at_s=5.0)
    rows: list[tuple[str, str, Blueprint, tuple[Request, ...]]] = [
        ("deploy", "helps", one(breakages=slow, next_fixes=1.0), (surge,)),
        ("deploy", "nothing", one(60.0), (surge,)),
        ("deploy", "harms", one(next_factor=2.5), (surge,)),
        ("deploy canary", "harms", one(next_errors=0.5), (canary,)),
        ("deploy blue_green", "helps", one(breakages=slow, next_fixes=1.0), (green,)),
        ("deploy blue_green", "harms", one(next_errors=0.3), (green,)),
        ("deploy recreate", "helps", one(breakages=slow, next_fixes=1.0), (recreate,)),
        ("deploy recreate", "harms", one(), (recreate,)),
        ("rollout_control abort", "helps", one(breakages=rolled_out(80.0)), (abort,)),
        ("rollout_control abort", "nothing", one(), (abort,)),
        ("rollout_control pause", "helps", one(breakages=rolled_out(60.0)), (pause,)),
        ("rollout_control promote", "harms", one(breakages=rolled_out(900.0)), (promote,)),
        ("autoscaler_policy", "helps", one(240.0, scaler_on=1.0, scaler_max=2.0), (wide,)),
        ("autoscaler_policy", "nothing", one(100.0), (wide,)),
        ("autoscaler_policy", "harms", one(150.0, scaler_on=1.0),
         (act("autoscaler_policy", "web", amount=1.0, second=1.0),)),
        ("cordon", "helps", two_hosts(steal=0.7), (cordon, more)),
        ("cordon", "nothing", two_hosts(), (cordon,)),
        ("cordon", "harms", two_hosts(hosts=1), (cordon, kill)),
        ("quarantine", "helps", helped(0.02, fault("dependency_slow", "extra", 2.5)), (cut,)),
        ("quarantine", "nothing", zones(100.0), (act("quarantine", "web-a", option=1),)),
        ("quarantine", "harms", store(), (act("quarantine", "db"),)),
        ("quarantine label", "helps", one(150.0, sick, replicas=4.0), (aside,)),
        ("config_change", "helps", store(web={"slots": 1.0, "queue_limit": 100.0}), (threads,)),
        ("config_change", "nothing", one(replicas=4.0), (act("config_change", "web", amount=80.0),)),
        ("config_change", "harms", store(), (act("config_change", "web", amount=1.0),)),
        ("queue_op purge", "helps", queued(8000.0), (purge,)),
        ("queue_op replay", "nothing", queued(), (replay,)),
        ("queue_op pause", "harms", queued(), (hold,)),
        ("db_op vacuum", "helps", store(180.0, bloat=1.5), (vacuum,)),
        ("db_op vacuum", "nothing", store(), (vacuum,)),
        ("db_op vacuum", "harms", store(**tight), (vacuum,)),
        ("db_op create_index", "helps", store(breakages=slow_queries), (index,)),
        ("db_op create_index", "nothing", store(40.0, 0.6), (index,)),
        ("db_op create_index", "harms", store(**tight), (index,)),
        ("db_op failback", "nothing", store(), (back,)),
        ("cache_op invalidate", "helps", cached(poisoned, 8.0), (trim,)),
        ("cache_op invalidate", "harms", cached(db_cores=1.0), (trim,)),
    ]  # fmt: skip
    return tuple(Scenario(*row) for row in rows)
