"""Closing a run: its account is written, kept, brought up to date, and judged. The run is red or green by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from tryon_catalogue.budget.commitments import is_closed, note_reason
from tryon_catalogue.budget.limits import ASKED_FOR_AGAIN, TAKEN_UP
from tryon_catalogue.errors import RunFailedError
from tryon_catalogue.ledger.tables import run_looks, runs
from tryon_catalogue.planning.candidates import is_decided_elsewhere
from tryon_catalogue.planning.request import Request
from tryon_catalogue.publishing.left_behind import runs_of
from tryon_catalogue.publishing.writeback import Catalogue
from tryon_catalogue.reporting.account.facts import Account
from tryon_catalogue.reporting.account.reading import count_run, every_run
from tryon_catalogue.settings.export import ExportKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from tryon_catalogue.settings import AccountSettings, Settings

DIED: Final = "not sent: the run that asked for it ended before it was decided what goes"
REFUSED_ROWS_KEPT: Final = 20


def close_run(engine: Engine, settings: Settings, run_id: str) -> Account:
    """Write what is left to write to the catalogue, count, and keep the account with the run.

    Raises:
        RunFailedError: When the ledger has no such run.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
    """
    with engine.connect() as connection:
        run = connection.execute(every_run().where(runs.c.id == run_id)).one_or_none()
        if run is None:
            raise RunFailedError(
                f"the ledger has no run {run_id}: its export was never read, and nothing was planned or sent; see the "
                "log of its first task that failed"
            )
        catalogue = Catalogue(connection, settings.catalogue)
    # Noted once: when its account is written anew, other runs may have decided on its looks.
    if run.cut_at is None and not run.is_closed:
        then = ASKED_FOR_AGAIN if run.request else TAKEN_UP
        others = is_decided_elsewhere(run_looks, runs, timedelta(hours=settings.budget.answer_within_hours))
        with engine.begin() as connection:
            note_reason(connection, run_id, f"{DIED}; {then}", unless=others)
    written = catalogue.write_run(engine, run_id)
    selects = Request.model_validate(run.request).selects
    with engine.begin() as connection:
        account = replace(
            count_run(connection, run, settings.price.currency),
            ended=True,
            may_be_empty=settings.export.kind is ExportKind.INCREMENTAL or selects,
            rows_written=written.changed,
            unlisted=catalogue.count_unlisted(connection, run_id),
            refused=len(written.refused),
            refused_rows=tuple(str(row) for row in written.refused[:REFUSED_ROWS_KEPT]),
        )
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            # Where the clock was put back since it was opened: it is over all the same.
            .values(ended_at=func.greatest(func.now(), runs.c.opened_at), summary=account.as_json())
        )
    return account


def refresh_accounts(engine: Engine, settings: Settings, batch_ids: Sequence[int]) -> tuple[Account, ...]:
    """Write the accounts of closed runs anew, after some batches were collected for them. Nothing is judged.

    A run that has no account yet is left alone: it writes its own, or it died before and never had one. So is one that
    was begun again after its account: it is at work.

    Returns:
        The accounts, the newest run first.

    Raises:
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
    """
    with engine.connect() as connection:
        closed = set(connection.execute(select(runs.c.id).where(is_closed())).scalars())
    return tuple(
        close_run(engine, settings, run_id) for run_id in runs_of(engine, batch_ids) if run_id in closed
    )


def read_account(engine: Engine, run_id: str) -> Account:
    """Read the account that was written of a run.

    Raises:
        LookupError: When the ledger has none.
    """
    with engine.connect() as connection:
        summary = connection.execute(select(runs.c.summary).where(runs.c.id == run_id)).scalar_one_or_none()
    if summary is None:
        raise LookupError(f"the ledger has no account of run {run_id}; see the log of its account task")
    return Account.from_json(summary)


def judge(account: Account, settings: AccountSettings) -> None:
    """Raise when too little of a run succeeded, or when it has not sent what it was to send.

    Never green while a look that it may send has not been sent. Nothing to make is success, and so is an export without
    a row that is meant where there may be such. Nothing read, nothing decided or nothing made never is.

    Raises:
        RunFailedError: The run is red.
    """
    if account.problem:
        raise RunFailedError(account.problem)
    if not account.planned:
        raise RunFailedError(
            "the export was not read to its end, so nothing was planned; see the logs of the tasks before the batches"
        )
    if not account.cut:
        raise RunFailedError(
            "the export was read, and then it was not decided what of it goes: see the log of the task plan, clear it, "
            f"and give an answer that it can use where it asks. {account}"
        )
    if not account.garment_rows and not account.may_be_empty:
        raise RunFailedError(
            "the export has no row that is meant, and [export] kind = full says that it names every garment: see "
            "whether it was written to its end, and hold [[export.filters]] against it with `tryon preview`; where it "
            f'may name nothing, set kind = "incremental". {account}'
        )
    if account.garment_rows and account.rejected_rows >= account.garment_rows:
        raise RunFailedError(
            f"every row of the export that is meant was rejected ({account.garment_rows}): the first reasons are in "
            "the table rejections of this run; check [export.columns] and [[export.values]] against the export. "
            f"{account}"
        )
    if not account.tried:
        return
    share = account.published / account.tried
    if account.published == 0 or share < settings.min_success:
        raise RunFailedError(
            f"{account.published} of {account.tried} looks were published, less than [account] min_success = "
            f"{settings.min_success:g} asks for. {account} What is submitted is paid for and is collected by a "
            "later try of its publish task, or by tryon_recover."
        )
    if account.unsent:
        raise RunFailedError(
            f"{account.unsent} of {account.tried} looks that this run was to send were not sent: see the logs of its "
            f"submit tasks. They are planned still, and the next run takes them up. {account}"
        )
