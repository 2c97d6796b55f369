"""For every type of action and each of its operations: a small system in which it shows, and where it shows."""

from dataclasses import dataclass, replace
from typing import Any

from opswm.simulation.events.scenarios import QUICK, act, system
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Link, Part
from opswm.simulation.kernel.incidents import Request

ACTED_S = 5.0


@dataclass(frozen=True)
class Probe:
    """One thing that is done, and the reading that tells.

    Attributes:
        action, choice: Type, and which of its operations; empty where there is only one.
        requests: What is asked for; without the last of it the system is compared.
        part, signal: What is read.
        least, most: Its mean with the action over its mean without, both plus ``floor``.
        blueprint: The system.
        first, ticks: From which tick it is read, and how many are run.
        floor: Added to both, for readings that may be zero.
    """

    action: str
    choice: str
    requests: tuple[Request, ...]
    part: str
    signal: str
    least: float
    most: float
    blueprint: Blueprint
    first: int = 2
    ticks: int = 6
    floor: float = 1e-3


def shop(*breakages: Breakage, rate_rps: float = 20.0, **fields: dict[str, Any]) -> Blueprint:
    """Return a small system with a part of every kind, two of them in two zones.

    Args:
        breakages: What goes wrong.
        rate_rps: Demand.
        fields: By part, with an underscore for a hyphen: fields that differ.
    """
    run = {"cpu_s": 0.02, "cores": 1.0, "replicas": 2.0, "slots": 20.0, "start_s": 4.0, "warmup_penalty": 0.0}
    pair = [
        Part(f"app-{z}", "service", peer=f"app-{o}", host="host-1", old_version_penalty=3.0, **run)  # type: ignore[arg-type]
        for z, o in (("a", "b"), ("b", "a"))
    ]
    parts = [
        Part("edge", "load_balancer", cpu_s=0.0005, cores=1.0, replicas=2.0, slots=500.0),
        *pair,
        Part("cache", "cache", cpu_s=0.0005, cores=2.0, replicas=1.0, slots=200.0, hit_max=0.8, refill_s=300.0),
        Part("db", "database", cpu_s=0.02, io_s=0.01, cores=2.0, replicas=1.0, pool_size=10.0, start_s=4.0),
        Part("mail", "external", cpu_s=0.0001, io_s=0.02, cores=99.0, replicas=1.0, slots=99.0),
        Part("inbox", "queue", cpu_s=0.0001, consumer="worker", queue_limit=1e6),
        Part("worker", "worker", cpu_s=0.02, cores=1.0, replicas=1.0, slots=4.0, start_s=4.0),
        Part("host-1", "host", host_cores=8.0),
        Part("host-2", "host", host_cores=8.0),
    ]
    links = [Link("edge", part.name, weight=0.5, retries=0.0, timeout_s=2.0) for part in pair]
    for name in ("app-a", "app-b"):
        links += [
            Link(name, "cache", retries=0.0),
            Link(name, "mail", required=0.1, retries=0.0, feature="mails"),
            Link(name, "inbox", "publishes", synchronous=0.0),
        ]
    links += [
        Link("cache", "db", on_miss=1.0, retries=0.0),
        Link("inbox", "worker", "consumes", synchronous=0.0),
    ]
    changed = [replace(part, **fields.get(part.name.replace("-", "_"), {})) for part in parts]
    return replace(system(changed, links, rate_rps, 0.4, breakages), executions=QUICK)


def _at(action: str, target: str, at_s: float = ACTED_S, **level: Any) -> Request:
    return act(action, target, at_s=at_s, **level)


def _flag(option: int, at_s: float = ACTED_S) -> Request:
    return act("feature_flag", "app-a", "mails", at_s, option=option)


def probes() -> list[Probe]:
    """Return one probe, or more, of every type and operation."""
    slow = Breakage("slow_version", "app-a", via_version=1.0, magnitude=0.8)
    spread = replace(slow, shape="ROLLOUT", ramp_s=40.0)
    locked = Breakage("lock_contention", "db", magnitude=3.0)
    slow_db = Breakage("slow_queries", "db", magnitude=1.0)
    cold = Breakage("cold_cache", "cache", onset_s=4.0, magnitude=0.95)
    piled = Breakage("queue_backlog", "inbox", onset_s=4.0, magnitude=3000.0)
    erring = Breakage("erroring_version", "mail", magnitude=0.9)
    heavier, plain, weak = {"next_factor": 2.0}, shop(), shop(db={"standby_factor": 3.0})
    scaled = shop(app_a={"scaler_on": 1.0, "scaler_target": 0.4})
    purge, over = _at("queue_op", "inbox", option=1), _at("failover", "db")
    cordoned, more = _at("cordon", "host-1", at_s=2.0), _at("scale_horizontal", "app-a", amount=6.0)

    def one(action: str, choice: str, request: Request, *rest: Any, **fields: Any) -> Probe:
        return Probe(action, choice, (*fields.pop("before", ()), request), *rest, **fields)

    def control(option: int, choice: str, least: float, most: float) -> Probe:
        request = _at("rollout_control", "app-a", at_s=8.0, option=option)
        return one("rollout_control", choice, request, "app-a", "cpu_utilization", least, most, shop(spread), 4, 8)

    def deploy(option: int, choice: str, *rest: Any) -> Probe:
        return one("deploy", choice, _at("deploy", "app-a", option=option, amount=0.5), *rest)

    return [
        deploy(0, "rolling", "app-a", "cpu_utilization", 1.6, 2.5, shop(app_a=heavier), 4),
        deploy(1, "canary", "app-a", "replicas_ready", 1.4, 1.6, shop(app_a=heavier), 3),
        deploy(2, "blue_green", "app-a", "cpu_utilization", 1.6, 2.5, shop(app_a=heavier), 4),
        deploy(3, "recreate", "app-a", "shed_rate", 50.0, 1e9, shop(app_a=heavier), 1),
        control(0, "pause", 0.5, 0.95),
        control(1, "promote", 1.05, 2.0),
        control(2, "abort", 0.3, 0.75),
        one("rollback", "", _at("rollback", "app-a"), "app-a", "cpu_utilization", 1.2, 1.6, shop(slow), 4),
        one("restart", "rolling", _at("restart", "app-a"), "app-a", "restart_rate", 50.0, 1e9, plain, 1),
        one("restart", "all", _at("restart", "app-a", option=1), "app-a", "shed_rate", 50.0, 1e9, plain, 1),
        one("restart", "one", _at("restart", "app-a", option=2), "app-a", "restart_rate", 25.0, 1e9, plain, 1),
        one("kill_instance", "", _at("kill_instance", "app-a", amount=1.0), "app-a", "replicas_ready", 0.4, 0.95, plain,
            1, 4),
        one("scale_horizontal", "", more, "app-a", "replicas_ready", 2.5, 3.1, plain, 3),
        one("scale_vertical", "", _at("scale_vertical", "app-a", amount=2.0), "app-a", "cpu_utilization", 0.4, 0.6,
            plain, 3),
        one("autoscaler_policy", "", _at("autoscaler_policy", "app-a", amount=4.0), "app-a", "replicas_desired",
            1.9, 2.1, scaled, 3),
        one("traffic_shift", "", _at("traffic_shift", "app-a", amount=0.1), "app-a", "request_rate", 0.1, 0.4, plain),
        one("failover", "", _at("failover", "app-a"), "app-b", "request_rate", 1.7, 2.3, plain),
        one("failover", "", over, "db", "cpu_utilization", 1.5, 5.0, weak, 3),
        one("cordon", "", cordoned, "host-2", "cpu_utilization", 10.0, 1e9, plain, 3, before=(more,)),
        one("drain", "", _at("drain", "host-1"), "host-2", "cpu_utilization", 20.0, 1e9, plain, 3),
        one("quarantine", "network", _at("quarantine", "mail"), "app-a", "error_ratio", 10.0, 1e9, plain),
        one("quarantine", "maintenance", _at("quarantine", "app-a", option=1), "app-a", "request_rate", 0.0, 0.01,
            plain),
        one("quarantine", "label", _at("quarantine", "app-a", option=2), "app-a", "replicas_ready", 0.4, 0.95, plain, 1,
            4),
        one("config_change", "worker_threads", _at("config_change", "worker", amount=1.0), "worker", "latency_p95",
            0.1, 0.95, shop(rate_rps=45.0), 3),
        one("config_change", "queue_capacity", _at("config_change", "app-a", amount=1.0, option=1), "app-a",
            "shed_rate", 50.0, 1e9, shop(rate_rps=80.0)),
        one("feature_flag", "False", _flag(0), "mail", "request_rate", 0.4, 0.6, plain),
        one("feature_flag", "True", _flag(1), "mail", "request_rate", 1.5, 2.5, plain, before=(_flag(0, 0.0),)),
        one("rate_limit", "", _at("rate_limit", "edge", amount=10.0), "edge", "shed_rate", 50.0, 1e9, plain),
        one("load_shed", "", _at("load_shed", "edge", amount=0.3), "edge", "throughput", 0.6, 0.8, plain),
        one("circuit_break", "", _at("circuit_break", "mail", amount=30.0), "mail", "request_rate", 0.02, 0.6,
            shop(erring), 3),
        one("timeout_retry", "", _at("timeout_retry", "db", amount=0.01, second=2.0), "cache", "timeout_rate",
            50.0, 1e9, plain),
        one("pool_resize", "", _at("pool_resize", "db", amount=1.0), "db", "pool_size", 0.05, 0.15, plain),
        one("cache_op", "flush", _at("cache_op", "cache"), "cache", "cache_hit_ratio", 0.0, 0.5, plain),
        one("cache_op", "warm", _at("cache_op", "cache", option=1), "cache", "cache_hit_ratio", 1.3, 20.0, shop(cold)),
        one("cache_op", "invalidate", _at("cache_op", "cache", option=2), "cache", "cache_hit_ratio", 0.5, 0.85, plain),
        one("queue_op", "pause", _at("queue_op", "inbox"), "inbox", "consumer_lag", 50.0, 1e9, plain),
        one("queue_op", "purge", purge, "inbox", "consumer_lag", 0.0, 0.01, shop(piled)),
        one("queue_op", "replay", _at("queue_op", "inbox", at_s=10.0, option=2), "inbox", "consumer_lag", 100.0, 1e9,
            shop(piled), 3, before=(purge,)),
        one("db_op", "kill_query", _at("db_op", "db"), "db", "lock_wait", 0.0, 0.1, shop(locked)),
        one("db_op", "vacuum", _at("db_op", "db", option=1), "db", "cpu_utilization", 0.4, 0.8, shop(db={"bloat": 1.0}),
            11, 13),
        one("db_op", "create_index", _at("db_op", "db", option=2), "db", "cpu_utilization", 0.3, 0.6, shop(slow_db), 9,
            11),
        one("db_op", "failback", _at("db_op", "db", at_s=14.0, option=3), "db", "cpu_utilization", 0.2, 0.6, weak, 4, 7,
            before=(over,)),
    ]  # fmt: skip
