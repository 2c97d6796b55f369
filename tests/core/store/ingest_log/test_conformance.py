"""The conformance suite of the ingest log port; every implementation passes it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from opswm.errors import BadInputError, LogFullError, StoreError
from opswm_schemas.columns import METRICS
from opswm_schemas.ports import Batch, IngestLog, SystemKey
from tests.core.store.ingest_log.conftest import Open
from tests.core.store.ingest_log.logs import Log, batch, names, replayed
from tests.core.store.shop import NOON, SHOP, after, readings

OTHER = SystemKey("acme@corp", "shop/eu:1#a")


def test_it_is_an_ingest_log(log: Log) -> None:
    """It has the methods of the port."""
    assert isinstance(log, IngestLog)


def test_an_empty_log_has_nothing(log: Log) -> None:
    """Nothing appended: no end, no batch, nothing to count; appending nothing is allowed."""
    assert (log.end(), log.trimmed(), log.count(SHOP), log.replay(0, 1)) == (0, 0, 0, [])
    assert log.append([]) == []


def test_what_was_appended_is_replayed_in_order(log: Log) -> None:
    """Batches come back behind an offset, in order, as they were."""
    first = log.append([batch("b1", 1.0), batch("b2", 2.0)])
    second = log.append([batch("b3", 3.0)])
    offsets = [*first, *second]
    assert offsets == sorted(set(offsets))
    assert offsets[0] >= 1
    assert replayed(log) == list(zip(offsets, ("b1", "b2", "b3"), (1.0, 2.0, 3.0), strict=True))
    assert replayed(log, offsets[1]) == [(offsets[2], "b3", 3.0)]
    assert log.end() == offsets[2]


def test_a_batch_keeps_what_it_says(log: Log) -> None:
    """System, source, id and every column survive, histograms among them, by channel and time."""
    dated = {"channel_id": "db.p99", "known_at": after(3), "value": None}
    empty = dict.fromkeys(("upper_bounds", "histogram_scale", "histogram_offset", "zero_count"))
    classic = empty | dated | {"event_at": after(1), "upper_bounds": [0.1, 2.5], "counts": [1.0, 4.0, 4.0]}
    native = empty | dated | {"event_at": after(2), "counts": [3.0, 0.0, 5.0]}
    native |= {"histogram_scale": 3, "histogram_offset": -7, "zero_count": 2.0}
    table = pa.Table.from_pylist([native, classic], schema=METRICS)
    log.append([Batch(OTHER, "otlp → 1", "näme/1", table)])
    found = log.replay(0, 1)[0].batch
    assert (found.system, found.source, found.batch_id) == (OTHER, "otlp → 1", "näme/1")
    assert found.table.schema == METRICS
    assert found.table.to_pylist() == pa.Table.from_pylist([classic, native], schema=METRICS).to_pylist()


def test_a_batch_counts_once(log: Log) -> None:
    """Delivered again, alone or with others, in other order of rows, a batch keeps its offset and is there once."""
    table = readings([("web.rps", 1, 1, 1.0), ("web.errors", 2, 2, 2.0)])
    given = Batch(SHOP, "otlp", "b1", table)
    [first] = log.append([given])
    turned = Batch(SHOP, "otlp", "b1", pa.concat_tables([table.slice(1), table.slice(0, 1)]))
    assert log.append([turned]) == [first]
    again, new, twice = log.append([given, batch("b2"), given])
    assert (again, twice) == (first, first)
    assert new > first
    assert names(log) == {"b1": 1, "b2": 1}


def test_a_name_is_one_of_a_system_and_source(log: Log) -> None:
    """The same id from another source or of another system is another batch."""
    given = [batch("b1", 1.0), batch("b1", 2.0, source="replay"), batch("b1", 3.0, system=OTHER)]
    assert len(set(log.append(given))) == 3
    assert [value for *_, value in replayed(log)] == [1.0, 2.0, 3.0]


def test_a_used_name_with_other_content_is_refused(log: Log) -> None:
    """Other content under a used name is refused with everything that came with it; the first stays."""
    log.append([batch("b1", 1.0)])
    with pytest.raises(BadInputError, match="other content"):
        log.append([batch("b2"), batch("b1", 1.5)])
    with pytest.raises(BadInputError, match="other content"):
        log.append([batch("b3", 1.0), batch("b3", 2.0)])
    assert names(log) == {"b1": 1}


def test_names_and_offsets_outlive_trimming_and_closing(open_log: Open) -> None:
    """After trimming and opening again, an old batch is known, other content refused, and offsets go on."""
    log = open_log(1 << 30)
    offsets = log.append([batch(f"b{number}", float(number)) for number in range(3)])
    for left in (1, 0):
        log.trim(offsets[2 - left])
        log.close()
        log = open_log(1 << 30)
        assert [offset for offset, *_ in replayed(log)] == offsets[3 - left :]
        assert (log.end(), log.trimmed(), log.count(SHOP)) == (offsets[2], offsets[2 - left], 3)
        assert log.append([batch("b0", 0.0), batch("b2", 2.0)]) == [offsets[0], offsets[2]]
        with pytest.raises(BadInputError, match="other content"):
            log.append([batch("b1", 7.0)])
    assert log.append([batch("b9")])[0] > offsets[2]


def test_trimming_is_for_good(log: Log) -> None:
    """Trimming twice, or less far, drops nothing more; trimming behind the end is refused."""
    offsets = log.append([batch(f"b{number}") for number in range(4)])
    log.trim(offsets[2])
    log.trim(offsets[0])
    log.trim(offsets[2])
    assert [offset for offset, *_ in replayed(log)] == offsets[3:]
    with pytest.raises(BadInputError, match="cannot be trimmed"):
        log.trim(offsets[3] + 1)


def test_a_full_log_refuses_until_it_is_trimmed(open_log: Open) -> None:
    """Back-pressure says when to come back, keeps nothing, knows what it holds, and ends with trimming."""
    log = open_log(6_000)
    accepted: list[int] = []

    def fill() -> None:
        for number in range(100):
            accepted.extend(log.append([batch(f"b{number}", float(number), rows=20)]))

    with pytest.raises(LogFullError, match="nothing was kept, send it again in") as refused:
        fill()
    assert refused.value.retry_after_s > 0.0
    assert 1 < len(accepted) < 20
    assert log.append([batch("b0", 0.0, rows=20)]) == accepted[:1]
    assert [offset for offset, *_ in replayed(log)] == accepted
    log.trim(accepted[-1])
    assert log.append([batch(f"b{len(accepted)}", float(len(accepted)), rows=20)])[0] > accepted[-1]


def test_more_than_the_log_can_ever_hold_is_refused_for_good(open_log: Open) -> None:
    """A call larger than the whole log is bad input, not something to try again."""
    with pytest.raises(BadInputError, match="send less"):
        open_log(1_500).append([batch(f"b{number}", float(number), rows=50) for number in range(20)])


def test_replay_gives_at_least_one_and_then_a_bounded_number(log: Log) -> None:
    """However small the bound, one batch comes; a larger one gives some, and asking on gives all."""
    offsets = log.append([batch(f"b{number}", rows=50) for number in range(6)])
    assert len(log.replay(0, 1)) == 1
    assert 1 < len(log.replay(0, 8_000)) < 6
    assert [offset for offset, *_ in replayed(log, max_bytes=8_000)] == offsets


def test_a_reader_ahead_of_the_log_is_told(log: Log) -> None:
    """Whoever has seen more than the log holds is told that it lost something; skipping makes the next offset new."""
    [offset] = log.append([batch("b1")])
    with pytest.raises(StoreError, match="lost"):
        log.replay(offset + 1_000_000, 1)
    with pytest.raises(BadInputError, match="fill the tables"):
        log.skip_to(offset + 1_000_000)
    log.trim(offset)
    log.skip_to(offset + 1_000_000)
    log.skip_to(offset)
    assert log.append([batch("b1"), batch("b2")])[0] == offset
    assert log.end() > offset + 1_000_000
    assert [batch_id for _, batch_id, _ in replayed(log, offset + 1_000_000)] == ["b2"]


def test_count_is_as_of(log: Log) -> None:
    """Batches count from the moment the first of them was known, in whatever order they came, trimmed or not."""
    late = [0.0, 5.0, 5.000001, 3_599.999999, 3_600.0, 90_000.0]
    offsets = log.append([batch(f"b{number}", known_s=known_s) for number, known_s in enumerate(reversed(late))])
    log.append([batch("b0", system=OTHER)])
    log.trim(offsets[3])
    asked = [after(second) for second in (-1, 0, 4.999999, 5, 5.000001, 3_599.999999, 3_600, 89_999, 1e6)]
    assert [log.count(SHOP, moment) for moment in asked] == [0, 1, 1, 2, 3, 4, 5, 5, 6]
    assert (log.count(SHOP), log.count(OTHER), log.count(SystemKey("default", "nobody"))) == (6, 1, 0)
    with pytest.raises(BadInputError, match="no time zone"):
        log.count(SHOP, datetime(2024, 3, 5))


def _moments(moment: datetime) -> Callable[[], pa.Table]:
    return lambda: readings([("web.rps", (moment - NOON).total_seconds(), 1.0, 1.0)])


REFUSED: dict[str, tuple[Callable[[], pa.Table], str]] = {
    "nan": (lambda: readings([("web.rps", 1, 1, float("nan"))]), "NaN or infinite"),
    "1970": (_moments(datetime(1970, 1, 2, tzinfo=UTC)), "seconds, milliseconds"),
    "2200": (_moments(datetime(2200, 1, 2, tzinfo=UTC)), "outside 2000 to 2100"),
    "gigantic label": (lambda: readings([("web.rps" + "x" * 100_000, 1, 1, 1.0)]), "longer than"),
    "wrong type": (lambda: readings([("a", 1, 1, 1.0)]).set_column(3, "value", pa.array(["1"])), "holds string"),
    "no rows": (lambda: readings([]), "no rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_batches_are_refused_with_all_that_came_with_them(log: Log, case: str) -> None:
    """One bad row refuses the call with a reason, and nothing of it is kept."""
    make, message = REFUSED[case]
    with pytest.raises(BadInputError, match=message):
        log.append([batch("good"), Batch(SHOP, "otlp", "bad", make())])
    assert (log.end(), replayed(log)) == (0, [])


@pytest.mark.parametrize("name", ["", "x" * 1_025, "a\0b", "\ud800"], ids=["empty", "long", "nul", "surrogate"])
def test_names_must_be_text_of_a_bounded_length(log: Log, name: str) -> None:
    """A name that cannot be kept as it is refuses the batch."""
    for bad in (batch(name), batch("b1", source=name), batch("b1", system=SystemKey(name, "shop"))):
        with pytest.raises(BadInputError, match=r"bytes; allowed are|no Unicode text"):
            log.append([bad])
    assert log.end() == 0


def test_threads_that_append_at_once_all_get_what_they_gave(log: Log) -> None:
    """Each of many threads gets the offsets of its own batches; duplicates among them are there once."""

    def send(thread: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for number in range(6):
            ids = [f"t{thread}-{number}", f"shared-{number}"]
            found |= dict(zip(ids, log.append([batch(one) for one in ids]), strict=True))
        return found

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(send, range(8)))
    there = {batch_id: offset for offset, batch_id, _ in replayed(log)}
    assert set(names(log).values()) == {1}
    assert all(there[batch_id] == offset for one in told for batch_id, offset in one.items())
    assert len(there) == 8 * 6 + 6


def test_two_at_one_log_see_what_either_appends(open_log: Open) -> None:
    """Two that have the log open share offsets, identities and what is trimmed."""
    one, two = open_log(1 << 30), open_log(1 << 30)
    [first] = one.append([batch("b1", 1.0)])
    assert two.append([batch("b1", 1.0)]) == [first]
    with pytest.raises(BadInputError, match="other content"):
        two.append([batch("b1", 2.0)])
    [second] = two.append([batch("b2", 2.0)])
    assert replayed(one) == replayed(two) == [(first, "b1", 1.0), (second, "b2", 2.0)]
    two.trim(first)
    assert replayed(one) == [(second, "b2", 2.0)]
    assert (one.end(), one.count(SHOP), one.trimmed()) == (second, 2, first)


def test_a_closed_log_says_so(log: Log) -> None:
    """Closing twice is fine; appending or reading afterwards is an error."""
    log.close()
    log.close()
    with pytest.raises(StoreError, match="closed"):
        log.append([batch("b1")])
    with pytest.raises(StoreError, match="closed"):
        log.replay(0, 1)
