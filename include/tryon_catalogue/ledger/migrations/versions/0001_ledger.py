"""The ledger: runs, batches, looks, submissions, paces, stops, garments, rejections, images, pictures.

Moves of looks are held to a table by a trigger.
"""

from alembic import context, op

revision = "0001"
down_revision = None

STATES = (
    "PLANNED",
    "SUBMITTING",
    "SUBMITTED",
    "SUCCEEDED",
    "PUBLISHED",
    "REJECTED",
    "FAILED",
    "IN_DOUBT",
    "REVIEW",
)
# Frozen as of this revision: a later change of the table of moves is a later revision.
ALLOWED_MOVES: tuple[tuple[str, str], ...] = (
    ("PLANNED", "SUBMITTING"),
    ("PLANNED", "REJECTED"),
    ("SUBMITTING", "SUBMITTED"),
    ("SUBMITTING", "PLANNED"),
    ("SUBMITTING", "REJECTED"),
    ("SUBMITTING", "IN_DOUBT"),
    ("SUBMITTED", "SUCCEEDED"),
    ("SUBMITTED", "FAILED"),
    ("SUCCEEDED", "PUBLISHED"),
    ("SUCCEEDED", "REVIEW"),
    ("IN_DOUBT", "SUBMITTED"),
    ("IN_DOUBT", "PLANNED"),
    ("IN_DOUBT", "REJECTED"),
    ("IN_DOUBT", "FAILED"),
    ("REVIEW", "PUBLISHED"),
    ("REVIEW", "PLANNED"),
    ("FAILED", "PLANNED"),
    ("REJECTED", "PLANNED"),
    ("PUBLISHED", "PLANNED"),
)


def upgrade() -> None:
    """Create every table of the ledger and the trigger that holds looks to the table of moves."""
    schema: str = context.config.attributes["schema"]
    states = ", ".join(f"'{state}'" for state in STATES)
    moves = ", ".join(f"('{old}', '{new}')" for old, new in ALLOWED_MOVES)
    op.execute(f'SET LOCAL search_path TO "{schema}"')
    op.execute(f"""
    CREATE TABLE runs (
        id text PRIMARY KEY,
        export text NOT NULL,
        export_date date NOT NULL,
        request jsonb NOT NULL DEFAULT '{{}}',
        backfill boolean NOT NULL DEFAULT false,
        started_at timestamptz NOT NULL DEFAULT now(),
        planned_at timestamptz,
        problem text,
        ended_at timestamptz,
        rows_read integer NOT NULL DEFAULT 0,
        looks_known integer NOT NULL DEFAULT 0,
        looks_new integer NOT NULL DEFAULT 0,
        estimated_uses integer NOT NULL DEFAULT 0,
        estimated_amount numeric NOT NULL DEFAULT 0,
        asked_amount numeric,
        approved_amount numeric,
        approval text,
        warnings jsonb NOT NULL DEFAULT '[]',
        summary jsonb
    );
    CREATE TABLE batches (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL REFERENCES runs,
        fit_type text NOT NULL,
        inference_num smallint NOT NULL,
        cut_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX batches_of_run ON batches (run_id);
    CREATE TABLE looks (
        key char(64) COLLATE "C" PRIMARY KEY,
        fit_type text NOT NULL,
        inference_num smallint NOT NULL CHECK (inference_num BETWEEN 1 AND 4),
        model text NOT NULL,
        model_image text NOT NULL,
        tops_image text NOT NULL,
        pants_image text,
        mask_image text,
        model_sha256 char(64),
        tops_sha256 char(64),
        pants_sha256 char(64),
        mask_sha256 char(64),
        state text NOT NULL CHECK (state IN ({states})),
        attempts integer NOT NULL DEFAULT 0,
        batch_id bigint REFERENCES batches,
        position bigint NOT NULL,
        collection text NOT NULL DEFAULT '',
        held_since timestamptz,
        reason text,
        vendor_code text,
        moved_at timestamptz NOT NULL DEFAULT now(),
        moved_run text NOT NULL,
        moved_try integer NOT NULL
    );
    CREATE INDEX looks_of_batch ON looks (batch_id);
    CREATE INDEX looks_held ON looks (held_since) WHERE held_since IS NOT NULL;
    CREATE INDEX looks_not_ended ON looks (state) WHERE state NOT IN ('PUBLISHED', 'REJECTED');
    CREATE TABLE allowed_moves (
        from_state text NOT NULL CHECK (from_state IN ({states})),
        to_state text NOT NULL CHECK (to_state IN ({states})),
        PRIMARY KEY (from_state, to_state)
    );
    INSERT INTO allowed_moves VALUES {moves};
    CREATE TABLE look_moves (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        look_key char(64) COLLATE "C" NOT NULL, -- no REFERENCES: only triggers write here
        from_state text,
        to_state text NOT NULL,
        moved_at timestamptz NOT NULL,
        run text NOT NULL,
        try integer NOT NULL,
        reason text,
        vendor_code text
    );
    CREATE INDEX moves_of_look ON look_moves (look_key, id);
    CREATE TABLE submissions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        batch_id bigint NOT NULL REFERENCES batches,
        run_id text NOT NULL REFERENCES runs,
        try_number integer NOT NULL,
        conn_id text NOT NULL,
        state text NOT NULL CHECK (
            state IN ('SUBMITTING', 'SUBMITTED', 'REFUSED', 'IN_DOUBT', 'WRITTEN_OFF', 'COLLECTED')
        ),
        fit_type text NOT NULL,
        inference_num smallint NOT NULL,
        result_key text UNIQUE,
        request_id text,
        vendor_code text,
        message text,
        uses integer NOT NULL DEFAULT 0,
        amount numeric NOT NULL DEFAULT 0,
        intended_at timestamptz NOT NULL DEFAULT now(),
        answered_at timestamptz,
        ended_at timestamptz,
        collected_at timestamptz,
        CHECK ((state IN ('SUBMITTED', 'COLLECTED')) = (result_key IS NOT NULL))
    );
    CREATE INDEX submissions_of_batch ON submissions (batch_id);
    CREATE INDEX submissions_of_run ON submissions (run_id);
    CREATE INDEX submissions_by_time ON submissions (intended_at);
    CREATE INDEX submissions_open ON submissions (conn_id, state)
        WHERE state IN ('SUBMITTING', 'SUBMITTED', 'IN_DOUBT');
    CREATE TABLE paces (
        conn_id text PRIMARY KEY,
        next_submission_at timestamptz NOT NULL DEFAULT now(),
        held_until timestamptz,
        strikes integer NOT NULL DEFAULT 0,
        looked_at timestamptz
    );
    CREATE TABLE stops (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        conn_id text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('credentials', 'package')),
        reason text NOT NULL,
        vendor_code text,
        request_id text,
        set_at timestamptz NOT NULL,
        set_by text NOT NULL,
        lifted_at timestamptz,
        lifted_by text
    );
    CREATE UNIQUE INDEX stop_of_connection ON stops (conn_id) WHERE lifted_at IS NULL;
    CREATE TABLE submission_looks (
        submission_id bigint NOT NULL REFERENCES submissions,
        position smallint NOT NULL,
        look_key char(64) COLLATE "C" NOT NULL REFERENCES looks,
        PRIMARY KEY (submission_id, position)
    );
    CREATE INDEX submissions_of_look ON submission_looks (look_key);
    -- Neither names runs as REFERENCES: the plan that writes them has just made the run, and checking it for each of
    -- a hundred thousand rows takes seconds.
    CREATE TABLE run_looks (
        run_id text NOT NULL,
        look_key char(64) COLLATE "C" NOT NULL REFERENCES looks,
        leftover boolean NOT NULL DEFAULT false,
        again boolean NOT NULL DEFAULT false,
        PRIMARY KEY (run_id, look_key)
    );
    CREATE TABLE collections (
        name text PRIMARY KEY,
        first_date date NOT NULL
    );
    CREATE TABLE garment_looks (
        sku text NOT NULL,
        position smallint NOT NULL,
        look_key char(64) COLLATE "C" NOT NULL REFERENCES looks,
        title text NOT NULL,
        collection text NOT NULL,
        priority double precision,
        export_date date NOT NULL,
        run_id text NOT NULL,
        written_state text,
        PRIMARY KEY (sku, position)
    );
    CREATE INDEX garments_of_look ON garment_looks (look_key);
    CREATE INDEX garments_of_run ON garment_looks (run_id);
    CREATE TABLE rejections (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id text NOT NULL REFERENCES runs,
        line integer NOT NULL,
        sku text,
        rule text NOT NULL,
        "column" text,
        value text,
        image text,
        measured text,
        "limit" text,
        reason text NOT NULL
    );
    CREATE UNIQUE INDEX rejection_of_row ON rejections (run_id, line, rule, coalesce(image, ''));
    CREATE INDEX rejections_of_sku ON rejections (sku);
    CREATE TABLE images (
        url_sha256 char(64) COLLATE "C" NOT NULL,
        role text NOT NULL,
        url text NOT NULL,
        sha256 char(64),
        format text,
        bytes integer,
        width integer,
        height integer,
        etag text,
        last_modified text,
        rule text,
        measured text,
        "limit" text,
        advice text,
        warnings jsonb NOT NULL DEFAULT '[]',
        used_url text,
        checked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (url_sha256, role)
    );
    CREATE INDEX images_of_bytes ON images (sha256);
    CREATE TABLE pictures (
        look_key char(64) COLLATE "C" NOT NULL REFERENCES looks,
        number smallint NOT NULL,
        path text NOT NULL,
        url text NOT NULL,
        sha256 char(64) NOT NULL,
        bytes integer NOT NULL,
        width integer NOT NULL,
        height integer NOT NULL,
        thumbnail text,
        score double precision,
        verdict jsonb,
        archived_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (look_key, number)
    );
    CREATE TABLE alerts (
        run_id text NOT NULL,
        event text NOT NULL,
        text text NOT NULL,
        told_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (run_id, event)
    );
    """)
    # The functions name their schema, because a trigger runs with the search_path of whoever fires it. They see
    # all rows of a statement at once: a hundred thousand looks are planned in a few statements.
    op.execute(f"""
    CREATE FUNCTION record_planned_looks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO "{schema}".look_moves
            (look_key, from_state, to_state, moved_at, run, try, reason, vendor_code)
        SELECT key, NULL, state, moved_at, moved_run, moved_try, reason, vendor_code FROM now_rows;
        RETURN NULL;
    END $$;
    -- PostgreSQL knows nothing of how many rows moved, and would compare each with each.
    CREATE FUNCTION record_moved_looks() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
    DECLARE
        refused record;
    BEGIN
        SELECT key, before_rows.state AS old, now_rows.state AS new INTO refused
        FROM before_rows JOIN now_rows USING (key)
        WHERE before_rows.state <> now_rows.state AND NOT EXISTS (
            SELECT FROM "{schema}".allowed_moves
            WHERE from_state = before_rows.state AND to_state = now_rows.state
        ) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'look % may not move from % to %', refused.key, refused.old, refused.new
                USING ERRCODE = 'check_violation';
        END IF;
        INSERT INTO "{schema}".look_moves
            (look_key, from_state, to_state, moved_at, run, try, reason, vendor_code)
        SELECT key, before_rows.state, now_rows.state, now_rows.moved_at, now_rows.moved_run,
            now_rows.moved_try, now_rows.reason, now_rows.vendor_code
        FROM before_rows JOIN now_rows USING (key) WHERE before_rows.state <> now_rows.state;
        RETURN NULL;
    END $$;
    CREATE TRIGGER look_planned AFTER INSERT ON looks REFERENCING NEW TABLE AS now_rows
        FOR EACH STATEMENT EXECUTE FUNCTION record_planned_looks();
    CREATE TRIGGER look_moved AFTER UPDATE ON looks REFERENCING OLD TABLE AS before_rows NEW TABLE AS now_rows
        FOR EACH STATEMENT EXECUTE FUNCTION record_moved_looks();
    """)
