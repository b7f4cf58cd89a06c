"""The account of a run says how its export was read, so that a wrong guess is seen where people look."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine
from tests.tryon_catalogue.budgets import plan

from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.account.facts import Account
from tryon_catalogue.reporting.account.wording import figures
from tryon_catalogue.settings import Settings


def test_a_guessed_encoding_stands_in_the_account_with_the_words_that_hang_on_it(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "export.csv"
    text = "sku,category,image_url,title\na,hat,https://pictures.example/1.jpg,Czapka żółta w paski\n"
    file.write_bytes(text.encode("cp1250"))
    plan(engine, settings, str(file))
    account = close_run(engine, settings, "dag/1")
    told = figures(account)["how it was read"]
    assert "taken for cp1250" in told
    assert "“Czapka żółta w paski”" in told
    assert Account.from_json(account.as_json()).notes == account.notes


def test_an_export_that_says_all_of_itself_has_no_such_line(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "export.csv"
    file.write_text("sku,category,image_url,title\na,hat,https://pictures.example/1.jpg,Hat\n")
    plan(engine, settings, str(file))
    assert "how it was read" not in figures(close_run(engine, settings, "dag/1"))
