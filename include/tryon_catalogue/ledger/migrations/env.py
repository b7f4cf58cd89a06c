"""How Alembic reaches the ledger: through the connection that ``database.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from tryon_catalogue.ledger.tables import metadata

connection = context.config.attributes["connection"]
schema: str = context.config.attributes["schema"]
context.configure(
    connection=connection, target_metadata=metadata, version_table_schema=schema, include_schemas=True
)
with context.begin_transaction():
    context.run_migrations()
