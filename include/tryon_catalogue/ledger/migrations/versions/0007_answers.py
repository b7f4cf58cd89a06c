"""Who has answered a run's question, and when."""

from alembic import context, op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; of earlier answers the words stay, which name the person."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("ALTER TABLE runs ADD COLUMN answered_by text, ADD COLUMN answered_at timestamptz;")
