"""The page's tables: what they say of worlds made by hand."""

import torch

from opswm.simulation.operators.report import Worlds, tables


def test_tables_show_what_worlds_made_by_hand_hold() -> None:
    """Plain means are right at gamma 0 alone, weights always, unless operators know what the score does not."""
    worlds, candidates = 40, 4
    sick = torch.arange(worlds) % 2 == 0
    score = torch.where(sick[:, None], torch.tensor([0.0, 0.9, 0.9, 0.9]), torch.zeros(candidates))
    staying = (torch.arange(worlds) % 4 < 2).float()
    cost = (sick.double() + staying.double())[:, None] + torch.tensor([0.0, 0.1, 0.1, 0.1], dtype=torch.float64)
    lines = tables(Worlds(tuple(range(worlds)), score, staying, cost)).splitlines()
    assert lines[0] == "True value of choosing uniformly: 1.075 bad minutes."
    cells = {line.split(" | ")[0].strip("| "): line.strip("|").split(" | ")[1:] for line in lines[-6:]}
    biases = {policy: [float(cell.split()[0]) for cell in row] for policy, row in cells.items()}
    assert biases["runbook-gamma-0"] == [0.0, 0.0, 0.0]
    assert biases["runbook-gamma-4"][0] > 0.2
    assert biases["runbook-gamma-4"][1:] == [0.0, 0.0]
    assert biases["runbook-gamma-4-hidden"][0] > biases["runbook-gamma-4-hidden"][1] > 0.2
    assert biases["runbook-gamma-4-hidden"][2] == 0.0
