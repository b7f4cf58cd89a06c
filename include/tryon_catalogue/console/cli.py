"""The ``tryon`` command: the ledger for people, the sandbox, the demo.

Each command imports what it needs when it runs, so that ``tryon --help`` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tryon_catalogue.console.common import (
    By,
    CommandError,
    Looks,
    connections_from_airflow,
    decide,
    ledger,
    person,
)
from tryon_catalogue.console.doubts import doubts_app
from tryon_catalogue.console.review import review_app
from tryon_catalogue.settings import SettingsError, load_settings, settings_file
from tryon_catalogue.terminal import say
from tryon_sandbox.cli import sandbox

if TYPE_CHECKING:
    from types import TracebackType


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pictures of garments on models, paid once. Settings: include/tryon.toml, or the file TRYON_SETTINGS names.",
)
app.command("sandbox", help="Run the stand-in vendor alone.")(sandbox)
app.add_typer(doubts_app, name="doubts")
app.add_typer(review_app, name="review")


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
        with ledger(made=False) as (settings, engine):
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

    with ledger() as (settings, engine):
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
    with ledger() as (settings, engine), engine.connect() as connection:
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
            _, engine = stack.enter_context(ledger())
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

    with ledger() as (settings, engine):
        try:
            write_report(
                engine, settings, run, say, output=output, rejected=rejections, in_browser=in_browser
            )
        except NoSuchRunError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The report cannot be written: {error}.") from error


@app.command()
def retry(looks: Looks, by: By = None) -> None:
    """Plan looks again that were rejected or failed, now that you have put right what was wrong with them."""
    from tryon_catalogue.submission.retry import retry_looks

    decide(retry_looks, looks, by, "is planned again; the next run that wants it sends it.")


@app.command()
def resume(
    conn_id: Annotated[str | None, typer.Option(help="Of this connection only.")] = None, by: By = None
) -> None:
    """Lift stops: submit again, now that the credentials or the package are put right."""
    from tryon_catalogue.submission.stops import lift_stops

    with ledger() as (_, engine), engine.begin() as connection:
        lifted = lift_stops(connection, person(by).run, conn_id=conn_id)
    for lifted_conn_id in lifted:
        say(
            f"Submissions over {lifted_conn_id} go on. Clear the batch tasks that failed, or wait for the next run."
        )
    if not lifted:
        say("Nothing is stopped.")


@app.command()
def doctor() -> None:
    """Check settings, connections, database, vendor and exports. Spends nothing."""
    from tryon_catalogue.console.doctor import examine

    connections_from_airflow()
    raise typer.Exit(0 if examine() else 1)


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
