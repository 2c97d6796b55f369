"""Randomness that belongs to a request rather than to the order of events: courses share it however they part.

A first attempt is born with a 64-bit key, and every call, retry and draw below it derives its own key from that. A
course that sheds, retries or delays some requests therefore leaves the service times of all the others as they were
(common random numbers). Keys are derived with the hash of a tuple of integers, which CPython computes without a
per-process salt. That hash alone is too linear: neighbouring numbers give results a constant apart. Folding it once
and hashing again breaks that.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np

T = TypeVar("T")
QUANTILES: Final = 4096
DRAWS_PER_QUANTILE: Final = 64
UNIT: Final = 2.0**-24
LOW_24: Final = 0xFFFFFF


class Stream(IntEnum):
    """What a generator is for; each purpose is a stream of its own."""

    ARRIVALS = 1
    ACTIONS = 2


class Draw(IntEnum):
    """What a key derived from a request's key decides; positive, as -1 and -2 have the same hash."""

    SERVICE = 1001
    ADMISSION = 1002
    NEEDED = 1003
    HIT = 1004
    PACE = 1005
    PAUSE = 1006
    WRITES = 1007


def no_type_check(kind: T) -> T:
    """Return a class or function as it is; its name tells the run-time checks of the tests to pass it by.

    They cost several microseconds a call, which is as much as a simulated request. mypy checks the class all the same.
    """
    return kind


def generator(seed: int, future: int, stream: Stream, *number: int) -> np.random.Generator:
    """Return the generator of one stream of a world.

    Args:
        seed: Of the world.
        future: Number of the exogenous future; 0 is the past that all futures share.
        stream: What it is for.
        number: Which one of that kind: an inlet and a second, say.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, future, int(stream), *number]))


@no_type_check
def derive(key: int, number: int) -> int:
    """Return the key of something that belongs to the owner of a key: a call, a try, a draw."""
    bits = hash((key, number))
    return hash((bits ^ (bits >> 29), number))


@no_type_check
def uniform(key: int, draw: int) -> float:
    """Return a number in [0, 1) that a key decides."""
    return ((derive(key, draw) >> 24) & LOW_24) * UNIT


@lru_cache(maxsize=4096)
def service_factors(scv: float) -> tuple[float, ...]:
    """Return equally likely factors with mean 1 and a squared coefficient of variation: a gamma law in slices.

    Args:
        scv: 0 is constant, 1 exponential.
    """
    if scv <= 1e-6:
        return (1.0,) * QUANTILES
    draws = np.random.default_rng(20_260_302).gamma(1.0 / scv, scv, QUANTILES * DRAWS_PER_QUANTILE)
    means = np.sort(draws).reshape(QUANTILES, DRAWS_PER_QUANTILE).mean(1)
    return tuple((means / means.mean()).tolist())
