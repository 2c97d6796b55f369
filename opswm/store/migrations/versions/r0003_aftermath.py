"""Incidents, outcomes of decisions and actions, and tokens of the API."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the ledger to this revision."""
    op.create_table(
        "incident_updates",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("incident_id", sa.String(200), nullable=False),
        sa.Column("known_at_us", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "sequence"),
        sa.UniqueConstraint("tenant_id", "system_id", "incident_id", "digest"),
    )
    op.create_table(
        "outcomes",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("system_id", sa.String(200), nullable=False),
        sa.Column("outcome_id", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("decision_id", sa.String(200), nullable=True),
        sa.Column("action_id", sa.String(200), nullable=True),
        sa.Column("known_at_us", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system_id", "outcome_id"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("tenant_id", sa.String(200), nullable=False),
        sa.Column("token_id", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger, nullable=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "token_id"),
        sa.UniqueConstraint("digest"),
    )


def downgrade() -> None:
    """Bring the ledger to the revision before; what the tables hold is lost."""
    for table in ("api_tokens", "outcomes", "incident_updates"):
        op.drop_table(table)
