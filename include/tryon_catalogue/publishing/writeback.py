"""The shop's catalogue table: what the ledger knows of a garment, written to the columns the settings name.

Only named columns of existing rows are written, and only where they differ, so writing twice is writing once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from more_itertools import batched, partition
from sqlalchemy import func, or_, select, update

from tryon_catalogue.exports import Rule
from tryon_catalogue.ledger.rows import as_table
from tryon_catalogue.ledger.states import ROW_ORDER
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, rejections, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.shop_table import (
    CatalogueError,
    RowRefusedError,
    ShopTable,
    Written,
)

__all__ = ["Catalogue", "CatalogueError", "RowRefusedError"]

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Select

    from tryon_catalogue.settings import CatalogueSettings

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class GarmentLook:
    """One look of a garment as the write-back sees it."""

    key: str
    state: LookState
    model: str
    reason: str | None
    urls: Sequence[str]


class Catalogue:
    """The shop's table, looked at once in the database.

    Args:
        connection: To the database of ``[catalogue] conn_id``.
        settings: The ``[catalogue]`` section.

    Raises:
        CatalogueError: When the table or a named column is not there.
    """

    def __init__(self, connection: Connection, settings: CatalogueSettings) -> None:
        self._shop = ShopTable(connection, settings)

    def write_garments(self, connection: Connection, skus: Iterable[str]) -> Written:
        """Write what the ledger knows of some garments; a row that the table does not take holds back no other.

        Args:
            connection: In a transaction; the garments are locked until it ends.

        Returns:
            What came of it.
        """
        chosen = garment_looks.c.sku.in_(sorted(set(skus)))
        in_order = (garment_looks.c.sku, garment_looks.c.position)
        # A statement of its own: while it waits for another writer of the same garment, that one changes looks,
        # and only a statement that begins afterwards sees them.
        connection.execute(select(garment_looks.c.sku).where(chosen).order_by(*in_order).with_for_update())
        found = connection.execute(
            select(garment_looks.c.sku, looks.c.key, looks.c.state, looks.c.model, looks.c.reason)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(chosen)
            .order_by(*in_order)
        ).all()
        if not found:
            return Written()
        urls = _picture_urls(connection, {row.key for row in found})
        by_sku: dict[str, list[GarmentLook]] = defaultdict(list)
        for row in found:
            by_sku[row.sku].append(
                GarmentLook(row.key, LookState(row.state), row.model, row.reason, urls.get(row.key, ()))
            )
        refused = _refused_since(connection, list(by_sku))
        rows = [
            {"sku": sku, **_row_values(of_garment), **refused.get(sku, {})}
            for sku, of_garment in by_sku.items()
        ]
        # A garment with new looks keeps its pictures from before until there are new ones.
        shown, unshown = partition(lambda row: "picture_url" not in row, rows)
        written = self._shop.write(connection, list(shown))
        written += self._shop.write(connection, list(unshown))
        not_taken = {row.sku for row in written.refused}
        _forget_written(connection, not_taken)
        to_rewrite = {*refused, *not_taken}
        self._remember(connection, {sku: own for sku, own in by_sku.items() if sku not in to_rewrite})
        return written

    def write_looks(self, connection: Connection, look_keys: Sequence[str]) -> None:
        """Write the garments of looks that are to be shown; a garment that the table cannot list keeps nothing back.

        Args:
            connection: In a transaction; the garments are locked until it ends.

        Raises:
            RowRefusedError: Every row that was to show one of them was refused; roll back what called them shown.
        """
        found = connection.execute(
            select(garment_looks.c.look_key, garment_looks.c.sku)
            .where(garment_looks.c.look_key.in_(look_keys))
            .distinct()
        )
        skus: dict[str, set[str]] = defaultdict(set)
        for look_key, sku in found:
            skus[look_key].add(sku)
        written = self.write_garments(connection, set().union(*skus.values()))
        refused = {row.sku: row for row in written.refused if row.row_exists}
        for of_look in skus.values():
            if of_look <= refused.keys():
                raise RowRefusedError("; ".join(str(refused[sku]) for sku in sorted(of_look)))

    def take_back(self, connection: Connection, skus: Sequence[str]) -> None:
        """Write garments of which something is shown no more: a row without a picture left shows none.

        Args:
            connection: In a transaction; the garments are locked until it ends.

        Raises:
            RowRefusedError: A row does not take it; roll back what called them not shown.
        """
        shown = select(garment_looks.c.sku).join(pictures, pictures.c.look_key == garment_looks.c.look_key)
        still = set(
            connection.execute(
                shown.where(garment_looks.c.sku.in_(skus), pictures.c.shown).distinct()
            ).scalars()
        )
        written = self.write_garments(connection, skus)
        empty = [{"sku": sku, "picture_url": None, "picture_urls": None} for sku in sorted(set(skus) - still)]
        written += self._shop.write(connection, empty)
        if refused := [row for row in written.refused if row.row_exists]:
            raise RowRefusedError("; ".join(map(str, refused)))

    def write_run(self, engine: Engine, run_id: str) -> Written:
        """Write every garment of a run whose row does not yet say what the ledger says, and its rejected rows.

        Returns:
            What came of it.
        """
        stale = (
            select(garment_looks.c.sku)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(
                _of_run(run_id),
                garment_looks.c.written_state.is_distinct_from(looks.c.state),
                garment_looks.c.sku.not_in(_rejected(run_id).with_only_columns(rejections.c.sku)),
            )
        )
        with engine.connect() as connection:
            skus = connection.execute(stale.distinct().order_by(garment_looks.c.sku)).scalars().all()
            refused = connection.execute(_rejected(run_id).order_by(rejections.c.id)).all()
        written = Written()
        for part in batched(skus, ROWS_AT_ONCE):
            with engine.begin() as connection:
                written += self.write_garments(connection, part)
        for part in batched(refused, ROWS_AT_ONCE):
            with engine.begin() as connection:
                written += self._write_rejected(connection, {row.sku: row.reason for row in part})
        return written

    def count_unlisted(self, connection: Connection, run_id: str) -> int:
        """Count the garments of a run for which the shop's table has no row, though its key could be their sku."""
        skus = (
            connection.execute(select(garment_looks.c.sku).where(_of_run(run_id)).distinct()).scalars().all()
        )
        found = (self._shop.find(connection, part) for part in batched(skus, ROWS_AT_ONCE))
        return len(skus) - sum(len(present) + len(impossible) for present, impossible in found)

    def _write_rejected(self, connection: Connection, reasons: dict[str, str]) -> Written:
        """Write the status and the reason of rejected rows; pictures from before stay.

        Args:
            reasons: Sku -> why.
        """
        _forget_written(connection, reasons)
        return self._shop.write(
            connection, [{"sku": sku, **_refusal(reason)} for sku, reason in reasons.items()]
        )

    def _remember(self, connection: Connection, by_sku: dict[str, list[GarmentLook]]) -> None:
        """Note which states a garment's row was written with; a garment without a row was not written."""
        present, _ = self._shop.find(connection, tuple(by_sku))
        written = [
            {"sku": sku, "look_key": look.key, "state": look.state.value}
            for sku in present
            for look in by_sku[sku]
        ]
        given = as_table(
            written, sku=garment_looks.c.sku.type, look_key=looks.c.key.type, state=looks.c.state.type
        )
        connection.execute(
            update(garment_looks)
            .where(
                garment_looks.c.sku == given.c.sku,
                garment_looks.c.look_key == given.c.look_key,
                garment_looks.c.written_state.is_distinct_from(given.c.state),
            )
            .values(written_state=given.c.state)
        )


def _forget_written(connection: Connection, skus: Collection[str]) -> None:
    """Let the rows of refused garments be written again once they are put right, with looks they have had all along."""
    connection.execute(update(garment_looks).where(garment_looks.c.sku.in_(skus)).values(written_state=None))


def _of_run(run_id: str) -> ColumnElement[bool]:
    """The garments that a run read, and those that show a look which it asked for."""
    return or_(
        garment_looks.c.run_id == run_id,
        garment_looks.c.look_key.in_(select(run_looks.c.look_key).where(run_looks.c.run_id == run_id)),
    )


def _rejected(run_id: str) -> Select[tuple[str, str]]:
    """The skus that a run rejected and why; not those of which a newer export has a row, be it good or bad."""
    export_date = select(runs.c.export_date).where(runs.c.id == run_id).scalar_subquery()
    usable = select(garment_looks.c.sku).where(
        garment_looks.c.sku == rejections.c.sku, garment_looks.c.export_date > export_date
    )
    newer, newer_run = rejections.alias("newer"), runs.alias("newer_run")
    refused = (
        select(newer.c.id)
        .join(newer_run, newer_run.c.id == newer.c.run_id)
        .where(
            newer.c.sku == rejections.c.sku,
            newer.c.rule != Rule.DUPLICATE_SKU.value,
            newer_run.c.export_date > export_date,
        )
    )
    return select(rejections.c.sku, rejections.c.reason).where(
        rejections.c.run_id == run_id,
        rejections.c.sku.is_not(None),
        rejections.c.rule != Rule.DUPLICATE_SKU.value,  # its first row goes on
        ~usable.exists(),
        ~refused.exists(),
    )


def _refused_since(connection: Connection, skus: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give sku -> what its row says since a newer export than that of its looks has a row that cannot be used.

    So it says the same whether the exports are read oldest first or, in a backfill, newest first.
    """
    of_looks = (
        select(garment_looks.c.sku, func.max(garment_looks.c.export_date).label("export_date"))
        .where(garment_looks.c.sku.in_(skus))
        .group_by(garment_looks.c.sku)
        .subquery()
    )
    found = connection.execute(
        select(rejections.c.sku, rejections.c.reason)
        .join(runs, runs.c.id == rejections.c.run_id)
        .join(of_looks, of_looks.c.sku == rejections.c.sku)
        .where(runs.c.export_date > of_looks.c.export_date, rejections.c.rule != Rule.DUPLICATE_SKU.value)
        .order_by(runs.c.export_date, rejections.c.id)
    )
    return {sku: _refusal(reason) for sku, reason in found}  # the last one of each


def _refusal(reason: str) -> dict[str, Any]:
    return {"status": LookState.REJECTED.value, "detail": reason}


def _picture_urls(connection: Connection, look_keys: set[str]) -> dict[str, list[str]]:
    """Give look key -> the URLs of the pictures that are shown of it, in their order.

    A look that is made again keeps them until new ones are published.
    """
    found = connection.execute(
        select(pictures.c.look_key, pictures.c.url)
        .where(pictures.c.look_key.in_(look_keys), pictures.c.shown)
        .order_by(pictures.c.look_key, pictures.c.number)
    )
    urls: dict[str, list[str]] = defaultdict(list)
    for look_key, url in found:
        urls[look_key].append(url)
    return urls


def _row_values(of_garment: Sequence[GarmentLook]) -> dict[str, Any]:
    states = {look.state for look in of_garment}
    urls = [url for look in of_garment for url in look.urls]
    status = next(state for state in ROW_ORDER if state in states)
    values = {"status": status.value, "detail": _detail(of_garment)}
    return {**values, "picture_url": urls[0], "picture_urls": urls} if urls else values


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
