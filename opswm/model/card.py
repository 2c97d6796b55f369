"""The card of a checkpoint: what the weights are, in plain JSON, and how it is checked before they are used."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from opswm.errors import BadInputError, CheckpointError
from opswm.model.config import GraphWorldModelConfig
from opswm_schemas.vocabulary import (
    ACTION_FEATURES,
    ACTION_TYPES,
    ENTITY_KINDS,
    MEANINGS,
    RELATION_KINDS,
    RESOURCES,
)

FORMAT: Final = "opswm-world-model"
FORMAT_VERSION: Final = 1
WEIGHTS: Final = "model.safetensors"
CARD: Final = "model.json"
LICENCE: Final = "Apache-2.0"

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "meanings": tuple(f"{m.name}|{m.unit}|{m.scale}|{m.reference:g}" for m in MEANINGS),
    "entity_kinds": ENTITY_KINDS,
    "relation_kinds": RELATION_KINDS,
    "action_types": ACTION_TYPES,
    "action_features": ACTION_FEATURES,
    "resources": RESOURCES,
}
_LARGEST_SIZE: Final = 4096


def vocabulary() -> dict[str, dict[str, Any]]:
    """Return size and digest of every vocabulary whose order gives a checkpoint's numbers their sense."""
    return {
        name: {"size": len(words), "sha256": hashlib.sha256("\n".join(words).encode()).hexdigest()}
        for name, words in _WORDS.items()
    }


def write_card(
    config: GraphWorldModelConfig, weights: Mapping[str, Any], about: Mapping[str, Any], calibration: Mapping[str, Any]
) -> bytes:
    """Return the card as JSON.

    Args:
        config: Of the model.
        weights: Digest and sizes of the weights file.
        about: Recipe, data, seeds, results.
        calibration: Plain JSON, or empty.

    Raises:
        CheckpointError: When something in it is no plain JSON.
    """
    card = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": "graph_world_model",
        "licence": LICENCE,
        "config": asdict(config),
        "vocabulary": vocabulary(),
        "weights": dict(weights),
        "about": dict(about),
        "calibration": dict(calibration),
    }
    try:
        return json.dumps(card, indent=1, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the card is not plain JSON ({error}); describe the checkpoint in plain values"
        ) from error


def read_card(path: Path, text: bytes) -> dict[str, Any]:
    """Return a card whose format and vocabulary are those of this opswm.

    Args:
        path: Where it was read, for messages.
        text: Its content.

    Raises:
        CheckpointError: When it is broken, foreign or of another version.
    """
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({error}); fetch the checkpoint again") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise CheckpointError(f"{path} does not describe an {FORMAT}: train one with `opswm train` or fetch another")
    if card.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {card.get('format_version')!r}, this opswm reads {FORMAT_VERSION}: use the "
            "opswm that wrote it, or train again"
        )
    parts = ("config", "vocabulary", "weights", "about", "calibration")
    missing = [name for name in parts if not isinstance(card.get(name), dict)]
    if missing or not isinstance(card["weights"].get("sha256"), str):
        raise CheckpointError(f"{path} lacks {', '.join(missing) or 'weights.sha256'}; fetch the checkpoint again")
    other = [name for name, expected in vocabulary().items() if card["vocabulary"].get(name) != expected]
    if other:
        raise CheckpointError(
            f"{path} was made with another vocabulary ({', '.join(other)}), so its numbers would mean something else "
            "here: use the opswm that wrote it, or train again"
        )
    return card


def read_config(path: Path, plain: Mapping[str, Any]) -> GraphWorldModelConfig:
    """Return the config of a card.

    Args:
        path: Where it was read, for messages.
        plain: Its ``config``.

    Raises:
        CheckpointError: When a field is missing, unknown, of a wrong kind or out of bounds.
    """
    known = {field.name for field in fields(GraphWorldModelConfig)}
    if set(plain) != known:
        named = ", ".join(sorted(set(plain) ^ known))
        raise CheckpointError(f"{path}: config differs in {named}; use the opswm that wrote it, or train again")
    values = dict(plain)
    try:
        values["quantiles"] = tuple(map(float, plain["quantiles"]))
        values["autocorrelation"] = float(plain["autocorrelation"])
        sizes = {name: value for name, value in values.items() if name not in ("quantiles", "autocorrelation")}
        wrong = [name for name, value in sizes.items() if type(value) is not int or not 0 < value <= _LARGEST_SIZE]
        if wrong:
            raise CheckpointError(
                f"{path}: config.{wrong[0]} is {values[wrong[0]]!r}, not between 1 and {_LARGEST_SIZE}"
            )
        return GraphWorldModelConfig(**values)
    except (BadInputError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: config cannot be used ({error}); fetch the checkpoint again") from error
