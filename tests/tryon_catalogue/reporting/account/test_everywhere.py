"""The note, the log, the report and the demo are the same account of a run."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, text
from tests.tryon_catalogue.reporting.report.books import (
    RUN,
    Entry,
    open_run,
    write_looks,
    write_rejections,
    write_submission,
)
from tests.tryon_demo.nights import PAID_ONCE, said, screen

from tryon_catalogue.ledger.states import PAID, SHOWN, SubmissionState, in_words
from tryon_catalogue.reporting.account import close_run, headline
from tryon_catalogue.reporting.asset import event_of
from tryon_catalogue.reporting.notes import as_markdown, as_text, read_run_note
from tryon_catalogue.reporting.report.reading import read_report
from tryon_catalogue.reporting.report.rendering import render
from tryon_catalogue.reporting.report.thumbnails import Thumbnails
from tryon_catalogue.settings import load_settings
from tryon_catalogue.words import money
from tryon_demo.display import show_summary
from tryon_demo.outcome import read_outcome
from tryon_demo.scene import SETTINGS, SHOP_TABLE

OTHER = "tryon_nightly/other"


def no_archive(place: str) -> bytes:
    raise FileNotFoundError(place)


def write_every_state(engine: Engine) -> None:
    """A run with two looks and more in every state, one submission in every state, and looks that it does not carry."""
    open_run(engine, OTHER)
    open_run(engine, ended=False, looks_known=4)
    ours = [
        Entry(f"{state}-{number}", state=state.value, reason="because")
        for place, state in enumerate(SHOWN, start=2)
        for number in range(place)
    ]
    held = [
        Entry(f"held-{number}", state="PLANNED", reason="no money", batch_run=None) for number in range(3)
    ]
    elsewhere = [Entry("elsewhere", state="SUBMITTED", batch_run=OTHER)]
    keys = write_looks(engine, [*ours, *held, *elsewhere])
    for number, state in enumerate(SubmissionState):
        write_submission(engine, keys[number : number + 1], state.value, uses=10**number)
    write_rejections(engine, [{"line": 4}, {"line": 4, "rule": "too_small"}, {"line": 0}])
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE catalogue"))
        connection.execute(text(SHOP_TABLE.read_text(encoding="utf-8")))


def test_the_same_figures_of_a_run_stand_in_its_note_its_log_its_report_and_the_demo(engine: Engine) -> None:
    write_every_state(engine)
    settings = load_settings(SETTINGS)

    account = close_run(engine, settings, RUN)
    note = read_run_note(engine, account)
    report = read_report(engine, settings.price, RUN)
    outcome = read_outcome(engine, settings.price, RUN)

    of_the_catalogue = {"rows_written": 0, "unlisted": 0, "refused": 0, "refused_rows": ()}
    assert report.account == outcome.account == replace(account, **of_the_catalogue)
    assert account.looks == {state.value: place for place, state in enumerate(SHOWN, start=2)}
    assert (account.held, account.elsewhere, account.known, account.rejected_rows) == (3, 1, 4, 1)
    assert account.uses == sum(10**number for number, state in enumerate(SubmissionState) if state in PAID)

    log = as_text(note)
    markdown = re.sub(r"\\(.)", r"\1", as_markdown(note, 100_000))
    page = render(report, Thumbnails(no_archive), settings.archive)
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    console = screen(200)
    show_summary(console, outcome, PAID_ONCE, pictures=Path("a"), sheet=Path("s"), report=Path("r"))
    demo = " ".join(said(console).split())
    for output in (log, markdown, page, demo):
        assert headline(account) == f"2 of {account.tried} looks published, 3 looks held back"
        assert headline(account) in output
        assert money(account.cost, account.currency) in output
    for state, count in account.looks.items():
        assert f"{count} {state}" in log
        assert f"{count} {state}" in markdown
        assert f" {count} {in_words(state)} " in page
    spent = f"{account.uses:,} uses in {account.submissions} submissions"
    for output in (log, markdown, page):
        assert spent in output
    assert f"{account.uses} expected by the ledger" in demo
    assert f"{account.tried} to make, {account.known} known before" in demo
    assert f"made for {account.tried} looks of this run" in page
    for output, known, elsewhere, held in (
        (log, "known before: 4", "carried by another run: 1", "held back: 3"),
        (markdown, "known before: 4", "carried by another run: 1", "held back: 3"),
        (page, "Known before 4", "Elsewhere 1", "Held back 3"),
    ):
        assert all(figure in output for figure in (known, elsewhere, held))
    assert "1 rejected (2 missing, 1 too_small)" in log
    assert "2 missing" in page
    planned = account.looks["PLANNED"]
    assert f"{planned} looks: because" in log
    assert "3 looks: no money" in log
    assert "3 looks no money" in page
    assert event_of(account)["waiting"] == planned + account.held
