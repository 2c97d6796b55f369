"""The lookup from the true fault, on points small enough to reckon by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from opswm.evaluation.metrics import regret
from opswm.evaluation.worlds.bench import quiz
from opswm.evaluation.worlds.fault_lookup import LOOKUPS, Lookup, foresee, look_up
from opswm.evaluation.worlds.fixes import WAIT, Fix, fixes_of
from opswm.evaluation.worlds.points import WorldPoints
from opswm.evaluation.worlds.surprise import best_type_surprise
from opswm.simulation.kernel.blueprint import Breakage
from opswm.simulation.kernel.incidents import Incident, Request
from opswm.simulation.kernel.web_shop import web_shop
from tests.core.evaluation.points import outcomes

RESTART, ROLLBACK, DRAIN = (Fix(name, "at the fault") for name in ("restart", "rollback", "drain"))


def points(
    labels: Sequence[str], costs: Sequence[Sequence[float]], fixes: Sequence[Sequence[Fix]] | None = None
) -> WorldPoints:
    """Return points whose candidates, beside waiting, are a restart, a rollback and a drain unless others are given."""
    truth = outcomes(costs)
    named = fixes or [[RESTART, ROLLBACK, DRAIN]] * len(labels)
    foreseen = np.where(truth.there, truth.cost, np.inf)
    return WorldPoints(truth, tuple(labels), tuple((WAIT, *row) for row in named), foreseen)


def lost(given: WorldPoints, lookup: Lookup) -> float:
    """Return the regret of a lookup."""
    return regret(given.outcomes, look_up(given, lookup, 0)).value


def test_a_quiz_is_recognised() -> None:
    """Where each fault has its one fix, every lookup finds it, nothing is open, and the worlds are refused."""
    given = points(["leak", "deploy"] * 3, [[9.0, 1.0, 8.0, 7.0], [9.0, 8.0, 1.0, 7.0]] * 3)
    found = quiz(given, 0)
    assert set(found.by_lookup.values()) == {0.0}
    assert found.lost.value == found.bits.value == 0.0
    assert not found.is_passed


def test_a_world_in_which_the_situation_decides_passes() -> None:
    """Where the best of four differs from one world with the same fault to the next, two bits are open."""
    courses = [[1.0, 9.0, 9.0, 9.0], [9.0, 1.0, 9.0, 9.0], [9.0, 9.0, 1.0, 9.0], [9.0, 9.0, 9.0, 1.0]]
    found = quiz(points(["leak"] * 12, courses * 3), 0)
    assert found.bits.value == pytest.approx(2.0)
    assert found.lost.value >= 0.5
    assert found.is_passed
    assert found.lost.low <= found.lost.value <= found.lost.high


@pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.name)
def test_a_world_does_not_learn_from_itself(lookup: Lookup) -> None:
    """A fault that no other world had has no usual fix, so that nothing is done."""
    given = points(["leak", "deploy", "deploy"], [[9.0, 1.0, 9.0, 9.0], *[[9.0, 9.0, 1.0, 9.0]] * 2])
    assert look_up(given, lookup, 0).executed.tolist() == [0, 2, 2]


def test_the_usual_fix_may_be_told_from_the_best_on_average() -> None:
    """A restart that helps a little in most worlds and ruins the others is most often best, and not on average."""
    given = points(["leak"] * 10, [[5.0, 4.0, 4.6, 9.0]] * 7 + [[5.0, 40.0, 4.4, 9.0]] * 3)
    assert set(look_up(given, Lookup("most_often"), 0).executed.tolist()) == {1}
    assert set(look_up(given, Lookup("on_average"), 0).executed.tolist()) == {2}
    assert quiz(given, 0).strongest.usual == "on_average"


def test_knowing_the_place_helps_where_it_matters() -> None:
    """Told where the fault is, the lookup aims there; without that, candidates of one type are the same to it."""
    away = Fix("restart", "elsewhere")
    given = points(["leak"] * 40, [[9.0, 1.0, 12.0]] * 40, [[RESTART, away]] * 40)
    assert lost(given, Lookup("most_often", knows_place=True)) == 0.0
    chosen = look_up(given, Lookup("most_often"), 0).executed
    assert set(chosen.tolist()) == {1, 2}


def test_a_fix_that_is_no_candidate_is_replaced_by_the_next() -> None:
    """Where the usual fix is not offered the next usual one is taken, and where none is left it waits."""
    costs = [[9.0, 1.0], [9.0, 1.0], [9.0, 2.0], [9.0, 2.0]]
    given = points(["leak"] * 4, costs, [[RESTART], [RESTART], [ROLLBACK], [DRAIN]])
    assert look_up(given, Lookup("most_often"), 0).executed.tolist() == [1, 1, 0, 0]
    both = points(["leak"] * 5, [*costs, [9.0, 2.0]], [[RESTART], [RESTART], [ROLLBACK], [ROLLBACK], [DRAIN]])
    assert look_up(both, Lookup("most_often"), 0).executed.tolist() == [1, 1, 1, 1, 0]


def test_chance_among_equals_is_no_surprise() -> None:
    """Types that are tied with the best count as the usual one, and waiting counts wherever it is tied."""
    equal = points(["leak"] * 4, [[9.0, 1.0, 1.1, 8.0], [9.0, 1.1, 1.0, 8.0]] * 2)
    assert best_type_surprise(equal).value == 0.0
    calm = points(["leak"] * 4, [[1.0, 0.9, 9.0, 9.0], [1.0, 9.0, 0.9, 9.0]] * 2)
    assert best_type_surprise(calm).value == 0.0
    apart = points(["leak"] * 4, [[9.0, 1.0, 8.0, 8.0], [9.0, 8.0, 1.0, 8.0]] * 2)
    assert best_type_surprise(apart).value == 1.0


def test_the_privileged_one_sees_other_futures() -> None:
    """It takes what is best in its own futures, which need not be what is best in the truth's."""
    given = points(["leak", "leak"], [[9.0, 1.0, 2.0, 9.0], [1.0, 9.0, 9.0, 9.0]])
    other = WorldPoints(
        given.outcomes, given.labels, given.fixes, np.array([[9.0, 2.0, 1.0, 9.0], [1.0, 2.0, 3.0, 4.0]])
    )
    assert foresee(other).executed.tolist() == [2, 0]
    assert regret(other.outcomes, foresee(other)).value == pytest.approx(1.0 / 8.0)


@pytest.mark.parametrize(
    ("kind", "target", "struck", "beside", "away"),
    [
        ("slow_queries", "orders-db", "orders-db", "cart", "storefront"),
        ("noisy_neighbour", "host-c", "host-c", "checkout", "cart"),
        ("zone_down", "zone-a", "payments-a", "checkout", "payments-b"),
        ("none", "cart", "nobody", "nobody", "cart"),
    ],
)
def test_fixes_are_seen_from_the_fault(kind: str, target: str, struck: str, beside: str, away: str) -> None:
    """What is struck, a zone's parts among it; its callers, callees, hosts and residents; the rest. Red herrings no."""
    shop = web_shop(5)
    courses = [(), *((Request(ability, ability.levels[0], 0.0),) for ability in shop.abilities)]
    herring = Breakage("harmless_deploy", away)
    incident = Incident((herring,) if kind == "none" else (Breakage(kind, target), herring), kind, ())
    found = fixes_of(shop, incident, courses)
    assert found[0] == WAIT
    places = {course[0].ability.target: fix.place for course, fix in zip(courses, found, strict=True) if course}
    expected = {struck: "at the fault", beside: "next to it", away: "elsewhere"}
    assert {name: places[name] for name in expected if name in places} == {
        name: place for name, place in expected.items() if name in places
    }
    assert places[away] == "elsewhere"
    assert [fix.type for fix in found[1:]] == [ability.type for ability in shop.abilities]
