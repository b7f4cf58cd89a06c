"""The line of those who wait to submit."""

from alembic import context, op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of turns."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    CREATE TABLE turns (
        batch_id bigint PRIMARY KEY REFERENCES batches,
        conn_id text NOT NULL,
        backfill boolean NOT NULL,
        asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        seen_at timestamptz NOT NULL,
        promised_at timestamptz
    );
    """)
