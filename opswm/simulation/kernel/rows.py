"""Rows of nested dataclasses of tensors: worlds are taken, repeated, joined and moved as one."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

T = TypeVar("T")


def map_tensors(value: T, function: Callable[[Tensor], Tensor]) -> T:
    """Return a copy of a (nested) dataclass with ``function`` applied to each tensor; other fields stay.

    Args:
        value: A frozen dataclass whose fields are tensors, dataclasses or plain values.
        function: What to do with each tensor.
    """
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        item = getattr(value, field.name)
        if isinstance(item, Tensor):
            changed[field.name] = function(item)
        elif is_dataclass(item) and not isinstance(item, type):
            changed[field.name] = map_tensors(item, function)
    return replace(value, **changed)  # type: ignore[type-var]


def positions(mask: Bool[Tensor, " M"]) -> Int[Tensor, " P"]:
    """Return where a mask holds; on the processor numpy finds out in a fraction of torch's time."""
    return mask.nonzero()[:, 0] if mask.is_cuda else torch.from_numpy(np.flatnonzero(mask.numpy()))


def take_rows(value: T, rows: Int[Tensor, " R"]) -> T:
    """Return the given rows (worlds) of every tensor; rows may repeat, which is how futures branch."""
    return map_tensors(value, lambda tensor: tensor.index_select(0, rows))


def join_rows(values: Sequence[T]) -> T:
    """Return several batches of worlds as one; plain fields must agree.

    Raises:
        ValueError: When there is nothing to join, or a plain field differs between the batches.
    """
    if not values:
        raise ValueError("nothing to join: give at least one batch of worlds")
    first, changed = values[0], {}
    for field in fields(first):  # type: ignore[arg-type]
        items = [getattr(value, field.name) for value in values]
        if isinstance(items[0], Tensor):
            changed[field.name] = torch.cat(items)
        elif is_dataclass(items[0]) and not isinstance(items[0], type):
            changed[field.name] = join_rows(items)
        elif any(item != items[0] for item in items):
            raise ValueError(
                f"batches differ in {field.name!r}: {sorted({str(item) for item in items})}; join only like with like"
            )
    return replace(first, **changed)  # type: ignore[type-var]


def put_rows(value: T, rows: Int[Tensor, " R"], new: T) -> T:
    """Return the batch with some worlds replaced; plain fields are those of ``new``."""
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        old, item = getattr(value, field.name), getattr(new, field.name)
        if isinstance(item, Tensor):
            changed[field.name] = old.index_copy(0, rows, item)
        elif is_dataclass(item) and not isinstance(item, type):
            changed[field.name] = put_rows(old, rows, item)
        else:
            changed[field.name] = item
    return replace(value, **changed)  # type: ignore[type-var]


def overwrite_rows(value: T, rows: Int[Tensor, " R"], new: T) -> None:
    """Replace some worlds of a batch in place, which nothing else may hold; plain fields stay.

    Args:
        value: The batch.
        rows: Which worlds.
        new: Their replacements.
    """
    for field in fields(value):  # type: ignore[arg-type]
        old, item = getattr(value, field.name), getattr(new, field.name)
        if isinstance(item, Tensor):
            old.index_copy_(0, rows, item)
        elif is_dataclass(item) and not isinstance(item, type):
            overwrite_rows(old, rows, item)


def lay_rows(value: T, rows: Int[Tensor, " R"], new: T) -> T:
    """Return the batch with some worlds replaced by those of a batch of other sizes.

    Args:
        value: The batch; what lies beyond the sizes of ``new`` stays as it is there.
        rows: Which worlds.
        new: Their replacements, of which only what fits into ``value`` is taken: a batch is as wide as its widest
            world, so that what is beyond is empty room. Plain fields are those of ``value``.
    """
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        old, item = getattr(value, field.name), getattr(new, field.name)
        if isinstance(item, Tensor):
            laid = old.clone()
            inner = tuple(slice(0, min(sizes)) for sizes in zip(item.shape[1:], old.shape[1:], strict=True))
            laid[(rows, *inner)] = item[(slice(None), *inner)]
            changed[field.name] = laid
        elif is_dataclass(item) and not isinstance(item, type):
            changed[field.name] = lay_rows(old, rows, item)
    return replace(value, **changed)  # type: ignore[type-var]
