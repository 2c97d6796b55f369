"""Fixed transforms between canonical units and model features; no statistics of any data set are involved.

A value in a canonical unit (``opswm_schemas.vocabulary.MEANINGS``) becomes a feature that keeps absolute
size, so that the distance to an objective survives on a system that nobody trained on.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opswm_schemas.vocabulary import ACTION_FEATURES, MEANINGS, RESOURCES

IS_LOG: Final = np.array([meaning.scale == "log" for meaning in MEANINGS])
REFERENCE: Final = np.array([meaning.reference for meaning in MEANINGS])
NUM_ACTION_FEATURES: Final = len(ACTION_FEATURES)
NUM_RESOURCES: Final = len(RESOURCES)
FEATURE_LIMIT: Final = 12.0
"""Features are clipped to this size, either sign, so that one absurd reading cannot blow up a belief."""


def to_feature(values: NDArray[np.float64], meaning: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn canonical values into features: ``asinh(value / reference)`` for amounts, the ratio itself otherwise.

    Args:
        values: Canonical values, any shape; not NaN.
        meaning: Vocabulary index of each value, broadcastable to ``values``.
    """
    feature = np.where(IS_LOG[meaning], np.arcsinh(values / REFERENCE[meaning]), values)
    return np.clip(feature, -FEATURE_LIMIT, FEATURE_LIMIT)


def from_feature(features: NDArray[np.float64], meaning: NDArray[np.int64]) -> NDArray[np.float64]:
    """Undo :func:`to_feature` (up to its clipping).

    Args:
        features: Features, any shape.
        meaning: Vocabulary index of each feature, broadcastable to ``features``.
    """
    return np.where(IS_LOG[meaning], np.sinh(features) * REFERENCE[meaning], features)


def log_change(new: float, old: float) -> float:
    """Return ``log(new / old)`` held within +-4, with sizes below one thousandth counted as that."""
    return max(-4.0, min(4.0, math.log(max(new, 1e-3) / max(old, 1e-3))))


def log_duration(seconds: float) -> float:
    """Return a duration as a feature: ``log1p(seconds) / 6`` (about 1 at seven minutes)."""
    return math.log1p(max(seconds, 0.0)) / 6.0


def log_amount(amount: float) -> float:
    """Return a count or rate as a feature: ``log1p(amount) / 6``."""
    return math.log1p(max(amount, 0.0)) / 6.0
