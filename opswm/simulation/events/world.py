"""One world request by request: put together from a blueprint, run second by second, copied to branch."""

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opswm.simulation.events.actions import carry_out, number_of
from opswm.simulation.events.breakages import Fault, Push, disturb, faults_of, pushes, set_in
from opswm.simulation.events.clients import Clients
from opswm.simulation.events.queues import Queue
from opswm.simulation.events.randomness import Stream, derive, generator, no_type_check
from opswm.simulation.events.readings import count_anew, read_tick, scaled_in_tick
from opswm.simulation.events.replicas import Host
from opswm.simulation.events.server import Server
from opswm.simulation.events.wires import Junction, Wire
from opswm.simulation.events.work import Calendar
from opswm.simulation.kernel.blueprint import Blueprint, Breakage, Execution
from opswm.simulation.kernel.incidents import Request
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.sizing import usual

SOONEST_S: Final = 1.0
QUIET: Final = Push()


@dataclass(frozen=True)
class Observed:
    """What a run left behind, per tick.

    Attributes:
        signals: Exact readings, ``[T, N, C]`` in the order of ``kernel.signals.SIGNALS``.
        offered, bad: First attempts (or items) per objective, ``[T, O]``, and the bad ones among them.
        scaled: Replicas that autoscalers added, ``[T, N]``.
    """

    signals: NDArray[np.float32]
    offered: NDArray[np.float64]
    bad: NDArray[np.float64]
    scaled: NDArray[np.float32]


@no_type_check
class World:
    """One system at work.

    Attributes:
        blueprint: Its description.
        seed, future: What its randomness is keyed by.
        second: Seconds since the start.
        servers, queues, hosts: Its parts by name.
        wires, clients: Its links and inlets.
        faults: What goes wrong.
        usual_rps: Usual requests per second of each part.
    """

    def __init__(self, blueprint: Blueprint, seed: int) -> None:
        self.blueprint = blueprint
        self.seed = seed
        self.future = 0
        self.second = 0
        self.env = Calendar()
        self.faults: list[Fault] = []
        self.usual_rps = dict(usual(blueprint.parts, blueprint.links, blueprint.inlets).rate_rps)
        self.servers: dict[str, Server] = {}
        self.queues: dict[str, Queue] = {}
        self.hosts: dict[str, Host] = {}
        for number, part in enumerate(blueprint.parts):
            if part.kind == "host":
                self.hosts[part.name] = Host(float(part.host_cores))
            elif part.kind == "queue":
                self.queues[part.name] = Queue(self.env, part, number)
            elif part.kind != "zone":
                rate = self.usual_rps[part.name]
                self.servers[part.name] = Server(self.env, part, number, rate, derive(seed, number))
        for server in self.servers.values():
            server.fleet.host = self.hosts.get(server.part.host)
            server.fleet.places = list(self.hosts.values())
            server.fleet.fill()
        for queue in self.queues.values():
            if queue.part.consumer:
                queue.consumer = self.servers[queue.part.consumer]
                queue.consumer.inbox = queue
        places: dict[str, Any] = {**self.servers, **self.queues}
        self.wires = [
            Wire(self.env, link, number, places[link.source], places[link.target])
            for number, link in enumerate(blueprint.links)
        ]
        self.wires_out = {name: [wire for wire in self.wires if wire.link.source == name] for name in places}
        self.junctions: list[Junction] = []
        for server in self.servers.values():
            self._connect(server)
        self.clients = [
            Clients(self.env, inlet, number, self.servers[inlet.entity])
            for number, inlet in enumerate(blueprint.inlets)
        ]
        self._asked: list[tuple[float, Request]] = []
        self._set_goals()

    # -------------------------------------------------------------------------------------------------- setting out
    def break_down(self, breakages: Sequence[Breakage]) -> None:
        """Let things go wrong from now on, instead of what was to go wrong before."""
        self.faults = faults_of(self.blueprint, breakages)

    def set_thresholds(self, blueprint: Blueprint) -> None:
        """Take the objectives of the same system in other words, for ticks from now on."""
        self.blueprint = blueprint
        self._set_goals()

    def request(self, request: Request) -> tuple[float, bool]:
        """Ask for an action; return the second of its effect and whether there is one."""
        effect_s, succeeds = self.fate(request)
        if succeeds:
            self._asked.append((effect_s, request))
        return effect_s, succeeds

    def fate(self, request: Request) -> tuple[float, bool]:
        """Return the second of an action's effect and whether there is one.

        Both are decided by what is requested and when, so the same request fares alike in every course.
        """
        ability, doing = request.ability, self.blueprint.executions.get(request.ability.type, Execution())
        target = self.blueprint.index(ability.target)
        number = (number_of(request), target, int(request.requested_s))
        rng = generator(self.seed, self.future, Stream.ACTIONS, *number)
        delay_s = float(doing.delay_s) * math.exp(float(doing.spread) * float(rng.standard_normal()))
        effect_s = math.floor(float(request.requested_s) + max(SOONEST_S, delay_s))
        return float(effect_s), bool(rng.random() >= doing.failure_ratio)

    # ---------------------------------------------------------------------------------------------------- running
    def run(self, ticks: int, record: bool = True) -> Observed:
        """Run for a number of ticks and return what was observed in them.

        Attempts that are not answered by the end count as bad.

        Args:
            ticks: Telemetry ticks, 1 or more.
            record: Whether signals are read; objectives always are.

        Raises:
            ValueError: When there is less than one tick to run.
        """
        if ticks < 1:
            raise ValueError(f"ticks is {ticks}: give the number of telemetry ticks to run, 1 or more")
        step_s = self.blueprint.step_s
        signals: list[NDArray[np.float32]] = []
        scaled: list[NDArray[np.float32]] = []
        first = self.clients[0].tick + 1
        for _ in range(ticks):
            for clients in self.clients:
                clients.begin_tick()
            for queue in self.queues.values():
                queue.begin_tick()
            for _ in range(step_s):
                self._advance_second()
            scaled.append(scaled_in_tick(self))
            if record:
                signals.append(read_tick(self, float(step_s)))
            else:
                count_anew(self)
        offered, bad = self.judge(first)
        none = np.zeros((0, len(self.blueprint.parts), len(SIGNALS)), np.float32)
        return Observed(np.stack(signals) if signals else none, offered, bad, np.stack(scaled))

    def _advance_second(self) -> None:
        second = self.second
        for fault in self.faults:
            if second <= fault.breakage.onset_s < second + 1:
                set_in(fault, self)
        for asked in [one for one in self._asked if one[0] <= second]:
            self._asked.remove(asked)
            carry_out(self, asked[1])
        servers, demand, stolen = pushes(self.faults, second, self.servers)
        disturb(self.faults, self.wires, second)
        for name, host in self.hosts.items():
            host.steal(min(1.0, stolen.get(name, 0.0)))
        for name, server in self.servers.items():
            server.advance(servers.get(name, QUIET))
        for clients in self.clients:
            surge = demand.get(clients.inlet.entity, 0.0)
            clients.begin_second(self.seed, self.future, second, surge)
        self.second = second + 1
        self.env.run_to(float(self.second))

    def judge(self, first: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return offered and bad attempts per objective, in the ticks from ``first`` on, as of now."""
        offered, bad = [], []
        for clients, number, goal in self._goals:
            came = np.array(clients.offered[first:], np.float64)
            if goal.deadline:
                queue = self.queues[goal.entity]
                published = np.array(queue.published[first:], np.float64)
                on_time = np.array([counts[number] for counts in queue.on_time[first:]], np.float64)
                lost = 1.0 - np.array(clients.answered_well[first:]) / np.maximum(came, 1.0)
                late = np.where(published > 0, 1.0 - on_time / np.maximum(published, 1.0), 0.0)
                offered.append(came * float(goal.items))
                bad.append(came * float(goal.items) * (lost + late - lost * late))
            else:
                good = np.array([counts[number] for counts in clients.good[first:]], np.float64)
                offered.append(came * float(goal.items))
                bad.append((came - good) * float(goal.items))
        return np.stack(offered, -1), np.stack(bad, -1)

    # -------------------------------------------------------------------------------------------------- branching
    def branch(self, future: int) -> "World":
        """Return a copy that goes on by itself, in the exogenous future of this number.

        Every event holds on to bound methods of parts, not to suspended generators, so that all of it can be copied:
        parts first, empty, so that the copy need not wind its way through them, then what they hold.
        """
        for wire in self.wires:
            wire.purge()
        for clients in self.clients:
            clients.purge()
        parts: list[Any] = [self, self.env, *self.wires, *self.junctions, *self.clients, *self.hosts.values()]
        parts += [*self.queues.values(), *self.servers.values()]
        parts += [server.fleet for server in self.servers.values()]
        shells: list[Any] = [object.__new__(type(part)) for part in parts]
        memo: dict[int, Any] = {id(part): shell for part, shell in zip(parts, shells, strict=True)}
        for same in (self.blueprint, *self.blueprint.parts, *self.blueprint.links, *self.blueprint.inlets):
            memo[id(same)] = same
        for server in self.servers.values():
            memo[id(server._factors)] = server._factors
        count = next(self.env._eid)
        self.env._eid = itertools.count(count)
        memo[id(self.env._eid)] = itertools.count(count)
        for part, shell in zip(parts, shells, strict=True):
            shell.__dict__.update({name: copy.deepcopy(value, memo) for name, value in vars(part).items()})
        world: World = shells[0]
        world.future = future
        return world

    # ------------------------------------------------------------------------------------------- for what acts on it
    def server(self, request: Request) -> Server:
        """Return the server that an action is aimed at.

        Raises:
            ValueError: When it is aimed at something that does no work, such as a host or a queue.
        """
        name = request.ability.target
        if name not in self.servers:
            raise ValueError(f"{self.blueprint.name!r}: {request.ability.type!r} cannot be done to {name!r}")
        return self.servers[name]

    def wires_into(self, name: str) -> list[Wire]:
        """Return the wires that lead to a part."""
        return [wire for wire in self.wires if wire.link.target == name]

    def refresh(self) -> None:
        """Take changed weights and flags into account."""
        for junction in self.junctions:
            junction.refresh()

    def _set_goals(self) -> None:
        self._goals: list[tuple[Clients, int, Any]] = []
        for clients in self.clients:
            clients.thresholds_s = []
        for queue in self.queues.values():
            queue.deadlines_s = []
        by_entry = {clients.inlet.entity: clients for clients in self.clients}
        for goal in self.blueprint.goals:
            limits = self.queues[goal.entity].deadlines_s if goal.deadline else by_entry[goal.inlet].thresholds_s
            limits.append(float(goal.threshold_s))
            self._goals.append((by_entry[goal.inlet], len(limits) - 1, goal))

    def _connect(self, server: Server) -> None:
        """Arrange the calls that a server makes: messages, calls side by side, calls one after the other."""
        left = [wire for wire in self.wires_out[server.part.name] if wire.link.kind != "consumes"]
        while left:
            wire = left.pop(0)
            peer = self.blueprint.parts[self.blueprint.index(wire.link.target)].peer
            alike = [other for other in left if peer and other.link.target == peer and wire.synchronous]
            left = [other for other in left if other not in alike]
            junction = Junction([wire, *alike], -1 - wire.number)
            self.junctions.append(junction)
            if not wire.synchronous:
                server.messages.append(junction)
            elif wire.link.on_path < 1.0:
                server.side_by_side.append(junction)
            else:
                server.chain.append(junction)
        server.calls_nobody = not (server.messages or server.side_by_side or server.chain or server.is_cache)
