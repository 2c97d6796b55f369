"""The demo benchmark: every ranker meets the same incidents and candidates."""

import pytest

from opswm.evaluation.demo.bench import bench_demo
from opswm.model.config import GraphWorldModelConfig
from opswm.model.graph_world_model import GraphWorldModel
from opswm.planning.planner import Planner
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration


@pytest.mark.slow
def test_who_knows_the_truth_is_never_behind() -> None:
    """The clairvoyant loses at most a noise floor per incident; an untrained model, like waiting, gains nothing."""
    config = GraphWorldModelConfig(width=8, message_width=4, hidden=8, samples=8)
    planner = Planner(CalibratedModel(GraphWorldModel(config).eval(), Calibration()))
    found = bench_demo(planner, [900, 901], "0", {})
    regret = {one.model: one.value for one in found.results if one.metric == "regret_raw"}
    assert set(regret) == {"opswm", "runbook", "random", "no_op", "clairvoyant"}
    assert regret["clairvoyant"] is not None
    assert regret["no_op"] is not None
    assert 0.0 <= regret["clairvoyant"] <= 0.06
    assert regret["opswm"] == pytest.approx(regret["no_op"])
    assert found.settings["evidence_cap_lifted"] is True
