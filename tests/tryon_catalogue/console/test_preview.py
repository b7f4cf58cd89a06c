"""A preview in the terminal: what would be made, for how much, what stays, and what stands in the way."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine

from damo_tryon.errors import CredentialsError
from tests.tryon_catalogue.budgets import plan, send, with_budget, write_export
from tests.tryon_catalogue.planning.test_preview import doubt_all
from tryon_catalogue.console.preview import show_preview
from tryon_catalogue.planning.preview import preview_run, read_asked, run_over
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import OnDoubt, Settings
from tryon_catalogue.submission.stops import StopKind, set_stop


def shown(settings: Settings, export: str, engine: Engine | None = None) -> str:
    console = Console(file=io.StringIO(), width=300, highlight=False)
    run = run_over(export, settings)
    asked, next_run = (
        (read_asked(settings, run), None) if engine is None else preview_run(engine, settings, run)
    )
    show_preview(asked, next_run, settings, console)
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO


@pytest.fixture
def export(tmp_path: Path) -> str:
    """A shirt, a hat that no rule is for, and a row without a picture."""
    path = tmp_path / "export.csv"
    path.write_text(
        "sku,category,image_url,title\n"
        "s1,shirt,https://pictures.example/1.jpg,Shirt [one]\n"
        "h1,hat,https://pictures.example/4.jpg,\n"
        "s3,shirt,,\n"
    )
    return str(path)


def test_without_a_ledger_it_says_what_all_of_it_would_cost_and_why_rows_are_refused(
    export: str, settings: Settings
) -> None:
    printed = shown(settings, export)
    assert "3 rows, 1 garment, 2 rejected." in printed
    assert "All of it: 1 look, 1 picture, 1 use, ¥0.95" in printed
    assert "no rule" in printed
    assert "No casting rule is for this category" in printed
    assert "There is no ledger" in printed
    assert "is to make 1 look at most" in printed
    assert "Shirt [one]" in printed


def test_pictures_that_nobody_has_looked_at_are_said_not_to_be_known(
    engine: Engine, export: str, settings: Settings
) -> None:
    assert "Not known: 2 pictures that no run has looked at yet" in shown(settings, export, engine)


@pytest.fixture
def two_nights(engine: Engine, settings: Settings, tmp_path: Path) -> str:
    """A ledger with two looks in doubt and three held back, and an export of one more garment and one in doubt."""
    narrow = with_budget(settings, per_run=2)
    first = write_export(engine, settings, tmp_path, "a-", 5)
    send(engine, narrow, plan(engine, narrow, first), doubt_all)
    close_run(engine, narrow, "dag/1")
    second = Path(write_export(engine, settings, tmp_path, "b-", 1))
    second.write_text(second.read_text() + Path(first).read_text().splitlines()[1] + "\n")
    return str(second)


def test_one_sentence_says_how_many_looks_are_to_make_and_how_many_of_them_are_left_over(
    engine: Engine, settings: Settings, two_nights: str
) -> None:
    printed = shown(with_budget(settings, per_run=6), two_nights, engine)
    assert "A run would make: 4 looks, 4 pictures, 4 uses, ¥4." in printed
    assert "is to make 4 looks for ¥4, 3 of them left over from earlier runs." in printed
    assert "Held back" not in printed
    assert "Not known" not in printed


def test_what_stays_is_told_with_what_it_waits_for(
    engine: Engine, settings: Settings, two_nights: str
) -> None:
    printed = shown(with_budget(settings, per_run=3), two_nights, engine)
    assert "is to make 3 looks for ¥3" in printed
    assert "Held back: 1 further look waits for money: per_run = ¥3 is taken up" in printed
    assert "1 look in doubt: not sent before you settle it. See `tryon doubts`." in printed


def test_a_doubt_that_the_settings_send_again_is_no_doubt_any_more(
    engine: Engine, settings: Settings, two_nights: str
) -> None:
    resubmit = {"on_doubt": OnDoubt.RESUBMIT, "resubmit_after_hours": 0}
    safety = settings.safety.model_copy(update=resubmit)
    printed = shown(with_budget(settings.model_copy(update={"safety": safety})), two_nights, engine)
    assert "is to make 6 looks for ¥6, 4 of them left over" in printed
    assert "in doubt" not in printed


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ({}, False),
        ({"approve_above": Decimal(3)}, True),
    ],
)
def test_a_person_who_would_be_asked_is_told_of(
    engine: Engine, settings: Settings, two_nights: str, budget: dict[str, Any], told: bool
) -> None:
    printed = shown(with_budget(settings, **budget), two_nights, engine)
    assert ("asks a person first: it would cost more than approve_above = ¥3" in printed) is told


def test_a_stop_and_a_pack_that_does_not_last_are_told(
    engine: Engine, settings: Settings, two_nights: str
) -> None:
    pack = {"name": "spring", "size": 2, "price": 1, "bought_at": "2026-01-01", "expires_at": "2200-01-01"}
    set_stop(engine, settings.vendor.conn_id, StopKind.CREDENTIALS, CredentialsError("wrong code"), "dag/1")
    printed = shown(with_budget(settings, {"packs": [pack]}), two_nights, engine)
    assert "Stopped:" in printed
    assert "wrong code" in printed
    assert "Packs: the packs have 2 uses left and the run needs 4" in printed


def test_garments_that_the_shop_no_longer_sells_are_told(
    engine: Engine, settings: Settings, two_nights: str
) -> None:
    assert "4 garments that the ledger knows are not in this full export" in shown(
        settings, two_nights, engine
    )


def test_what_would_be_paid_for_and_perhaps_never_shown_is_told_before_the_price(
    settings: Settings, tmp_path: Path
) -> None:
    shared = "https://pictures.example/placeholder.jpg"
    rows = [f"p{n},shirt,{shared},Plain" for n in range(5)]
    rows += [
        "8.05769E+12,shirt,https://pictures.example/1.jpg,Red",
        "k1,shirt,https://pictures.example/2.jpg,Kids tee",
    ]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["sku,category,image_url,title", *rows]) + "\n")
    console = Console(file=io.StringIO(), width=300, highlight=False)
    asked = read_asked(settings, run_over(str(path), settings))
    show_preview(asked, None, settings, console, unlisted=["k1", "p0"])
    printed = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO
    assert "Look first: 2 garments without a row in the table catalogue, such as k1, p0." in printed
    assert "Look first: 1 sku that Excel has cut to a few figures, such as 8.05769E+12." in printed
    assert "Look first: 1 garment may be for children, by the words kids (1)." in printed
    assert f"Look first: 5 garments share the picture {shared}." in printed
    assert printed.index("Look first") < printed.index("All of it:")


def test_an_encoding_that_was_guessed_is_told_with_words_that_hang_on_it(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "export.csv"
    text = "sku,category,image_url,title\na,shirt,https://pictures.example/1.jpg,Koszula żółta w paski\n"
    path.write_bytes(text.encode("cp1250"))
    printed = shown(settings, str(path))
    assert "it is taken for cp1250 by the look of it" in printed
    assert "“Koszula żółta w paski”" in printed
