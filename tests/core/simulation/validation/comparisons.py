"""Stationary queues and networks: the whole kernel against closed forms and against ciw.

Tolerances are those the simulator is held to: mean wait within 5 % (10 % at utilisation 0.95) or a hundredth of a
service, which no histogram of response times would show; 95th percentile of the response time within 10 %; loss within
0.01.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from tests.core.simulation.validation import closed_forms, discrete_events
from tests.core.simulation.validation.checks import Check
from tests.core.simulation.validation.discrete_events import Array, Station
from tests.core.simulation.validation.kernel_runs import Reading, call, read, server, system, telemetry

SERVERS = (1, 4, 16)
UTILIZATIONS = (0.5, 0.8, 0.95)
WAIT, P95, LOSS = "mean wait", "p95 of the response", "share lost"
_UNSEEN = 0.01
_BATCHES = 20


def waiting(worlds: int, seconds: int, capacity_rps: float = 200.0, seed: int = 1) -> list[Check]:
    """Return M/M/c at three loads with 1, 4 and 16 servers against its closed forms.

    Args:
        worlds: Worlds of each system.
        seconds: How long each is looked at, after a quarter as long again to settle.
        capacity_rps: Completions per second of all servers together, which sets the length of a service.
        seed: Of the worlds.
    """
    cases = list(product(SERVERS, UTILIZATIONS))
    plans = [system([server("queue", c, c / capacity_rps)], u * capacity_rps) for c, u in cases]
    checks = []
    for (c, u), signals in zip(cases, telemetry(plans, worlds, max(seconds // 4, 20), seconds, seed), strict=True):
        wait_s = closed_forms.mean_wait_s(c, u, c / capacity_rps)
        p95_s = closed_forms.response_quantile_s(c, u, c / capacity_rps)
        case = f"M/M/{c} at {u}, service {1e3 * c / capacity_rps:g} ms"
        checks += _times("M/M/c", case, c / capacity_rps, read(signals[:, :, 0]), (wait_s, p95_s), "closed form", u)
    return checks


def variability(worlds: int, seconds: int, seed: int = 2) -> list[Check]:
    """Return the mean wait of M/G/c with steadier and wilder service than exponential against formulas."""
    cases = list(product((1, 4), (0.5, 4.0)))
    capacity_rps, utilization = 200.0, 0.8
    plans = [system([server("queue", c, c / capacity_rps, scv)], utilization * capacity_rps) for c, scv in cases]
    checks = []
    signals_of_all = telemetry(plans, worlds, max(seconds // 4, 20), seconds, seed)
    for (c, scv), signals in zip(cases, signals_of_all, strict=True):
        service_s, reading = c / capacity_rps, read(signals[:, :, 0])
        wait_s = closed_forms.mean_wait_s(c, utilization, service_s, scv)
        source = "Pollaczek-Khinchine" if c == 1 else "Allen-Cunneen"
        case = f"M/G/{c} at {utilization}, scv {scv:g}"
        checks += _times("M/G/c", case, service_s, reading, (wait_s, math.nan), source, utilization)[:1]
    return checks


def losses(worlds: int, seconds: int, seed: int = 3) -> list[Check]:
    """Return M/M/c with few places to wait in, and with customers who leave, against their closed forms."""
    capacity_rps = 200.0
    cases = list(product(SERVERS, (0.8, 0.95, 1.2), (("places", 5.0), ("places", 20.0), ("patience", 2.0))))
    plans = [
        system(
            [
                server("queue", c, c / capacity_rps, queue_limit=much)
                if what == "places"
                else server("queue", c, c / capacity_rps, patience_s=much * c / capacity_rps)
            ],
            u * capacity_rps,
        )
        for c, u, (what, much) in cases
    ]
    checks = []
    for (c, u, (what, much)), signals in zip(
        cases, telemetry(plans, worlds, max(seconds // 4, 20), seconds, seed), strict=True
    ):
        reading, service_s = read(signals[:, :, 0]), c / capacity_rps
        if what == "places":
            exact = closed_forms.loss_with_places(c, u * capacity_rps, service_s, int(much))
            case = f"M/M/{c} at {u}, {much:g} places"
        else:
            exact = closed_forms.loss_with_patience(c, u * capacity_rps, service_s, much * service_s)
            case = f"M/M/{c} at {u}, patience {much:g} services"
        found = (reading.lost_ratio, reading.lost_error)
        checks.append(Check("loss", case, LOSS, "1", exact, "closed form", 0.0, *found, absolute=0.01))
    return checks


def networks(worlds: int, seconds: int, customers: int, seed: int = 4) -> list[Check]:
    """Return calls in a row and calls that fan out, from the user's side, against ciw."""
    rate_rps = 80.0
    first, second, third = Station(4, 0.04), Station(1, 0.01), Station(16, 0.15)
    web, cache, store = (
        server(name, station.servers, station.service_s)
        for name, station in (("web", first), ("cache", second), ("store", third))
    )
    row = system([web, cache], rate_rps, [call("web", "cache")])
    fan = system([web, cache, store], rate_rps, [call("web", "cache", 0.6), call("web", "store", 0.4)])
    checks = []
    for case, stations, routes, signals in zip(
        ("web calls cache", "web calls cache (60 %) or store (40 %)"),
        ([first, second], [first, second, third]),
        ([[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.6, 0.4], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
        telemetry([row, fan], worlds, max(seconds // 4, 20), seconds, seed),
        strict=True,
    ):
        reading, seen = read(signals[:, :, 0]), _visits(stations, routes, rate_rps, customers, seed)
        exact = float(seen.responses_s.mean()), _p95(seen.responses_s)
        errors = _error(seen.responses_s, np.mean), _error(seen.responses_s, _p95)
        for name, value, error, found, found_error, relative in (
            ("mean response", exact[0], errors[0], reading.mean_s, reading.mean_error_s, 0.05),
            (P95, exact[1], errors[1], reading.p95_s, reading.p95_error_s, 0.1),
        ):
            checks.append(Check("networks", case, name, "s", value, "ciw", error, found, found_error, relative))
    return checks


def _times(
    group: str,
    case: str,
    service_s: float,
    reading: Reading,
    exact: tuple[float, float],
    source: str,
    utilization: float,
    errors: tuple[float, float] = (0.0, 0.0),
) -> list[Check]:
    """Return the checks of a station's mean wait and 95th percentile, in service times."""
    wait, p95 = ((value / service_s, error / service_s) for value, error in zip(exact, errors, strict=True))
    found = ((reading.mean_s - service_s) / service_s, reading.mean_error_s / service_s)
    found_p95 = (reading.p95_s / service_s, reading.p95_error_s / service_s)
    relative = 0.1 if utilization > 0.9 else 0.05
    return [
        Check(group, case, WAIT, "services", wait[0], source, wait[1], *found, relative, _UNSEEN),
        Check(group, case, P95, "services", p95[0], source, p95[1], *found_p95, 0.1),
    ]


def _visits(
    stations: Sequence[Station], routes: Sequence[Sequence[float]], rate_rps: float, customers: int, seed: int
) -> discrete_events.Visits:
    """Return what ciw says about so many customers, after a tenth as many to settle."""
    return discrete_events.visits(
        stations, routes, rate_rps, 1.1 * customers / rate_rps, 0.1 * customers / rate_rps, seed
    )


def _p95(times_s: Array) -> float:
    return float(np.quantile(times_s, 0.95))


def _error(times_s: Array, figure: object) -> float:
    """Return the standard error of a figure of correlated times, from the figures of batches."""
    assert callable(figure)
    parts = [float(figure(part)) for part in np.array_split(times_s, _BATCHES)]
    return float(np.std(parts, ddof=1)) / math.sqrt(_BATCHES)
