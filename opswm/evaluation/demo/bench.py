"""How well rankers choose in incidents of the demo web shop that nobody trained on."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from opswm.evaluation.decisions import Decisions, decide
from opswm.evaluation.demo.incident import MAX_CANDIDATES, DemoIncident, demo_incidents
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.outcomes import Outcomes
from opswm.evaluation.results import Result, ResultFile
from opswm.evaluation.score import Track, score, score_matched
from opswm.planning.baselines.naive import NoOpRanker, RandomRanker
from opswm.planning.baselines.runbook import RunbookRanker
from opswm.planning.candidates import Enumeration, enumerate_candidates
from opswm.planning.planner import Planner
from opswm.planning.rank import RankingPolicy
from opswm.planning.ranker import Effects, Ranker
from opswm.tensors import ActionSlots, Situation
from opswm.windows.situation import encode_courses, encode_situation

TASK: Final = "demo"
CLAIRVOYANT: Final = "clairvoyant"


def bench_demo(
    planner: Planner,
    seeds: Sequence[int],
    version: str,
    settings: dict[str, str | int | float | bool],
    progress: Callable[[int, int], None] = lambda done, total: None,
    peers: Sequence[Ranker] = (),
) -> ResultFile:
    """Score the planner, its peers, naive rankers, the runbook and a clairvoyant on the same incidents and candidates.

    Candidates with a guardrail against them are left out, as nobody may carry them out. Verdicts come from risk
    control alone (the cap by evidence grade is lifted, as on every simulated track).

    Args:
        planner: Over a world model.
        seeds: One incident each; below 1,000,000, where training never draws its worlds.
        version: Of the software.
        settings: What else decided the figures, such as the model's digest.
        progress: Told how many incidents are done, of how many.
        peers: Further rankers, which learned from the same data.
    """
    horizon = planner.horizon_ticks
    rankers: list[Ranker] = [planner, *peers, RunbookRanker(horizon), RandomRanker(horizon), NoOpRanker(horizon)]
    points: list[Outcomes] = []
    decisions: dict[str, list[Decisions]] = {name: [] for name in (*(ranker.name for ranker in rankers), CLAIRVOYANT)}
    policy = RankingPolicy(cap_lifted=True)
    with tempfile.TemporaryDirectory(prefix="opswm-demo-") as folder:
        for done, incident in enumerate(demo_incidents(seeds, Path(folder), planner.context_ticks)):
            seed = incident.seed
            listed = allowed_candidates(incident, seed)
            outcomes, own_cost = _outcomes(incident, listed, horizon)
            courses = [candidate.course for candidate in listed.candidates]
            situation = encode_situation(incident.timeline.descriptor, incident.timeline, planner.context_ticks)
            slots = encode_courses(incident.timeline.descriptor, incident.timeline, courses, horizon)
            for ranker in rankers:
                effects, samples = _estimate(ranker, situation, slots, seed, horizon)
                decisions[ranker.name].append(decide(effects, own_cost, outcomes, policy, seed, samples))
            decisions[CLAIRVOYANT].append(clairvoyant(outcomes))
            points.append(outcomes)
            progress(done + 1, len(seeds))
    whole = _joined_outcomes(points)
    results: list[Result] = []
    joined = {name: _joined_decisions(taken, whole) for name, taken in decisions.items()}
    acts = float(joined[planner.name].recommended.mean())
    for name, taken in joined.items():
        results += score(Track(TASK), name, whole, taken, seeds[0])
        if name != NoOpRanker.name:  # which never acts
            results += score_matched(Track(TASK), name, whole, taken, acts, seeds[0])
    return ResultFile(
        suite=TASK,
        version=version,
        seed=seeds[0],
        machine=describe_machine(),
        results=tuple(results),
        settings=settings
        | {
            "incidents": len(seeds),
            "first_seed": seeds[0],
            "last_seed": seeds[-1],
            "max_candidates": MAX_CANDIDATES,
            "matched_coverage": acts,
            "evidence_cap_lifted": True,
        },
    )


def allowed_candidates(incident: DemoIncident, seed: int) -> Enumeration:
    """Return the candidates of an incident that no guardrail forbids, ``no_op`` first.

    Args:
        incident: The incident.
        seed: Breaks what is equal in the enumeration.
    """
    listed = enumerate_candidates(incident.timeline.descriptor, incident.timeline, MAX_CANDIDATES, seed)
    return replace(listed, candidates=tuple(one for one in listed.candidates if not one.blocked_by))


def _outcomes(incident: DemoIncident, listed: Enumeration, horizon_ticks: int) -> tuple[Outcomes, np.ndarray]:
    truth = incident.truth([candidate.course for candidate in listed.candidates], horizon_ticks)
    outcomes = Outcomes(
        cost=np.array([[one.cost_bad_minutes for one in truth.outcomes]]),
        effect_error=np.array([[one.effect_error for one in truth.outcomes]]),
        there=np.ones((1, len(truth.outcomes)), dtype=np.bool_),
        floor=np.array([truth.noise_floor_bad_minutes]),
        world=np.array([incident.seed]),
    )
    return outcomes, np.array([[candidate.cost_bad_minutes for candidate in listed.candidates]])


def _estimate(
    ranker: Ranker, situation: Situation, courses: ActionSlots, seed: int, horizon_ticks: int
) -> tuple[Effects, np.ndarray | None]:
    """Return effects, and the samples behind them where the ranker imagines: its probabilities are counted in those."""
    if not isinstance(ranker, Planner):
        return ranker.effects(situation, courses, seed), None
    outlook = ranker.outlook(situation, courses, seed, horizon_ticks)
    return outlook.effects, None if outlook.imagined is None else outlook.imagined.effect[None]


def clairvoyant(outcomes: Outcomes) -> Decisions:
    """Return the decisions of one who knows what every course truly costs: the cheapest is carried out.

    Args:
        outcomes: What courses truly do.
    """
    effect = np.where(outcomes.there, outcomes.effect, np.inf)
    best = np.argmin(effect, axis=1)
    return Decisions(
        value=outcomes.effect,
        lower=outcomes.effect,
        upper=outcomes.effect,
        score=effect,
        preferred=best,
        recommended=best > 0,
        abstained=np.zeros(best.shape, dtype=np.bool_),
    )


def _joined_outcomes(points: Sequence[Outcomes]) -> Outcomes:
    width = max(point.cost.shape[1] for point in points)
    return Outcomes(
        cost=_stacked([point.cost for point in points], width, 0.0),
        effect_error=_stacked([point.effect_error for point in points], width, 0.0),
        there=_stacked([point.there for point in points], width, False),
        floor=np.concatenate([point.floor for point in points]),
        world=np.concatenate([point.world for point in points]),
    )


def _joined_decisions(taken: Sequence[Decisions], outcomes: Outcomes) -> Decisions:
    width = outcomes.cost.shape[1]
    return Decisions(
        value=_stacked([one.value for one in taken], width, 0.0),
        lower=_stacked([one.lower for one in taken], width, 0.0),
        upper=_stacked([one.upper for one in taken], width, 0.0),
        score=_stacked([one.score for one in taken], width, np.inf),
        preferred=np.concatenate([one.preferred for one in taken]),
        recommended=np.concatenate([one.recommended for one in taken]),
        abstained=np.concatenate([one.abstained for one in taken]),
    )


def _stacked(rows: Sequence[np.ndarray], width: int, fill: float | bool) -> np.ndarray:
    """Put rows ``[1, S]`` of different ``S`` under each other."""
    whole = np.full((len(rows), width), fill, dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        whole[index, : row.shape[1]] = row[0]
    return whole
