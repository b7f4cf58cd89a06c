"""The ``tryon`` command: the ledger for people, the sandbox, the demo.

Each command imports what it needs when it runs, so that ``tryon --help`` answers at once.
"""

from __future__ import annotations

import getpass
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tryon_catalogue.settings import SettingsError, load_settings, settings_file
from tryon_catalogue.terminal import say
from tryon_sandbox.cli import sandbox

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy import Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pictures of garments on models, paid once. Settings: include/tryon.toml, or the file TRYON_SETTINGS names.",
)
app.command("sandbox", help="Run the stand-in vendor alone.")(sandbox)
doubts_app = typer.Typer()
app.add_typer(doubts_app, name="doubts")
review_app = typer.Typer()
app.add_typer(review_app, name="review")

Looks = Annotated[list[str], typer.Argument(metavar="LOOK...", help="Skus, or beginnings of looks' keys.")]
By = Annotated[
    str | None, typer.Option(help="Who says so; stands in the looks' history. Your user name without it.")
]
Only = Annotated[
    list[int] | None,
    typer.Option(min=1, help="Number of a picture; the others are left out. May be repeated."),
]


class CommandError(Exception):
    """A command cannot do its work; says what a person can put right."""


@app.command()
def demo(
    home: Annotated[Path, typer.Option(help="Folder for everything the demo keeps.")] = Path(".demo"),
    exit_when_done: Annotated[bool, typer.Option("--exit", help="Stop everything at the end.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the Airflow UI; 0 takes a free one.")
    ] = 0,
) -> None:
    """Run one night on the sample catalogue, with everything it needs on this machine. Needs a checkout."""
    from tryon_demo.run import run_demo

    raise typer.Exit(run_demo(home, stay=not exit_when_done, airflow_port=port))


@app.command()
def init() -> None:
    """Make or update the ledger's tables, and the Airflow pools. Safe to run at any time."""
    from tryon_catalogue.ledger.database import LedgerSchemaError, migrate
    from tryon_catalogue.workflow.pool import PoolError, make_pool, slots_of

    try:
        with _ledger(made=False) as (settings, engine):
            migrate(engine, settings.ledger.schema_name)
        say(f"The ledger is up to date in schema {settings.ledger.schema_name}.")
        for pool, slots in slots_of(settings).items():
            make_pool(pool, slots)
            say(f"The pool {pool} has {slots} slots, deferred tasks included.")
    except (LedgerSchemaError, PoolError) as error:
        raise CommandError(str(error)) from error


@app.command()
def status() -> None:
    """Show where the looks are, what they cost, and what waits for a person."""
    from tryon_catalogue.reporting.status import read_status, show_status

    with _ledger() as (settings, engine):
        show_status(read_status(engine, settings.price))


@app.command()
def spend(
    by: Annotated[str, typer.Option(help="day, run, collection or pack.")] = "day",
    bill: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="Write one line for each submission here, to hold against the vendor's bill."
        ),
    ] = None,
) -> None:
    """Show what was spent, by day, run, collection or pack."""
    from tryon_catalogue.budget.spend import By, show_spend, write_bill

    if by not in list(By):
        raise CommandError(f"--by {by}: one of {', '.join(By)} is expected.")
    with _ledger() as (settings, engine), engine.connect() as connection:
        if bill is None:
            show_spend(connection, settings.price, By(by))
            return
        try:
            count = write_bill(connection, settings.price, bill)
        except OSError as error:
            raise CommandError(f"The bill cannot be written: {error}.") from error
    say(f"{count} submissions are in {bill}.")


@app.command()
def preview(
    export: Annotated[
        str | None, typer.Argument(help="Path, s3:// URL or date of an export. Today's without it.")
    ] = None,
) -> None:
    """Show what a run over an export would make and what that would cost. Spends and writes nothing."""
    from tryon_catalogue.console.preview import show_preview
    from tryon_catalogue.exports import ExportError
    from tryon_catalogue.planning.preview import preview_run, read_asked, run_over
    from tryon_catalogue.publishing.shop_table import CatalogueError
    from tryon_catalogue.publishing.unlisted import skus_without_row

    settings = load_settings()
    run = run_over(export, settings)
    with ExitStack() as stack:
        engine = None
        try:
            _, engine = stack.enter_context(_ledger())
        except CommandError as error:
            say(f"Without the ledger: {error}\n", err=True)
        try:
            asked, next_run = (
                (read_asked(settings, run), None) if engine is None else preview_run(engine, settings, run)
            )
        except ExportError as error:
            raise CommandError(str(error)) from error
        unlisted: Sequence[str] = ()
        try:
            if engine is not None:
                unlisted = skus_without_row(engine, settings.catalogue, asked.to_make)
        except CatalogueError as error:
            say(f"Without the catalogue's table: {error}\n", err=True)
    show_preview(asked, next_run, settings, unlisted=unlisted)


@app.command()
def mapping(
    export: Annotated[
        str, typer.Argument(help="Path or s3:// URL of an export that nobody has described yet.")
    ],
    write: Annotated[bool, typer.Option("--write", help="Put the section into the settings file.")] = False,
) -> None:
    """Suggest the [export] section for a file: which shop, which column is what and why, what is left to decide."""
    from tryon_catalogue.console.mapping import show_mapping, write_mapping
    from tryon_catalogue.exports import ExportError
    from tryon_catalogue.exports.suggestion import suggest

    settings = load_settings()
    try:
        found = suggest(export, settings.export)
    except ExportError as error:
        raise CommandError(str(error)) from error
    show_mapping(found, settings)
    if write:
        file = settings_file()
        write_mapping(file, found.section)
        say(f"\nIt is in {file}. Now: tryon preview {export}")
    else:
        say("\nWith --write it goes into the settings file.")


@app.command()
def report(
    run: Annotated[
        str, typer.Argument(help="DAG_ID/RUN_ID, or `last` for the run that started last.")
    ] = "last",
    output: Annotated[
        Path | None,
        typer.Option(help="The page. Without it, a file in this folder that is named after the run."),
    ] = None,
    rejections: Annotated[
        Path | None, typer.Option(help="Write the rejected rows to this CSV as well, for a spreadsheet.")
    ] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write what became of a run as one page, with every picture inside, that opens anywhere."""
    from tryon_catalogue.reporting.report.command import write_report
    from tryon_catalogue.reporting.report.reading import NoSuchRunError

    with _ledger() as (settings, engine):
        try:
            write_report(
                engine, settings, run, say, output=output, rejected=rejections, in_browser=in_browser
            )
        except NoSuchRunError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The report cannot be written: {error}.") from error


@doubts_app.callback(invoke_without_command=True)
def doubts(context: typer.Context) -> None:
    """List submissions whose answer never came, so that nobody knows whether they are paid for."""
    if context.invoked_subcommand is not None:
        return
    from tryon_catalogue.submission.doubts import open_doubts

    with _ledger() as (settings, engine), engine.connect() as connection:
        found = open_doubts(connection)
    for doubt in found:
        cost = f"{doubt.amount} {settings.price.currency}"
        skus = ", ".join(doubt.skus) or "of no garment now"
        say(
            f"{doubt.id}: {doubt.looks} looks, {cost} if the vendor has it; sent {doubt.sent_at:%Y-%m-%d %H:%M %Z} "
            f"by {doubt.run_id}\n"
            f"    skus: {skus}{' ...' if doubt.more_skus else ''}\n"
            f"    what is known: {doubt.message or 'nothing'}"
            f"{f' (code {doubt.vendor_code})' if doubt.vendor_code else ''}"
            f"{f', request id {doubt.request_id}' if doubt.request_id else ''}"
        )
    say(DOUBTS_HELP if found else "Nothing is in doubt.")


DOUBTS_HELP = """
Compare the vendor's bill with the time and the number of looks, or ask its support with the request id; then
  tryon doubts resolve ID --found RESULT_KEY   the vendor has it: its pictures are collected
  tryon doubts resolve ID --lost               the vendor does not have it: it is sent again by the next run
  tryon doubts resolve ID --give-up            its looks are left as FAILED"""


@doubts_app.command()
def resolve(
    submission: Annotated[int, typer.Argument(metavar="ID", help="As `tryon doubts` shows it.")],
    found: Annotated[
        str | None, typer.Option(metavar="RESULT_KEY", help="The vendor has it under this key.")
    ] = None,
    lost: Annotated[bool, typer.Option("--lost", help="The vendor does not have it.")] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="Leave its looks as FAILED.")] = False,
    by: By = None,
) -> None:
    """Settle a doubt by your word, in exactly one of three ways."""
    from damo_tryon.errors import TryOnError
    from damo_tryon.hooks import DamoTryOnHook
    from tryon_catalogue.submission import doubts as ledger_doubts

    if [found is not None, lost, give_up].count(True) != 1:
        raise CommandError("Say one of --found RESULT_KEY, --lost and --give-up.")
    with _ledger() as (settings, engine):
        try:
            if found is not None:
                count = ledger_doubts.record_found(
                    engine,
                    lambda conn_id: DamoTryOnHook(conn_id).query,
                    submission,
                    found.strip(),
                    by=_person(by),
                    price=settings.price,
                )
                outcome = (
                    "are paid for; the next run of tryon_recover collects their pictures (now: `airflow dags trigger "
                    "tryon_recover`)"
                )
            elif lost:
                count = ledger_doubts.declare_lost(engine, submission, _person(by))
                outcome = "are planned again; the next run that wants them sends them"
            else:
                count = ledger_doubts.give_up(engine, submission, _person(by))
                outcome = "are FAILED; `tryon retry` would plan them again"
        except (ledger_doubts.DoubtError, TryOnError) as error:
            raise CommandError(str(error)) from error
    say(f"Submission {submission}: {count} looks {outcome}.")


@app.command()
def retry(looks: Looks, by: By = None) -> None:
    """Plan looks again that were rejected or failed, now that you have put right what was wrong with them."""
    from tryon_catalogue.submission.retry import retry_looks

    _decide(retry_looks, looks, by, "is planned again; the next run that wants it sends it.")


@review_app.callback(invoke_without_command=True)
def review(context: typer.Context) -> None:
    """List the looks that wait for your word: why, and where their pictures are, if they could be had."""
    if context.invoked_subcommand is not None:
        return
    from tryon_catalogue.publishing.review import open_reviews

    with _ledger() as (_, engine), engine.connect() as connection:
        found = open_reviews(connection)
    for look in found:
        say(f"{look.key[:10]}: {', '.join(look.skus) or 'of no garment now'} on {look.model or 'a model'}")
        say(f"    {look.reason}")
        for path in look.paths or ("No new picture of it is with us.",):
            say(f"    {path}")
    say(REVIEW_HELP if found else "Nothing waits for review.")


REVIEW_HELP = """
Look at the pictures, then
  tryon review accept LOOK...   they are good enough: they go to the catalogue (--only 1: that picture alone)
  tryon review again LOOK...    they are planned, and paid for, again
  tryon review collect LOOK...  no picture is with us: the vendor is asked once more, which is free"""


@review_app.command()
def accept(looks: Looks, only: Only = None, by: By = None) -> None:
    """Publish looks on your word: their pictures are good enough."""
    from tryon_catalogue.publishing.review import accept as publish

    settings = load_settings()

    def decide(engine: Engine, names: Sequence[str], mover: Mover) -> list[str]:
        return publish(engine, settings, names, mover, only=only or ())

    _decide(decide, looks, by, "is published.")


@review_app.command("again")
def remake_looks(looks: Looks, by: By = None) -> None:
    """Plan looks again on your word: the next run that wants them sends, and pays for, them again."""
    from tryon_catalogue.publishing.review import remake

    _decide(
        remake,
        looks,
        by,
        "is planned again; the next run that wants it sends it, and it is paid for again.",
    )


@review_app.command()
def collect(looks: Looks, by: By = None) -> None:
    """Have the vendor asked once more for pictures that could not be had: nothing is paid again."""
    from tryon_catalogue.publishing.review import recollect

    _decide(recollect, looks, by, "is asked for by the next run of tryon_recover.")


@app.command()
def resume(
    conn_id: Annotated[str | None, typer.Option(help="Of this connection only.")] = None, by: By = None
) -> None:
    """Lift stops: submit again, now that the credentials or the package are put right."""
    from tryon_catalogue.submission.stops import lift_stops

    with _ledger() as (_, engine), engine.begin() as connection:
        lifted = lift_stops(connection, _person(by).run, conn_id=conn_id)
    for lifted_conn_id in lifted:
        say(
            f"Submissions over {lifted_conn_id} go on. Clear the submit tasks that failed, or wait for the next run."
        )
    if not lifted:
        say("Nothing is stopped.")


@app.command()
def doctor() -> None:
    """Check settings, connections, database, vendor and exports. Spends nothing."""
    from tryon_catalogue.console.doctor import examine

    _connections_from_airflow()
    raise typer.Exit(0 if examine() else 1)


@contextmanager
def _ledger(*, made: bool = True) -> Iterator[tuple[Settings, Engine]]:
    """Reach the ledger, and say in words what a person can put right about it.

    Args:
        made: Whether its tables are expected to be there.
    """
    _connections_from_airflow()
    from airflow.sdk.exceptions import AirflowNotFoundException
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from tryon_catalogue.ledger.database import engine_from_connection, revisions

    logging.getLogger("alembic").setLevel(logging.WARNING)  # how it looks up the revision helps nobody here
    settings = load_settings()
    conn_id, schema = settings.catalogue.conn_id, settings.ledger.schema_name
    try:
        engine = engine_from_connection(settings)
        if made:
            there, newest = revisions(engine, schema)
            if there != newest:
                raise CommandError(
                    f"The ledger in schema {schema} is {f'at revision {there}' if there else 'not there yet'}, "
                    f"and {newest} is expected. Run `tryon init`."
                )
        yield settings, engine
    except AirflowNotFoundException as error:
        raise CommandError(
            f"There is no Airflow connection {conn_id}, which [catalogue] conn_id names. Make it: airflow "
            f"connections add {conn_id} --conn-type postgres --conn-host ... --conn-schema DATABASE."
        ) from error
    except OperationalError as error:
        raise CommandError(
            f"The database behind the connection {conn_id} cannot be reached: {_first_line(error.orig)}. Check "
            "its host, port and password, and that it is running."
        ) from error
    except ProgrammingError as error:
        raise CommandError(
            f"The database behind the connection {conn_id} refuses: {_first_line(error.orig)}. Check the rights of "
            f"its user on the schema {schema}, and run `tryon init`."
        ) from error


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _decide(
    decide: Callable[[Engine, Sequence[str], Mover], list[str]],
    looks: list[str],
    by: str | None,
    outcome: str,
) -> None:
    """Let a person's word move looks, and say of each what it means."""
    from tryon_catalogue.publishing.writeback import CatalogueError
    from tryon_catalogue.submission.retry import NoSuchLookError

    with _ledger() as (_, engine):
        try:
            keys = decide(engine, looks, _person(by))
        except (NoSuchLookError, CatalogueError) as error:
            raise CommandError(str(error)) from error
    for key in keys:
        say(f"{key} {outcome}")


def _person(name: str | None) -> Mover:
    from tryon_catalogue.ledger.moves import Mover

    return Mover(name or getpass.getuser())


def _connections_from_airflow() -> None:
    # As Airflow's own `airflow connections` does: without it, only connections in the environment are found.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # What a command has to say it says itself, not between Airflow's and Alembic's notes to operators.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")


def _show_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a stack trace as Python does, and nothing that a terminal obeys: it may quote the ledger."""
    say("".join(traceback.format_exception(kind, error, trace)), err=True)


def main() -> None:
    """Run the command, with plain words instead of a stack trace for what a person can put right."""
    sys.excepthook = _show_unexpected
    try:
        app()
    except (SettingsError, CommandError) as error:
        say(str(error), err=True)
        raise SystemExit(2) from None
