"""What the tasks of the DAGs do: Airflow's context on one side, plain functions on the other.

Heavy imports stand inside the functions, because DAG files are parsed over and over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from tryon_catalogue.workflow.context import (
    begun_run_of,
    mover_of,
    open_ledger,
    request_of,
    run_id_of,
    run_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from airflow.sdk import Context
    from sqlalchemy import Engine

    from tryon_catalogue.budget.limits import Approved
    from tryon_catalogue.planning.approval import Question
    from tryon_catalogue.planning.runs import Run
    from tryon_catalogue.reporting.alerts import Alert
    from tryon_catalogue.reporting.notes import Note
    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that the ledger knows of, and what it goes by.

    Attributes:
        run: Which run, and which export it reads.
    """

    settings: Settings
    engine: Engine
    run: Run


def begin_run(context: Context) -> Begun:
    """Note a run in the ledger, before anything can go wrong with its export."""
    from tryon_catalogue.planning import runs

    settings, engine = open_ledger()
    run = run_of(settings, context)
    runs.begin_run(engine, run)
    return Begun(settings, engine, run)


def record_missing(begun: Begun, problem: str, context: Context) -> None:
    """Note with a run that its export did not come, and tell of it.

    Args:
        problem: Which export, and what to do.
    """
    from tryon_catalogue.planning import runs

    runs.record_missing(begun.engine, begun.run, problem)
    alert_of_run(begun.settings, begun.engine, begun.run.id, context)


def preflight() -> dict[str, int]:
    """Fetch each picture that the export of the run's date asks for, and hold it to the vendor's rules.

    Returns:
        Counts.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
        tryon_catalogue.planning.request.RequestError: What the run is asked for means nothing.
    """
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.exports import ExportError
    from tryon_catalogue.planning.preflight.person_check import PersonCheckMissingError
    from tryon_catalogue.planning.preflight.run import preflight_run
    from tryon_catalogue.planning.request import RequestError, nothing_there
    from tryon_catalogue.planning.runs import record_missing
    from tryon_catalogue.publishing.shop_table import CatalogueError, ShopTable
    from tryon_catalogue.workflow.host_headers import HostHeaderError, host_headers

    context = get_current_context()
    with plain_errors(RequestError, ExportError, CatalogueError, PersonCheckMissingError, HostHeaderError):
        settings, engine = open_ledger()
        with engine.connect() as connection:
            # Found out before anything is done, not after.
            ShopTable(connection, settings.catalogue).check(connection, settings.archive.public_url)
        run = begun_run_of(settings, engine, context)
        asked = run.request.settings(settings)
        found = preflight_run(engine, asked, run.export, run.request, host_headers(settings.fetch))
        # Of a season's nights some have nothing of a collection; a person who asks for nothing has mistyped it.
        if not found.rows and run.request.selects and context["dag_run"].run_type == "manual":
            problem = nothing_there(run.request, run.export, settings)
            record_missing(engine, run, problem)
            raise RequestError(problem)
    log.info("%s: %s", run.export, found)
    return found.as_json()


def plan() -> list[int] | Question:
    """Read the export of the run's date and plan it; then reserve what it costs, or say what to ask a person first.

    Returns:
        Ids of the batches with work left, or the question; see ``go_ahead`` for what its answer does.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export.
    """
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.exports import ExportError
    from tryon_catalogue.planning import approval, reserve
    from tryon_catalogue.planning.record import record_run
    from tryon_catalogue.planning.request import RequestError
    from tryon_catalogue.reporting import alerts

    with plain_errors(RequestError, ExportError):
        settings, engine = open_ledger()
        run = begun_run_of(settings, engine, get_current_context())
        settings = run.request.settings(settings)
        if run.request.dry_run:
            return _plan_nothing(settings, engine, run)
        found = record_run(engine, settings, run)
    log.info(
        "%s: %d rows, %d rejected; %d looks, %d of them to make",
        run.export,
        found.rows,
        found.rejected,
        found.looks,
        found.new,
    )
    if settings.budget.approve_above:
        estimate = reserve.estimate_run(engine, settings, run.id)
        question = approval.question_of(estimate, settings.price, settings.budget)
        if question is not None:
            approval.record_question(engine, run.id, estimate, settings.price)
            asking = alerts.Alert(alerts.Event.APPROVAL, run.id, question.subject, question.body)
            alerts.send_once(engine, settings.alerts, asking, dict(get_current_context()))
            return question
    return _cut(settings, engine, run.id, None)


def go_ahead(
    option: str, inputs: Mapping[str, object], who: str | None, at: datetime | None = None
) -> list[int]:
    """Reserve what a person's answer lets go.

    Args:
        inputs: The bounds that were given.
        who: The person; None when the time was up.
        at: When it was given, where that is known.

    Returns:
        Ids of the batches with work left.

    Raises:
        tryon_catalogue.planning.approval_options.AnswerError: The answer means nothing.
    """
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.planning import approval
    from tryon_catalogue.planning.approval_options import AnswerError

    with plain_errors(AnswerError):
        answer = approval.answer_of(option, inputs, who, at)
    context = get_current_context()
    settings, engine = open_ledger()
    settings = request_of(context).settings(settings)
    run_id = run_id_of(context)
    approved = approval.record_answer(engine, run_id, answer, settings.price)
    if approved is None:
        log.warning("Rejected by %s: nothing is sent", answer.who)
        return []
    return _cut(settings, engine, run_id, approved)


def _plan_nothing(settings: Settings, engine: Engine, run: Run) -> list[int]:
    from tryon_catalogue.planning import dry_run

    found = dry_run.record_dry_run(engine, settings, run)
    log.info("A dry run: nothing is sent or planned. It would make:\n%s", dry_run.as_list(found))
    return []


def _cut(settings: Settings, engine: Engine, run_id: str, approved: Approved | None) -> list[int]:
    from tryon_catalogue.planning.reserve import cut_run
    from tryon_catalogue.words import money

    cut = cut_run(engine, settings, run_id, approved)
    estimate = cut.estimate
    cost = money(estimate.amount, settings.price.currency)
    log.info("%d looks in %d batches: %d uses, %s", estimate.looks, len(cut.batch_ids), estimate.uses, cost)
    for reason, count in estimate.held.items():
        log.warning("%d looks: %s", count, reason)
    for warning in estimate.warnings:
        log.warning("%s", warning)
    return list(cut.batch_ids)


def publish(batch_id: int, context: Context) -> None:
    """Collect, archive and write back what the vendor made of a batch.

    Raises:
        tryon_catalogue.publishing.publisher.PublishError: Something could not be published in this try.
    """
    from damo_tryon.errors import TryOnError
    from damo_tryon.hooks import DamoTryOnHook
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.publishing.publisher import Publisher, PublishError
    from tryon_catalogue.publishing.writeback import CatalogueError
    from tryon_catalogue.submission.journal import load_batch

    with plain_errors(PublishError, TryOnError, CatalogueError):
        settings, engine = open_ledger()
        publisher = Publisher(
            engine, settings, lambda conn_id: DamoTryOnHook(conn_id).query, mover_of(context)
        )
        done = publisher.publish_batch(load_batch(engine, batch_id))
        log.info(
            "Batch %d: %d published, %d to be looked at, %d failed, %d waiting",
            batch_id,
            done.published,
            done.review,
            done.failed,
            done.unfinished,
        )
        if done.problems:
            raise PublishError(done.problems)


def account() -> dict[str, Any]:
    """Write the account of the run, and tell people and the DAGs that run on the catalogue.

    Returns:
        Counts.

    Raises:
        tryon_catalogue.errors.RunFailedError: The run never began, so there is nothing to count.
    """
    from tryon_catalogue.errors import RunFailedError, plain_errors
    from tryon_catalogue.publishing.writeback import CatalogueError
    from tryon_catalogue.reporting.account import close_run
    from tryon_catalogue.reporting.alerts import of_run
    from tryon_catalogue.reporting.asset import announce
    from tryon_catalogue.reporting.notes import read_run_note

    context = get_current_context()
    with plain_errors(RunFailedError, CatalogueError):
        settings, engine = open_ledger()
        closed = close_run(engine, settings, run_id_of(context))
        _notify(settings, engine, read_run_note(engine, closed), of_run(engine, closed.run_id), context)
    if closed.published or closed.rows_written:
        announce(closed, context)
    return closed.as_json()


def verdict() -> None:
    """Fail the run when too little of it succeeded, by its account.

    Apart from the account, because a task that fails sends no asset event: the pictures of a red run are to be seen
    like any others.

    Raises:
        tryon_catalogue.errors.RunFailedError: Too little succeeded.
    """
    from tryon_catalogue.errors import RunFailedError, plain_errors
    from tryon_catalogue.reporting.account import judge, read_account

    with plain_errors(RunFailedError):
        settings, engine = open_ledger()
        judge(read_account(engine, run_id_of(get_current_context())), settings.account)


def find_left_behind() -> list[int]:
    """Find what nobody attends to: doubt what was never settled, list what is in doubt, find what to collect.

    Returns:
        Ids of the batches to collect.

    Raises:
        damo_tryon.errors.ConnectionSettingsError: The vendor's connection cannot be used.
    """
    from damo_tryon.errors import ConnectionSettingsError
    from damo_tryon.hooks import DamoTryOnHook
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.publishing import left_behind
    from tryon_catalogue.reporting.alerts import of_all
    from tryon_catalogue.reporting.notes import read_recovery_note

    context = get_current_context()
    with plain_errors(ConnectionSettingsError):
        settings, engine = open_ledger()
        age = timedelta(minutes=settings.recovery.after_minutes)
        late_after = timedelta(minutes=settings.alerts.late_after_minutes)
        hook = DamoTryOnHook(settings.vendor.conn_id)
        try:
            longest = left_behind.longest_life_of_an_intent(hook)
        except ConnectionSettingsError:
            # Nobody else tells of a run that has died, and that needs no vendor.
            _alert(settings, engine, of_all(engine, late_after), context)
            raise
        doubted = left_behind.doubt_abandoned(engine, max(age, longest), mover_of(context))
        found = left_behind.uncollected_batches(engine, age)
        note = read_recovery_note(engine, len(found), len(doubted))
        _notify(settings, engine, note, of_all(engine, late_after), context)
    return list(found)


def refresh_accounts(batch_ids: Sequence[int]) -> list[str]:
    """Bring the accounts of closed runs up to date, after batches were collected for them.

    Returns:
        Ids of the runs.
    """
    from tryon_catalogue.errors import plain_errors
    from tryon_catalogue.publishing.left_behind import runs_with_news
    from tryon_catalogue.publishing.writeback import CatalogueError
    from tryon_catalogue.reporting.account import closing
    from tryon_catalogue.reporting.asset import announce

    if not batch_ids:
        return []
    context = get_current_context()
    with plain_errors(CatalogueError):
        settings, engine = open_ledger()
        accounts = closing.refresh_accounts(engine, settings, list(batch_ids))
        with_news = runs_with_news(engine, run_id_of(context))
    for run_account in accounts:
        log.info("%s: %s", run_account.run_id, run_account)
        if run_account.run_id in with_news:
            announce(run_account, context)
    return [run_account.run_id for run_account in accounts]


def alert_of_run(settings: Settings, engine: Engine, run_id: str, context: Context) -> None:
    """Tell of what a run gives reason for right now; nobody is asked where nobody is to be told."""
    if settings.alerts.notifier is None:
        return
    from tryon_catalogue.reporting.alerts import of_run

    _alert(settings, engine, of_run(engine, run_id), context)


def _notify(
    settings: Settings, engine: Engine, note: Note, messages: Iterable[Alert], context: Context
) -> None:
    """Tell people the same in every way they have: the log, the note in the UI, the metrics, the notifier."""
    from tryon_catalogue.reporting import metrics, notes
    from tryon_catalogue.workflow import airflow_note

    log.info("%s", notes.as_text(note))
    dag_run = context["dag_run"]
    airflow_note.put_note(settings.notes.conn_id, dag_run.dag_id, dag_run.run_id, notes.as_markdown(note))
    metrics.send(metrics.read_figures(engine))
    _alert(settings, engine, messages, context)


def _alert(settings: Settings, engine: Engine, messages: Iterable[Alert], context: Context) -> None:
    from tryon_catalogue.reporting import alerts

    for message in messages:
        alerts.send_once(engine, settings.alerts, message, dict(context))
