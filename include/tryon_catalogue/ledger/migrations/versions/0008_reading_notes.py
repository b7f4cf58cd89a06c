"""Runs know what people are to know of how their export was read, such as an encoding that was guessed."""

from alembic import context, op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("ALTER TABLE runs ADD COLUMN reading_notes jsonb NOT NULL DEFAULT '[]'")
