"""Runs know whether it was decided what of them goes, and which of their rows are no garments of their own.

Without the first, a run that died between its export and its batches could not be told from one that had nothing to
do, and what it had planned was left to nobody.
"""

from alembic import context, op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; of earlier runs, those whose export was read to its end count as cut."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    ALTER TABLE runs
        ADD COLUMN opened_at timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN cut_at timestamptz,
        ADD COLUMN rows_further integer NOT NULL DEFAULT 0,
        ADD COLUMN rows_left_out jsonb NOT NULL DEFAULT '{}';
    UPDATE runs SET opened_at = started_at, cut_at = planned_at;
    CREATE INDEX runs_of_look ON run_looks (look_key);
    """)
