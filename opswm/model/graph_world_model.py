"""The graph world model: a belief from a set of readings, and the futures of many courses decoded at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from opswm.model.config import GraphWorldModelConfig
from opswm.model.courses import ForcedRound, Round
from opswm.model.forcings import ActionEncoder, PastActions, effective, reached
from opswm.model.heads import BadShareHead, ChannelHead
from opswm.model.losses import (
    LossWeights,
    bad_cross_entropy,
    channel_pinball,
    channel_response,
    effect_huber,
    effect_score,
    soft_regret,
)
from opswm.model.objectives import NUM_OBJECTIVE_FEATURES, at_objectives, objective_features
from opswm.model.patches import CONTEXT_STATISTICS, PATCH_STATISTICS, fit_context, history_statistics
from opswm.model.readings import ReadingEncoder, meaning_shares
from opswm.model.relations import RelationIndex, index_relations
from opswm.model.sampling import draw_noise, paired_effect, sample_bad
from opswm.model.support import Familiarity
from opswm.model.temporal import PatchMixer
from opswm.tensors import ActionSlots, Batch, Futures, Situation, Structure
from opswm_schemas.vocabulary import ENTITY_KINDS, MEANINGS

_LEVELS = tuple(CONTEXT_STATISTICS.index(name) for name in ("last", "recent", "baseline", "peak"))
_ANCHORS = tuple(CONTEXT_STATISTICS.index(name) for name in ("last", "recent", "medium", "baseline"))
_LOSS_NOISE_SEED = 20_011
_SPREAD = CONTEXT_STATISTICS.index("spread")


@dataclass(frozen=True)
class GraphBelief:
    """What the graph world model carries from the past into its futures.

    Attributes:
        structure: The systems.
        relations: Their relations, flattened.
        latent: Of each entity.
        objective: What is read of each objective.
        statistics: Of each slot over the context.
        summary: Of the whole belief, for support.
    """

    structure: Structure
    relations: RelationIndex
    latent: Float[Tensor, "B N D"]
    objective: Float[Tensor, "B O X"]
    statistics: Float[Tensor, "B N C F"]
    summary: Float[Tensor, "B Z"]


@dataclass(frozen=True)
class Decoded:
    """Everything decoded per course before any noise is drawn.

    Attributes:
        latent: Of each entity in each course.
        reach: How the entities that each course reaches change in it, against ``no_op``.
        log_odds: Of the bad share, by member.
        base: Spread of the no-op course.
        loadings: Of each course on the noise between courses.
    """

    latent: Float[Tensor, "B N S D"]
    reach: Float[Tensor, "B S D"]
    log_odds: Float[Tensor, "B S M H O"]
    base: Float[Tensor, "B H O"]
    loadings: Float[Tensor, "B S H O J"]


class GraphWorldModel(nn.Module):
    """A relational world model over sets of readings, conditioned on typed actions.

    The history is encoded once; all courses are then decoded in parallel, all ticks at once (after Fast-LeWM,
    arXiv 2606.26217). Nothing depends on the order of entities, relations, slots or courses, or on names.

    Args:
        config: Sizes.
        weights: How much each term of the loss counts.
    """

    def __init__(self, config: GraphWorldModelConfig, weights: LossWeights | None = None) -> None:
        super().__init__()
        self.config = config
        self.weights = LossWeights() if weights is None else weights
        width, hidden = config.width, config.hidden
        self.read_patches = ReadingEncoder(len(PATCH_STATISTICS), width)
        self.read_context = ReadingEncoder(len(CONTEXT_STATISTICS), width)
        self.past = PastActions(width, config.patch_ticks, config.context_patches)
        self.mix_patches = PatchMixer(config.context_patches, width, hidden)
        self.kind = nn.Embedding(len(ENTITY_KINDS), width)
        self.step_length = nn.Linear(1, width)
        self.objective = nn.Linear(NUM_OBJECTIVE_FEATURES + 1, width)
        self.objective_meaning = nn.Embedding(len(MEANINGS), width)
        self.history = nn.ModuleList(Round(width, config.message_width, hidden) for _ in range(config.history_rounds))
        self.encode_action = ActionEncoder(width, config.patch_ticks)
        self.rounds = nn.ModuleList(ForcedRound(width, config.message_width, hidden) for _ in range(config.rounds))
        self.norm = nn.LayerNorm(width)
        self.bad = BadShareHead(
            4 * width, hidden // 2, config.members, config.horizon_ticks, config.horizon_patches, config.noise
        )
        self.channel = ChannelHead(
            2 * width, config.horizon_ticks, config.horizon_patches, config.quantiles, len(_ANCHORS)
        )
        self.familiarity = Familiarity(2 * width)

    @property
    def horizon_ticks(self) -> int:
        """How many ticks ahead it can imagine."""
        return self.config.horizon_ticks

    @property
    def context_ticks(self) -> int:
        """How many context ticks it looks at."""
        return self.config.context_ticks

    def observe(self, situation: Situation) -> GraphBelief:
        """Encode the history once, without any knowledge of the courses."""
        structure = situation.structure
        value, seen = fit_context(situation.history.value, situation.history.seen, self.config.context_ticks)
        seen = seen & structure.channel[:, None]
        value = torch.where(seen, value, torch.zeros_like(value))
        by_patch, statistics = history_statistics(value, seen, self.config.patch_ticks)
        shares = meaning_shares(structure.meaning, structure.channel, value.dtype)
        injected, done = self.past(situation.past)
        patches = self.read_patches(by_patch, shares)
        objective = self._objectives(structure, statistics)
        about = torch.zeros_like(patches[:, 0]).scatter_add(
            1, structure.objective_entity[..., None].expand(-1, -1, self.config.width), objective
        )
        latent = (
            self.mix_patches(patches + injected)
            + self.read_context(statistics[:, None], shares)[:, 0]
            + self.kind(structure.kind)
            + self.step_length(torch.log(structure.step_s.clamp(min=1e-3))[:, None])[:, None]
            + done
            + about
        )
        relations = index_relations(structure, value.dtype)
        for layer in self.history:
            latent = layer(latent[:, :, None], relations)[:, :, 0]
        there = structure.entity.to(value.dtype)[..., None]
        overall = (latent * there).sum(1) / there.sum(1).clamp(min=1.0)
        weight = structure.objective_weight * structure.objective_there
        promised = torch.einsum("bod,bo->bd", at_objectives(latent, structure), weight)
        summary = torch.cat([overall, promised], dim=-1)
        return GraphBelief(structure, relations, latent, objective, statistics, summary)

    def decode(self, belief: GraphBelief, courses: ActionSlots) -> Decoded:
        """Carry the forcings of every course through the system and read the objectives.

        Args:
            belief: From :meth:`observe`.
            courses: Requests only; scenario 0 is no_op.
        """
        there = effective(courses, float(self.config.horizon_ticks))
        field = self.encode_action.field(courses, self.encode_action.words(courses, there))
        x = belief.latent[:, :, None].expand(-1, -1, courses.tick.shape[1], -1)
        for layer in self.rounds:
            x = layer(x, field, belief.relations)
        x = self.norm(x)
        touched = reached(courses, there)
        reach = _reach(x, touched)
        log_odds, base, loadings = self.bad(self._read(belief, x, reach), touched.any(dim=1))
        return Decoded(latent=x, reach=reach, log_odds=log_odds, base=base, loadings=loadings)

    def imagine(
        self, belief: GraphBelief, courses: ActionSlots, generator: torch.Generator, bands: bool = True
    ) -> Futures:
        """Decode all courses in parallel from one belief.

        Args:
            belief: From :meth:`observe`.
            courses: Requests only; scenario 0 is no_op.
            generator: Source of the noise that all courses share.
            bands: Whether channel quantiles are wanted; without them ``channel`` has no entities.
        """
        config, structure = self.config, belief.structure
        decoded = self.decode(belief, courses)
        noise = draw_noise(
            config.samples, config.members, config.horizon_ticks, config.noise, config.autocorrelation, generator
        )
        bad = sample_bad(decoded.log_odds, decoded.base, decoded.loadings, noise)
        bad = bad * structure.objective_there[:, None, None, None]
        there = effective(courses, float(config.horizon_ticks))
        forced = reached(courses, there).any(dim=1)
        effect = paired_effect(bad, structure.objective_weight) * forced[..., None]
        return Futures(
            quantiles=torch.tensor(config.quantiles),
            channel=self.bands(belief, decoded.latent if bands else decoded.latent[:, :0], decoded.reach),
            bad=bad,
            effect=effect,
            support=self.familiarity(belief.summary, courses, there),
        )

    def bands(
        self, belief: GraphBelief, latent: Float[Tensor, "B N S D"], reach: Float[Tensor, "B S D"]
    ) -> Float[Tensor, "B S H N C Q"]:
        """Return channel quantiles of the first ``B`` points and ``N`` entities from decoded latents.

        What an action changes where it acts is read at every entity, since messages travel only a few hops.

        Args:
            belief: From :meth:`observe`.
            latent: From :meth:`decode`.
            reach: From :meth:`decode`.
        """
        points, entities = latent.shape[:2]
        latent = torch.cat([latent, reach[:, None].expand_as(latent)], dim=-1)
        statistics = belief.statistics[:points, :entities]
        meaning = belief.structure.meaning[:points, :entities]
        return self.channel(latent, statistics[..., list(_ANCHORS)], statistics[..., _SPREAD], meaning)  # type: ignore[no-any-return]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named terms of the training loss and their weighted ``total``.

        The noise is the same in every call, so a loss is a function of parameters and batch alone. Channels are
        judged in the first few courses of some points; a trainer that shuffles covers all of them.
        """
        config, weights, structure = self.config, self.weights, batch.situation.structure
        belief = self.observe(batch.situation)
        decoded = self.decode(belief, batch.courses)
        noise = draw_noise(
            weights.noise_per_member * config.members, config.members, config.horizon_ticks, config.noise,
            config.autocorrelation, torch.Generator().manual_seed(_LOSS_NOISE_SEED),
        )  # fmt: skip
        weight = structure.objective_weight * structure.objective_there
        sampled = paired_effect(sample_bad(decoded.log_odds, decoded.base, decoded.loadings, noise), weight)
        by_member = sampled.reshape(*sampled.shape[:2], -1, config.members).mean(dim=2)
        few = slice(0, weights.channel_courses)
        some = slice(0, max(1, round(weights.channel_points * batch.arm.shape[0])))
        seen = batch.channel_seen[some, few] & batch.arm[some, few, None, None, None]
        bands = self.bands(belief, decoded.latent[some, :, few], decoded.reach[some, few])
        terms = {
            "bad": bad_cross_entropy(decoded.log_odds, batch.bad, weight, batch.arm),
            "effect": effect_huber(by_member, batch.effect, batch.effect_error, batch.arm),
            "spread": effect_score(sampled, batch.effect, batch.arm),
            "choice": soft_regret(sampled.mean(dim=2), batch.effect, batch.arm, weights.temperature),
            "channel": channel_pinball(bands, torch.tensor(config.quantiles), batch.channel[some, few], seen),
            "response": channel_response(bands, batch.channel[some, few], seen),
        }
        return terms | {"total": torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()}

    def _objectives(self, structure: Structure, statistics: Tensor) -> Tensor:
        given = objective_features(structure, statistics, torch.tensor(_LEVELS))
        given = torch.cat([given, structure.objective_threshold[..., None]], dim=-1)
        vector = self.objective(given) + self.objective_meaning(structure.objective_meaning)
        return vector * structure.objective_there[..., None]  # type: ignore[no-any-return]

    def _read(self, belief: GraphBelief, x: Tensor, reach: Float[Tensor, "B S D"]) -> Float[Tensor, "B S O X"]:
        """What the bad-share head reads: the objective and its entity, all entities, the change of those reached."""
        there = belief.structure.entity.to(x.dtype)[:, :, None, None]
        overall = (x * there).sum(1) / there.sum(1).clamp(min=1.0)
        promised = at_objectives(x, belief.structure).transpose(1, 2)
        shape = promised.shape
        parts = [promised, overall[:, :, None].expand(shape), reach[:, :, None].expand(shape)]
        return torch.cat([*parts, belief.objective[:, None].expand(shape)], dim=-1)


def _reach(x: Float[Tensor, "B N S D"], touched: Bool[Tensor, "B N S"]) -> Float[Tensor, "B S D"]:
    """Return how the entities that a course reaches change against no_op: 0 where an action does nothing."""
    aimed = touched.to(x.dtype)[..., None]
    return ((x - x[:, :, :1]) * aimed).sum(1) / aimed.sum(1).clamp(min=1.0)


def num_parameters(model: nn.Module) -> int:
    """Return how many numbers training moves."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
