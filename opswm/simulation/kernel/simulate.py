"""Run a batch of worlds: seconds of substeps, ticks of telemetry, from a state under forcings and keyed noise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from opswm.simulation.kernel import demand, faults, fleet, latency, noise, passing, resources
from opswm.simulation.kernel.conditions import Conditions, conditions
from opswm.simulation.kernel.flow import Instant, advance_flow
from opswm.simulation.kernel.forcings import ActionTape, Schedule, schedule
from opswm.simulation.kernel.mechanics.table import carry_out
from opswm.simulation.kernel.objectives import offered_and_bad
from opswm.simulation.kernel.parameters import Faults, WorldParameters
from opswm.simulation.kernel.rows import map_tensors
from opswm.simulation.kernel.signals import SIGNALS, Tally, count, read_signals, start_tally
from opswm.simulation.kernel.state import Flow, WorldState
from opswm.simulation.kernel.struck import Struck
from opswm.simulation.kernel.struck import struck as side_by_side
from opswm.simulation.kernel.wiring import Wiring, wire

SUBSTEPS: Final = 4
SUBSTEP_S: Final = 1.0 / SUBSTEPS
CLIENT_MEMORY: Final = 0.5
UTILIZATION_WEIGHT: Final = 0.1


@dataclass(frozen=True)
class Observables:
    """What a run left behind, per tick.

    Attributes:
        signals: Exact readings in canonical units, order of ``signals.SIGNALS``; no ticks when not recorded.
        offered: First attempts (or items) per objective.
        bad: The bad ones among them.
        scaled: Replicas that autoscalers added or removed.
    """

    signals: Float[Tensor, "W T N C"]
    offered: Float[Tensor, "W H O"]
    bad: Float[Tensor, "W H O"]
    scaled: Float[Tensor, "W T N"]


@dataclass(frozen=True)
class _Run:
    """What stays the same while a run lasts: worlds, wiring, action schedule and noise keys."""

    parameters: WorldParameters
    wiring: Wiring
    struck: Struck
    held_down: Faults
    disturbed: passing.Disturbed | None
    tape: ActionTape
    plan: Schedule
    arrival: Int[Tensor, "W G"]
    log_demand: Int[Tensor, "W G"]
    flow: Int[Tensor, "W N"]
    bridge: Int[Tensor, "W N"]
    recorded: bool


@dataclass(frozen=True)
class _Draws:
    """The noise of one second: first attempts, and standard draws for inflow, service and the bridge."""

    arrivals: Float[Tensor, "Z W G"]
    inflow: Float[Tensor, "Z W N"]
    service: Float[Tensor, "Z W N"]
    exponential: Float[Tensor, "Z W N"]


@torch.inference_mode()
def simulate(
    parameters: WorldParameters,
    state: WorldState,
    forcings: ActionTape,
    ticks: int,
    seeds: Int[Tensor, " W"],
    record: Literal["all", "objectives"] = "all",
    plan: Schedule | None = None,
) -> tuple[WorldState, Observables]:
    """Run worlds for a number of ticks.

    Tensors are made in torch's inference mode, which saves a third of the time of a small batch: read them, but do not
    change them in place elsewhere.

    Args:
        parameters: The worlds.
        state: Where they start from; a state of another run continues it.
        forcings: Requested actions; those whose effect lies before ``state.second`` have had it.
        ticks: Telemetry ticks to run.
        seeds: One seed per world and exogenous future, from ``noise.world_seeds``.
        plan: When the requests take effect; drawn from ``seeds`` where left out.
        record: ``objectives`` leaves out signals, which saves a little time and much memory.

    Returns:
        The state at the end, and what was observed.

    Raises:
        ValueError: When there is less than one tick to run.
    """
    if ticks < 1:
        raise ValueError(f"ticks is {ticks}: give the number of telemetry ticks to run, 1 or more")
    entities, entries = parameters.entities, parameters.entries
    num_entities, num_entries = entities.slots.shape[1], entries.rate_rps.shape[1]
    wiring, struck = wire(parameters), side_by_side(parameters)
    run = _Run(
        parameters=parameters,
        wiring=wiring,
        struck=struck,
        held_down=map_tensors(struck.faults, lambda field: field[:, struck.held_down]),
        disturbed=passing.disturbed(parameters, wiring),
        tape=forcings,
        plan=schedule(forcings, parameters.operations, seeds) if plan is None else plan,
        arrival=noise.stream(seeds, num_entries, noise.Purpose.ARRIVAL),
        log_demand=noise.stream(seeds, num_entries, noise.Purpose.DEMAND),
        flow=noise.stream(seeds, num_entities, noise.Purpose.FLOW),
        bridge=noise.stream(seeds, num_entities, noise.Purpose.BRIDGE),
        recorded=record == "all",
    )
    signals, scaled, offered, bad = [], [], [], []
    for _ in range(ticks):
        before = state
        state = replace(state, fleet=replace(state.fleet, scaled=torch.zeros_like(state.fleet.scaled)))
        tally = start_tally(parameters, wiring, parameters.step_s * SUBSTEPS)
        for _ in range(parameters.step_s):
            state, now = advance_second(run, state, tally)
        offered.append(tally.offered_attempts)
        bad.append(tally.bad_attempts)
        if record == "all":
            signals.append(read_signals(parameters, wiring, before, state, now, tally, SUBSTEP_S))
            scaled.append(state.fleet.scaled)
    none = torch.zeros(entities.slots.shape[0], 0, num_entities, len(SIGNALS), device=seeds.device)
    return state, Observables(
        signals=torch.stack(signals, 1) if signals else none,
        offered=torch.stack(offered, 1),
        bad=torch.stack(bad, 1),
        scaled=torch.stack(scaled, 1) if scaled else none[..., 0],
    )


def advance_second(run: _Run, state: WorldState, tally: Tally) -> tuple[WorldState, Conditions]:
    """Return the state one second later and what held during it, and add the second to the tick's sums."""
    parameters, wiring, second = run.parameters, run.wiring, state.second
    state = _set_in(run, state)
    state = carry_out(parameters, state, run.tape, run.plan)
    level = faults.strength(run.struck.faults, run.struck.of_faults(state.fault_left), second)
    drives = faults.drives(run.struck.faults, level, state.fleet.ready.numel()).view(-1, *state.fleet.ready.shape)
    state = _advance_slow(parameters, state, drives)
    way = passing.on_the_way(run.disturbed, run.struck, level)
    now = conditions(parameters, wiring, state, drives, way, SUBSTEP_S)

    surge = drives[faults.Drive.DEMAND].reshape(-1).index_select(0, wiring.entry).view_as(state.log_demand)
    log_demand = demand.next_log_demand(parameters.entries, state.log_demand, run.log_demand, second)
    expected = demand.rate(parameters.entries, log_demand, surge, second)
    draws = _draw(run, second, expected)
    flow, dropped = _with_edges(state.flow, wiring.of_edges), state.resources.dropped
    repeats = 1.0 + _client_repeats(parameters, state.client_failure)
    zeros = torch.zeros_like(flow.rate).view(-1)
    instants: list[Instant] = []
    for substep in range(SUBSTEPS):
        attempts = draws.arrivals[substep] * repeats
        exogenous = zeros.scatter_add(0, wiring.entry, attempts.view(-1)).view_as(flow.rate)
        noises = draws.inflow[substep], draws.service[substep], draws.exponential[substep]
        flow, instant = advance_flow(now, wiring, flow, dropped, exogenous, *noises, SUBSTEP_S)
        dropped = torch.zeros_like(dropped) if substep == 0 else dropped
        if run.recorded:
            count(tally, instant, now)
        instants.append(instant)
    client = _judge(run, state, tally, instants, draws.arrivals)
    used = flow.served_rate * now.cpu_s / now.reserved
    state = replace(
        state,
        second=second + 1,
        flow=_with_edges(flow, lambda edges: wiring.in_slots(edges, state.flow.call_rate)),
        fleet=replace(state.fleet, utilization=torch.lerp(state.fleet.utilization, used, UTILIZATION_WEIGHT)),
        resources=replace(state.resources, dropped=dropped),
        log_demand=log_demand,
        client_failure=client,
    )
    return state, now


def _set_in(run: _Run, state: WorldState) -> WorldState:
    """Return the state after what the faults that set in change once, and with what others hold down."""
    if run.struck.held_down.numel():
        left = run.struck.of_faults(state.fault_left).index_select(1, run.struck.held_down)
        state = faults.held_down(run.held_down, left, state)
    return faults.apply_onsets(run.struck.faults, state) if state.second in run.struck.onsets_s else state


def _with_edges(flow: Flow, laid_out: Callable[[Tensor], Tensor]) -> Flow:
    return replace(flow, call_rate=laid_out(flow.call_rate), call_failure=laid_out(flow.call_failure))


def _advance_slow(parameters: WorldParameters, state: WorldState, drives: Float[Tensor, "D W N"]) -> WorldState:
    entities = parameters.entities
    replicas = fleet.autoscale(fleet.advance_fleet(state.fleet, entities), entities)
    slow = resources.advance_resources(parameters, state.resources, state.flow, state.settings, drives)
    replicas, slow, out = fleet.crash_for_memory(replicas, slow, entities)
    lost = state.flow.present * fleet.CRASH_SHARE * out
    return replace(
        state,
        fleet=replicas,
        resources=replace(slow, dropped=slow.dropped + lost),
        settings=resources.advance_breakers(state.settings, state.flow),
    )


def _client_repeats(parameters: WorldParameters, failure: Float[Tensor, "W G"]) -> Float[Tensor, "W G"]:
    retries = parameters.entries.client_retries
    return failure * retries.clamp(0.0, 1.0) * (1.0 + failure * (retries - 1.0).clamp(0.0, 1.0))


def _draw(run: _Run, second: int, expected: Float[Tensor, "W G"]) -> _Draws:
    """Return the noise of one second, all substeps at once."""
    ticks = torch.arange(second * SUBSTEPS, (second + 1) * SUBSTEPS, dtype=torch.int32, device=expected.device)
    ticks = ticks[:, None, None]
    first, other = noise.normal_pair(noise.draw(run.flow[None], ticks))
    return _Draws(
        arrivals=demand.arrivals(expected, run.arrival, second, SUBSTEPS),
        inflow=first.mul_(torch.sqrt(run.parameters.entities.thinning)),
        service=other,
        exponential=-torch.log(noise.uniform(noise.draw(run.bridge[None], ticks))),
    )


def _judge(
    run: _Run, state: WorldState, tally: Tally, instants: list[Instant], arrivals: Float[Tensor, "Z W G"]
) -> Float[Tensor, "W G"]:
    """Return the share of attempts that fail as clients see it, and add a second's objectives to the sums.

    Clients follow with about the time they wait.
    """
    parameters, wiring, entries = run.parameters, run.wiring, run.parameters.entries
    failed, latency_s, latency_var = (
        torch.stack([getattr(instant, name).view(-1).index_select(0, wiring.judged) for instant in instants])
        for name in ("failed", "latency_s", "latency_var")
    )
    offered, bad = offered_and_bad(parameters, wiring, arrivals, failed, latency_s, latency_var)
    tally.offered_attempts.add_(offered.sum(0))
    tally.bad_attempts.add_(bad.sum(0))
    shape = entries.rate_rps.shape
    refused, mean_s, variance = (
        field[-1, : wiring.entry.numel()].view(shape) for field in (failed, latency_s, latency_var)
    )
    late = latency.share_beyond(mean_s, variance, entries.client_timeout_s)
    now = refused + late - refused * late
    weight = (CLIENT_MEMORY / entries.client_timeout_s.clamp(min=1.0)).clamp(max=1.0)
    return torch.lerp(state.client_failure, now, weight)
