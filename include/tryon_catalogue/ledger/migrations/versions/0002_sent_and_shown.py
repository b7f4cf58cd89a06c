"""What a submission sent is kept with it; pictures that wait for a person's eye stand beside those that are shown."""

from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Fill what was sent from the looks as they are now, for nobody knows older addresses; say what is shown."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    ALTER TABLE submission_looks
        ADD COLUMN model_image text,
        ADD COLUMN tops_image text,
        ADD COLUMN pants_image text,
        ADD COLUMN mask_image text;
    UPDATE submission_looks SET
        model_image = looks.model_image,
        tops_image = looks.tops_image,
        pants_image = looks.pants_image,
        mask_image = looks.mask_image
    FROM looks WHERE looks.key = submission_looks.look_key;
    ALTER TABLE submission_looks
        ALTER COLUMN model_image SET NOT NULL,
        ALTER COLUMN tops_image SET NOT NULL;
    ALTER TABLE pictures ADD COLUMN shown boolean NOT NULL DEFAULT true;
    UPDATE pictures SET shown = false WHERE 'REVIEW' = (
        SELECT to_state FROM look_moves
        WHERE look_moves.look_key = pictures.look_key AND to_state IN ('PUBLISHED', 'REVIEW')
        ORDER BY id DESC LIMIT 1
    );
    ALTER TABLE pictures DROP CONSTRAINT pictures_pkey, ADD PRIMARY KEY (look_key, shown, number);
    """)
