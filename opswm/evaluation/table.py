"""Result files as a table for people."""

from collections.abc import Sequence

from rich.table import Table

from opswm.evaluation.results import Result, ResultFile


def results_table(file: ResultFile, metrics: Sequence[str] | None = None) -> Table:
    """Return one row per task, split, regime and model, one column per metric, in the order of the file.

    Args:
        file: The figures.
        metrics: Which columns; all that occur where left out.
    """
    shown = list(metrics or dict.fromkeys(result.metric for result in file.results))
    table = Table(title=f"{file.suite}, opswm {file.version}, seed {file.seed}", caption=_machine(file))
    for heading in ("task", "split", "regime", "model"):
        table.add_column(heading)
    for metric in shown:
        table.add_column(metric, justify="right")
    rows: dict[tuple[str, str, str, str], dict[str, Result]] = {}
    for result in file.results:
        rows.setdefault((result.task, result.split, result.regime, result.model), {})[result.metric] = result
    for key, found in rows.items():
        table.add_row(*key, *(format_figure(found.get(metric)) for metric in shown))
    return table


def format_figure(result: Result | None) -> str:
    """Return a figure with its interval, three significant digits; a dash where there is none."""
    if result is None or result.value is None:
        return "-"
    if result.ci_low is None or result.ci_high is None:
        return f"{result.value:.3g}"
    return f"{result.value:.3g} [{result.ci_low:.3g}, {result.ci_high:.3g}]"


def _machine(file: ResultFile) -> str:
    wanted = [
        f"{name} {file.machine[name]}" for name in ("processor", "cores", "python", "torch") if name in file.machine
    ]
    settings = [f"{name} = {value}" for name, value in file.settings.items()]
    return ", ".join([*wanted, *settings])
