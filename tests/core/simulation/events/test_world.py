"""A world is a function of its seed, loses nobody, and can be copied at any second."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from opswm.simulation.events.scenarios import act, one, store, storm, system
from opswm.simulation.events.world import World
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Goal, Link, Part

TROUBLE = (
    Breakage("memory_leak", "web", magnitude=0.02),
    Breakage("dependency_slow", "db", onset_s=10.0, duration_s=10.0, magnitude=0.6),
    Breakage("edge_loss", "db", onset_s=15.0, duration_s=10.0, magnitude=0.3),
)


def everything() -> Blueprint:
    """Return a small system with a part of every kind, in trouble."""
    parts = [
        Part("web", "service", cpu_s=0.01, cores=1.0, replicas=2.0, slots=20.0, queue_limit=30.0, patience_s=0.4,
             host="host", start_s=8.0, scaler_on=1.0, scaler_max=4.0),
        Part("cache", "cache", cpu_s=0.0005, cores=2.0, replicas=1.0, slots=200.0, hit_max=0.8),
        Part("db", "database", cpu_s=0.01, io_s=0.004, cores=4.0, replicas=1.0, pool_size=10.0, contention_knee=5.0,
             contention_slope=0.5, start_s=5.0),
        Part("mail", "external", cpu_s=0.0001, io_s=0.05, cores=99.0, replicas=1.0, slots=99.0),
        Part("inbox", "queue", cpu_s=0.0001, consumer="worker"),
        Part("worker", "worker", cpu_s=0.02, cores=1.0, replicas=1.0, slots=4.0),
        Part("host", "host", host_cores=3.0),
    ]  # fmt: skip
    links = [
        Link("web", "cache", retries=1.0, timeout_s=0.5),
        Link("cache", "db", on_miss=1.0, retries=0.0, timeout_s=0.4, breaker_ratio=0.5, breaker_open_s=3.0),
        Link("web", "mail", calls=0.3, required=0.1, retries=0.0, on_path=0.5),
        Link("web", "db", calls=0.4, retries=2.0, timeout_s=0.3, backoff_s=0.05, on_path=0.5),
        Link("web", "inbox", "publishes", synchronous=0.0, calls=0.5),
        Link("inbox", "worker", "consumes", synchronous=0.0),
    ]
    plain = system(parts, links, 60.0, 0.4, TROUBLE, client_retries=1.0)
    late = Goal("late", "inbox", "web", 2.0, weight=0.5, deadline=1.0, items=0.5)
    return replace(plain, goals=(replace(plain.goals[0], weight=0.5), late))


REQUESTS = (
    act("restart", "web", option=1, at_s=12.0),
    act("db_op", "db", at_s=16.0),
    act("failover", "db", at_s=22.0),
    act("kill_instance", "web", amount=1.0, at_s=28.0),
    act("rate_limit", "web", amount=40.0, at_s=30.0),
)


@pytest.fixture(scope="module")
def run(lab: Any) -> tuple[World, Any]:
    """Forty seconds of everything at once."""
    world = lab.started(everything())
    for request in REQUESTS:
        world.request(request)
    return world, world.run(8)


def test_every_attempt_ends_in_one_way(run: tuple[World, Any], lab: Any) -> None:
    """At every part, what came in was served, refused or dropped, or is still there; nothing twice, nothing lost."""
    world, seen = run
    blueprint = world.blueprint
    for part in blueprint.parts:
        if part.kind == "host":
            continue
        came, served, shed = (
            5.0 * float(lab.reading(seen, blueprint, part.name, name).sum(dtype=np.float64))
            for name in ("request_rate", "throughput", "shed_rate")
        )
        left = "consumer_lag" if part.kind == "queue" else "in_flight"
        there = float(lab.reading(seen, blueprint, part.name, left)[-1])
        assert came > 0
        assert came == pytest.approx(served + shed + there, abs=1e-2)


def test_nothing_is_left_in_hand_when_nobody_comes(run: tuple[World, Any], lab: Any) -> None:
    """Once demand stops, lines empty, slots and cores are given back, and no attempt is open."""
    world, _ = run
    quiet = world.branch(0)
    for clients in quiet.clients:
        clients.inlet = replace(clients.inlet, rate_rps=0.0)
    quiet.faults = []
    quiet.run(12, record=False)
    for server in quiet.servers.values():
        assert (server.busy, server.lined, server.queued) == (0, 0, 0)
        for replica in server.fleet.replicas:
            assert replica.load == len(replica.work) == 0
            assert replica.free_cores == replica.whole_cores
    assert quiet.hosts["host"].running == pytest.approx(0.0, abs=1e-9)
    assert not quiet.queues["inbox"].items


def test_first_attempts_are_bad_at_most_once(run: tuple[World, Any]) -> None:
    """Neither retries nor repeated attempts of clients add to what is offered, and bad is part of it."""
    world, seen = run
    assert seen.offered[:, 0].sum() == sum(world.clients[0].offered)
    assert (seen.bad >= 0).all()
    assert (seen.bad <= seen.offered + 1e-9).all()
    assert 0 < seen.bad[:, 0].sum() < seen.offered[:, 0].sum()
    assert world.clients[0].num_repeats > 0


def test_the_same_seed_is_the_same_world(run: tuple[World, Any], lab: Any) -> None:
    """A world is bit-identical when it is run again, and another under another seed."""
    _, seen = run
    again, other = lab.started(everything()), lab.started(everything(), seed=1)
    for request in REQUESTS:
        again.request(request)
    assert np.array_equal(again.run(8).signals, seen.signals)
    assert not np.array_equal(other.run(8).signals, seen.signals)


def test_a_copy_goes_on_as_the_world_itself_would(lab: Any) -> None:
    """Copied in the middle of trouble, with everything under way, copy and original go on bit-identically."""
    world = lab.started(everything())
    for request in REQUESTS:
        world.request(request)
    world.run(3, record=False)
    copies = [world.branch(0), world.branch(0)]
    there = world.run(4)
    for copy in copies:
        assert np.array_equal(copy.run(4).signals, there.signals)


def test_an_action_without_effect_changes_no_bit(lab: Any) -> None:
    """Shedding nothing, failing, and a limit that nobody reaches leave the future as it is, to the last bit."""
    world = lab.started(everything(), settle_s=10)
    waited = world.branch(3).run(5)
    for request in (
        act("load_shed", "web", amount=0.0, at_s=10.0),
        act("rate_limit", "web", amount=1e5, at_s=10.0),
        act("feature_flag", "web", feature="unheard-of", option=0, at_s=10.0),
    ):
        other = world.branch(3)
        other.request(request)
        assert np.array_equal(other.run(5).signals, waited.signals)


def test_futures_differ_and_courses_share_them(lab: Any) -> None:
    """Another future brings other people; another course meets the same ones."""
    world = lab.started(one(), settle_s=10)
    first, second = world.branch(1).run(4), world.branch(2).run(4)
    assert not np.array_equal(first.offered, second.offered)
    course = world.branch(1)
    course.request(act("load_shed", "web", amount=0.5, at_s=10.0))
    seen = course.run(4)
    assert np.array_equal(seen.offered, first.offered)
    assert seen.bad.sum() > first.bad.sum()


def test_requests_that_a_course_leaves_alone_take_as_long_as_before(lab: Any) -> None:
    """With room for all, those who are not shed are served in exactly the time they would have taken anyway."""
    roomy = one(rate_rps=40.0, cores=64.0, cpu_s=0.02)
    times = []
    for share in (0.0, 0.5):
        world = lab.started(roomy)
        world.servers["web"].shed, world.servers["web"].guarded = share, True
        for clients in world.clients:
            clients.begin_tick()
        for _ in range(5):
            world._advance_second()
        times.append(world.servers["web"].tally.latencies_s)
    assert len(times[1]) < 0.7 * len(times[0])
    assert set(times[1]) <= set(times[0])


@pytest.mark.slow
def test_a_retry_storm_outlives_its_trigger(lab: Any) -> None:
    """With eager retries the overload goes on after its cause has gone; without retries it ends."""
    trigger = (Breakage("retry_storm", "db", onset_s=5.0, duration_s=15.0, magnitude=1.2),)
    shares = [
        lab.bad_share(lab.started(storm(tries, trigger), settle_s=40).run(3, record=False)) for tries in (3.0, 0.0)
    ]
    assert shares[0] > 0.5
    assert shares[1] < 0.1


def test_the_autoscaler_follows_the_load(lab: Any) -> None:
    """Twice the load brings more replicas, and says so."""
    blueprint = one(rate_rps=150.0, scaler_on=1.0, scaler_target=0.5, scaler_max=6.0, start_s=5.0)
    seen = lab.started(blueprint).run(9)
    assert lab.reading(seen, blueprint, "web", "replicas_ready")[-1] >= 3.0
    assert seen.scaled.sum() >= 1.0


def test_what_makes_no_sense_is_refused() -> None:
    """No tick is no run; unknown faults, shapes and targets are named, with what is known."""
    world = World(store(), 0)
    with pytest.raises(ValueError, match="1 or more"):
        world.run(0)
    with pytest.raises(ValueError, match="'gremlins' is not known"):
        world.break_down([Breakage("gremlins", "db")])
    with pytest.raises(ValueError, match="'SUDDEN' is not known"):
        world.break_down([Breakage("slow_queries", "db", shape="SUDDEN")])
    with pytest.raises(ValueError, match="no part 'nowhere'"):
        world.request(act("restart", "nowhere"))
