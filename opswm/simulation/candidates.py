"""Candidate courses of a simulated decision point, as the benchmark asks for them: blind to the truth.

They depend on the system, on what monitoring stored and on a seed, and on nothing else: actions of several types where
alerts fire, the same types at wrong targets, other magnitudes, some that are plausibly harmful, the rest drawn evenly.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from opswm.simulation.alerts import alert_events
from opswm.simulation.embodiment import capability_id, typed_parameters
from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.candidates import unusualness
from opswm.simulation.kernel.courses import FORMS
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.scene import Scene
from opswm_schemas.questions import CandidateAction, Course

FOCUSED_TYPES: Final = 4
WRONG_TARGETS: Final = 3
OTHER_MAGNITUDES: Final = 2
HARMFUL: Final = 2
LEAST_FOCUSED: Final = 3
"""Entities that count as alerting at least: the most unusual ones where fewer alert."""

_PURPOSE: Final = 23
_TAKES_AWAY: Final = frozenset({"kill_instance", "drain", "cordon", "quarantine", "failover", "circuit_break"})
_LESS_IS_WORSE: Final = frozenset({"scale_horizontal", "scale_vertical", "rate_limit", "pool_resize", "timeout_retry"})
_MORE_IS_WORSE: Final = frozenset({"load_shed"})
_HARSH: Final = frozenset({"flush", "all", "purge"})
"""Operations that throw away what is there."""


@dataclass(frozen=True)
class _Choice:
    """An ability with one of its levels."""

    ability: Ability
    level: Level


def candidates_of(scene: Scene, count: int = 16) -> list[Course]:
    """Return the candidates of a decision point; the first waits, the others are in random order.

    Args:
        scene: The world; only its system and what was stored of it are read.
        count: How many, waiting included; fewer where the system can do less.
    """
    rng = scene.rng(_PURPOSE)
    blueprint = scene.blueprint
    choices = [_Choice(ability, level) for ability in blueprint.abilities for level in ability.levels]
    order = [choices[at] for at in rng.permutation(len(choices))]
    hot = _alerting(scene)
    picked: list[_Choice] = []
    _take(picked, _of_different_types(order, hot), FOCUSED_TYPES, count)
    focused = list(picked)
    _take(picked, _elsewhere(order, focused, hot), WRONG_TARGETS, count)
    _take(picked, _other_levels(order, focused, picked), OTHER_MAGNITUDES, count)
    _take(picked, (choice for choice in order if _is_harsh(choice)), HARMFUL, count)
    _take(picked, order, len(order), count)
    shuffled = [picked[at] for at in rng.permutation(len(picked))]
    names = _names(scene.seed, len(shuffled) + 1)
    return [
        Course(course_id=names[0]),
        *(_course(blueprint, name, one) for name, one in zip(names[1:], shuffled, strict=True)),
    ]


def shuffled(courses: Sequence[Course], seed: int) -> list[int]:
    """Return the order in which candidates are shown, so that waiting is not always the first."""
    return sorted(range(len(courses)), key=lambda at: sha256(f"{seed} {courses[at].course_id}".encode()).digest())


def _take(picked: list[_Choice], found: Iterable[_Choice], most: int, count: int) -> None:
    """Add up to ``most`` new ones, as long as there is room beside waiting."""
    taken = 0
    for choice in found:
        if taken >= most or len(picked) >= count - 1:
            return
        if choice not in picked:
            picked.append(choice)
            taken += 1


def _alerting(scene: Scene) -> set[str]:
    """Return the entities with an alert that fires at the decision, filled up with the most unusual ones."""
    firing: dict[tuple[str, str], bool] = {}
    for event in sorted(alert_events(scene), key=lambda event: event.event_at):
        firing[event.entity_id or "", event.name] = event.type == "alert_fired"
    hot = {entity for (entity, _), fires in firing.items() if fires}
    able = {ability.target for ability in scene.blueprint.abilities}
    stored = np.nan_to_num(np.stack([scene.stored[name] for name in SIGNALS], -1)).astype(np.float32)
    score = unusualness(stored, scene.blueprint)
    for index in np.argsort(-score, kind="stable"):
        if len(hot & able) >= LEAST_FOCUSED:
            break
        hot.add(scene.blueprint.parts[index].name)
    return hot


def _of_different_types(order: Sequence[_Choice], hot: set[str]) -> Iterator[_Choice]:
    seen: set[str] = set()
    for choice in order:
        if choice.ability.target in hot and choice.ability.type not in seen:
            seen.add(choice.ability.type)
            yield choice


def _elsewhere(order: Sequence[_Choice], focused: Sequence[_Choice], hot: set[str]) -> Iterator[_Choice]:
    for wanted in focused:
        cold = (one for one in order if one.ability.type == wanted.ability.type and one.ability.target not in hot)
        yield from list(cold)[:1]


def _other_levels(order: Sequence[_Choice], focused: Sequence[_Choice], picked: Sequence[_Choice]) -> Iterator[_Choice]:
    for wanted in focused:
        others = (one for one in order if one.ability == wanted.ability and one not in picked)
        yield from list(others)[:1]


def _is_harsh(choice: _Choice) -> bool:
    """Return whether an action takes something away that is in use, as far as its parameters say."""
    ability, level = choice.ability, choice.level
    amounts = [one.amount for one in ability.levels]
    form = FORMS.get(ability.type)
    if form is not None and form.option and level.option < len(form.choices) and form.choices[level.option] in _HARSH:
        return True
    if ability.type in _TAKES_AWAY:
        return True
    if ability.type in _LESS_IS_WORSE:
        return len(set(amounts)) > 1 and level.amount == min(amounts)
    return ability.type in _MORE_IS_WORSE and level.amount == max(amounts)


def _names(seed: int, count: int) -> list[str]:
    """Return ids that tell nothing."""
    return [f"c-{sha256(f'{seed} {_PURPOSE} {number}'.encode()).hexdigest()[:10]}" for number in range(count)]


def _course(blueprint: Blueprint, name: str, choice: _Choice) -> Course:
    action = CandidateAction(
        target=choice.ability.target,
        params=typed_parameters(blueprint, choice.ability, choice.level),
        capability_id=capability_id(choice.ability),
    )
    return Course(course_id=name, actions=[action])
