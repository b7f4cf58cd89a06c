from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.exports import Rejection, Rule
from tryon_catalogue.ledger.tables import looks, rejections, runs, stops
from tryon_catalogue.reporting.account import Account, close_run
from tryon_catalogue.reporting.notes import (
    MOST_CHARACTERS,
    Note,
    NotSent,
    as_markdown,
    as_text,
    read_recovery_note,
    read_run_note,
)
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.doubts import Doubt
from tryon_catalogue.submission.stops import Stop, StopKind

NIGHT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


def doubt(number: int, answer: str = "timed out") -> Doubt:
    return Doubt(number, "tryon_nightly/n1", "damo_tryon", NIGHT, 2, 2, ("A-1", "A-2"), None, answer, None)


def rejection(line: int, sku: str, reason: str) -> Rejection:
    return Rejection(line, sku, Rule.MISSING_IMAGE, "", "", reason)


def stop(reason: str) -> Stop:
    return Stop("damo_tryon", StopKind.CREDENTIALS, reason, "23500001", "r-1", NIGHT, "tryon_nightly/n1")


def test_a_note_shows_figures_stops_what_waits_doubts_and_rejections_in_this_order() -> None:
    note = Note(
        "3 of 9 looks published",
        figures=(("rows", "12 read, 1 rejected (1 missing)"), ("cost", "5 uses in 2 submissions, ¥4.75")),
        stops=(stop("bad credentials"),),
        not_sent=(NotSent(4, "not sent"),),
        doubts=(doubt(7),),
        rejected=(rejection(3, "A-9", "no picture"), rejection(4, "", "no sku")),
    )
    assert as_markdown(note) == (
        "**3 of 9 looks published**\n"
        "\n"
        "- rows: 12 read, 1 rejected \\(1 missing\\)\n"
        "- cost: 5 uses in 2 submissions, ¥4.75\n"
        "\n"
        "**Stopped**\n"
        "\n"
        "- damo\\_tryon\\: bad credentials `tryon resume`\n"
        "\n"
        "**Waiting**\n"
        "\n"
        "- 4 looks\\: not sent\n"
        "\n"
        "**In doubt**\n"
        "\n"
        "- 7\\: 2 looks of A-1, A-2, sent 2026-11-20 02\\:30 UTC\\: timed out `tryon doubts resolve 7`\n"
        "\n"
        "**Rejected**\n"
        "\n"
        "- line 3, A-9\\: no picture\n"
        "- line 4, no sku\\: no sku"
    )


def test_a_note_names_the_rows_that_the_catalogue_refused(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(2))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ADD CHECK (sku <> 'sku-1' OR tryon_status IS NULL)"))
    log = as_text(read_run_note(engine, close_run(engine, settings, "dag/run")))
    assert "rows of the catalogue not written: 1\n" in log
    assert "Not written to the catalogue:\n  sku sku-1: the table catalogue does not take its row" in log


def test_a_note_without_trouble_has_no_empty_sections() -> None:
    assert (
        as_markdown(Note("done", figures=(("looks", "2 PUBLISHED"),))) == "**done**\n\n- looks: 2 PUBLISHED"
    )


@given(st.lists(st.text(max_size=400), max_size=60), st.lists(st.text(max_size=60), max_size=9))
def test_a_note_always_fits_and_stays_in_its_lines(reasons: list[str], figures: list[str]) -> None:
    note = Note(
        "a night",
        figures=tuple((name, name) for name in figures),
        doubts=tuple(doubt(number, reason) for number, reason in enumerate(reasons)),
        rejected=tuple(rejection(number + 1, reason, reason) for number, reason in enumerate(reasons)),
    )
    shown = as_markdown(note)
    assert len(shown) <= MOST_CHARACTERS
    assert all(line.startswith(("**", "- ", "…")) for line in shown.split("\n") if line)


def test_a_long_section_says_how_much_more_there_is_and_the_log_has_it() -> None:
    note = Note("x", doubts=tuple(doubt(number) for number in range(12)))
    assert "- and 7 more in the log" in as_markdown(note, 10_000)
    assert as_text(note).count("tryon doubts resolve") == 12


def test_the_log_is_plain_text() -> None:
    note = Note("x", figures=(("looks", "2 IN_DOUBT"),), not_sent=(NotSent(1, "a_b\nc"),))
    assert as_text(note) == "x.\n  looks: 2 IN_DOUBT\nWaiting:\n  1 look: a_b c"


def test_the_note_of_a_run_is_read_from_the_ledger(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    batch, keys = plan_batch(some_looks(5))
    with engine.begin() as connection:
        connection.execute(
            update(looks).where(looks.c.key.in_(keys[:2])).values(reason="the vendor is throttling us")
        )
        connection.execute(
            insert(rejections),
            [
                {"run_id": batch.run_id, "line": 9, "sku": "B-1", "rule": "image", "reason": "no image"},
                {"run_id": batch.run_id, "line": 4, "sku": None, "rule": "sku", "reason": "no sku"},
                {"run_id": batch.run_id, "line": 5, "sku": "B-2", "rule": "image", "reason": "no image"},
            ],
        )
        connection.execute(text("UPDATE tryon.runs SET rows_read = 8"))
    note = read_run_note(engine, close_run(engine, settings, batch.run_id))
    assert note.title == "0 of 5 looks published"
    assert note.figures[0] == ("rows", "8 read, 3 rejected (2 image, 1 sku)")
    assert note.figures[1] == ("looks", "5 PLANNED")
    assert [(group.looks, group.reason) for group in note.not_sent] == [
        (3, "not sent; the log of the run's tasks says why"),
        (2, "the vendor is throttling us"),
    ]
    assert [row.line for row in note.rejected] == [4, 5, 9]


def test_the_note_of_a_run_says_how_many_rows_are_no_garments_of_their_own(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(1))
    with engine.begin() as connection:
        beside = {"rows_further": 1200, "rows_left_out": {"status is 'old'": 30}}
        connection.execute(update(runs).values(rows_read=2000, **beside))
    note = read_run_note(engine, close_run(engine, settings, batch.run_id))
    assert note.figures[0] == (
        "rows",
        "2,000 read (1,200 of them further rows of a garment; 30 left out because status is 'old'), 0 rejected",
    )


def test_the_note_of_a_run_that_was_not_cut_says_so_and_why_its_looks_wait(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(2))
    with engine.begin() as connection:
        connection.execute(update(runs).values(cut_at=None))
        connection.execute(update(looks).values(batch_id=None))
    note = read_run_note(engine, close_run(engine, settings, batch.run_id))
    assert note.title == "The export was read, and nothing of it was sent"
    assert [(group.looks, group.reason.partition(":")[0]) for group in note.not_sent] == [(2, "not sent")]


def test_the_note_of_a_recovery_names_every_doubt_and_stop(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(2))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tryon.submissions (batch_id, run_id, conn_id, try_number, state, fit_type,"
                " inference_num, message) VALUES (:batch, :run, 'damo_tryon', 1, 'IN_DOUBT', 'HALF_BODY', 1, 'x')"
            ),
            {"batch": batch.id, "run": batch.run_id},
        )
        connection.execute(
            text(
                "INSERT INTO tryon.submission_looks"
                " SELECT s.id, l.position, l.key, l.model_image, l.tops_image FROM tryon.submissions s, tryon.looks l"
            )
        )
        connection.execute(
            insert(stops).values(
                conn_id="damo_tryon", kind="package", reason="used up", set_at=NIGHT, set_by=batch.run_id
            )
        )
        submission_id = connection.execute(select(text("id")).select_from(text("tryon.submissions"))).scalar()
    shown = as_text(read_recovery_note(engine, batches=3, newly_doubted=1))
    assert "3 batches to collect, 1 submissions in doubt." in shown
    assert f"tryon doubts resolve {submission_id}" in shown
    assert "used up tryon resume" in shown


def test_the_account_of_a_run_with_nothing_to_do_is_short(engine: Engine) -> None:
    account = Account("dag/run", 4, 0, 4, {}, 0, 0, 0, Decimal(0), "CNY", 0, 0)
    assert as_text(read_run_note(engine, account)).splitlines() == [
        "Nothing new to make.",
        "  rows: 4 read, 0 rejected",
        "  looks: none to make",
        "  known before: 4",
        "  cost: 0 uses in 0 submissions, ¥0",
    ]


def note_lines(engine: Engine, **changes: object) -> list[str]:
    """The note of a run that read an export of four rows and made nothing, with these changes, as lines."""
    account = Account("dag/run", 4, 0, 0, {}, 0, 0, 0, Decimal(0), "CNY", 0, 0)
    return as_text(read_run_note(engine, replace(account, **changes))).splitlines()


@pytest.mark.parametrize("rows", [{"rows": 0}, {"left_out": {"it is old": 3}, "further": 1}])
def test_an_export_without_a_row_that_is_meant_is_told_where_it_may_not_be_empty(
    engine: Engine, rows: dict[str, object]
) -> None:
    assert note_lines(engine, may_be_empty=False, **rows)[0] == "The export has no row that is meant."
    assert note_lines(engine, may_be_empty=True, **rows)[0] == "Nothing new to make."
