"""Write the figures of docs/simulation.md: all comparisons as JSON and tables, and the plots.

Run from the repository's root: ``python -m tests.core.simulation.validation.report``.
"""

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch

from opswm.evaluation.machine import describe_machine
from tests.core.simulation.validation.checks import Check, table
from tests.core.simulation.validation.comparisons import SERVERS, WAIT, losses, networks, variability, waiting
from tests.core.simulation.validation.courses import AT_S, courses, event_course
from tests.core.simulation.validation.storm import COURSES, bad_share

FIGURES = Path("docs/figures")
RUNS, WORLDS = 200, 1000
_BLUE, _ORANGE, _GREY = "#2563a8", "#d9730d", "#555555"


def main() -> None:
    """Run every comparison and write what came out."""
    torch.set_num_threads(1)
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 130})
    FIGURES.mkdir(parents=True, exist_ok=True)
    _draw_courses()
    _draw_storm()
    checks = waiting(250, 80) + losses(80, 40) + variability(250, 80) + networks(150, 80, 40_000)
    _draw_stationary(checks)
    document = {"machine": describe_machine(), "checks": [asdict(check) for check in checks]}
    (FIGURES / "simulation.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(table(checks))


def _draw_stationary(checks: list[Check]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
    for servers, marker in zip(SERVERS, "osD", strict=True):
        some = [c for c in checks if c.group == "M/M/c" and c.case.startswith(f"M/M/{servers} ")]
        for quantity, colour in ((WAIT, _BLUE), ("p95 of the response", _ORANGE)):
            rows = [c for c in some if c.quantity == quantity]
            left.errorbar(
                [c.expected for c in rows], [c.found for c in rows], [2 * c.found_error for c in rows],
                fmt=marker, color=colour, label=f"{quantity}, {servers} server{'s' * (servers > 1)}", ms=6,
            )  # fmt: skip
    ends = [1e-3, 100.0]
    left.plot(ends, ends, color=_GREY, lw=1)
    left.fill_between(ends, [0.9 * e for e in ends], [1.1 * e for e in ends], color=_GREY, alpha=0.15, lw=0)
    left.set(xscale="log", yscale="log", xlabel="closed form of M/M/c, in service times", ylabel="simulator")
    left.set_title("Waits and response times; grey: 10 %", loc="left", fontsize=10)
    left.legend(fontsize=7.5, frameon=False)
    for what, marker, colour in (("5 places", "o", _BLUE), ("20 places", "s", "#3a8f4d"), ("patience", "D", _ORANGE)):
        rows = [c for c in checks if c.group == "loss" and what in c.case]
        right.errorbar(
            [c.expected for c in rows], [c.found for c in rows], [2 * c.found_error for c in rows],
            fmt=marker, color=colour, label="patience of 2 services" if what == "patience" else what, ms=6,
        )  # fmt: skip
    right.plot([0, 0.35], [0, 0.35], color=_GREY, lw=1)
    right.fill_between([0, 0.35], [-0.01, 0.34], [0.01, 0.36], color=_GREY, alpha=0.15, lw=0)
    right.set(xlabel="closed form", ylabel="simulator")
    right.set_title("Share of arrivals lost; grey: 0.01", loc="left", fontsize=10)
    right.legend(fontsize=8, frameon=False)
    figure.savefig(FIGURES / "stationary.png")


def _draw_courses() -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    for axis, course in zip(axes, courses(WORLDS), strict=True):
        seen, error = event_course(course.story, RUNS)
        axis.fill_between(AT_S, seen - 2 * error, seen + 2 * error, color=_ORANGE, alpha=0.3, lw=0)
        axis.plot(AT_S, seen, color=_ORANGE, lw=1, label=f"ciw, mean of {RUNS} runs (band: two standard errors)")
        axis.plot(AT_S, course.exact, color="black", lw=1, ls="--", label="Kolmogorov's equations")
        axis.plot(AT_S, course.found, color=_BLUE, lw=1.5, label=f"simulator, mean of {WORLDS} worlds")
        axis.set(xlabel="seconds", ylabel="requests in the system", ylim=(0, None))
        axis.set_title(course.story.name, loc="left", fontsize=10)
    axes[0].legend(fontsize=7.5, frameon=False, loc="upper left")
    axes[0].set_ylim(0, 245)
    figure.savefig(FIGURES / "transients.png")


def _draw_storm() -> None:
    shares = bad_share(6).mean(1)
    figure, axis = plt.subplots(figsize=(9.5, 3.2), layout="constrained")
    at_s = torch.arange(shares.shape[1]) * 5
    for row, (name, colour) in enumerate(zip(COURSES, (_GREY, _ORANGE, _BLUE), strict=True)):
        axis.plot(at_s, shares[row], color=colour, lw=1.6, label=name)
    axis.axvspan(60, 80, color="#b91c1c", alpha=0.18, lw=0)
    axis.axvspan(261, 321, color=_BLUE, alpha=0.12, lw=0)
    axis.text(70, 1.04, "trigger", ha="center", fontsize=9)
    axis.text(291, 1.04, "90 % shed", ha="center", fontsize=9)
    axis.set(xlabel="seconds", ylabel="share of bad requests", ylim=(-0.03, 1.15))
    axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(0.19, 0.45), handlelength=1.2)
    figure.savefig(FIGURES / "storm.png")


if __name__ == "__main__":
    main()
