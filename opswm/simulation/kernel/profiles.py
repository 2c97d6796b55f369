"""Shapes of demand as multipliers over time: constant, days and weeks, bursts on all scales, flash crowds, ramps.

Every profile has a mean of one, so that a system sized for its mean demand stays what it is, and profiles multiply.
Days and weeks may be made shorter than they are, for runs of minutes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_S: Final = 86_400.0
WEEK_S: Final = 7.0 * DAY_S
HIGHEST: Final = 1.3
"""Peak over mean of the profiles that random systems get in good health."""
USUAL_LENGTH_S: Final = 3_600.0


@dataclass(frozen=True)
class Profile:
    """Multipliers of a rate, one each ``step_s`` seconds, joined by straight lines and repeated at the end.

    Raises:
        ValueError: When there is no multiplier, one is negative or not finite, or the step is not positive.
    """

    values: tuple[float, ...]
    step_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.values or not self.step_s > 0.0:
            raise ValueError(f"a profile has one multiplier or more, a step of {self.step_s} s apart; give both")
        for position, value in enumerate(self.values):
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"multiplier {position} is {value}; give finite numbers from 0 on")

    def times(self, other: "Profile") -> "Profile":
        """Return the product of two profiles, on the step and for the length of this one."""
        at_s = np.arange(len(self.values)) * self.step_s
        there = np.append(other.values, other.values[0])
        length_s = other.step_s * len(other.values)
        factor = np.interp(at_s % length_s, np.arange(len(there)) * other.step_s, there)
        return of_values(np.asarray(self.values) * factor, self.step_s)

    def below(self, highest: float) -> "Profile":
        """Return the profile drawn towards its mean until its peak is at most ``highest``."""
        values = np.asarray(self.values)
        peak = float(values.max())
        if peak <= highest:
            return self
        return of_values(1.0 + (values - 1.0) * (highest - 1.0) / (peak - 1.0), self.step_s)


def of_values(values: NDArray[np.float64], step_s: float) -> Profile:
    """Return values of any unit as a profile with a mean of one.

    Raises:
        ValueError: When they are all zero, negative or not finite somewhere, or none.
    """
    mean = float(np.mean(values)) if len(values) else 0.0
    if not 0.0 < mean < float("inf"):
        raise ValueError(f"the mean of the {len(values)} values is {mean}; a profile needs some positive finite ones")
    return Profile(tuple(float(value) for value in np.round(values / mean, 6)), step_s)


def constant() -> Profile:
    """Return demand that does not move."""
    return Profile((1.0,))


def diurnal(amplitude: float, phase: float = 0.0, period_s: float = DAY_S, points: int = 360) -> Profile:
    """Return the rise and fall of a day, with a lower shoulder at night.

    Args:
        amplitude: Half the way from night to noon, as a share of the mean, in [0, 1].
        phase: Where in the day it starts, in [0, 1).
        period_s: Length of a day.
        points: Number of multipliers.
    """
    angle = 2.0 * np.pi * (np.arange(points) / points + phase)
    return of_values(1.0 + amplitude * (np.sin(angle) + 0.25 * np.sin(2.0 * angle)) / 1.25, period_s / points)


def weekly(
    amplitude: float, weekend: float, phase: float = 0.0, period_s: float = WEEK_S, points: int = 1_008
) -> Profile:
    """Return seven days, the last two of which are ``weekend`` times as busy.

    Args:
        amplitude: Of each day.
        weekend: Demand of a weekend's day over that of a working day.
        phase: Where in the week it starts, in [0, 1).
        period_s: Length of a week.
        points: Number of multipliers.
    """
    at = (np.arange(points) / points + phase) % 1.0
    level = np.where(at < 5.0 / 7.0, 1.0, weekend)
    angle = 2.0 * np.pi * 7.0 * at
    return of_values(level * (1.0 + amplitude * np.sin(angle - 0.5 * np.pi)), period_s / points)


def ramp(end: float, length_s: float = USUAL_LENGTH_S, points: int = 60) -> Profile:
    """Return a steady change from one level to ``end`` times that level."""
    return of_values(np.linspace(1.0, end, points), length_s / points)


def flash_crowd(
    height: float, at_s: float, rise_s: float, fall_s: float, length_s: float = USUAL_LENGTH_S, step_s: float = 5.0
) -> Profile:
    """Return a crowd that comes within ``rise_s`` and leaves exponentially.

    Args:
        height: Demand at its peak over that before.
        at_s: When it starts to come.
        rise_s: How long it takes to come.
        fall_s: Time constant of its leaving.
        length_s: Length of the profile.
        step_s: Between multipliers.
    """
    age = np.arange(0.0, length_s, step_s) - at_s
    crowd = np.where(age < rise_s, np.clip(age / rise_s, 0.0, 1.0), np.exp(-np.maximum(age - rise_s, 0.0) / fall_s))
    return of_values(1.0 + (height - 1.0) * crowd, step_s)


def switching(
    rng: np.random.Generator,
    levels: tuple[float, ...] = (0.7, 1.0, 1.6),
    stay_s: float = 60.0,
    length_s: float = USUAL_LENGTH_S,
    step_s: float = 5.0,
) -> Profile:
    """Return the rate of a Markov-modulated Poisson process: it stays at a level for a while, then jumps to another.

    Args:
        rng: For levels and times.
        levels: Rates, as multiples of any one.
        stay_s: Mean time at a level, exponential.
        length_s: Length of the profile.
        step_s: Between multipliers.
    """
    num = max(1, round(length_s / step_s))
    jumps = rng.random(num) < 1.0 - np.exp(-step_s / stay_s)
    states = np.zeros(num, dtype=np.int64)
    state = int(rng.integers(len(levels)))
    for at in range(num):
        if jumps[at] and len(levels) > 1:
            state = (state + int(rng.integers(1, len(levels)))) % len(levels)
        states[at] = state
    return of_values(np.asarray(levels)[states], step_s)


def self_similar(
    rng: np.random.Generator,
    hurst: float = 0.8,
    spread: float = 0.2,
    length_s: float = USUAL_LENGTH_S,
    step_s: float = 5.0,
) -> Profile:
    """Return bursts on all time scales: fractional Gaussian noise, which sums of heavy-tailed sessions tend to.

    Sampled exactly by circulant embedding (Davies and Harte 1987); why traffic looks like it: Willinger, Taqqu, Sherman
    and Wilson (1997).

    Args:
        rng: For the noise.
        hurst: In (0.5, 1); the closer to 1, the longer bursts last.
        spread: Standard deviation of the log rate.
        length_s: Length of the profile.
        step_s: Between multipliers.

    Raises:
        ValueError: When ``hurst`` is out of range.
    """
    if not 0.5 < hurst < 1.0:
        raise ValueError(f"hurst is {hurst}; bursts on all scales have one between 0.5 and 1, both excluded")
    num = max(2, round(length_s / step_s))
    lag = np.arange(num + 1, dtype=np.float64)
    covariance = 0.5 * (np.abs(lag + 1) ** (2 * hurst) - 2 * lag ** (2 * hurst) + np.abs(lag - 1) ** (2 * hurst))
    row = np.concatenate([covariance, covariance[-2:0:-1]])
    power = np.clip(np.fft.fft(row).real, 0.0, None)
    noise = rng.normal(size=len(row)) + 1j * rng.normal(size=len(row))
    path = np.fft.fft(np.sqrt(power / len(row)) * noise).real[:num]
    return of_values(np.exp(spread * path), step_s)


def draw_profile(rng: np.random.Generator, highest: float = HIGHEST) -> Profile:
    """Return a random profile, no higher than ``highest`` times its mean so that health can stand it.

    Args:
        rng: For everything that is left to chance.
        highest: Peak over mean.
    """
    kind = int(rng.integers(6))
    if kind == 0:
        found = diurnal(float(rng.uniform(0.1, 0.4)), float(rng.random()), float(rng.uniform(2_400.0, 14_400.0)))
    elif kind == 1:
        weekend, period_s = float(rng.uniform(0.5, 0.9)), float(rng.uniform(7_000.0, 40_000.0))
        found = weekly(float(rng.uniform(0.1, 0.3)), weekend, float(rng.random()), period_s)
    elif kind == 2:
        found = switching(rng, stay_s=float(rng.uniform(20.0, 200.0)))
    elif kind == 3:
        found = self_similar(rng, float(rng.uniform(0.6, 0.9)), float(rng.uniform(0.05, 0.25)))
    elif kind == 4:
        at_s, fall_s = float(rng.uniform(200.0, 1_500.0)), float(rng.uniform(60.0, 400.0))
        found = flash_crowd(float(rng.uniform(1.2, 1.6)), at_s, float(rng.uniform(10.0, 90.0)), fall_s)
    else:
        found = ramp(float(rng.uniform(0.7, 1.4)))
    return found.below(highest)
