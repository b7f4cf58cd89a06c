"""``tryon doctor``: each thing the project leans on, looked at once, with what to do where it is not right."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from tryon_catalogue.settings import SettingsError, load_settings
from tryon_catalogue.terminal import terminal

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings


class NotRightError(Exception):
    """What is wrong and what to do, in one or two sentences."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.

    Attributes:
        name: What it is called.
        look: Returns what was found; raises when it is not right.
        after: The check without which this one cannot be made.
    """

    name: str
    look: Callable[[], str]
    after: str = ""


def examine() -> bool:
    """Look at everything and print a line for each.

    Returns:
        Whether all of it is right.
    """
    console = terminal(soft_wrap=True)
    try:
        settings = load_settings()
    except SettingsError as error:
        _line(console, "settings", str(error), right=False)
        return False
    _line(
        console,
        "settings",
        f"{len(settings.roster.models)} models, {len(settings.rules)} casting rules",
        right=True,
    )
    wrong: set[str] = set()
    for check in _checks(settings):  # each is looked at, whatever came before
        if check.after in wrong:
            _line(console, check.name, f"cannot be looked at before the {check.after} is right", right=False)
            wrong.add(check.name)
        elif not _run(console, check):
            wrong.add(check.name)
    return not wrong


def _checks(settings: Settings) -> list[Check]:
    return [
        Check("database", lambda: _database(settings)),
        Check("ledger", lambda: _ledger(settings), after="database"),
        Check("catalogue table", lambda: _catalogue(settings), after="database"),
        Check("pools", lambda: _pools(settings)),
        Check("vendor", lambda: _vendor(settings)),
        Check("export", lambda: _export(settings)),
        Check("archive", lambda: _archive(settings)),
        Check("labels", lambda: _labels(settings)),
    ]


def _run(console: Console, check: Check) -> bool:
    from airflow.sdk.exceptions import AirflowException
    from sqlalchemy.exc import DBAPIError

    from tryon_catalogue.exports import ExportError
    from tryon_catalogue.publishing.writeback import CatalogueError

    try:
        found = check.look()
    except DBAPIError as error:
        _line(console, check.name, f"the database refuses: {_first_line(error.orig)}", right=False)
    except (NotRightError, AirflowException, CatalogueError, ExportError, OSError, ValueError) as error:
        _line(console, check.name, str(error).strip() or type(error).__name__, right=False)
    except Exception as error:  # noqa: BLE001  # what a library raises is a finding: the other checks are to be made
        message = str(error).strip().split("\n", 1)[0]
        _line(console, check.name, f"{type(error).__name__}: {message}", right=False)
    else:
        _line(console, check.name, found, right=True)
        return True
    return False


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", 1)[0]


def _line(console: Console, name: str, finding: str, *, right: bool) -> None:
    sign = Text("ok  ", style="green") if right else Text("NOT ", style="bold red")
    console.print(sign + Text(f"{name:<16}") + Text(finding))


def _engine(settings: Settings) -> Engine:
    from tryon_catalogue.ledger.database import engine_from_connection

    return engine_from_connection(settings)


def _database(settings: Settings) -> str:
    from airflow.sdk.exceptions import AirflowNotFoundException
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    conn_id = settings.catalogue.conn_id
    try:
        with _engine(settings).connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
    except AirflowNotFoundException as error:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if os.environ.get(variable):  # Airflow passes over what it cannot read, and then finds none
            raise NotRightError(
                f"the Airflow connection {conn_id} is no address that can be read: write {variable} as "
                "postgresql://user:password@host:5432/database, with %40 for an @ of the password and the like"
            ) from error
        raise NotRightError(
            f"there is no Airflow connection {conn_id}: add it in the UI (Admin, Connections) or as {variable}"
        ) from error
    except OperationalError as error:
        raise NotRightError(
            f"the connection {conn_id} leads to no database ({_first_line(error.orig)}): "
            "correct its host, port and login"
        ) from error
    return f"PostgreSQL {version} behind the connection {conn_id}"


def _ledger(settings: Settings) -> str:
    from tryon_catalogue.ledger.database import revisions

    there, newest = revisions(_engine(settings), settings.ledger.schema_name)
    if there != newest:
        raise NotRightError(f"its tables are at revision {there}, {newest} is expected: run `tryon init`")
    return f"at revision {there} in schema {settings.ledger.schema_name}"


def _catalogue(settings: Settings) -> str:
    from tryon_catalogue.publishing.shop_table import ShopTable

    with _engine(settings).connect() as connection:
        table = ShopTable(connection, settings.catalogue)
        table.check(connection, settings.archive.public_url)
    if narrow := table.narrow():
        raise NotRightError(narrow)
    columns = ", ".join(settings.catalogue.columns.named.values())
    limits = table.limits()
    return f"{settings.catalogue.table} has the columns {columns}{f'; {limits}' if limits else ''}"


def _pools(settings: Settings) -> str:
    from tryon_catalogue.workflow.pool import PoolError, check_pools

    try:
        return check_pools(settings)
    except PoolError as error:
        raise NotRightError(str(error)) from error


def _vendor(settings: Settings) -> str:
    from damo_tryon.hooks import DamoTryOnHook

    good, message = DamoTryOnHook(settings.vendor.conn_id).test_connection()
    if not good:
        raise NotRightError(message)
    return message


def _export(settings: Settings) -> str:
    from tryon_catalogue.exports import beside, read_export

    path = settings.export.path_for(datetime.now(UTC).date())
    rows = further = 0
    left_out: Counter[str] = Counter()
    for chunk in read_export(path, settings.export):
        rows, further = rows + chunk.rows, further + chunk.further
        left_out.update(chunk.left_out)
        read = f"{rows} rows{beside(further, left_out)}"
        if chunk.garments:
            return f"{path}: of the first {read} {len(chunk.garments)} can be used"
        if chunk.rejections:
            worst = chunk.rejections[0]
            raise NotRightError(
                f"{path}: none of the first {read} can be used. Line {worst.line}: {worst.reason}"
            )
    if rows:
        raise NotRightError(
            f"{path}: none of its {read} is meant, so nothing would be made: see [[export.filters]]"
        )
    raise NotRightError(f"{path} has no rows: nothing would be made")


def _archive(settings: Settings) -> str:
    from tryon_catalogue.storage import object_at

    if "://" in settings.archive.path:
        object_at(settings.archive.path, settings.archive.conn_id)
        return f"{settings.archive.path} (written to when the first picture comes)"
    folder = Path(settings.archive.path)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise NotRightError(f"{nearest} is a file, where a folder is to be: set [archive] path")
    if not os.access(nearest, os.W_OK):
        raise NotRightError(f"{folder} cannot be written to: give this user the right, or set [archive] path")
    return f"{folder} can be written to"


def _labels(settings: Settings) -> str:
    from tryon_catalogue.publishing.labels import LabelError
    from tryon_catalogue.publishing.labels.marks import check_mark

    labels = settings.labels
    if labels.mark:
        try:
            check_mark(labels.mark, labels.mark_font)
        except LabelError as error:
            raise NotRightError(str(error)) from error
    finding = (
        "pictures say in their metadata what they are" if labels.enabled else "pictures are not labelled"
    )
    return f"{finding}, and in words: {labels.mark}" if labels.mark else finding
