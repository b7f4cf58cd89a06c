"""The shop's catalogue table: what the ledger knows of a garment, written to the columns the settings name.

Only named columns of existing rows are written, and only where they differ, so writing twice is writing once.
It must not know the vendor or Airflow.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from more_itertools import batched
from sqlalchemy import ARRAY, JSON, MetaData, Table, func, or_, select, update
from sqlalchemy.exc import NoSuchTableError

from tryon_catalogue.exports import Rule
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, rejections, run_looks
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.settings import CatalogueSettings

ROWS_AT_ONCE = 500

# A garment's row has one status though its looks may stand in several: the first of these that one of them has.
STATUS_ORDER = (
    LookState.IN_DOUBT,
    LookState.REVIEW,
    LookState.PLANNED,
    LookState.SUBMITTING,
    LookState.SUBMITTED,
    LookState.SUCCEEDED,
    LookState.FAILED,
    LookState.REJECTED,
    LookState.PUBLISHED,
)


class CatalogueError(Exception):
    """The shop's table is not as the settings say; names the table, what is missing and the settings' key."""


@dataclass(frozen=True, slots=True)
class GarmentLook:
    """One look of a garment as the write-back sees it."""

    sku: str
    state: LookState
    model: str
    reason: str | None
    urls: tuple[str, ...]


class Catalogue:
    """The shop's table, looked at once in the database.

    :param connection: to the database of ``[catalogue] conn_id``
    :param settings: the ``[catalogue]`` section
    :raises CatalogueError: when the table or a named column is not there
    """

    def __init__(self, connection: Connection, settings: CatalogueSettings) -> None:
        self._columns = settings.columns.named
        try:
            self._table = Table(
                settings.table_name, MetaData(), schema=settings.schema_name, autoload_with=connection
            )
        except NoSuchTableError as error:
            raise CatalogueError(
                f"there is no table {settings.table} in the database behind the connection "
                f"{settings.conn_id}: create it, or name the right one in [catalogue] table"
            ) from error
        there = set(self._table.columns.keys())
        missing = sorted({settings.key, *self._columns.values()} - there)
        if missing:
            raise CatalogueError(
                f"the table {settings.table} has no column {', '.join(missing)} (it has "
                f"{', '.join(sorted(there))}): add it, or correct [catalogue] key and [catalogue.columns]"
            )
        self._key = self._table.c[settings.key]

    def write_garments(self, connection: Connection, skus: Iterable[str]) -> int:
        """Write what the ledger knows of some garments.

        :param connection: in a transaction; the rows read are locked until it ends
        :param skus: the garments
        :returns: number of rows that changed
        """
        found = connection.execute(
            select(garment_looks, looks.c.state, looks.c.model, looks.c.reason)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(garment_looks.c.sku.in_(sorted(set(skus))))
            .order_by(garment_looks.c.sku, garment_looks.c.position)
            .with_for_update(of=garment_looks)
        ).all()
        urls = _picture_urls(connection, {row.look_key for row in found})
        by_sku: dict[str, list[GarmentLook]] = defaultdict(list)
        for row in found:
            by_sku[row.sku].append(
                GarmentLook(
                    row.sku, LookState(row.state), row.model, row.reason, tuple(urls.get(row.look_key, ()))
                )
            )
        changed = sum(
            self._write(connection, sku, _row_values(of_garment)) for sku, of_garment in by_sku.items()
        )
        for row in found:
            if row.written_state != row.state:
                connection.execute(
                    update(garment_looks)
                    .where(garment_looks.c.sku == row.sku, garment_looks.c.position == row.position)
                    .values(written_state=row.state)
                )
        return changed

    def write_rejected(self, connection: Connection, run_id: str) -> int:
        """Write the status and the reason of the rows that a run rejected; pictures from before stay.

        :param connection: in a transaction
        :param run_id: the run
        :returns: number of rows that changed
        """
        found = connection.execute(
            select(rejections.c.sku, func.string_agg(rejections.c.reason, " "))
            .where(
                rejections.c.run_id == run_id,
                rejections.c.sku.is_not(None),
                rejections.c.rule != Rule.DUPLICATE_SKU.value,  # its first row goes on
            )
            .group_by(rejections.c.sku)
            .order_by(rejections.c.sku)
        ).all()
        changed = 0
        for sku, reason in found:
            changed += self._write(connection, sku, {"status": LookState.REJECTED.value, "detail": reason})
            # Once the row is put right, the looks it has had all along are to be written again.
            connection.execute(
                update(garment_looks).where(garment_looks.c.sku == sku).values(written_state=None)
            )
        return changed

    def write_run(self, engine: Engine, run_id: str) -> int:
        """Write every garment of a run whose row does not yet say what the ledger says.

        :param engine: the ledger's
        :param run_id: the run
        :returns: number of rows that changed
        """
        of_run = or_(
            garment_looks.c.run_id == run_id,
            looks.c.key.in_(select(run_looks.c.look_key).where(run_looks.c.run_id == run_id)),
        )
        with engine.connect() as connection:
            skus = (
                connection.execute(
                    select(garment_looks.c.sku)
                    .join(looks, looks.c.key == garment_looks.c.look_key)
                    .where(of_run, garment_looks.c.written_state.is_distinct_from(looks.c.state))
                    .distinct()
                    .order_by(garment_looks.c.sku)
                )
                .scalars()
                .all()
            )
        changed = 0
        for part in batched(skus, ROWS_AT_ONCE):
            with engine.begin() as connection:
                changed += self.write_garments(connection, part)
        with engine.begin() as connection:
            return changed + self.write_rejected(connection, run_id)

    def _write(self, connection: Connection, sku: str, values: dict[str, Any]) -> int:
        """Write our words to the shop's columns of one row where they differ; returns rows changed."""
        columns = {
            self._table.c[theirs]: self._as_column(theirs, values[ours])
            for ours, theirs in self._columns.items()
            if ours in values
        }
        if not columns:
            return 0
        differs = or_(*(column.is_distinct_from(value) for column, value in columns.items()))
        stamp = self._columns.get("updated_at")
        changes: dict[Any, Any] = {**columns, **({self._table.c[stamp]: func.now()} if stamp else {})}
        statement = update(self._table).where(self._key == sku, differs).values(changes)
        return connection.execute(statement).rowcount

    def _as_column(self, name: str, value: Any) -> Any:
        """Fit a list of addresses to the kind of column the shop has for it; other values stay."""
        if not isinstance(value, tuple):
            return value
        kind = self._table.c[name].type
        return list(value) if isinstance(kind, ARRAY | JSON) else json.dumps(value, ensure_ascii=False)


def _picture_urls(connection: Connection, look_keys: set[str]) -> dict[str, list[str]]:
    found = connection.execute(
        select(pictures.c.look_key, pictures.c.url)
        .where(pictures.c.look_key.in_(look_keys))
        .order_by(pictures.c.look_key, pictures.c.number)
    )
    urls: dict[str, list[str]] = defaultdict(list)
    for look_key, url in found:
        urls[look_key].append(url)
    return urls


def _row_values(of_garment: Sequence[GarmentLook]) -> dict[str, Any]:
    states = {look.state for look in of_garment}
    urls = tuple(url for look in of_garment if look.state is LookState.PUBLISHED for url in look.urls)
    status = next(state for state in STATUS_ORDER if state in states)
    return {
        "status": status.value,
        "detail": _detail(of_garment),
        "picture_url": urls[0] if urls else None,
        "picture_urls": urls,
    }


def _detail(of_garment: Sequence[GarmentLook]) -> str | None:
    """Say in words what stands between a garment and its pictures; None when nothing does."""
    open_looks = [look for look in of_garment if look.state is not LookState.PUBLISHED]
    if not open_looks:
        return None
    published = f"{len(of_garment) - len(open_looks)} of {len(of_garment)} looks are published. "
    return published + " ".join(
        f"{look.model or 'named model'}: {look.state.value}{f' ({look.reason})' if look.reason else ''}."
        for look in open_looks
    )
