"""Several systems in one batch: every axis is padded to the longest, and all padding is masked."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import torch
from torch import Tensor

from opswm.errors import BadInputError
from opswm.tensors import ActionSlots, Batch, History, Situation, Structure

_Record = TypeVar("_Record", Structure, History, ActionSlots)


def stack_situations(situations: Sequence[Situation]) -> Situation:
    """Return one batch of several situations; shorter histories are padded as unseen at their old end.

    Args:
        situations: At least one, of any sizes.

    Raises:
        BadInputError: When there is none.
    """
    return Situation(
        structure=_stack([situation.structure for situation in situations]),
        history=_stack([situation.history for situation in situations], front={1}),
        past=_stack([situation.past for situation in situations]),
    )


def stack_courses(courses: Sequence[ActionSlots]) -> ActionSlots:
    """Return one batch of several sets of courses.

    Padded courses have no action at all, which is ``no_op``: a caller keeps its own count per row.

    Args:
        courses: At least one; must come from the systems of one batch, in its order.

    Raises:
        BadInputError: When there is none.
    """
    return _stack(courses)


def stack_batches(batches: Sequence[Batch]) -> Batch:
    """Return one training batch of several, of systems of any sizes; padded arms have no outcome.

    Args:
        batches: At least one, all with the same horizon.

    Raises:
        BadInputError: When there is none, or horizons differ.
    """
    if len({batch.bad.shape[2] for batch in batches}) > 1:
        raise BadInputError("batches with different horizons cannot be stacked; cut them to the same length first")
    situation = stack_situations([batch.situation for batch in batches])
    rest = {
        name: _padded([getattr(batch, name) for batch in batches], frozenset())
        for name in ("arm", "bad", "effect", "effect_error", "channel", "channel_seen")
    }
    return Batch(situation=situation, courses=stack_courses([batch.courses for batch in batches]), **rest)


def _stack(records: Sequence[_Record], front: frozenset[int] | set[int] = frozenset()) -> _Record:
    if not records:
        raise BadInputError("nothing to stack: give at least one decision point")
    kind = type(records[0])
    return kind(**{f.name: _padded([getattr(record, f.name) for record in records], front) for f in fields(kind)})


def _padded(tensors: list[Tensor], front: frozenset[int] | set[int]) -> Tensor:
    """Concatenate along ``B`` after padding every other axis with zeros (false, for masks)."""
    longest = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    whole = []
    for tensor in tensors:
        larger = tensor.new_zeros((tensor.shape[0], *longest))
        place = [slice(None)]
        for axis, (size, wanted) in enumerate(zip(tensor.shape[1:], longest, strict=True), start=1):
            place.append(slice(wanted - size, wanted) if axis in front else slice(0, size))
        larger[tuple(place)] = tensor
        whole.append(larger)
    return torch.cat(whole)
