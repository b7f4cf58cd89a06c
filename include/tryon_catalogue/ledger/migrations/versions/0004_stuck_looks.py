"""Paid looks whose result key is forgotten go to a person; what is archived waits in the ledger for the shop's row."""

from alembic import context, op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Allow the moves to a person and back; drop what waited of looks that have been made again since."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    INSERT INTO allowed_moves VALUES ('SUBMITTED', 'REVIEW'), ('REVIEW', 'SUBMITTED');
    ALTER TABLE pictures ADD COLUMN doubts text;
    DELETE FROM pictures USING looks
        WHERE looks.key = pictures.look_key AND looks.state = 'SUCCEEDED' AND NOT pictures.shown;
    """)
