"""Types and constants of the vocabularies say the same."""

from typing import Any, get_args

import pytest

from opswm_schemas import kinds, vocabulary
from opswm_schemas.actions.parameters import parameter_model
from opswm_schemas.units import conversion_factor


@pytest.mark.parametrize(
    ("literal", "constants"),
    [
        (kinds.EntityKind, vocabulary.ENTITY_KINDS),
        (kinds.RelationKind, vocabulary.RELATION_KINDS),
        (kinds.ActionType, vocabulary.ACTION_TYPES),
        (kinds.Resource, vocabulary.RESOURCES),
    ],
)
def test_types_equal_constants(literal: Any, constants: tuple[str, ...]) -> None:
    """Each closed vocabulary lists the same words in the same order as a type and as a constant."""
    assert get_args(literal) == constants


def test_every_action_type_has_parameters() -> None:
    """Each action type has a parameter model tagged with it, and no two types share one."""
    models = [parameter_model(name) for name in vocabulary.ACTION_TYPES]
    assert [model.model_fields["type"].default for model in models] == list(vocabulary.ACTION_TYPES)
    assert len(set(models)) == len(vocabulary.ACTION_TYPES)


def test_names_are_unique() -> None:
    """No word stands twice in a vocabulary, because its place is its index in a checkpoint."""
    for words in (
        vocabulary.ENTITY_KINDS,
        vocabulary.RELATION_KINDS,
        vocabulary.ACTION_TYPES,
        vocabulary.RESOURCES,
        vocabulary.ACTION_FEATURES,
        tuple(meaning.name for meaning in vocabulary.MEANINGS),
    ):
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("meaning", vocabulary.MEANINGS, ids=lambda meaning: meaning.name)
def test_canonical_units_are_ucum(meaning: vocabulary.Meaning) -> None:
    """Every canonical unit is a UCUM code, a ratio is a plain number, and a reference size is positive."""
    assert conversion_factor(meaning.unit, meaning.unit) == 1.0
    assert meaning.reference > 0
    if meaning.scale == "ratio":
        assert (meaning.unit, meaning.reference) == ("1", 1.0)
