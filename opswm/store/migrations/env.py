"""Runs migrations over the connection that ``opswm.store.database`` hands in."""

from alembic import context

from opswm.store.ledger_tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
