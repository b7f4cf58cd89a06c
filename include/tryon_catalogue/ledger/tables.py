"""The ledger's tables: what was wanted, what was paid for, and what came of it.

One place says how the tables look to the code; ``migrations`` says how they came to be. It knows nothing of
Airflow and nothing of the vendor. The schema's name is a placeholder that the engine translates
(``schema_translate_map``) to the one in the settings.
"""

from __future__ import annotations

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "tryon"
metadata = MetaData(schema=SCHEMA)
# Digits need no language's order, and comparing without one is several times faster.
KEY = CHAR(64, collation="C")


runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True, doc="dag_id/run_id"),
    Column("export", Text, nullable=False),
    Column("export_date", Date, nullable=False),
    Column(
        "request", JSONB, nullable=False, server_default="{}", doc="beside the export; empty for all of it"
    ),
    Column("backfill", Boolean, nullable=False, server_default="false", doc="goes behind the nights"),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=func.now(), doc="last time"),
    Column("planned_at", DateTime(timezone=True), doc="last time; null while its export is not read"),
    Column(
        "cut_at",
        DateTime(timezone=True),
        doc="when it was decided what of it goes, were it nothing; null while that is open",
    ),
    Column("problem", Text, doc="why there was no export to read, in words"),
    Column("ended_at", DateTime(timezone=True), doc="last account; older than opened_at: begun again since"),
    Column("rows_read", Integer, nullable=False, server_default="0"),
    Column("rows_further", Integer, nullable=False, server_default="0", doc="of garments of earlier rows"),
    Column(
        "rows_left_out", JSONB, nullable=False, server_default="{}", doc="what a filter says -> rows of them"
    ),
    Column(
        "reading_notes", JSONB, nullable=False, server_default="[]", doc="how its export was read, in words"
    ),
    Column("looks_known", Integer, nullable=False, server_default="0", doc="already in the ledger"),
    Column("looks_new", Integer, nullable=False, server_default="0"),
    # Money is in the currency of the settings.
    Column("estimated_uses", Integer, nullable=False, server_default="0", doc="of what it was cut for"),
    Column("estimated_amount", Numeric, nullable=False, server_default="0", doc="before anything was sent"),
    Column("asked_amount", Numeric, doc="what a person was asked about; null when nobody was"),
    Column("approved_amount", Numeric, doc="what a person lets it spend in all; null when nobody was asked"),
    Column("approval", Text, doc="what was asked or answered, in words"),
    Column("answered_by", Text, doc="a person's user name; null while, or if, nobody answers"),
    Column("answered_at", DateTime(timezone=True)),
    Column("warnings", JSONB, nullable=False, server_default="[]", doc="about packs, in words"),
    Column("summary", JSONB),
)

batches = Table(
    "batches",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run_id", Text, ForeignKey(runs.c.id), nullable=False),
    Column("fit_type", Text, nullable=False),
    Column("inference_num", SmallInteger, nullable=False),
    Column("cut_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

looks = Table(
    "looks",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("fit_type", Text, nullable=False),
    Column("inference_num", SmallInteger, nullable=False),
    Column("model", Text, nullable=False, doc="roster name; empty when the export named the picture"),
    Column("model_image", Text, nullable=False),
    Column("tops_image", Text, nullable=False),
    Column("pants_image", Text),
    Column("mask_image", Text),
    # What the pictures were when the look was planned: its key is made of these.
    Column("model_sha256", CHAR(64)),
    Column("tops_sha256", CHAR(64)),
    Column("pants_sha256", CHAR(64)),
    Column("mask_sha256", CHAR(64)),
    Column("state", Text, nullable=False, doc="moves are held to allowed_moves by a trigger"),
    Column("attempts", Integer, nullable=False, server_default="0", doc="submissions that were accepted"),
    Column("batch_id", BigInteger, ForeignKey(batches.c.id)),
    Column("position", BigInteger, nullable=False, doc="place in the export that first asked for it"),
    Column("collection", Text, nullable=False, server_default="", doc="whose limit it counts against"),
    Column("held_since", DateTime(timezone=True), doc="when a limit first did not let it go; it goes first"),
    # The last move, copied into look_moves by the same trigger.
    Column("reason", Text),
    Column("vendor_code", Text),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("moved_run", Text, nullable=False),
    Column("moved_try", Integer, nullable=False),
)

allowed_moves = Table(
    "allowed_moves",
    metadata,
    Column("from_state", Text, primary_key=True),
    Column("to_state", Text, primary_key=True),
)

look_moves = Table(
    "look_moves",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("look_key", KEY, nullable=False, doc="only the triggers of looks write here"),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
    Column("run", Text, nullable=False),
    Column("try", Integer, nullable=False),
    Column("reason", Text),
    Column("vendor_code", Text),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("batch_id", BigInteger, ForeignKey(batches.c.id), nullable=False),
    Column("run_id", Text, ForeignKey(runs.c.id), nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("conn_id", Text, nullable=False, doc="the Airflow connection it went over"),
    Column("state", Text, nullable=False),
    Column("fit_type", Text, nullable=False),
    Column("inference_num", SmallInteger, nullable=False),
    Column("result_key", Text, unique=True),
    Column("request_id", Text),
    Column("vendor_code", Text),
    Column("message", Text),
    Column("uses", Integer, nullable=False, server_default="0", doc="expected charge once accepted"),
    Column("amount", Numeric, nullable=False, server_default="0", doc="its price if the vendor has it"),
    Column("intended_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("answered_at", DateTime(timezone=True)),
    Column(
        "ended_at", DateTime(timezone=True), doc="seen to have ended at the vendor; not collected by that"
    ),
    Column("collected_at", DateTime(timezone=True)),
    Column(
        "in_totals",
        Boolean,
        nullable=False,
        server_default="false",
        doc="counted in collection_totals by now",
    ),
)

collection_totals = Table(
    "collection_totals",
    metadata,
    Column("collection", Text, primary_key=True, doc="empty for garments without one"),
    Column("amount", Numeric, nullable=False, doc="of its looks in the submissions that are in_totals"),
)

paces = Table(
    "paces",
    metadata,
    Column("conn_id", Text, primary_key=True, doc="the Airflow connection whose submissions share the pace"),
    Column("next_submission_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("held_until", DateTime(timezone=True), doc="nobody submits before, for the vendor throttled us"),
    Column("strikes", Integer, nullable=False, server_default="0", doc="holds since the last acceptance"),
    Column("looked_at", DateTime(timezone=True), doc="when somebody last asked what is in flight"),
)

turns = Table(
    "turns",
    metadata,
    Column("batch_id", BigInteger, ForeignKey(batches.c.id), primary_key=True, autoincrement=False),
    Column("conn_id", Text, nullable=False, doc="the Airflow connection it waits to submit over"),
    Column("backfill", Boolean, nullable=False, doc="it goes behind the nights"),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("seen_at", DateTime(timezone=True), nullable=False, doc="when it was last waited for"),
    Column("promised_at", DateTime(timezone=True), doc="when it was let go; null while it waits"),
)

stops = Table(
    "stops",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("conn_id", Text, nullable=False, doc="at most one that is not lifted"),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("vendor_code", Text),
    Column("request_id", Text),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("set_by", Text, nullable=False, doc="the run that learned it"),
    Column("lifted_at", DateTime(timezone=True)),
    Column("lifted_by", Text),
)

submission_looks = Table(
    "submission_looks",
    metadata,
    Column("submission_id", BigInteger, ForeignKey(submissions.c.id), primary_key=True),
    Column("position", SmallInteger, primary_key=True, doc="place in the vendor's task_list, from 0"),
    Column("look_key", KEY, ForeignKey(looks.c.key), nullable=False),
    # What was sent: the vendor echoes these, whatever addresses a newer export gives the look.
    Column("model_image", Text, nullable=False),
    Column("tops_image", Text, nullable=False),
    Column("pants_image", Text),
    Column("mask_image", Text),
)

run_looks = Table(
    "run_looks",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("look_key", KEY, ForeignKey(looks.c.key), primary_key=True),
    Column(
        "leftover", Boolean, nullable=False, server_default="false", doc="no row of its export asked for it"
    ),
    Column(
        "again",
        Boolean,
        nullable=False,
        server_default="false",
        doc="it had ended when the run began, which was asked to make it again",
    ),
)

collections = Table(
    "collections",
    metadata,
    Column("name", Text, primary_key=True, doc="never empty"),
    Column("first_date", Date, nullable=False, doc="of the oldest export that named it"),
)

garment_looks = Table(
    "garment_looks",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True, doc="place among the looks of the garment, from 0"),
    Column("look_key", KEY, ForeignKey(looks.c.key), nullable=False),
    Column("title", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("priority", Float, doc="the higher, the sooner its looks go where money is short"),
    Column("export_date", Date, nullable=False, doc="the newest export that said so"),
    Column("run_id", Text, nullable=False),
    Column("written_state", Text, doc="the look's state that the catalogue row was last written with"),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run_id", Text, ForeignKey(runs.c.id), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku", Text),
    Column("rule", Text, nullable=False),
    Column("column", Text),
    Column("value", Text),
    Column(
        "image", Text, doc="the picture that breaks the rule, where it is one: its address, without its query"
    ),
    Column("measured", Text),
    Column("limit", Text),
    Column("reason", Text, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("url_sha256", KEY, primary_key=True, doc="an address may be longer than an index takes"),
    Column("role", Text, primary_key=True, doc="a mask is held to rules of its own"),
    Column("url", Text, nullable=False),
    Column("sha256", CHAR(64), doc="of the bytes that the shop serves; null while it could not be fetched"),
    Column("format", Text),
    Column("bytes", Integer),
    Column("width", Integer),
    Column("height", Integer),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("rule", Text, doc="the rule it breaks; null for a good one"),
    Column("measured", Text),
    Column("limit", Text),
    Column("advice", Text, doc="what to do"),
    Column("warnings", JSONB, nullable=False, server_default="[]"),
    Column("used_url", Text, doc="our repaired copy, which the vendor gets instead"),
    Column("checked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

pictures = Table(
    "pictures",
    metadata,
    Column("look_key", KEY, ForeignKey(looks.c.key), primary_key=True),
    Column(
        "shown",
        Boolean,
        primary_key=True,
        server_default="true",
        doc="in the catalogue; one that waits for a person's eye, or for the shop's row, stands beside those that are",
    ),
    Column("number", SmallInteger, primary_key=True, doc="place among the look's pictures, from 0"),
    Column("path", Text, nullable=False),
    Column("url", Text, nullable=False, doc="what the catalogue shows"),
    Column("sha256", CHAR(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("thumbnail", Text, doc="where a small copy of it is kept"),
    Column("score", Float, doc="of the judgement, 0 to 1; null when it was not judged"),
    Column("verdict", JSONB, doc="what was measured"),
    Column("doubts", Text, doc="what speaks against this picture, one line each; null when nothing does"),
    Column("archived_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

alerts = Table(
    "alerts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("event", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
