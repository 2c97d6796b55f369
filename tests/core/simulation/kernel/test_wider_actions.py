"""Actions that take their time: each helps, does nothing and harms in some situation, and acts when it should."""

from typing import Any

import pytest
import torch
from torch import Tensor

from opswm.simulation.kernel.mechanics.capacity import restart
from opswm.simulation.kernel.mechanics.hits import Hits
from tests.core.simulation.kernel.wider_scenarios import CASES, KEYS, comparisons

HELPS, NOTHING, HARMS = -0.04, 0.015, 0.02


@pytest.fixture(scope="module")
def everything(laboratory: Any, plans: Any) -> dict[Any, Tensor]:
    """What actions change in the bad share, tick by tick, all situations in one batch."""
    situations = {(name, case): CASES[name][case](plans) for name, case in KEYS} | comparisons(plans)
    return dict(zip(situations, laboratory.responses(list(situations.values())), strict=True))


@pytest.fixture(scope="module")
def responses(everything: dict[Any, Tensor]) -> dict[tuple[str, str], Tensor]:
    """What each action changes in each of its situations."""
    return {key: everything[key] for key in KEYS}


@pytest.fixture(scope="module")
def compared(everything: dict[Any, Tensor]) -> dict[str, float]:
    """What is compared, in the mean bad share over 150 s."""
    return {str(key): float(found.sum()) for key, found in everything.items()}


ACTS: dict[tuple[str, str], tuple[int, int]] = {
    ("autoscaler_policy", "helps"): (10, 20),
    ("autoscaler_policy", "harms"): (3, 16),
    ("config_change", "helps"): (1, 15),
    ("config_change", "harms"): (5, 17),
    ("config_change queue_capacity", "helps"): (5, 17),
    ("config_change queue_capacity", "harms"): (0, 8),
    ("cordon", "helps"): (7, 18),
    ("cordon", "harms"): (14, 22),
    ("db_op create_index", "helps"): (8, 19),
    ("db_op create_index", "harms"): (0, 4),
    ("db_op vacuum", "helps"): (11, 20),
    ("db_op vacuum", "harms"): (0, 5),
    ("deploy", "helps"): (3, 17),
    ("deploy", "harms"): (3, 17),
    ("deploy blue_green", "helps"): (3, 16),
    ("deploy blue_green", "harms"): (4, 17),
    ("deploy canary", "harms"): (1, 16),
    ("deploy recreate", "helps"): (4, 17),
    ("deploy recreate", "harms"): (0, 2),
    ("quarantine", "helps"): (0, 15),
    ("quarantine", "harms"): (0, 15),
    ("quarantine label", "helps"): (0, 15),
    ("quarantine label", "harms"): (0, 3),
    ("queue_op", "helps"): (0, 7),
    ("queue_op", "harms"): (0, 6),
    ("rollout_control", "helps"): (9, 20),
    ("rollout_control", "harms"): (2, 16),
    ("rollout_control pause", "helps"): (3, 17),
}
"""Tick at which each action first shows, and that of half its effect, in ticks of 5 s."""


@pytest.mark.parametrize("name", [name for name in sorted(CASES) if "helps" in CASES[name]])
def test_it_helps_where_it_should(responses: dict[tuple[str, str], Tensor], name: str) -> None:
    """In one situation the action lowers the share of bad requests clearly."""
    assert float(responses[name, "helps"].sum()) < HELPS


@pytest.mark.parametrize("name", [name for name in sorted(CASES) if "nothing" in CASES[name]])
def test_it_does_nothing_where_nothing_is_wrong(responses: dict[tuple[str, str], Tensor], name: str) -> None:
    """In another situation the same action changes next to nothing."""
    assert abs(float(responses[name, "nothing"].sum())) < NOTHING


@pytest.mark.parametrize("name", [name for name in sorted(CASES) if "harms" in CASES[name]])
def test_it_harms_where_it_should(responses: dict[tuple[str, str], Tensor], name: str) -> None:
    """In a third situation the same action raises the share of bad requests clearly."""
    assert float(responses[name, "harms"].sum()) > HARMS


@pytest.mark.parametrize(("name", "case"), sorted(ACTS))
def test_it_acts_when_it_always_did(
    laboratory: Any, responses: dict[tuple[str, str], Tensor], name: str, case: str
) -> None:
    """The action first shows, and has done half of what it does, within a tick of what is written down."""
    assert laboratory.delays(responses[name, case]) == pytest.approx(ACTS[name, case], abs=1)


def test_a_cordon_sends_new_replicas_to_another_host(compared: dict[str, float]) -> None:
    """Scaling out on a host whose cores others take helps only once it takes no more replicas."""
    assert abs(compared["scaled here"]) < 0.05
    assert compared["scaled elsewhere"] < compared["scaled here"] - 0.3


def test_a_kill_on_the_only_host_is_never_made_good_once_it_is_cordoned(compared: dict[str, float]) -> None:
    """Replicas that are killed on a cordoned host without another wait for a place for good."""
    assert compared["killed for good"] > compared["killed"] + 0.3


def test_failing_back_pays_where_the_standby_is_weak_and_harms_where_the_primary_is_sick(
    compared: dict[str, float],
) -> None:
    """What a failover left behind is met again; a standby that is too small is left."""
    assert compared["back from a weak standby"] < compared["on a weak standby"] - 0.2
    assert compared["back on a sick primary"] > compared["left a sick primary"] + 0.1


def test_a_replay_brings_items_back_as_load_and_spares_those_not_yet_counted(compared: dict[str, float]) -> None:
    """Purged by mistake, items are worth bringing back at once; a flood of stale ones is not."""
    assert compared["purged and replayed"] < compared["purged"]
    assert compared["flood replayed"] > compared["flood purged"] + 0.1


def test_a_promoted_canary_goes_on_to_all_replicas(compared: dict[str, float]) -> None:
    """A canary of a bad version harms a few; promoted it harms everybody, aborted hardly anybody."""
    assert compared["canary aborted"] < compared["canary"] / 2.0
    assert compared["canary promoted"] > 3.0 * compared["canary"]


def test_rolling_a_deployed_version_back_returns_to_the_one_before_it(compared: dict[str, float]) -> None:
    """After a bad deployment a rollback leaves what was there before it, not what was there before that."""
    assert compared["rolled back"] < compared["deployed"] - 0.3


def test_without_surge_a_rolling_deployment_takes_a_quarter_away(compared: dict[str, float]) -> None:
    """Close to its limits a service cannot spare the replicas that are being replaced."""
    assert compared["without surge"] > compared["with surge"] + 0.1


def test_a_restart_with_grace_loses_less(laboratory: Any, plans: Any) -> None:
    """Work that is done within the grace is not lost."""
    parameters, state, _ = laboratory.settle(plans.one(io_s=1.0, slots=400.0), 30)
    worlds, nothing = torch.arange(laboratory.worlds), torch.zeros(laboratory.worlds)
    zero = torch.zeros_like(worlds)
    lost = []
    for grace_s in (0.0, 2.0):
        hits = Hits(worlds, zero, zero, nothing, nothing + grace_s, zero + 1, nothing)
        lost.append(float(restart(parameters, state, hits).resources.dropped.sum()))
    assert 0.0 < lost[1] < lost[0] / 3.0


def test_invalidating_a_cache_costs_less_than_emptying_it_and_cures_less(compared: dict[str, float]) -> None:
    """Bad entries that are known can be removed without the good ones; those that are not stay."""
    assert compared["healthy trimmed"] < compared["healthy emptied"] - 0.2
    assert compared["poison emptied"] < compared["poison trimmed"] - 0.05 < -0.1
