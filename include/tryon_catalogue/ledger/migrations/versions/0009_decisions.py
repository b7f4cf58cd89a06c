"""People's decisions are kept with their reasons and what was before, so that they can be undone; claims in review."""

from alembic import context, op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables, and allow what a person may take back."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    INSERT INTO allowed_moves VALUES
        ('REVIEW', 'FAILED'), ('FAILED', 'REVIEW'), ('PUBLISHED', 'REVIEW'), ('PLANNED', 'REVIEW');
    CREATE TABLE decisions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        look_key char(64) COLLATE "C" NOT NULL REFERENCES looks,
        decided_at timestamptz NOT NULL DEFAULT now(),
        person text NOT NULL,
        action text NOT NULL,
        numbers jsonb,
        reasons jsonb NOT NULL DEFAULT '[]',
        note text NOT NULL DEFAULT '',
        seen_at timestamptz NOT NULL,
        left_at timestamptz NOT NULL,
        before jsonb NOT NULL,
        undone_at timestamptz,
        undone_by text
    );
    CREATE INDEX decisions_of_look ON decisions (look_key, id);
    CREATE INDEX decisions_of_person ON decisions (person, id);
    CREATE TABLE claims (
        look_key char(64) COLLATE "C" PRIMARY KEY REFERENCES looks ON DELETE CASCADE,
        person text NOT NULL,
        until timestamptz NOT NULL
    );
    """)
