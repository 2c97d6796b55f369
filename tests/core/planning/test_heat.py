"""Where a system looks unlike itself."""

from dataclasses import replace

import pytest

from opswm.planning.heat import HEARSAY, NEIGHBOUR, heat
from opswm_schemas.descriptor import Channel
from tests.core.windows.diner import READINGS, diner, timeline

CALM = READINGS | {"db.in_use": 9.0}


def warmth(**changed: float) -> dict[str, float]:
    """Return the heat of the diner after these channels took a new value in the last six ticks; no objectives."""
    first = diner()
    latency = Channel(channel_id="db.p99", entity_id="db", meaning="latency_p99", unit="s")
    age = Channel(channel_id="cache.age", entity_id="cache", meaning="version_age", unit="s")
    descriptor = first.model_copy(update={"channels": [*first.channels, latency, age]})
    past = timeline(descriptor, CALM | {"db.p99": 0.05, "cache.age": 9e4})
    names = [channel.channel_id for channel in descriptor.channels]
    for name, value in changed.items():
        column = names.index(name.replace("__", "."))
        past.value[-6:, column], past.seen[-6:, column] = value, True
    return heat(past, [])


def test_a_calm_system_is_cold() -> None:
    """Noise alone makes nothing suspect; an objective warms its entity and, less, its neighbours."""
    calm = warmth()
    assert max(calm.values()) < 0.1
    descriptor = diner()
    promised = heat(timeline(descriptor, CALM), descriptor.objectives[:1])
    assert promised["web"] == pytest.approx(0.3, abs=0.1)
    assert promised["db"] == pytest.approx(0.3 * NEIGHBOUR, abs=0.1)


def test_bad_moves_count_and_good_ones_do_not() -> None:
    """A hit ratio that falls is trouble at the cache, one that rises is not; so is a pool that shrank or is full."""
    assert warmth(cache__hits=0.4)["cache"] == pytest.approx(3.0, abs=0.1)
    assert warmth(cache__hits=1.0)["cache"] < 0.1
    assert warmth(db__in_use=20.0)["db"] == pytest.approx(2.0, abs=0.1)
    assert warmth(db__size=10.0)["db"] > 0.9
    assert warmth(db__size=40.0)["db"] < 0.1
    assert warmth(web__rps=900.0)["web"] < 0.1


def test_a_new_version_is_suspect() -> None:
    """What was deployed within the history is warm, whatever it shows."""
    assert warmth(cache__age=20.0)["cache"] == pytest.approx(2.0, abs=0.1)


def test_symptoms_are_hearsay_where_a_callee_shows_them_too() -> None:
    """A slow caller of a slow callee is not the culprit; alone it is."""
    alone = warmth(web__p99=7.2, **{"web__p99__canary": 7.2})
    assert alone["web"] > 1.2
    both = warmth(web__p99=7.2, **{"web__p99__canary": 7.2}, db__p99=0.4)
    assert both["db"] > both["web"]
    assert both["web"] < 0.5 * alone["web"] + NEIGHBOUR * both["db"] + HEARSAY


def test_neighbours_share_heat_and_alerts_add_to_it() -> None:
    """A part is as warm as a share of its warmest neighbour; a firing alert warms its own entity."""
    hot = warmth(cache__hits=0.4)
    assert hot["web"] == pytest.approx(NEIGHBOUR * hot["cache"], abs=0.1)
    assert hot["web-b"] < 0.1
    descriptor = diner()
    alarmed = timeline(descriptor, CALM, alerting=["web-b"])
    assert heat(alarmed, [])["web-b"] == pytest.approx(0.5, abs=0.1)
    assert heat(replace(alarmed, relations=()), [])["web"] < 0.1


def test_a_system_without_telemetry_has_no_heat_and_no_error() -> None:
    """Nothing seen, nothing suspected."""
    descriptor = diner()
    assert set(heat(timeline(descriptor, {}), []).values()) == {0.0}
    assert set(heat(timeline(descriptor, {}, num_ticks=1), [])) == {"web", "db", "cache", "web-b"}
