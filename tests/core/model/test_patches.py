"""Statistics of channel slots."""

import math

import pytest
import torch

from opswm.model.patches import (
    CONTEXT_STATISTICS,
    PATCH_STATISTICS,
    fit_context,
    history_statistics,
)


def column(names: tuple[str, ...], name: str) -> int:
    """Return the position of a statistic."""
    return names.index(name)


def test_patch_of_a_ramp() -> None:
    """A ramp's patch has its mean, the rise from its first to its second half, and its standard deviation."""
    value = torch.arange(8.0)[None, :, None, None].expand(1, 8, 3, 2)
    found = history_statistics(value, torch.ones_like(value, dtype=torch.bool), 4)[0][0, 1, 2, 1]
    expected = {"mean": 5.5, "rise": 2.0, "spread": math.sqrt(1.25), "seen_share": 1.0}
    for name, wanted in expected.items():
        assert float(found[column(PATCH_STATISTICS, name)]) == pytest.approx(wanted, abs=1e-4)


def test_unseen_readings_do_not_enter_a_patch() -> None:
    """Only what was seen counts, and the share of it is told."""
    value = torch.tensor([1.0, 50.0, 3.0, 50.0])[None, :, None, None]
    seen = torch.tensor([True, False, True, False])[None, :, None, None]
    found = history_statistics(torch.where(seen, value, 0.0), seen, 4)[0][0, 0, 0, 0]
    assert found[column(PATCH_STATISTICS, "mean")] == 2.0
    assert found[column(PATCH_STATISTICS, "seen_share")] == 0.5


def test_context_of_a_step() -> None:
    """A level that stepped from 1 to 3 in the last patch shows in last, recent, baseline, change and peak."""
    value = torch.ones(1, 32, 1, 1)
    value[:, 24:] = 3.0
    found = history_statistics(value, torch.ones_like(value, dtype=torch.bool), 8)[1][0, 0, 0]
    expected = {"last": 3.0, "recent": 3.0, "baseline": 1.0, "change": 2.0, "trend": 1.5, "peak": 3.0, "staleness": 0.0}
    for name, wanted in expected.items():
        assert float(found[column(CONTEXT_STATISTICS, name)]) == pytest.approx(wanted, abs=1e-5)


def test_a_silent_channel_keeps_its_last_reading() -> None:
    """Where the recent past is unseen, the last reading stands in and staleness tells how old it is."""
    value, seen = torch.full((1, 32, 1, 1), 2.5), torch.zeros(1, 32, 1, 1, dtype=torch.bool)
    seen[:, 3:5] = True
    found = history_statistics(torch.where(seen, value, 0.0), seen, 8)[1][0, 0, 0]
    assert found[column(CONTEXT_STATISTICS, "recent")] == 2.5
    assert float(found[column(CONTEXT_STATISTICS, "staleness")]) == pytest.approx(math.log1p(27) / 5.0)


def test_a_channel_never_seen_is_all_zero_but_stale() -> None:
    """Without a reading every statistic but staleness is 0."""
    found = history_statistics(torch.zeros(1, 16, 1, 1), torch.zeros(1, 16, 1, 1, dtype=torch.bool), 8)[1][0, 0, 0]
    rest = [value for index, value in enumerate(found.tolist()) if CONTEXT_STATISTICS[index] != "staleness"]
    assert rest == [0.0] * len(rest)


def test_fit_context_pads_at_the_old_end() -> None:
    """A short history is padded in front, and unseen values become 0."""
    value, seen = fit_context(torch.tensor([[[[torch.nan]], [[2.0]]]]), torch.tensor([[[[False]], [[True]]]]), 4)
    assert value[0, :, 0, 0].tolist() == [0.0, 0.0, 0.0, 2.0]
    assert seen[0, :, 0, 0].tolist() == [False, False, False, True]
