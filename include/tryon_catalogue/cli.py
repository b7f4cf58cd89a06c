"""The ``tryon`` command: the ledger for people, the sandbox, the demo.

Each command imports what it needs when it runs, so that ``tryon --help`` answers at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tryon_catalogue.settings import SettingsError, load_settings
from tryon_sandbox.cli import sandbox

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pictures of garments on models, paid once. Settings: include/tryon.toml, or the file TRYON_SETTINGS names.",
)
app.command("sandbox", help="Run the stand-in vendor alone.")(sandbox)


@app.command()
def demo(
    home: Annotated[Path, typer.Option(help="Folder for everything the demo keeps.")] = Path(".demo"),
    exit_when_done: Annotated[bool, typer.Option("--exit", help="Stop everything at the end.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the Airflow UI; 0 takes a free one.")
    ] = 0,
) -> None:
    """Run one night on the sample catalogue, with everything it needs on this machine."""
    from tryon_catalogue.demo.run import run_demo  # noqa: PLC0415  # heavy

    raise typer.Exit(run_demo(home, stay=not exit_when_done, airflow_port=port))


@app.command()
def init() -> None:
    """Make or update the ledger's tables, and the Airflow pool. Safe to run at any time."""
    from tryon_catalogue.ledger.database import migrate  # noqa: PLC0415  # heavy
    from tryon_catalogue.pool import make_pool  # noqa: PLC0415  # heavy

    settings, engine = _ledger()
    migrate(engine, settings.ledger.schema_name)
    typer.echo(f"The ledger is up to date in schema {settings.ledger.schema_name}.")
    make_pool(settings.batches)
    typer.echo(
        f"The pool {settings.batches.pool} has {settings.batches.pool_slots} slots, deferred tasks included."
    )


@app.command()
def status() -> None:
    """Show where the looks are, what they cost, and what waits for a person."""
    from tryon_catalogue.status import read_status, show_status  # noqa: PLC0415  # heavy

    settings, engine = _ledger()
    show_status(read_status(engine, settings.price))


@app.command()
def doctor() -> None:
    """Check settings, connections, database, vendor and exports. Spends nothing."""
    from tryon_catalogue.doctor import examine  # noqa: PLC0415  # heavy

    _connections_from_airflow()
    raise typer.Exit(0 if examine() else 1)


def _ledger() -> tuple[Settings, Engine]:
    _connections_from_airflow()
    from tryon_catalogue.ledger.database import engine_from_connection  # noqa: PLC0415  # heavy

    settings = load_settings()
    return settings, engine_from_connection(settings)


def _connections_from_airflow() -> None:
    # As Airflow's own `airflow connections` does: without it, only connections in the environment are found.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def main() -> None:
    """Run the command, with plain words instead of a stack trace for what a person can put right."""
    try:
        app()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
