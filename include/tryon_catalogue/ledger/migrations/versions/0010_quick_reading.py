"""What pages and sums read is found without reading all that was ever sent: counts beside money, and indexes."""

from alembic import context, op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Count the looks of each submission and each collection, and index what people look for."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    ALTER TABLE submissions ADD COLUMN looks smallint NOT NULL DEFAULT 0;
    UPDATE submissions SET looks = sent.looks
    FROM (SELECT submission_id, count(*) AS looks FROM submission_looks GROUP BY submission_id) sent
    WHERE sent.submission_id = submissions.id;
    ALTER TABLE collection_totals
        ADD COLUMN looks bigint NOT NULL DEFAULT 0,
        ADD COLUMN submissions bigint NOT NULL DEFAULT 0;
    UPDATE collection_totals SET looks = sent.looks, submissions = sent.submissions
    FROM (
        SELECT looks.collection, count(*) AS looks, count(DISTINCT submissions.id) AS submissions
        FROM submissions
            JOIN submission_looks ON submission_looks.submission_id = submissions.id
            JOIN looks ON looks.key = submission_looks.look_key
        WHERE submissions.in_totals
        GROUP BY looks.collection
    ) sent
    WHERE sent.collection = collection_totals.collection;
    -- A look that failed may be free, by the settings: few among all that moved.
    CREATE INDEX moves_to_failed ON look_moves (look_key, moved_at)
        WHERE from_state = 'SUBMITTED' AND to_state = 'FAILED';
    CREATE INDEX looks_by_state ON looks (state);
    CREATE INDEX looks_in_review ON looks (moved_at, key) WHERE state = 'REVIEW';
    -- How few days there are, so that they are summed without sorting.
    CREATE STATISTICS days_of_submissions
        ON ((timezone('UTC', coalesce(answered_at, intended_at)))::date) FROM submissions;
    -- People look for garments by the beginning of a sku, in any case, and by words of a title.
    CREATE INDEX garments_in_order ON garment_looks ((lower(sku) COLLATE "C"), sku) WHERE position = 0;
    CREATE INDEX garments_of_collection ON garment_looks (collection, (lower(sku) COLLATE "C"), sku)
        WHERE position = 0;
    -- Chinese is written without spaces: each of its characters is a word.
    CREATE INDEX garments_by_title ON garment_looks
        USING gin (to_tsvector('simple', regexp_replace(title, '([㐀-鿿])', ' \\1 ', 'g'))) WHERE position = 0;
    """)
