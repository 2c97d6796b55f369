"""One figure of the simulator beside the figure it should be, and what may lie between them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A comparison.

    Attributes:
        group: Which comparison it belongs to.
        case: What was simulated.
        quantity: What is compared.
        unit: Of both figures; "services" are mean service times.
        expected: What a closed form or the discrete-event library says.
        source: Which of them.
        expected_error: Standard error of ``expected``, 0 for a closed form.
        found: What the simulator says.
        found_error: Its standard error over worlds.
        relative, absolute: Tolerance; the larger of the two counts.
    """

    group: str
    case: str
    quantity: str
    unit: str
    expected: float
    source: str
    expected_error: float
    found: float
    found_error: float
    relative: float = 0.0
    absolute: float = 0.0

    @property
    def allowed(self) -> float:
        """How far the figures may lie apart."""
        return max(self.relative * abs(self.expected), self.absolute)

    @property
    def holds(self) -> bool:
        """Whether the figures agree."""
        return abs(self.found - self.expected) <= self.allowed

    @property
    def is_sharp(self) -> bool:
        """Whether sampling error, of both sides, is at most half of what is allowed."""
        return math.hypot(self.found_error, self.expected_error) <= 0.5 * self.allowed


def broken(checks: Iterable[Check]) -> list[str]:
    """Return a line on each check that does not hold or is too blunt to say."""
    return [
        f"{check.case}, {check.quantity}: {check.found:.4f} +- {check.found_error:.4f} {check.unit}, "
        f"{check.source} says {check.expected:.4f} +- {check.expected_error:.4f}, allowed {check.allowed:.4f}"
        for check in checks
        if not (check.holds and check.is_sharp)
    ]


def table(checks: Iterable[Check]) -> str:
    """Return the checks as a Markdown table."""
    lines = [
        "| system | quantity | unit | simulator | reference | source | allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    for check in checks:
        reference = f"{check.expected:.4f}" + (f" ± {check.expected_error:.4f}" if check.expected_error else "")
        lines.append(
            f"| {check.case} | {check.quantity} | {check.unit} | {check.found:.4f} ± {check.found_error:.4f} | "
            f"{reference} | {check.source} | {check.allowed:.4f} |"
        )
    return "\n".join(lines)
