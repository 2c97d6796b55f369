"""Where all types of action are asked for every one can be taken, and says what it does in the contracts."""

import numpy as np
import pytest

from opswm.simulation.embodiment import descriptor_of, typed_parameters
from opswm.simulation.kernel.blueprint import Blueprint
from opswm.simulation.kernel.courses import FORMS, level_of, plain_parameters
from opswm.simulation.kernel.topologies import random_blueprint


@pytest.fixture(scope="module")
def able() -> list[Blueprint]:
    """Random systems in which every type of action can be taken."""
    return [random_blueprint(np.random.default_rng(seed), 24, actions="all") for seed in range(6)]


def test_every_type_can_be_taken_somewhere(able: list[Blueprint]) -> None:
    """No type that a simulated system carries out is never drawn."""
    assert {ability.type for blueprint in able for ability in blueprint.abilities} == set(FORMS)


def test_parameters_survive_the_contracts(able: list[Blueprint]) -> None:
    """Levels become typed parameters, and plain parameters become the same levels again."""
    for blueprint in able:
        for ability in blueprint.abilities:
            for level in ability.levels:
                plain = plain_parameters(blueprint, ability, level)
                assert typed_parameters(blueprint, ability, level).type == ability.type
                again = level_of(ability.type, plain)
                assert plain_parameters(blueprint, ability, again) == plain


def test_a_descriptor_says_what_a_configuration_key_sets(able: list[Blueprint]) -> None:
    """Bounds of a configuration change name the reading, and ids of capabilities differ."""
    capabilities = descriptor_of(able[0]).capabilities
    keys = [capability for capability in capabilities if capability.type == "config_change"]
    assert {capability.bounds["new"].sets for capability in keys} == {"task_slots"}
    assert len({capability.capability_id for capability in capabilities}) == len(capabilities)


def test_usual_systems_are_drawn_as_ever() -> None:
    """Without being asked for, no ability, quality or execution is added."""
    usual = random_blueprint(np.random.default_rng(3), 24)
    assert {ability.type for ability in usual.abilities}.isdisjoint({"deploy", "cordon", "queue_op", "quarantine"})
    assert "deploy" not in usual.executions
    assert all(part.next_factor == 1.0 and part.bloat == 0.0 for part in usual.parts)
