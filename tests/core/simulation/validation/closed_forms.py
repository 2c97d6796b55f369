"""Queues whose answer is known: waits, response times, losses, and mean courses under a load that changes."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NEGLIGIBLE = 1e-9
_MOST_JUMPS = 50.0


def erlang_c(servers: int, utilization: float) -> float:
    """Return the chance to wait in M/M/c, by the recursion for Erlang's B."""
    load, blocked = servers * utilization, 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1.0 - utilization * (1.0 - blocked))


def mean_wait_s(servers: int, utilization: float, service_s: float, scv: float = 1.0) -> float:
    """Return the mean wait: exact for exponential service and for one server, else Allen and Cunneen's (1990).

    Args:
        servers: Number of servers.
        utilization: Arrival rate times service time over servers, below 1.
        service_s: Mean service time.
        scv: Squared coefficient of variation of the service time. Arrivals are Poisson. With one server this is the
            formula of Pollaczek and Khinchine.
    """
    of_exponential = erlang_c(servers, utilization) * service_s / (servers * (1.0 - utilization))
    return of_exponential * (1.0 + scv) / 2.0


def response_quantile_s(servers: int, utilization: float, service_s: float, share: float = 0.95) -> float:
    """Return the response time that ``share`` of the requests of M/M/c stay below."""
    waits, rate = erlang_c(servers, utilization), 1.0 / service_s
    clears = servers * rate * (1.0 - utilization)

    def beyond(time_s: float) -> float:
        at_once = math.exp(-rate * time_s)
        if abs(clears - rate) < 1e-9 * rate:
            return at_once * (1.0 - waits) + waits * (1.0 + rate * time_s) * at_once
        both = (clears * at_once - rate * math.exp(-clears * time_s)) / (clears - rate)
        return at_once * (1.0 - waits) + waits * both

    return where_crossing(beyond, 1.0 - share, 2e3 * service_s)


def where_crossing(falling: Callable[[float], float], level: float, highest: float) -> float:
    """Return the argument between 0 and ``highest`` at which a falling function meets a level."""
    low, high = 0.0, highest
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return low


def loss_with_places(servers: int, rate_rps: float, service_s: float, places: int) -> float:
    """Return the share of arrivals that M/M/c/K refuses, with ``places`` to wait in."""
    weights = [1.0]
    for present in range(1, servers + places + 1):
        weights.append(weights[-1] * rate_rps * service_s / min(present, servers))
    return weights[-1] / sum(weights)


def loss_with_patience(servers: int, rate_rps: float, service_s: float, patience_s: float) -> float:
    """Return the share of M/M/c's customers who leave unserved, each after a wait of ``patience_s``.

    M/M/c+D: A. Mandelbaum, S. Zeltyn, "Call centers with impatient customers" (2005), with their J in closed form.
    """
    load, capacity = rate_rps * service_s, servers / service_s
    terms = [1.0]  # of load ** j / j!, each over the last one
    for count in range(servers - 1, 0, -1):
        terms.append(terms[-1] * count / load)
    spare = capacity - rate_rps
    until = patience_s if abs(spare) < 1e-12 else (1.0 - math.exp(-spare * patience_s)) / spare
    integral = until + math.exp(-spare * patience_s) / capacity
    return (1.0 + (rate_rps - capacity) * integral) / (sum(terms) + rate_rps * integral)


def mean_course(servers: int, service_s: float, steps: Sequence[tuple[float, float]], at_s: Array, most: int) -> Array:
    """Return the mean number present in M(t)/M/c, empty at the start, from Kolmogorov's forward equations.

    Args:
        servers: Number of servers.
        service_s: Mean service time.
        steps: Arrival rates, each with the second until which it holds.
        at_s: Whole multiples of the shortest distance between them, rising from there on.
        most: States are cut off at so many requests.
    """
    present = np.arange(most + 1, dtype=np.float64)
    ends = np.minimum(present, servers) / service_s
    fastest = max(rate for _, rate in steps) + servers / service_s
    jump_s = 1.0 / fastest
    chances, clock, course = np.zeros(most + 1), 0.0, []
    chances[0] = 1.0
    for instant in at_s:
        while clock < instant - _NEGLIGIBLE:
            rate = next((rate for until, rate in steps if clock < until - _NEGLIGIBLE), 0.0)
            borders = [until for until, _ in steps if until > clock + _NEGLIGIBLE]
            span = min(min([instant, *borders]) - clock, _MOST_JUMPS * jump_s)
            chances = _uniformised(chances, rate, ends, jump_s, span)
            clock += span
        course.append(float(chances @ present))
    return np.array(course)


def _uniformised(chances: Array, rate_rps: float, ends: Array, jump_s: float, span_s: float) -> Array:
    """Return the distribution a while later (uniformisation: Poisson many jumps of a discrete chain)."""
    jumps = span_s / jump_s
    weight, total, result = math.exp(-jumps), 0.0, np.zeros_like(chances)
    count = 0
    while total < 1.0 - _NEGLIGIBLE and count < jumps + 20.0 * math.sqrt(jumps) + 20.0:
        result, total = result + weight * chances, total + weight
        up, down = chances * (rate_rps * jump_s), chances * (ends * jump_s)
        moved = chances - up - down
        moved[1:] += up[:-1]
        moved[-1] += up[-1]
        moved[:-1] += down[1:]
        chances, count = moved, count + 1
        weight = weight * jumps / count
    return result / total
