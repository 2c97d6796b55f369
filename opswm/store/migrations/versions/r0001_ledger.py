"""The first ledger: systems, descriptors, action facts, events and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the ledger to this revision."""
    op.create_table(
        "systems",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id"),
    )
    op.create_table(
        "descriptors",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "revision"),
    )
    op.create_table(
        "action_facts",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("action_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("known_at_us", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "sequence"),
        sa.UniqueConstraint("tenant_id", "system_id", "action_id", "kind", "digest"),
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_at_us", sa.BigInteger, nullable=False),
        sa.Column("known_at_us", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "event_id"),
    )
    op.create_table(
        "decisions",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("decision_id", sa.String(200), nullable=False),
        sa.Column("decided_at_us", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "decision_id"),
        sa.UniqueConstraint("decision_id"),
    )


def downgrade() -> None:
    """Bring the ledger to the revision before."""
    for table in ("decisions", "events", "action_facts", "descriptors", "systems"):
        op.drop_table(table)
