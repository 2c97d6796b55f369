"""Small systems and incidents in which the further types of action help, do nothing or harm."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Goal, Link, Part
from opswm.simulation.kernel.incidents import Request

Scenario = tuple[Blueprint, list[Request]]
ROLLING, CANARY, BLUE_GREEN, RECREATE = range(4)
PAUSE, PROMOTE, ABORT = range(3)
NETWORK, MAINTENANCE, LABEL = range(3)
PURGE, REPLAY = 1, 2
VACUUM, INDEX, FAILBACK = 1, 2, 3
SLOW = Breakage("slow_version", "web", via_version=1.0, magnitude=1.0)


def rolled_out(ramp_s: float, magnitude: float = 1.2) -> Breakage:
    """Return a slow version that reaches all replicas little by little, from just before the action on."""
    return Breakage(
        "slow_version", "web", via_version=1.0, shape="ROLLOUT", onset_s=50.0, ramp_s=ramp_s, magnitude=magnitude
    )


def hosted(p: Any, steal: float = 0.0, hosts: int = 2, **part: Any) -> Blueprint:
    """Return a service on a host that somebody else may use as well, perhaps beside an empty one."""
    service = Part("web", "service", cpu_s=0.01, cores=1.0, replicas=3.0, slots=40.0, start_s=20.0, host="host-0")
    noisy = [Breakage("noisy_neighbour", "host-0", magnitude=steal)] if steal else []
    machines = [Part(f"host-{at}", "host", host_cores=3.0) for at in range(hosts)]
    system: Blueprint = p.system([replace(service, **part), *machines], [], 150.0, 0.25, noisy)
    return system


def zones(p: Any, rate_rps: float) -> Blueprint:
    """Return a service in two zones behind a balancer."""
    lb = Part("lb", "load_balancer", cpu_s=0.0005, cores=1.0, replicas=2.0, slots=2000.0)
    pair = [
        Part(f"web-{z}", "service", cpu_s=0.01, cores=1.0, replicas=2.0, slots=40.0, peer=f"web-{o}")
        for z, o in (("a", "b"), ("b", "a"))
    ]
    links = [Link("lb", part.name, weight=0.5, timeout_s=2.0, retries=0.0) for part in pair]
    system: Blueprint = p.system([lb, *pair], links, rate_rps, 0.25, [])
    return system


def helped(p: Any, delay_s: float) -> Blueprint:
    """Return a service that calls a slow one which it can do without."""
    front = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=60.0, queue_limit=200.0)
    extra = Part("extra", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=100.0)
    link = Link("web", "extra", required=0.02, timeout_s=3.0, retries=0.0)
    slow = [Breakage("dependency_slow", "extra", magnitude=delay_s)]
    system: Blueprint = p.system([front, extra], [link], 100.0, 0.5, slow)
    return system


def queued(p: Any, backlog: float = 0.0, deadline_s: float = 10.0, goal: str = "queue", **db: float) -> Blueprint:
    """Return a service that leaves work in a queue, whose worker uses the same database."""
    web = Part("web", "service", cpu_s=0.002, cores=2.0, replicas=2.0, slots=200.0)
    worker = Part("worker", "worker", cpu_s=0.01, cores=1.0, replicas=2.0, slots=100.0)
    database = replace(Part("db", "database", cpu_s=0.01, cores=8.0, replicas=1.0, pool_size=60.0), **db)  # type: ignore[arg-type]
    queue = Part("queue", "queue", cpu_s=0.0001, consumer="worker", queue_limit=1e6)
    links = [
        Link("web", "db", timeout_s=2.0, retries=0.0),
        Link("web", "queue", "publishes", synchronous=0.0),
        Link("queue", "worker", "consumes", synchronous=0.0),
        Link("worker", "db", timeout_s=2.0, retries=0.0),
    ]
    faults = [Breakage("queue_backlog", "queue", onset_s=50.0, magnitude=backlog)] if backlog else []
    system: Blueprint = p.system([web, worker, database, queue], links, 100.0, 0.25, faults)
    if goal == "queue":
        return replace(system, goals=(Goal("items", "queue", "web", deadline_s, deadline=1.0),))
    return system


def cached(p: Any, db_cores: float, faults: list[Breakage] | None = None) -> Blueprint:
    """Return a service reading through a cache; a cold one sends the database twice what it can do on two cores."""
    cache = Part("cache", "cache", cpu_s=0.0005, cores=4.0, replicas=1.0, slots=500.0, hit_max=0.9, refill_s=600.0)
    web = Part("web", "service", cpu_s=0.004, cores=2.0, replicas=2.0, slots=200.0)
    db = Part("db", "database", cpu_s=0.02, cores=db_cores, replicas=1.0, pool_size=60.0, queue_limit=100.0)
    links = [
        Link("web", "cache", timeout_s=2.0, retries=0.0),
        Link("cache", "db", on_miss=1.0, timeout_s=1.5, retries=0.0),
    ]
    system: Blueprint = p.system([web, cache, db], links, 150.0, 0.25, faults or [])
    return system


TIGHT = {"pool_size": 8.0, "io_s": 0.04, "queue_limit": 200.0}

CASES: dict[str, dict[str, Callable[[Any], Scenario]]] = {
    "deploy": {
        "helps": lambda p: (p.one(breakages=[SLOW], next_fixes=1.0), [p.act("deploy", "web", amount=0.5)]),
        "nothing": lambda p: (p.one(rate_rps=60.0), [p.act("deploy", "web", amount=0.5)]),
        "harms": lambda p: (p.one(next_factor=2.5), [p.act("deploy", "web", amount=0.5)]),
    },
    "deploy recreate": {
        "helps": lambda p: (p.one(breakages=[SLOW], next_fixes=1.0), [p.act("deploy", "web", option=RECREATE)]),
        "harms": lambda p: (p.one(), [p.act("deploy", "web", option=RECREATE)]),
    },
    "deploy blue_green": {
        "helps": lambda p: (p.one(breakages=[SLOW], next_fixes=1.0), [p.act("deploy", "web", option=BLUE_GREEN)]),
        "nothing": lambda p: (p.one(rate_rps=60.0), [p.act("deploy", "web", option=BLUE_GREEN)]),
        "harms": lambda p: (p.one(next_errors=0.3), [p.act("deploy", "web", option=BLUE_GREEN)]),
    },
    "deploy canary": {
        "nothing": lambda p: (p.one(rate_rps=60.0, next_factor=1.5), [p.act("deploy", "web", option=CANARY)]),
        "harms": lambda p: (p.one(next_errors=0.5), [p.act("deploy", "web", option=CANARY)]),
    },
    "rollout_control": {
        "helps": lambda p: (p.one(breakages=[rolled_out(120.0)]), [p.act("rollout_control", "web", option=ABORT)]),
        "nothing": lambda p: (p.one(), [p.act("rollout_control", "web", option=ABORT)]),
        "harms": lambda p: (p.one(breakages=[rolled_out(900.0)]), [p.act("rollout_control", "web", option=PROMOTE)]),
    },
    "rollout_control pause": {
        "helps": lambda p: (p.one(breakages=[rolled_out(60.0)]), [p.act("rollout_control", "web", option=PAUSE)]),
        "nothing": lambda p: (p.one(), [p.act("rollout_control", "web", option=PAUSE)]),
    },
    "autoscaler_policy": {
        "helps": lambda p: (
            p.one(rate_rps=240.0, scaler_on=1.0, scaler_max=2.0),
            [p.act("autoscaler_policy", "web", amount=-1.0, second=6.0)],
        ),
        "nothing": lambda p: (p.one(rate_rps=240.0), [p.act("autoscaler_policy", "web", amount=-1.0, second=6.0)]),
        "harms": lambda p: (
            p.one(rate_rps=150.0, scaler_on=1.0),
            [p.act("autoscaler_policy", "web", amount=1.0, second=1.0)],
        ),
    },
    "cordon": {
        "helps": lambda p: (
            hosted(p, steal=0.7),
            [p.act("cordon", "host-0"), p.act("scale_horizontal", "web", amount=6.0, at_s=5.0)],
        ),
        "nothing": lambda p: (hosted(p), [p.act("cordon", "host-0")]),
        "harms": lambda p: (
            hosted(p, hosts=1, replicas=1.0, scaler_on=1.0, start_s=60.0),
            [p.act("cordon", "host-0")],
        ),
    },
    "quarantine": {
        "helps": lambda p: (helped(p, 2.5), [p.act("quarantine", "extra", option=NETWORK)]),
        "nothing": lambda p: (zones(p, 100.0), [p.act("quarantine", "web-a", option=MAINTENANCE)]),
        "harms": lambda p: (p.store(), [p.act("quarantine", "db", option=NETWORK)]),
    },
    "quarantine label": {
        "helps": lambda p: (
            p.one(replicas=4.0, rate_rps=150.0, breakages=[Breakage("gray_replica", "web", magnitude=1.0)]),
            [p.act("quarantine", "web", option=LABEL)],
        ),
        "nothing": lambda p: (p.one(replicas=6.0), [p.act("quarantine", "web", option=LABEL)]),
        "harms": lambda p: (p.one(rate_rps=140.0), [p.act("quarantine", "web", option=LABEL)]),
    },
    "config_change": {
        "helps": lambda p: (
            p.store(web={"slots": 1.0, "queue_limit": 100.0}),
            [p.act("config_change", "web", amount=64.0)],
        ),
        "nothing": lambda p: (p.one(replicas=4.0), [p.act("config_change", "web", amount=80.0)]),
        "harms": lambda p: (p.store(), [p.act("config_change", "web", amount=1.0)]),
    },
    "config_change queue_capacity": {
        "helps": lambda p: (
            p.one(rate_rps=230.0, queue_limit=2000.0),
            [p.act("config_change", "web", amount=20.0, option=1)],
        ),
        "harms": lambda p: (
            p.one(rate_rps=170.0, replicas=2.0, scv=4.0),
            [p.act("config_change", "web", amount=1.0, option=1)],
        ),
    },
    "queue_op": {
        "helps": lambda p: (queued(p, backlog=8000.0), [p.act("queue_op", "queue", option=PURGE)]),
        "nothing": lambda p: (queued(p), [p.act("queue_op", "queue", option=REPLAY)]),
        "harms": lambda p: (queued(p), [p.act("queue_op", "queue", option=PAUSE)]),
    },
    "queue_op pause": {
        "helps": lambda p: (
            queued(p, backlog=20000.0, goal="web", cores=2.5),
            [p.act("queue_op", "queue", option=PAUSE)],
        ),
    },
    "db_op vacuum": {
        "helps": lambda p: (p.store(rate_rps=180.0, bloat=1.5), [p.act("db_op", "db", option=VACUUM)]),
        "nothing": lambda p: (p.store(), [p.act("db_op", "db", option=VACUUM)]),
        "harms": lambda p: (p.store(**TIGHT), [p.act("db_op", "db", option=VACUUM)]),
    },
    "db_op create_index": {
        "helps": lambda p: (
            p.store(breakages=[Breakage("slow_queries", "db", magnitude=1.8)]),
            [p.act("db_op", "db", option=INDEX)],
        ),
        "nothing": lambda p: (p.store(rate_rps=40.0), [p.act("db_op", "db", option=INDEX)]),
        "harms": lambda p: (p.store(**TIGHT), [p.act("db_op", "db", option=INDEX)]),
    },
    "db_op failback": {
        "nothing": lambda p: (p.store(), [p.act("db_op", "db", option=FAILBACK)]),
    },
}

KEYS = [(name, case) for name in sorted(CASES) for case in CASES[name]]


def comparisons(p: Any) -> dict[str, Scenario]:
    """Return situations whose effects are compared with one another."""
    noisy, alone = hosted(p, steal=0.7), hosted(p, hosts=1)
    more, cordon = p.act("scale_horizontal", "web", amount=6.0, at_s=5.0), p.act("cordon", "host-0")
    kill = p.act("kill_instance", "web", amount=2.0, at_s=5.0)
    over, back = p.act("failover", "db"), p.act("db_op", "db", option=FAILBACK, at_s=40.0)
    weak = p.store(rate_rps=180.0, standby_factor=2.5)
    sick = p.store(breakages=[Breakage("lock_contention", "db", magnitude=12.0)])
    piled, flood = queued(p, backlog=1500.0, deadline_s=20.0), queued(p, backlog=8000.0)
    purge, soon, late = (
        p.act("queue_op", "queue", option=option, at_s=at_s)
        for option, at_s in ((PURGE, 0.0), (REPLAY, 1.0), (REPLAY, 60.0))
    )
    erring, slower = p.one(next_errors=0.5), p.one(next_factor=2.5, old_version_penalty=2.5)
    canary, deploy = p.act("deploy", "web", option=CANARY), p.act("deploy", "web", amount=0.5)
    promote, abort = (p.act("rollout_control", "web", option=option, at_s=20.0) for option in (PROMOTE, ABORT))
    busy = p.one(rate_rps=170.0, warmup_penalty=0.0)
    cold, poisoned = cached(p, 2.0), cached(p, 8.0, [Breakage("poisoned_cache", "cache", magnitude=0.4)])
    flush, invalidate = (p.act("cache_op", "cache", option=option) for option in (0, 2))
    return {
        "scaled elsewhere": (noisy, [cordon, more]),
        "scaled here": (noisy, [more]),
        "killed for good": (alone, [cordon, kill]),
        "killed": (alone, [kill]),
        "back from a weak standby": (weak, [over, back]),
        "on a weak standby": (weak, [over]),
        "back on a sick primary": (sick, [over, back]),
        "left a sick primary": (sick, [over]),
        "purged and replayed": (piled, [purge, soon]),
        "purged": (piled, [purge]),
        "flood replayed": (flood, [purge, late]),
        "flood purged": (flood, [purge]),
        "canary": (erring, [canary]),
        "canary promoted": (erring, [canary, promote]),
        "canary aborted": (erring, [canary, abort]),
        "rolled back": (slower, [deploy, p.act("rollback", "web", at_s=20.0)]),
        "deployed": (slower, [deploy]),
        "without surge": (busy, [p.act("deploy", "web")]),
        "with surge": (busy, [deploy]),
        "healthy emptied": (cold, [flush]),
        "healthy trimmed": (cold, [invalidate]),
        "poison emptied": (poisoned, [flush]),
        "poison trimmed": (poisoned, [invalidate]),
    }
