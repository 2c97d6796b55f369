"""What an inspection of a store found: where, what, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["damage", "warning"]
"""Damage is what cannot be read, or is not what was written; a warning is data at rest that is whole and yet odd."""

Check = Literal["ledger", "log", "table", "lag", "gap", "silent", "skew"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: Whether data is damaged.
        check: What was looked at.
        where: A file, or ``tenant/system`` with a channel.
        what: What is found there.
        remedy: What to do about it.
    """

    severity: Severity
    check: Check
    where: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Inspection:
    """A store as it was found.

    Attributes:
        findings: Damage first; empty where all is well.
        facts: What was looked at, by name, for instance ``table_version``.
    """

    findings: Sequence[Finding] = ()
    facts: Mapping[str, int | float | str | None] = field(default_factory=dict)

    @property
    def is_damaged(self) -> bool:
        """Whether anything cannot be read, or is not what was written."""
        return any(finding.severity == "damage" for finding in self.findings)


def damage(check: Check, where: object, what: str, remedy: str) -> Finding:
    """Return damage that was found."""
    return Finding("damage", check, str(where), what, remedy)


def warning(check: Check, where: object, what: str, remedy: str) -> Finding:
    """Return something odd that was found."""
    return Finding("warning", check, str(where), what, remedy)
