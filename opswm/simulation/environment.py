"""One simulated system as a Gymnasium environment: read its channels, do something or wait, pay for what users suffer.

Every episode is another incident of the same system. What is hidden in the simulator is hidden here: observations are
what monitoring stored, with a mask, and what the system's descriptor says.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, cast

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from opswm.canonical import FEATURE_LIMIT, to_feature
from opswm.errors import BadInputError
from opswm.simulation.engines import WORLDS_VERSION
from opswm.simulation.kernel import noise
from opswm.simulation.kernel.assemble import assemble
from opswm.simulation.kernel.blueprint import Ability, Blueprint, Level
from opswm.simulation.kernel.courses import tape_of
from opswm.simulation.kernel.episodes import ALERT_SHARE, ALERT_TICKS, INCIDENT_DRAWS
from opswm.simulation.kernel.healthy import System, warm_systems
from opswm.simulation.kernel.incidents import Request, draw_incident
from opswm.simulation.kernel.observe import measured, observe
from opswm.simulation.kernel.parameters import WorldParameters
from opswm.simulation.kernel.signals import SIGNALS
from opswm.simulation.kernel.simulate import simulate
from opswm.simulation.kernel.state import WorldState
from opswm_schemas.vocabulary import ENTITY_KINDS, MEANING_INDEX

Observation = dict[str, NDArray[Any]]

_MEANINGS: Final = np.array([MEANING_INDEX[name] for name in SIGNALS])
_LATENCY: Final = np.array([MEANING_INDEX["latency_p99"]])


@dataclass(frozen=True)
class EnvironmentConfig:
    """Which system, and how long an episode is.

    Attributes:
        system: The demo system, or a random one.
        system_seed: Which random one; also keys the noise of every episode.
        context_ticks: Ticks that are lived through before the first action, with the incident in them.
        window_ticks: Ticks that an observation shows.
        horizon_ticks: Actions of an episode.
        step_s: Telemetry step, and the time between two actions.
        calm_share: Chance that an episode may begin although users do not suffer; otherwise incidents are redrawn a few
            times until they do.
        worlds_version: Version of what a seed means; a configuration that was kept from another one is refused.
    """

    system: System = "web_shop"
    system_seed: int = 0
    context_ticks: int = 24
    window_ticks: int = 8
    horizon_ticks: int = 32
    step_s: int = 5
    calm_share: float = 0.1
    worlds_version: int = WORLDS_VERSION

    def __post_init__(self) -> None:
        if self.worlds_version != WORLDS_VERSION:
            raise BadInputError(
                f"worlds_version is {self.worlds_version}, and this version of opswm makes worlds of version "
                f"{WORLDS_VERSION}: seed {self.system_seed} means another system to it; begin anew, without the old one"
            )
        if not 1 <= self.window_ticks <= self.context_ticks or self.horizon_ticks < 1:
            raise ValueError(
                f"window_ticks is {self.window_ticks}, context_ticks {self.context_ticks} and horizon_ticks "
                f"{self.horizon_ticks}; the window must lie within the context, and all of them need a tick"
            )
        if self.system_seed < 0 or not 0.0 <= self.calm_share <= 1.0:
            raise ValueError(
                f"system_seed is {self.system_seed} and calm_share {self.calm_share}; give 0 or more, and a share"
            )


class OperationsEnvironment(gymnasium.Env[Observation, np.int64]):
    """An operator's view of one system.

    Action 0 waits; the others are the system's abilities with each of their candidate parameters, in the order of
    :attr:`choices`. Requests take effect after the delay that the system has for them, or fail.

    The reward of a tick is minus its SLO cost in bad minutes (weighted bad share of first attempts times the length of
    the tick), minus what the requested action costs. An episode is truncated at the horizon and never terminates.

    Observations are ``channels`` ``[T, N, C]`` (features of canonical readings, 0 where unread), ``seen`` of the same
    shape, ``structure`` ``[N, F]`` (kind of each entity, then weight and latency threshold of its objective) and
    ``elapsed`` (share of the horizon that has passed).

    Args:
        config: Which system; the demo system where left out.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(self, config: EnvironmentConfig | None = None) -> None:
        self.config = config or EnvironmentConfig()
        warm = warm_systems(self.config.system, [self.config.system_seed], self.config.step_s)
        self.blueprint: Blueprint = warm.blueprints[0]
        self.choices: tuple[tuple[Ability, Level] | None, ...] = (
            None,
            *((ability, level) for ability in self.blueprint.abilities for level in ability.levels),
        )
        self._warm = warm.state
        self._there = measured([self.blueprint], len(self.blueprint.parts))
        self._structure = _structure(self.blueprint)
        shape = (self.config.window_ticks, len(self.blueprint.parts), len(SIGNALS))
        self.action_space = spaces.Discrete(len(self.choices))
        shown = spaces.Dict(
            {
                "channels": spaces.Box(-FEATURE_LIMIT, FEATURE_LIMIT, shape, np.float32),
                "seen": spaces.MultiBinary(shape),
                "structure": spaces.Box(0.0, FEATURE_LIMIT, self._structure.shape, np.float32),
                "elapsed": spaces.Box(0.0, 1.0, (1,), np.float32),
            }
        )
        self.observation_space = cast("spaces.Space[Observation]", shown)
        self._episode: _Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Return what is seen of a new incident.

        Args:
            seed: Of the incident and of all later ones, until the next seed.
            options: None are known.
        """
        super().reset(seed=seed)
        config, rng = self.config, self.np_random
        calm = rng.random() < config.calm_share
        decision_s = float(self._warm.second + config.context_ticks * config.step_s)
        for _ in range(INCIDENT_DRAWS):
            incident = draw_incident(self.blueprint, decision_s, float(config.context_ticks * config.step_s), rng)
            parameters = assemble([replace(self.blueprint, breakages=incident.breakages)])
            seeds = noise.world_seeds(0, torch.tensor([config.system_seed]), _future(rng))
            state = replace(self._warm, fault_left=parameters.faults.there.clone())
            empty = torch.zeros(1, 0, len(self.blueprint.parts), len(SIGNALS))
            episode = _Episode(parameters, state, seeds, list(incident.past), empty, empty.bool(), 0)
            share = self._advance(episode, config.context_ticks)
            if calm or float(share[-ALERT_TICKS:].mean()) > ALERT_SHARE:
                break
        self._episode = episode
        return self._observation(episode), {"second": episode.state.second}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Request an action, let one tick pass, and return what then is seen.

        Args:
            action: Number of the choice.

        Raises:
            gymnasium.error.ResetNeeded: Before the first reset.
            gymnasium.error.InvalidAction: When there is no such choice.
        """
        episode = self._episode
        if episode is None:
            raise gymnasium.error.ResetNeeded("call reset before step: there is no incident yet")
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(f"action is {action}; it must be one of 0 to {len(self.choices) - 1}")
        choice, own = self.choices[int(action)], 0.0
        if choice is not None:
            ability, level = choice
            episode.requests.append(Request(ability, level, float(episode.state.second)))
            own = float(ability.cost)
        share = self._advance(episode, 1)
        episode.ticks += 1
        bad_minutes = float(share[0]) * self.config.step_s / 60.0
        told = {"second": episode.state.second, "bad_minutes": bad_minutes, "action_cost_bad_minutes": own}
        truncated = episode.ticks >= self.config.horizon_ticks
        return self._observation(episode), -(bad_minutes + own), False, truncated, told

    def _advance(self, episode: "_Episode", ticks: int) -> Tensor:
        """Let time pass and return the weighted bad share of each tick."""
        first = episode.state.second // self.config.step_s
        tape = tape_of([self.blueprint], [episode.requests])
        episode.state, seen = simulate(episode.parameters, episode.state, tape, ticks, episode.seeds)
        missing = torch.tensor([self.blueprint.missing_ratio])
        value, stored = observe(seen.signals, self._there, missing, episode.seeds, first, self.config.step_s)
        shown = self.config.window_ticks
        episode.value = torch.cat([episode.value, value], 1)[:, -shown:]
        episode.seen = torch.cat([episode.seen, stored], 1)[:, -shown:]
        share = seen.bad[0] / seen.offered[0].clamp(min=1.0)
        return (share * episode.parameters.objectives.weight[0]).sum(-1)

    def _observation(self, episode: "_Episode") -> Observation:
        seen = episode.seen[0].numpy()
        value = np.where(seen, episode.value[0].numpy().astype(np.float64), 0.0)
        return {
            "channels": np.where(seen, to_feature(value, _MEANINGS), 0.0).astype(np.float32),
            "seen": seen.astype(np.int8),
            "structure": self._structure.copy(),
            "elapsed": np.array([min(1.0, episode.ticks / self.config.horizon_ticks)], dtype=np.float32),
        }


@dataclass
class _Episode:
    """An incident as far as it has been lived; changes with every step."""

    parameters: WorldParameters
    state: WorldState
    seeds: Tensor
    requests: list[Request]
    value: Tensor
    seen: Tensor
    ticks: int


def _future(rng: np.random.Generator) -> Tensor:
    """Return the number of an exogenous future, drawn."""
    return torch.from_numpy(rng.integers(1, 2**31 - 1, size=1))


def _structure(blueprint: Blueprint) -> NDArray[np.float32]:
    """Return what the descriptor says of each entity: one column per kind, weight and threshold of its objective."""
    table = np.zeros((len(blueprint.parts), len(ENTITY_KINDS) + 2), dtype=np.float32)
    for position, part in enumerate(blueprint.parts):
        table[position, ENTITY_KINDS.index(part.kind)] = 1.0
    for goal in blueprint.goals:
        position = blueprint.index(goal.entity)
        table[position, -2] += goal.weight
        table[position, -1] = to_feature(np.array([float(goal.threshold_s)]), _LATENCY)[0]
    return table
