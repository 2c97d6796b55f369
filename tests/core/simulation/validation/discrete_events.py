"""The same queues, request by request, in the discrete-event library ciw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import ciw
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Station:
    """Parallel servers with one line.

    Attributes:
        servers: Number of servers.
        service_s: Mean service time.
        scv: Its squared coefficient of variation: 1 is exponential, anything else lognormal.
        patience_s: Wait after which a request leaves unserved.
        places: Requests that may wait.
    """

    servers: int
    service_s: float
    scv: float = 1.0
    patience_s: float = math.inf
    places: float = math.inf

    def law(self) -> Any:
        """Return the distribution of service times."""
        if self.scv == 1.0:
            return ciw.dists.Exponential(rate=1.0 / self.service_s)
        square = math.log1p(self.scv)
        return ciw.dists.Lognormal(mean=math.log(self.service_s) - 0.5 * square, sd=math.sqrt(square))


@dataclass(frozen=True)
class Visits:
    """What became of those who arrived after the warm-up.

    Attributes:
        waits_s: Wait at the first station of those served there.
        responses_s: From arrival to departure, of those who were served wherever they went.
        lost_ratio: Share of arrivals refused or gone for want of patience.
    """

    waits_s: Array
    responses_s: Array
    lost_ratio: float


def visits(
    stations: Sequence[Station],
    routes: Sequence[Sequence[float]],
    rate_rps: float,
    until_s: float,
    warm_s: float,
    seed: int,
) -> Visits:
    """Return what happened to Poisson arrivals at the first of some stations.

    Args:
        stations: Stations.
        routes: Chance to go from each station to each other; the rest leaves.
        rate_rps: Arrivals per second.
        until_s: When arrivals are no longer looked at.
        warm_s: When they begin to be.
        seed: Of ciw's random numbers.
    """
    nobody = [None] * (len(stations) - 1)
    impatient = any(math.isfinite(station.patience_s) for station in stations)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=rate_rps), *nobody],
        service_distributions=[station.law() for station in stations],
        number_of_servers=[station.servers for station in stations],
        queue_capacities=[station.places for station in stations],
        routing=[list(row) for row in routes],
        reneging_time_distributions=[ciw.dists.Deterministic(station.patience_s) for station in stations]
        if impatient
        else None,
    )
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_time(until_s)
    records = sorted(run.get_all_records(), key=lambda record: (record.id_number, record.arrival_date))
    waits, responses, lost = [], [], 0
    for _, group in groupby(records, key=lambda record: record.id_number):
        visited = list(group)
        if visited[0].arrival_date < warm_s:
            continue
        if any(record.record_type in ("renege", "rejection") for record in visited):
            lost += 1
            continue
        if visited[-1].destination != -1:
            continue  # still on its way when the run ended
        waits.append(visited[0].waiting_time)
        responses.append(visited[-1].exit_date - visited[0].arrival_date)
    return Visits(np.array(waits), np.array(responses), lost / (lost + len(waits)))


def mean_course(
    station: Station, steps: Sequence[tuple[float, float]], at_s: Array, runs: int, seed: int
) -> tuple[Array, Array]:
    """Return the mean number present at some seconds over several runs, empty at the start, and its standard error.

    Args:
        station: The station.
        steps: Arrival rates, each with the second until which it holds.
        at_s: When to look.
        runs: How many runs.
        seed: Of the first run; the others follow on.
    """
    ends, rates = [until for until, _ in steps], [rate for _, rate in steps]
    courses = []
    for run in range(runs):
        ciw.seed(seed + run)
        arrivals = ciw.dists.PoissonIntervals(rates=rates, endpoints=ends, max_sample_date=ends[-1])
        network = ciw.create_network(
            arrival_distributions=[arrivals],
            service_distributions=[station.law()],
            number_of_servers=[station.servers],
        )
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(ends[-1] * 2.0)
        records = simulation.get_all_records()
        came = np.sort([record.arrival_date for record in records])
        left = np.sort([record.exit_date for record in records])
        courses.append(np.searchsorted(came, at_s, "right") - np.searchsorted(left, at_s, "right"))
    table = np.array(courses, dtype=np.float64)
    return table.mean(0), table.std(0, ddof=1) / math.sqrt(runs)
