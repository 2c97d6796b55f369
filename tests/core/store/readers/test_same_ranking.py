"""A ranking is the same whichever reader serves the readings it rests on."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from opswm.model.checkpoint import read_checkpoint
from opswm.planning.advise import advise
from opswm.planning.planner import Planner
from opswm.planning.provenance import Sources
from opswm.rollout.calibrated import CalibratedModel
from opswm.rollout.calibration import Calibration
from opswm.simulation.kernel.episodes import EpisodePlan, live
from opswm.simulation.recorder import decision_at, write_recording
from opswm.store.arrow_telemetry import ArrowTelemetry
from opswm.store.ledger import SqlLedger
from opswm.store.readers.delta import DuckDbReader
from opswm.store.readers.files import ParquetReader
from opswm.timeline.build import read_timeline
from opswm_connectors.prometheus.config import PrometheusConfig
from opswm_connectors.prometheus.reader import PrometheusReader
from opswm_schemas.answers import RankingAnswer
from opswm_schemas.columns import METRICS
from opswm_schemas.descriptor import SystemDescriptor
from opswm_schemas.ports import SystemKey, TelemetryReader
from opswm_schemas.questions import RankingRequest
from opswm_schemas.recordings.reader import Recording
from tests.core.store.readers.conftest import SERVERS
from tests.core.store.readers.served import series
from tests.core.store.tables.rig import logged

SEED = 18
"""Of a random system of five entities with gauges, counters and classic histograms."""

SYSTEM = SystemKey("default", "ranked")
DELAY_S = 0.2
"""From when a simulated reading is taken to when it is known; the same for all, so that Prometheus can say it."""

EXACT = ("delta", "duckdb", "files", "prometheus")
VICTORIA_DIGITS = 1e-11
"""How much of a number VictoriaMetrics may change, relative: it keeps decimal numbers, a block at one exponent."""

VICTORIA_MINUTES = 1e-6
"""What that may make of an effect, in bad minutes; of this recording it makes nothing."""


@dataclass(frozen=True)
class Case:
    """One simulated recording and what is asked about it.

    Attributes:
        folder: The recording.
        readings: Its readings.
        descriptor: Of the system; its channels say where a Prometheus has them.
        at: The decision.
        planner: Over the shipped checkpoint.
        ledger: Knows the system, its actions and events.
    """

    folder: Path
    readings: pa.Table
    descriptor: SystemDescriptor
    at: datetime
    planner: Planner
    ledger: SqlLedger

    def ranked(self, reader: TelemetryReader) -> RankingAnswer:
        """Return the ranking from what a reader serves."""
        past = read_timeline(reader, self.ledger, SYSTEM, self.at, self.planner.context_ticks)
        request = RankingRequest(system_id=SYSTEM.system_id, at=self.at, horizon_ticks=32, max_candidates=12)
        return advise(past, request, self.planner, Sources("shipped", "digest", self.ledger.sequence(SYSTEM)))

    def read(self, reader: TelemetryReader) -> pa.Table:
        """Return all readings from a reader."""
        channels = [channel.channel_id for channel in self.descriptor.channels]
        since = self.readings["event_at"][0].as_py().replace(hour=0, minute=0)
        return reader.read_metrics(SYSTEM, channels, since, self.at, self.at)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A small system in trouble."""
    folder = tmp_path_factory.mktemp("recorded") / SYSTEM.system_id
    lived = live(EpisodePlan(system="random", context_ticks=24, entities=5), [SEED])
    write_recording(lived, 0, folder, SYSTEM.system_id)
    read = read_checkpoint(Path(str(files("opswm"))) / "checkpoints" / "demo")
    calibration = Calibration.from_json(read.calibration) if read.calibration else Calibration()
    ledger = SqlLedger.open("sqlite://")
    with Recording.open(folder) as recording:
        described = recording.descriptor
        channels = [
            channel.model_copy(update={"query": f'recorded{{run="ranking",channel="{channel.channel_id}"}}'})
            for channel in described.channels
        ]
        descriptor = ledger.register(described.model_copy(update={"channels": channels}))
        for action in recording.actions():
            ledger.record_action(action)
        ledger.record_events(SYSTEM, recording.events())
        planner = Planner(CalibratedModel(read.model, calibration))
        yield Case(folder, recording.metrics().cast(METRICS), descriptor, decision_at(lived, 0), planner, ledger)
    ledger.close()


@pytest.fixture(scope="module")
def expected(case: Case) -> RankingAnswer:
    """The ranking from memory, where nothing is stored at all."""
    memory = ArrowTelemetry()
    memory.append_metrics(SYSTEM, case.readings, "recording")
    return case.ranked(memory)


@pytest.fixture(params=[*EXACT, "victoriametrics"])
def reader(request: pytest.FixtureRequest, case: Case, tmp_path: Path) -> Iterator[TelemetryReader]:
    """Each reader, with the recording behind it."""
    with ExitStack() as opened:
        if request.param in SERVERS:
            server = request.getfixturevalue(SERVERS[request.param])
            server.write(series(case.readings, "ranking", case.descriptor))
            config = PrometheusConfig(server.url, scrape_delay_s=DELAY_S)
            yield opened.enter_context(PrometheusReader(config, lambda system, at: case.descriptor))
        elif request.param == "files":
            yield ParquetReader.of_recordings([case.folder])
        else:
            store = logged(tmp_path / "metrics")
            store.append_metrics(SYSTEM, case.readings, "recording")
            store.flush()
            yield store if request.param == "delta" else DuckDbReader(tmp_path / "metrics", store.version)


def test_the_recording_has_every_kind_of_reading(case: Case, expected: RankingAnswer) -> None:
    """Otherwise the rest would show less than it says: gauges, counters, histograms, whole milliseconds, one delay."""
    assert {channel.instrument for channel in case.descriptor.channels} == {"gauge", "counter", "histogram"}
    event_us, known_us = (case.readings[name].cast(pa.int64()).to_numpy() for name in ("event_at", "known_at"))
    assert not (event_us % 1000).any()
    assert set(known_us - event_us) == {round(DELAY_S * 1e6)}
    effects = [ranked.effect_bad_minutes.value for ranked in expected.ranked]
    assert len(set(effects)) > 4


def test_the_ranking_is_the_same(
    case: Case, expected: RankingAnswer, reader: TelemetryReader, request: pytest.FixtureRequest
) -> None:
    """Same courses in the same order; the whole answer is equal where readings are kept as they are."""
    answer = case.ranked(reader)
    if request.node.callspec.params["reader"] in EXACT:
        assert case.read(reader).equals(case.readings)
        assert answer == expected
        return
    found = case.read(reader)
    for name in ("channel_id", "event_at", "known_at", "upper_bounds"):
        assert found[name].equals(case.readings[name])
    for name in ("value", "counts"):
        mine, theirs = (_numbers(table[name]) for table in (found, case.readings))
        np.testing.assert_allclose(mine, theirs, rtol=VICTORIA_DIGITS, atol=VICTORIA_DIGITS)
    assert [ranked.course for ranked in answer.ranked] == [ranked.course for ranked in expected.ranked]
    assert answer.verdict == expected.verdict
    for mine_ranked, theirs_ranked in zip(answer.ranked, expected.ranked, strict=True):
        for end in ("lower", "value", "upper"):
            mine_end = getattr(mine_ranked.effect_bad_minutes, end)
            assert mine_end == pytest.approx(getattr(theirs_ranked.effect_bad_minutes, end), abs=VICTORIA_MINUTES)


def _numbers(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    flat = pa.compute.list_flatten(column) if pa.types.is_list(column.type) else pa.compute.drop_null(column)
    return np.asarray(flat.to_numpy(), dtype=np.float64)
