"""The packaged migrations lead to the tables the code uses, and back."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from opswm.store.database import open_database, reading
from opswm.store.ledger_tables import METADATA


def test_migrations_make_the_tables_of_the_code() -> None:
    """After the last migration nothing differs between the database and the tables the code declares."""
    engine = open_database("sqlite://")
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_migrations_go_back() -> None:
    """Downgrading to the beginning leaves no table but Alembic's own."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", "opswm.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert "action_facts" in inspect(connection).get_table_names()
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
