"""What the commands have in common: the ledger behind them, who speaks, and errors that a person can put right."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tryon_catalogue.settings import load_settings
from tryon_catalogue.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import Settings

Looks = Annotated[list[str], typer.Argument(metavar="LOOK...", help="Skus, or beginnings of looks' keys.")]
By = Annotated[
    str | None, typer.Option(help="Who says so; stands in the looks' history. Your user name without it.")
]


class CommandError(Exception):
    """A command cannot do its work; says what a person can put right."""


@contextmanager
def ledger(*, made: bool = True) -> Iterator[tuple[Settings, Engine]]:
    """Reach the ledger, and say in words what a person can put right about it.

    Args:
        made: Whether its tables are expected to be there.

    Yields:
        The settings, and the ledger.

    Raises:
        CommandError: It cannot be reached or is of another release.
    """
    connections_from_airflow()
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


def decide(
    word: Callable[[Engine, Sequence[str], Mover], list[str]],
    looks: list[str],
    by: str | None,
    outcome: str,
) -> None:
    """Let a person's word move looks, and say of each what it means.

    Args:
        word: Moves the looks of these names; returns their keys.
        by: Who says so; the user's own name without it.
        outcome: What has become of each.

    Raises:
        CommandError: A name is of no such look, or the shop's table refuses.
    """
    from tryon_catalogue.publishing.writeback import CatalogueError
    from tryon_catalogue.submission.retry import NoSuchLookError

    with ledger() as (_, engine):
        try:
            keys = word(engine, looks, person(by))
        except (NoSuchLookError, CatalogueError) as error:
            raise CommandError(str(error)) from error
    for key in keys:
        say(f"{key} {outcome}")


def person(name: str | None) -> Mover:
    """Give who decides: the name that was said, else the user's own."""
    from tryon_catalogue.ledger.moves import Mover

    return Mover(name or getpass.getuser())


def connections_from_airflow() -> None:
    """Let Airflow's connections be found, and its notes to operators not be shown."""
    # As Airflow's own `airflow connections` does: without it, only connections in the environment are found.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # What a command has to say it says itself, not between Airflow's and Alembic's notes to operators.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
