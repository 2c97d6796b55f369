"""Numbers as tensors of no dimension: an operation converts a Python number anew each time, which costs its time."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=1024)
def scalar(value: float) -> Tensor:
    """Return a number as a 32-bit tensor, which operations on tensors of any device take; it must not be changed."""
    return torch.tensor(value, dtype=torch.float32)


@lru_cache(maxsize=1024)
def bits(value: int) -> Tensor:
    """Return a whole number as a signed 32-bit tensor."""
    return torch.tensor(value, dtype=torch.int32)
