"""The ledger's tables; tenant and system lead every key, instants are microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA: Final = MetaData()
"""All tables of the newest revision; migrations bring a database here."""

_ID: Final = 200
_DIGEST: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _key() -> tuple[Column[str], Column[str]]:
    return Column("tenant_id", String(_ID), nullable=False), Column("system_id", String(_ID), nullable=False)


SYSTEMS: Final = Table(
    "systems",
    METADATA,
    *_key(),
    Column("sequence", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id"),
)
"""One row per system: the number of its last fact."""

DESCRIPTORS: Final = Table(
    "descriptors",
    METADATA,
    *_key(),
    Column("revision", Integer, nullable=False),
    Column("known_at_us", BigInteger, nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "revision"),
)
"""Every revision of every descriptor, and when it was registered."""

ACTION_FACTS: Final = Table(
    "action_facts",
    METADATA,
    *_key(),
    Column("sequence", BigInteger, nullable=False),
    Column("action_id", String(_ID), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("approvals_needed", Integer, nullable=True),
    Column("known_at_us", BigInteger, nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "sequence"),
    UniqueConstraint("tenant_id", "system_id", "action_id", "kind", "digest"),
)
"""Facts about actions, appended only: ``record``, ``transition`` or ``approval``.

``asked`` marks those that were asked of opswm, as against observed; the record that was asked for says how many
approvals it waits for.
"""

EVENTS: Final = Table(
    "events",
    METADATA,
    *_key(),
    Column("event_id", String(_ID), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_at_us", BigInteger, nullable=False),
    Column("known_at_us", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "event_id"),
)
"""Alerts, state changes and notes."""

DECISIONS: Final = Table(
    "decisions",
    METADATA,
    *_key(),
    Column("decision_id", String(_ID), nullable=False),
    Column("decided_at_us", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "decision_id"),
    UniqueConstraint("decision_id"),
)
"""Rankings as they were answered."""

INCIDENT_UPDATES: Final = Table(
    "incident_updates",
    METADATA,
    *_key(),
    Column("sequence", BigInteger, nullable=False),
    Column("incident_id", String(_ID), nullable=False),
    Column("known_at_us", BigInteger, nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "sequence"),
    UniqueConstraint("tenant_id", "system_id", "incident_id", "digest"),
)
"""Facts about incidents, appended only."""

OUTCOMES: Final = Table(
    "outcomes",
    METADATA,
    *_key(),
    Column("outcome_id", String(_ID), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("decision_id", String(_ID), nullable=True),
    Column("action_id", String(_ID), nullable=True),
    Column("known_at_us", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "system_id", "outcome_id"),
)
"""What was measured after decisions and actions."""

API_TOKENS: Final = Table(
    "api_tokens",
    METADATA,
    Column("tenant_id", String(_ID), nullable=False),
    Column("token_id", String(_ID), nullable=False),
    Column("digest", String(_DIGEST), nullable=False),
    Column("revoked_at_us", BigInteger, nullable=True),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "token_id"),
    UniqueConstraint("digest"),
)
"""Tokens of the API: SHA-256 of each secret, never the secret."""


def to_microseconds(moment: datetime) -> int:
    """Return an aware instant as microseconds since 1970 in UTC, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Return the instant that many microseconds after 1970 in UTC."""
    return _EPOCH + timedelta(microseconds=count)
