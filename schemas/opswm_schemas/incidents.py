"""Incidents as streams of dated facts: what is said of one follows from the updates that were known by then."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from opswm_schemas.base import Fact, Identifier, ShortText, Versioned
from opswm_schemas.telemetry import Severity

IncidentStatus = Literal["opened", "acknowledged", "mitigated", "resolved"]


class IncidentUpdate(Fact):
    """One thing that was learned about an incident; what it leaves out stays as it was.

    Attributes:
        status: What became of it.
        title: In words, from now on.
        severity: From now on.
        entity_ids: Entities that are found to be part of it.
        event_ids: Alerts and other events that are found to belong to it.
        source: Who or what says so.
        note: In their words.
    """

    status: IncidentStatus | None = None
    title: ShortText | None = None
    severity: Severity | None = None
    entity_ids: list[Identifier] = Field(default_factory=list, max_length=5_000)
    event_ids: list[Identifier] = Field(default_factory=list, max_length=1_000)
    source: ShortText = ""
    note: ShortText = ""


class Incident(Versioned):
    """One incident; updates come late, twice and out of order, and are never refused for that.

    Attributes:
        updates: Facts in the order they became known.
    """

    incident_id: Identifier
    tenant_id: Identifier = "default"
    system_id: Identifier
    updates: Annotated[list[IncidentUpdate], Field(min_length=1, max_length=1_000)]

    @property
    def title(self) -> str:
        """What it is called now; its id where nobody gave it a title."""
        return next((update.title for update in self._newest_first() if update.title is not None), self.incident_id)

    @property
    def severity(self) -> Severity:
        """How severe it is now."""
        return next((update.severity for update in self._newest_first() if update.severity is not None), "warn")

    @property
    def status(self) -> IncidentStatus:
        """What has become of it; ``opened`` where nobody said."""
        return next((update.status for update in self._newest_first() if update.status is not None), "opened")

    @property
    def opened_at(self) -> datetime:
        """When it first was open, or the first that is known of it."""
        opened = [update.event_at for update in self.updates if update.status == "opened"]
        return min(opened or [update.event_at for update in self.updates])

    @property
    def resolved_at(self) -> datetime | None:
        """When it was resolved for good, None while it is not."""
        if self.status != "resolved":
            return None
        return next(update.event_at for update in self._newest_first() if update.status == "resolved")

    @property
    def entity_ids(self) -> list[str]:
        """Every entity that is part of it, by id."""
        return sorted({name for update in self.updates for name in update.entity_ids})

    @property
    def event_ids(self) -> list[str]:
        """Every event that belongs to it, by id."""
        return sorted({name for update in self.updates for name in update.event_ids})

    def as_of(self, moment: datetime) -> Self | None:
        """Return it with only what was known at a moment, None where nothing was."""
        known = [update for update in self.updates if update.known_by(moment)]
        return self.model_copy(update={"updates": known}) if known else None

    def _newest_first(self) -> Iterator[IncidentUpdate]:
        return reversed(sorted(self.updates, key=lambda update: (update.event_at, update.known_at)))
