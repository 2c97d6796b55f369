"""Result files: names that compare, numbers that are numbers, whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from opswm.errors import BadInputError, NotFoundError
from opswm.evaluation.machine import describe_machine
from opswm.evaluation.names import METRICS, MODELS, TASKS
from opswm.evaluation.results import Result, ResultFile, figure, read_results, write_results
from opswm.evaluation.score import Track, regret_minus_privileged, score
from opswm.evaluation.table import format_figure, results_table
from tests.core.evaluation.points import decided, outcomes

TRUTH = outcomes([[10.0, 4.0, 12.0], [2.0, 3.0, 5.0], [6.0, 5.8, 1.0]], worlds=[1, 1, 2])
ROWS = (
    figure("demo", "opswm", "regret", 0.123456, 20, low=0.1, high=0.2),
    figure("demo", "no_op", "regret", 1.0, 20),
    figure("demo", "opswm", "harm_rate", float("nan"), 0),
    figure("opsbench", "opswm", "regret", 0.5, 9, split="fault", regime="branched"),
)
FILE = ResultFile("smoke", "0.1.0", 3, {"processor": "any", "cores": 2}, ROWS, {"evidence_cap_lifted": True})


def test_a_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Suite, version, seed, machine, settings and figures survive; NaN is null."""
    path = tmp_path / "deep" / "results.json"
    write_results(path, FILE)
    assert read_results(path) == FILE
    document = json.loads(path.read_text(encoding="utf-8"))
    assert {"suite", "version", "seed", "machine", "results"} <= set(document)
    assert list(document["results"][0]) == [
        "task",
        "split",
        "regime",
        "model",
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "n",
    ]
    assert document["results"][2]["value"] is None


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """A write that fails leaves the earlier file and nothing else."""
    path = tmp_path / "results.json"
    write_results(path, FILE)
    broken = ResultFile("smoke", "0.1.0", 4, {"cores": 2}, ROWS, {"threshold": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(path, broken)
    assert read_results(path) == FILE
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "demmo"}, "task 'demmo' is no name"),
        ({"model": "mine"}, "model 'mine' is no name"),
        ({"metric": "accuracy"}, "metric 'accuracy' is no name"),
        ({"split": "test"}, "split 'test' is no name"),
        ({"regime": "online"}, "regime 'online' is no name"),
        ({"value": float("inf")}, "give finite numbers"),
        ({"n": -1}, "n = -1"),
    ],
)
def test_a_figure_has_known_names_and_finite_numbers(change: dict[str, object], message: str) -> None:
    """Misspelt names and infinities are refused when the figure is made."""
    fields: dict[str, object] = {"task": "demo", "split": "", "regime": "", "model": "opswm", "metric": "regret",
                                 "value": 0.1, "ci_low": None, "ci_high": None, "n": 3}  # fmt: skip
    with pytest.raises(BadInputError, match=message):
        Result(**(fields | change))  # type: ignore[arg-type]


def test_what_is_no_result_file_is_refused(tmp_path: Path) -> None:
    """A missing, truncated or foreign file and a suite without a name are errors that say so."""
    with pytest.raises(NotFoundError, match="no result file"):
        read_results(tmp_path / "none.json")
    path = tmp_path / "results.json"
    write_results(path, FILE)
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(BadInputError, match="truncated"):
        read_results(path)
    for content in ("[1]", '{"results": []}', '{"results": [{"task": "demo"}], "suite": "smoke"}'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(BadInputError, match="is no result file"):
            read_results(path)
    with pytest.raises(BadInputError, match="suite 'Big One'"):
        ResultFile("Big One", "0.1.0", 0, {}, ())


def test_names_are_used_once() -> None:
    """No name stands twice, so a figure has one place."""
    for names in (TASKS, MODELS, METRICS):
        assert len(set(names)) == len(names)


def test_the_table_has_a_row_per_model_and_a_column_per_metric() -> None:
    """Figures stand with their intervals; what was not measured is a dash."""
    console = Console(width=160, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
    console.print(results_table(FILE))
    lines = console.export_text().splitlines()
    console.file.close()
    row = next(line for line in lines if "demo" in line and "opswm" in line)
    assert "0.123 [0.1, 0.2]" in row
    assert "-" in row
    assert any("no_op" in line and " 1 " in line for line in lines)
    assert any("evidence_cap_lifted = True" in line for line in lines)
    assert results_table(FILE, ["regret"]).columns[-1].header == "regret"
    assert [format_figure(None), format_figure(ROWS[2])] == ["-", "-"]


def test_the_machine_is_described_without_names_of_people_or_places() -> None:
    """Processor, cores, memory, system and versions, nothing that identifies the machine."""
    machine = describe_machine()
    assert {"processor", "cores", "memory_bytes", "system", "python", "numpy"} <= set(machine)
    assert isinstance(machine["cores"], int)
    assert machine["cores"] >= 1
    assert isinstance(machine["memory_bytes"], int)
    assert machine["memory_bytes"] > 2**28
    json.dumps(machine)


def test_every_metric_is_scored_with_its_interval() -> None:
    """Scoring gives each figure once, over all points, with the bound on harm over recommendations."""
    found = {result.metric: result for result in score(Track("demo"), "opswm", TRUTH, decided(TRUTH, [1, 2, 2]), 0)}
    assert found["regret"].value == pytest.approx(3.0 / 11.0)
    assert found["regret"].ci_low is not None
    assert found["regret"].n == 3
    assert found["harm_rate"].value == pytest.approx(1 / 3)
    assert found["harm_rate_upper95"].n == 3
    assert found["harm_rate_upper95"].value == pytest.approx(0.8646, abs=1e-4)
    assert found["false_abstention"].value == 0.0
    never = {result.metric: result for result in score(Track("demo"), "no_op", TRUTH, decided(TRUTH, [0, 0, 0]), 0)}
    assert (never["harm_rate"].value, never["harm_rate_upper95"].value, never["regret"].value) == (None, 1.0, 1.0)


def test_regret_is_compared_with_the_privileged_model_pair_by_pair() -> None:
    """The difference is over the same points and draws; without a privileged model there is nothing to compare."""
    track = Track("opsbench", "fault", "branched")
    both = {"privileged": decided(TRUTH, [1, 0, 2]), "no_op": decided(TRUTH, [0, 0, 0])}
    (compared,) = regret_minus_privileged(track, TRUTH, both, 0)
    assert (compared.model, compared.metric, compared.split) == ("no_op", "regret_minus_privileged", "fault")
    assert (compared.value, compared.ci_low, compared.ci_high) == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(BadInputError, match="no 'privileged' ranker"):
        regret_minus_privileged(track, TRUTH, {"no_op": both["no_op"]}, 0)


def test_points_can_be_chosen() -> None:
    """A subset of points has the costs and worlds of those points."""
    some = TRUTH.take(np.array([2, 0]))
    assert some.cost[:, 0].tolist() == [6.0, 10.0]
    assert some.world.tolist() == [2, 1]
