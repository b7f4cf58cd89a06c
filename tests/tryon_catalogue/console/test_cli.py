"""The command for people: what it prints, and that it never shows a stack trace for what they can put right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, select, update

from damo_tryon.contract import Answer, FitType, TryOnTask
from damo_tryon.errors import CredentialsError, OutcomeUnknownError
from tests.tryon_catalogue.helpers import (
    PlanBatch,
    connection_to_database,
    some_looks,
    states,
    submit_now,
)
from tryon_catalogue.console.cli import main
from tryon_catalogue.ledger.tables import look_moves, looks

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def tryon(settings_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: ``tryon("status", url=...) -> (exit code, everything it printed)``."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, url: str | None = None) -> tuple[int, str]:
        if url is not None:
            monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", url)
        monkeypatch.setattr(sys, "argv", ["tryon", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), printed.out + printed.err

    return run


@pytest.fixture
def url(catalogue_database_url: str) -> str:
    """The Airflow connection of the test's database."""
    return connection_to_database(make_url(catalogue_database_url))


def no_answer(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
    raise OutcomeUnknownError("the answer timed out", request_id="r-7")


def refuse(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
    raise CredentialsError("Invalid AppCode", code="A401AC", proved_not_accepted=True)


@pytest.fixture
def in_doubt(engine: Engine, plan_batch: PlanBatch) -> None:
    """Two looks, in doubt as submission 1."""
    batch, _ = plan_batch(some_looks(2))
    submit_now(engine, no_answer, batch)


def test_nothing_in_doubt_is_said_in_words(engine: Engine, tryon: Run, url: str) -> None:
    assert tryon("doubts", url=url) == (0, "Nothing is in doubt.\n")


@pytest.mark.usefixtures("in_doubt")
def test_doubts_are_listed_with_what_helps_to_settle_them(tryon: Run, url: str) -> None:
    code, printed = tryon("doubts", url=url)
    assert code == 0
    for part in ("1: 2 looks, 1.90 CNY", "dag/run", "sku-0, sku-1", "timed out", "r-7", "--found RESULT_KEY"):
        assert part in printed


@pytest.mark.usefixtures("in_doubt")
def test_a_doubt_is_settled_by_a_persons_word_which_the_history_names(
    engine: Engine, tryon: Run, url: str
) -> None:
    code, printed = tryon("doubts", "resolve", "1", "--lost", "--by", "ada", url=url)
    assert (code, printed) == (
        0,
        "Submission 1: 2 looks are planned again; the next run that wants them sends them.\n",
    )
    assert states(engine) == ["PLANNED", "PLANNED"]
    with engine.connect() as connection:
        assert "ada" in connection.execute(select(look_moves.c.run)).scalars().all()


@pytest.mark.usefixtures("in_doubt")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resolve", "1"], "Say one of"),
        (["resolve", "1", "--lost", "--give-up"], "Say one of"),
        (["resolve", "7", "--lost"], "In doubt are: 1."),
    ],
)
def test_a_wrong_word_is_answered_in_words(
    engine: Engine, tryon: Run, url: str, arguments: list[str], words: str
) -> None:
    code, printed = tryon("doubts", *arguments, url=url)
    assert code == 2
    assert words in printed
    assert states(engine) == ["IN_DOUBT", "IN_DOUBT"]


def test_a_stop_is_shown_and_lifted(engine: Engine, plan_batch: PlanBatch, tryon: Run, url: str) -> None:
    batch, _ = plan_batch(some_looks(2))
    with pytest.raises(CredentialsError):
        submit_now(engine, refuse, batch)
    code, printed = tryon("status", url=url)
    assert code == 0
    assert "Stopped:" in printed
    assert "Invalid AppCode" in printed
    code, printed = tryon("resume", url=url)
    assert code == 0
    assert "Submissions over damo_tryon go on" in printed
    assert tryon("resume", url=url) == (0, "Nothing is stopped.\n")
    assert "Stopped:" not in tryon("status", url=url)[1]


@pytest.mark.usefixtures("in_doubt")
def test_looks_that_were_given_up_can_be_tried_again(engine: Engine, tryon: Run, url: str) -> None:
    assert tryon("doubts", "resolve", "1", "--give-up", url=url)[0] == 0
    code, printed = tryon("retry", "sku-0", "sku-1", url=url)
    assert code == 0
    assert printed.count("is planned again") == 2
    assert states(engine) == ["PLANNED", "PLANNED"]
    code, printed = tryon("retry", "sku-0", url=url)
    assert code == 2
    assert "it is PLANNED" in printed


def test_a_look_whose_pictures_could_not_be_had_is_listed_and_asked_for_again(
    engine: Engine, plan_batch: PlanBatch, tryon: Run, url: str
) -> None:
    plan_batch(some_looks(1))
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "REVIEW"):
            connection.execute(update(looks).values(state=state, reason="its result key is not known"))
    listed = tryon("review", url=url)[1]
    for words in ("its result key is not known", "No new picture of it is with us", "tryon review collect"):
        assert words in listed
    code, printed = tryon("review", "accept", "sku-0", url=url)
    assert (code, states(engine)) == (2, ["REVIEW"])
    assert "`tryon review collect LOOK...`" in printed
    code, printed = tryon("review", "collect", "sku-0", url=url)
    assert (code, states(engine)) == (0, ["SUBMITTED"])
    assert "is asked for by the next run of tryon_recover" in printed


def test_an_empty_database_is_told_with_the_command_that_fills_it(
    tryon: Run, empty_database_url: str
) -> None:
    code, printed = tryon("status", url=connection_to_database(make_url(empty_database_url)))
    assert code == 2
    assert "not there yet" in printed
    assert "Run `tryon init`." in printed
    assert "Traceback" not in printed


def test_a_database_that_cannot_be_reached_is_told_without_a_stack_trace(tryon: Run) -> None:
    code, printed = tryon("status", url="postgresql://shop:very-secret@127.0.0.1:1/catalogue")
    assert code == 2
    assert "catalogue_db cannot be reached" in printed
    assert "Traceback" not in printed
    assert "very-secret" not in printed


def test_wrong_settings_are_told_without_a_stack_trace(settings_file: Path, tryon: Run) -> None:
    settings_file.write_text("[export")
    code, printed = tryon("status")
    assert code == 2
    assert "TOML is expected" in printed


def test_a_missing_connection_is_told_with_the_command_that_makes_it(
    tryon: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def none_there(*_: object) -> None:
        raise AirflowNotFoundException("no")

    monkeypatch.setattr(PostgresHook, "get_connection", none_there)
    code, printed = tryon("status")
    assert code == 2
    assert "airflow connections add catalogue_db" in printed


def test_an_export_is_previewed_with_and_without_a_ledger(
    tmp_path: Path, engine: Engine, tryon: Run, url: str
) -> None:
    export = tmp_path / "e.csv"
    export.write_text("sku,category,image_url\na,shirt,https://pictures.example/a.jpg\n")
    code, printed = tryon("preview", str(export))
    assert (code, "There is no Airflow connection" in printed) == (0, True)
    assert "1 look, 1 picture, 1 use, ¥0.95" in printed
    code, printed = tryon("preview", str(export), url=url)
    assert (code, "A run would make: 1 look," in printed) == (0, True)


def test_an_export_that_cannot_be_previewed_is_told_in_words(tmp_path: Path, tryon: Run) -> None:
    code, printed = tryon("preview", str(tmp_path / "none.csv"))
    assert (code, "is not there" in printed) == (2, True)
