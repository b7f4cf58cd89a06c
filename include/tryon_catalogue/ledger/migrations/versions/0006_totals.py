"""What settled submissions come to is kept for each collection, so that no limit reads all that was ever sent."""

from alembic import context, op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table of totals, and put what is settled into it."""
    schema: str = context.config.attributes["schema"]
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute("""
    CREATE TABLE collection_totals (
        collection text PRIMARY KEY,
        amount numeric NOT NULL
    );
    ALTER TABLE submissions ADD COLUMN in_totals boolean NOT NULL DEFAULT false;
    INSERT INTO collection_totals
        SELECT looks.collection, sum(submissions.amount / sent.looks)
        FROM submissions
            JOIN (SELECT submission_id, count(*) AS looks FROM submission_looks GROUP BY submission_id) sent
                ON sent.submission_id = submissions.id
            JOIN submission_looks ON submission_looks.submission_id = submissions.id
            JOIN looks ON looks.key = submission_looks.look_key
        WHERE submissions.state = 'COLLECTED'
        GROUP BY looks.collection;
    UPDATE submissions SET in_totals = true WHERE state = 'COLLECTED';
    CREATE INDEX submissions_not_in_totals ON submissions (state) WHERE NOT in_totals;
    """)
