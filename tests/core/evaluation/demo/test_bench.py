"""The demo benchmark: every ranker meets the same incidents and candidates."""

import pytest

from opswm.evaluation.demo.bench import bench_demo, clairvoyant
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.planning.planner import Planner
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration
from tests.core.evaluation.points import outcomes


@pytest.mark.slow
def test_who_knows_the_truth_is_never_behind() -> None:
    """The clairvoyant loses nothing; an untrained model, like waiting, gains nothing."""
    config = GraphWorldModelConfig(width=8, message_width=4, hidden=8, samples=8)
    planner = Planner(CalibratedModel(GraphWorldModel(config).eval(), Calibration()))
    found = bench_demo(planner, [900, 901], "0", {})
    regret = {one.model: one.value for one in found.results if one.metric == "regret_raw"}
    assert set(regret) == {"opswm", "runbook", "random", "no_op", "clairvoyant"}
    assert regret["clairvoyant"] is not None
    assert regret["no_op"] is not None
    assert regret["clairvoyant"] == 0.0
    assert regret["opswm"] == pytest.approx(regret["no_op"])
    assert found.settings["evidence_cap_lifted"] is True


def test_the_clairvoyant_carries_out_the_cheapest_course() -> None:
    """It acts wherever something beats waiting, waits elsewhere, and knows every effect exactly."""
    truth = outcomes([[3.0, 1.0, 2.0], [3.0, 4.0], [3.0, 5.0, 2.9]])
    chosen = clairvoyant(truth)
    assert chosen.executed.tolist() == [1, 0, 2]
    assert (chosen.value == truth.effect).all()
    assert not chosen.abstained.any()
