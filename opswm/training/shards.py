"""Batches at rest: safetensors files that are written atomically, checked when read, and streamed in training."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from opswm.errors import StoreError
from opswm.tensors import ActionSlots, Batch, History, Situation, Structure
from opswm.training.batches import take
from opswm.windows.stacking import stack_batches

POOL: Final = 4
"""Shards that are mixed with each other before they are cut into batches."""

_DIGEST: Final = "sha256"
_HALVED: Final = ("history.value", "channel")
_RECORDS: Final = {"structure": Structure, "history": History, "past": ActionSlots, "courses": ActionSlots}


def write_shard(path: Path, batch: Batch, identity: Mapping[str, Any]) -> None:
    """Write decision points to one file; either all of it is there afterwards or nothing.

    History and channels are kept in half precision, channels only of the courses that have any.

    Args:
        path: Of the file.
        batch: What to write.
        identity: Plain JSON that says what made the data; reading asks for the same.

    Raises:
        StoreError: When it cannot be written.
    """
    parts = {
        "structure": batch.situation.structure,
        "history": batch.situation.history,
        "past": batch.situation.past,
        "courses": batch.courses,
    }
    tensors: dict[str, Tensor] = {}
    for name, record in parts.items():
        tensors |= {f"{name}.{field.name}": getattr(record, field.name) for field in fields(record)}
    recorded = int(batch.channel_seen.flatten(2).any(2).any(0).sum())
    tensors |= {name: getattr(batch, name) for name in ("arm", "bad", "effect", "effect_error")}
    tensors |= {"channel": batch.channel[:, :recorded], "channel_seen": batch.channel_seen[:, :recorded]}
    ready = {name: (value.half() if name in _HALVED else value).contiguous().clone() for name, value in tensors.items()}
    digest = hashlib.sha256(_payload(safetensors.torch.save(ready))).hexdigest()
    about = json.dumps({**identity, _DIGEST: digest}, sort_keys=True)
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(safetensors.torch.save(ready, {"identity": about}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}; free some space or choose another folder") from error
    finally:
        if partial.exists():
            partial.unlink()


def shard_identity(path: Path) -> dict[str, Any] | None:
    """Return what made a shard, or None where the file is missing, damaged or no shard; all of it is read."""
    try:
        return _whole(path)[0]
    except (SafetensorError, OSError, ValueError):
        return None


def read_shard(path: Path) -> Batch:
    """Read decision points.

    Raises:
        StoreError: When the file cannot be read, is damaged or is no shard.
    """
    try:
        tensors = safetensors.torch.load(_whole(path)[1])
        records = {
            name: kind(**{field.name: tensors[f"{name}.{field.name}"] for field in fields(kind)})
            for name, kind in _RECORDS.items()
        }
        courses = tensors["arm"].shape[1]
        seen = tensors["channel_seen"]
        missing = (0, 0) * 3 + (0, courses - seen.shape[1])
        history = records["history"]
        return Batch(
            situation=Situation(
                structure=records["structure"],
                history=History(value=history.value.float(), seen=history.seen),
                past=records["past"],
            ),
            courses=records["courses"],
            channel=torch.nn.functional.pad(tensors["channel"].float(), missing),
            channel_seen=torch.nn.functional.pad(seen, missing),
            **{name: tensors[name] for name in ("arm", "bad", "effect", "effect_error")},
        )
    except (SafetensorError, OSError, KeyError, RuntimeError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read as training data ({error}); remove it to have it made again"
        ) from error


def _whole(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return a shard's identity and all its bytes.

    Raises:
        ValueError: When it is no shard, or its bytes are not those that were written.
    """
    data = path.read_bytes()
    with safe_open(path, framework="pt") as file:
        found = json.loads((file.metadata() or {}).get("identity", "null"))
    if not isinstance(found, dict) or _DIGEST not in found:
        raise ValueError("it does not say what made it")
    if found.pop(_DIGEST) != hashlib.sha256(_payload(data)).hexdigest():
        raise ValueError("it is damaged: its bytes have another SHA-256 than was written")
    return found, data


def _payload(data: bytes) -> memoryview:
    """Return what follows the header of a safetensors file, whose length stands in the first eight bytes."""
    return memoryview(data)[8 + int.from_bytes(data[:8], "little") :]


@dataclass(frozen=True)
class Shards:
    """Training data in files.

    Attributes:
        paths: The files.
        counts: Decision points in each.
        identity: A digest of what they are.
    """

    paths: tuple[Path, ...]
    counts: tuple[int, ...]
    identity: str

    @property
    def num_points(self) -> int:
        """How many decision points there are."""
        return sum(self.counts)

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Yield all points once; a few shards at a time are mixed, in an order that the generator decides."""
        order = torch.randperm(len(self.paths), generator=generator).tolist()
        left: Batch | None = None
        for first in range(0, len(order), POOL):
            read = [read_shard(self.paths[index]) for index in order[first : first + POOL]]
            pool = stack_batches([*read, left] if left is not None else read)
            mixed = torch.randperm(pool.arm.shape[0], generator=generator)
            last = first + POOL >= len(order)
            whole = len(mixed) if last else len(mixed) // batch_size * batch_size
            for start in range(0, whole, batch_size):
                yield take(pool, mixed[start : min(whole, start + batch_size)])
            left = take(pool, mixed[whole:]) if whole < len(mixed) else None


def open_shards(paths: Sequence[Path]) -> Shards:
    """Return files as training data.

    Args:
        paths: Written by :func:`write_shard`.

    Raises:
        StoreError: When a file is missing, damaged or no shard.
    """
    digest, counts = hashlib.sha256(), []
    for path in paths:
        identity = shard_identity(path)
        if identity is None:
            raise StoreError(f"{path} is missing, damaged or no training data; remove it to have it made again")
        digest.update(json.dumps(identity, sort_keys=True).encode())
        counts.append(int(identity["points"]))
    return Shards(tuple(paths), tuple(counts), digest.hexdigest())
