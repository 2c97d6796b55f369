"""Since when a revision of a descriptor is known, and which facts about actions were asked for here."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the ledger to this revision; older rows are taken as known from the beginning, and as observed."""
    op.add_column("descriptors", sa.Column("known_at_us", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("action_facts", sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("action_facts", sa.Column("approvals_needed", sa.Integer, nullable=True))


def downgrade() -> None:
    """Bring the ledger to the revision before."""
    op.drop_column("action_facts", "approvals_needed")
    op.drop_column("action_facts", "asked")
    op.drop_column("descriptors", "known_at_us")
