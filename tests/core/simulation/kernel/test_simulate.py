"""Runs are determined by their seeds, keep what comes in, and pair futures across courses."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Goal, Inlet, Link, Part
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.forcings import empty_tape, join_slots, schedule
from opswm.simulation.kernel.rows import join_rows, take_rows
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import initial_state


def chain(step_s: int = 5) -> Blueprint:
    """Return a balancer, two services, a database and an external dependency."""
    parts = (
        Part("lb", "load_balancer", cpu_s=0.0005, cores=1.0, replicas=2.0, slots=500.0),
        Part("web", "service", cpu_s=0.008, cores=1.0, replicas=2.0, slots=40.0, scaler_on=1.0),
        Part("api", "service", cpu_s=0.006, cores=1.0, replicas=2.0, slots=40.0),
        Part("db", "database", cpu_s=0.004, cores=4.0, replicas=1.0, pool_size=20.0),
        Part("mail", "external", cpu_s=0.0001, io_s=0.05, cores=200.0, replicas=1.0, slots=200.0),
    )
    links = (
        Link("lb", "web", timeout_s=3.0),
        Link("web", "api", timeout_s=1.0, retries=2.0),
        Link("api", "db", timeout_s=0.5),
        Link("web", "mail", calls=0.2, required=0.0, timeout_s=0.4, feature="mails"),
    )
    inlet = Inlet("lb", 130.0, jitter=0.1, client_retries=1.0)
    return Blueprint("chain", parts, links, (inlet,), (Goal("good", "lb", "lb", 0.3),), step_s=step_s)


def same(one: Any, other: Any) -> bool:
    """Return whether two nested dataclasses of tensors are equal to the last bit."""
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, torch.Tensor):
            if not torch.equal(left, right):
                return False
        elif is_dataclass(left) and not same(left, right):
            return False
    return True


def seeds_of(count: int) -> torch.Tensor:
    """Return the seeds of some worlds."""
    return noise.world_seeds(9, torch.arange(count), torch.zeros(count, dtype=torch.int64))


def test_the_same_seeds_give_the_same_run(laboratory: Any) -> None:
    """Two runs from the same state with the same seeds are equal to the last bit."""
    first = laboratory.settle(chain(), 40)
    second = laboratory.settle(chain(), 40)
    assert same(first[1], second[1])
    assert same(first[2], second[2])


def test_other_seeds_give_another_run() -> None:
    """Worlds of one batch differ although they are the same system."""
    parameters = take_rows(assemble([chain()]), torch.zeros(7, dtype=torch.int64))
    _, seen = simulate(parameters, initial_state(parameters), empty_tape(7), 6, seeds_of(7))
    assert len({float(total) for total in seen.signals[:, :, 1, 2].sum(1)}) == 7


def test_a_world_runs_alike_whatever_runs_beside_it() -> None:
    """Each of several different systems in a batch has the future it has alone, to the last bit."""
    systems = [chain(), replace(chain(), inlets=(Inlet("lb", 40.0),)), replace(chain(), parts=chain().parts[::-1])]
    whole = take_rows(assemble(systems), torch.arange(37) % 3)
    _, together = simulate(whole, initial_state(whole), empty_tape(37), 8, seeds_of(37))
    for row in (0, 11, 36):
        alone = assemble([systems[row % 3]])
        _, seen = simulate(alone, initial_state(alone), empty_tape(1), 8, seeds_of(37)[row : row + 1])
        assert torch.equal(seen.bad[0], together.bad[row])
        assert torch.equal(seen.signals[0], together.signals[row])


def test_a_run_can_be_continued() -> None:
    """Stopping after some ticks and going on gives what one long run gives."""
    parameters = take_rows(assemble([chain()]), torch.zeros(5, dtype=torch.int64))
    start, tape = initial_state(parameters), empty_tape(5)
    end, whole = simulate(parameters, start, tape, 9, seeds_of(5))
    half, first = simulate(parameters, start, tape, 4, seeds_of(5))
    again, second = simulate(parameters, half, tape, 5, seeds_of(5))
    assert same(end, again)
    assert torch.equal(whole.signals, torch.cat([first.signals, second.signals], 1))


def test_an_action_without_effect_leaves_the_future_alone(plans: Any) -> None:
    """A course that changes nothing (it fails, or sets what is set) has the same future to the last bit."""
    blueprint = chain()
    parameters = take_rows(assemble([blueprint]), torch.zeros(6, dtype=torch.int64))
    state, _ = simulate(parameters, initial_state(parameters), empty_tape(6), 8, seeds_of(6))
    _, waited = simulate(parameters, state, empty_tape(6), 6, seeds_of(6))
    for request in (
        plans.act("load_shed", "lb", amount=0.0, at_s=42.0),
        plans.act("feature_flag", "web", feature="mails", option=1, at_s=42.0),
        plans.act("traffic_shift", "api", amount=0.0, at_s=42.0),
        plans.act("timeout_retry", "db", amount=-1.0, second=-1.0, at_s=42.0),
    ):
        tape = tape_of([blueprint] * 6, [[request]] * 6)
        _, acted = simulate(parameters, state, tape, 6, seeds_of(6))
        assert torch.equal(waited.signals, acted.signals)
        assert torch.equal(waited.bad, acted.bad)


def test_offered_attempts_are_the_same_in_every_course(plans: Any) -> None:
    """First attempts come from exogenous demand: no action changes a single one of them."""
    blueprint = chain()
    parameters = take_rows(assemble([blueprint]), torch.zeros(4, dtype=torch.int64))
    state, _ = simulate(parameters, initial_state(parameters), empty_tape(4), 8, seeds_of(4))
    _, waited = simulate(parameters, state, empty_tape(4), 6, seeds_of(4))
    for request in (
        plans.act("load_shed", "lb", amount=0.7, at_s=41.0),
        plans.act("restart", "web", option=1, at_s=41.0),
        plans.act("scale_horizontal", "db", amount=0.0, at_s=41.0),
    ):
        _, acted = simulate(parameters, state, tape_of([blueprint] * 4, [[request]] * 4), 6, seeds_of(4))
        assert torch.equal(waited.offered, acted.offered)
        assert acted.bad.sum() > waited.bad.sum()


def test_the_same_request_meets_the_same_delay_in_every_course(plans: Any) -> None:
    """Delay and failure are keyed by what is requested, not by its slot or by what else is asked for."""
    blueprint = chain()
    parameters = take_rows(assemble([blueprint]), torch.zeros(40, dtype=torch.int64))
    kill, scale = plans.act("kill_instance", "api", amount=1.0), plans.act("scale_horizontal", "web", amount=4.0)
    alone = schedule(tape_of([blueprint] * 40, [[kill]] * 40), parameters.operations, seeds_of(40))
    both = schedule(tape_of([blueprint] * 40, [[scale, kill]] * 40), parameters.operations, seeds_of(40))
    assert torch.equal(alone.effect_s[:, 0], both.effect_s[:, 1])
    assert torch.equal(alone.succeeds[:, 0], both.succeeds[:, 1])
    assert len(set(alone.effect_s[:, 0].tolist())) > 3


def test_what_comes_in_is_served_refused_lost_or_still_there() -> None:
    """Over any stretch, arrivals at an entity equal what was served, refused and dropped plus what is left."""
    parameters = take_rows(assemble([chain()]), torch.zeros(5, dtype=torch.int64))
    state, _ = simulate(parameters, initial_state(parameters), empty_tape(5), 10, seeds_of(5))
    column = {name: index for index, name in enumerate(SIGNALS)}
    then, seen = simulate(parameters, state, empty_tape(5), 20, seeds_of(5))
    rate = {name: seen.signals[..., column[name]].sum(1) * 5.0 for name in ("request_rate", "throughput", "shed_rate")}
    left = (then.flow.backlog + then.flow.owed) - (state.flow.backlog + state.flow.owed)
    assert torch.allclose(rate["request_rate"], rate["throughput"] + rate["shed_rate"] + left, rtol=1e-4, atol=0.5)


def test_little_s_law_holds(laboratory: Any, plans: Any) -> None:
    """Requests present equal arrival rate times response time, over a long stretch."""
    seen = laboratory.run(plans.one(rate_rps=150.0), seconds=200)
    column = {name: index for index, name in enumerate(SIGNALS)}
    present = seen.signals[..., 0, column["in_flight"]].mean()
    rate, spent = (seen.signals[..., 0, column[name]] for name in ("request_rate", "latency_mean"))
    assert float(present) == pytest.approx(float((rate * spent).mean()), rel=0.15)


@pytest.mark.parametrize("step_s", [1, 15])
def test_the_telemetry_step_changes_nothing_but_what_is_read(step_s: int) -> None:
    """Bad and offered attempts over a minute are the same, however telemetry is cut into ticks."""
    totals = []
    for step in (5, step_s):
        parameters = take_rows(assemble([chain(step)]), torch.zeros(3, dtype=torch.int64))
        _, seen = simulate(parameters, initial_state(parameters), empty_tape(3), 60 // step, seeds_of(3))
        totals.append(torch.stack([seen.bad.sum(1), seen.offered.sum(1)]))
    assert torch.allclose(totals[0], totals[1], rtol=1e-5)


@settings(max_examples=3)
@given(rate=st.floats(20.0, 160.0), more=st.floats(1.3, 2.5))
def test_more_demand_is_not_served_better(plans: Any, rate: float, more: float) -> None:
    """The bad share does not fall when demand rises (beyond noise)."""
    systems = [plans.one(rate_rps=rate), plans.one(rate_rps=rate * more)]
    parameters = take_rows(assemble(systems), torch.arange(12) % 2)
    seeds = seeds_of(6).repeat_interleave(2)
    _, seen = simulate(parameters, initial_state(parameters), empty_tape(12), 16, seeds, "objectives")
    share = seen.bad.sum((1, 2)) / seen.offered.sum((1, 2))
    assert float(share[1::2].mean()) >= float(share[0::2].mean()) - 0.01


def test_latency_and_errors_of_a_callee_reach_its_callers(laboratory: Any) -> None:
    """A slow, failing database shows at every caller above it, and not at what only hangs beside it."""
    blueprint = replace(chain(), links=tuple(replace(link, retries=0.0) for link in chain().links))
    faults = (Breakage("erroring_version", "db", magnitude=0.3), Breakage("dependency_slow", "db", magnitude=0.08))
    broken = replace(blueprint, breakages=faults)
    healthy, sick = laboratory.run(blueprint, seconds=40), laboratory.run(broken, seconds=40)
    column = {name: index for index, name in enumerate(SIGNALS)}

    def mean(seen: Any, name: str) -> torch.Tensor:
        averaged: torch.Tensor = seen.signals[..., column[name]].mean((0, 1))
        return averaged

    for name in ("lb", "web", "api"):
        at = blueprint.index(name)
        assert mean(sick, "error_ratio")[at] > mean(healthy, "error_ratio")[at] + 0.02
        assert mean(sick, "latency_p95")[at] > mean(healthy, "latency_p95")[at] + 0.05
    aside = blueprint.index("mail")
    assert float(mean(sick, "latency_p95")[aside]) == pytest.approx(
        float(mean(healthy, "latency_p95")[aside]), rel=0.05
    )


def test_rows_are_joined_and_taken_as_one() -> None:
    """Joining batches and taking rows out again gives the batches back; unlike batches are refused."""
    one = take_rows(assemble([chain()]), torch.zeros(2, dtype=torch.int64))
    other = take_rows(assemble([chain()]), torch.zeros(3, dtype=torch.int64))
    assert same(take_rows(join_rows([one, other]), torch.arange(2, 5)), other)
    with pytest.raises(ValueError, match="step_s"):
        join_rows([one, replace(other, step_s=15)])
    with pytest.raises(ValueError, match="at least one"):
        join_rows([])


def test_no_tick_is_no_run(laboratory: Any) -> None:
    """A run of no ticks is refused with what to give instead."""
    parameters = laboratory.parameters(chain())
    with pytest.raises(ValueError, match="1 or more"):
        simulate(parameters, initial_state(parameters), empty_tape(laboratory.worlds), 0, laboratory.seeds())


def test_slots_of_two_tapes_stand_side_by_side(plans: Any) -> None:
    """Past and candidate actions of one world make one tape."""
    blueprint = chain()
    one = tape_of([blueprint], [[plans.act("rollback", "web")]])
    two = tape_of([blueprint], [[plans.act("restart", "api"), plans.act("cache_op", "db")]])
    both = join_slots(one, two)
    assert both.there.tolist() == [[True, True, True]]
    assert both.target.tolist() == [[1, 2, 3]]
