"""Rows that cannot be used, over all runs: each reason once, the newest first, and as a list for the studio."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sqlalchemy import and_, func, or_, select

from tryon_catalogue.desk.pictures import NoPictureError
from tryon_catalogue.exports import Rejection
from tryon_catalogue.ledger.tables import garment_looks, rejections, runs
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.reporting.report.reading import digests_by_address
from tryon_catalogue.words import harmless

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from tryon_catalogue.desk.serving import Shop

ON_A_PAGE: Final = 40
MOST_IN_A_LIST: Final = 20_000
_LATELY: Final = 2_000
"""Of so many newest rejections the rules are offered as filters."""
HEADINGS: Final = (
    "sku",
    "title",
    "collection",
    "rule",
    "column",
    "link or value",
    "measured",
    "allowed",
    "what to do",
    "export of",
    "run",
)


@dataclass(frozen=True, slots=True)
class Search:
    """Which rejected rows are meant; empty for all.

    Attributes:
        rule: That was broken.
        text: Stands in the sku or in the address of the picture.
        run: ``dag_id/run_id``.
        before: Only those that were noted before this one; 0 for all.
    """

    rule: str = ""
    text: str = ""
    run: str = ""
    before: int = 0

    @property
    def query(self) -> str:
        """The search as the query of an address, without the place in the list."""
        chosen = {"rule": self.rule, "text": self.text, "run": self.run}
        return urlencode({name: value for name, value in chosen.items() if value})


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A rejected row as people are shown it.

    Attributes:
        id: In the ledger.
        title: As an earlier export had it; empty where none had.
        pictured: Whether the archive may have a small copy of the picture.
    """

    id: int
    rejection: Rejection
    title: str
    collection: str
    run: str
    export_date: date
    pictured: bool = False


def read_rejected(shop: Shop, search: Search) -> Mapping[str, Any]:
    """Read what the page shows."""
    with shop.engine.connect() as connection:
        rows = list(_rows(connection, search, ON_A_PAGE + 1))
        known = digests_by_address(
            connection, {row.rejection.subject for row in rows if "://" in row.rejection.subject}
        )
        rules = _rules(connection)
    shown = rows[:ON_A_PAGE]
    return {
        "rows": shown,
        "pictured": {row.id for row in shown if row.rejection.subject in known},
        "older": shown[-1].id if len(rows) > ON_A_PAGE else 0,
        "rules": rules,
        "search": search,
    }


def read_rejected_picture(shop: Shop, rejection_id: int) -> bytes:
    """Read the small copy of a picture that breaks a rule.

    Raises:
        NoPictureError: There is none.
    """
    with shop.engine.connect() as connection:
        row = connection.execute(select(rejections).where(rejections.c.id == rejection_id)).one_or_none()
        subject = "" if row is None else _rejection(row).subject
        digest = digests_by_address(connection, {subject}).get(subject) if "://" in subject else None
    try:
        small = Archive(shop.settings.archive).read_input(digest) if digest else None
    except OSError as error:
        raise NoPictureError(str(error)) from error
    if small is None:
        raise NoPictureError("the archive has no copy of it")
    return small


def studio_list(shop: Shop, search: Search) -> str:
    """Write the rows as CSV for a spreadsheet, which takes no cell of it for a formula."""
    text = io.StringIO()
    text.write("\ufeff")  # by which Excel knows UTF-8
    writer = csv.writer(text)
    writer.writerow(HEADINGS)
    with shop.engine.connect() as connection:
        for row in _rows(connection, search, MOST_IN_A_LIST):
            found = row.rejection
            cells = (found.sku, row.title, row.collection, found.rule, found.column, found.subject)
            more = (found.measured, found.limit, found.reason, str(row.export_date), row.run)
            writer.writerow([harmless(cell) for cell in (*cells, *more)])
    return text.getvalue()


def _rows(connection: Connection, search: Search, most: int) -> Iterator[RejectedRow]:
    garment = (
        select(garment_looks.c.title, garment_looks.c.collection)
        .where(garment_looks.c.sku == rejections.c.sku)
        .order_by(garment_looks.c.position)
        .limit(1)
        .lateral("garment")
    )
    statement = (
        select(rejections, runs.c.export_date, garment.c.title, garment.c.collection)
        .join(runs, runs.c.id == rejections.c.run_id)
        .outerjoin(garment, garment.c.title.is_not(None))
        .where(*_which(search))
        .order_by(rejections.c.id.desc())
        .limit(most)
    )
    for row in connection.execute(statement):
        yield RejectedRow(
            row.id, _rejection(row), row.title or "", row.collection or "", row.run_id, row.export_date
        )


def _which(search: Search) -> list[ColumnElement[bool]]:
    newer = rejections.alias("newer")
    # The same garment is rejected for the same night after night: once is enough.
    same = and_(
        newer.c.sku == rejections.c.sku,
        newer.c.rule == rejections.c.rule,
        func.coalesce(newer.c.image, "") == func.coalesce(rejections.c.image, ""),
        newer.c.id > rejections.c.id,
    )
    # A newer export had the garment, and it could be used: it has come right.
    right = select(garment_looks.c.sku).where(
        garment_looks.c.sku == rejections.c.sku, garment_looks.c.export_date > runs.c.export_date
    )
    which: list[ColumnElement[bool]] = [~select(newer.c.id).where(same).exists(), ~right.exists()]
    if search.rule:
        which.append(rejections.c.rule == search.rule)
    if search.run:
        which.append(rejections.c.run_id == search.run)
    if search.before:
        which.append(rejections.c.id < search.before)
    if search.text:
        which.append(
            or_(
                rejections.c.sku.icontains(search.text, autoescape=True),
                rejections.c.image.icontains(search.text, autoescape=True),
            )
        )
    return which


def _rules(connection: Connection) -> list[tuple[str, int]]:
    lately = select(rejections.c.rule).order_by(rejections.c.id.desc()).limit(_LATELY).subquery("lately")
    counted = select(lately.c.rule, func.count()).group_by(lately.c.rule)
    return [
        (row.rule, row[1]) for row in connection.execute(counted.order_by(func.count().desc(), lately.c.rule))
    ]


def _rejection(row: Row[Any]) -> Rejection:
    return Rejection(
        line=row.line,
        sku=row.sku or "",
        rule=row.rule,
        column=row.column or "",
        value=row.value or "",
        reason=row.reason,
        image=row.image or "",
        measured=row.measured or "",
        limit=row.limit or "",
    )
