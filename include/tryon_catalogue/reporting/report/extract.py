"""Chooses what one page of the Airflow UI shows of a run: which looks, in which order, and how many pages there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, or_, select, tuple_

from tryon_catalogue.ledger.states import SHOWN
from tryon_catalogue.ledger.tables import garment_looks, looks, rejections, run_looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.report.facts import Extract

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from tryon_catalogue.reporting.report.facts import ReportedLook, Selection

LOOKS_ON_A_PAGE: Final = 100
"""About a megabyte with its small pictures, made in a fraction of a second."""
REJECTIONS_ON_A_PAGE: Final = 200
LOOKS_IN_REVIEW: Final = 50
"""Looks in review that each page names; the others are to be found by their state."""

EXPORT_ORDER: Final = (looks.c.position, looks.c.key)


def conditions(selection: Selection) -> Iterator[ColumnElement[bool]]:
    """Give the conditions on looks that a selection stands for."""
    filters = selection.filters
    if "state" in filters:
        yield looks.c.state == filters["state"]
    if "model" in filters:
        yield looks.c.model == filters["model"]
    if "collection" in filters:
        yield _shows(garment_looks.c.collection == filters["collection"])
    for word in filters.get("text", "").split():
        yield _shows(
            or_(
                garment_looks.c.sku.icontains(word, autoescape=True),
                garment_looks.c.title.icontains(word, autoescape=True),
            )
        )


def read_part(
    connection: Connection, run_id: str, selection: Selection, in_review: Sequence[ReportedLook]
) -> Extract:
    """Read which part of a run a page shows.

    Args:
        run_id: ``dag_id/run_id``.
        selection: A page beyond the last is the last; the page of a look that is not there, the first.
        in_review: The first looks of the run that are in review.
    """
    counted = _of_run(run_id, looks.c.state, func.count()).group_by(looks.c.state)
    by_state: dict[str, int] = dict(connection.execute(counted).all())
    found = connection.execute(_of_run(run_id, func.count()).where(*conditions(selection))).scalar_one()
    pages = _pages(found, LOOKS_ON_A_PAGE)
    page = _page_of(connection, run_id, selection.look) if selection.look else selection.page
    rejected = connection.execute(select(func.count()).where(rejections.c.run_id == run_id)).scalar_one()
    rejection_pages = _pages(rejected, REJECTIONS_ON_A_PAGE)
    collections = (
        select(garment_looks.c.collection)
        .distinct()
        .join(run_looks, run_looks.c.look_key == garment_looks.c.look_key)
        .where(run_looks.c.run_id == run_id, garment_looks.c.collection != "")
    )
    models = _of_run(run_id, looks.c.model).where(looks.c.model != "").distinct()
    return Extract(
        filters=selection.filters,
        page=min(page, pages),
        pages=pages,
        found=found,
        rejection_page=min(selection.rejections, rejection_pages),
        rejection_pages=rejection_pages,
        collections=tuple(sorted(connection.execute(collections).scalars())),
        models=tuple(sorted(connection.execute(models).scalars())),
        states=tuple(state for state in SHOWN if state in by_state),
        in_review=tuple(in_review),
        review_count=by_state.get(LookState.REVIEW, 0),
    )


def _of_run(run_id: str, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(looks)
        .join(run_looks, run_looks.c.look_key == looks.c.key)
        .where(run_looks.c.run_id == run_id)
    )


def _page_of(connection: Connection, run_id: str, key: str) -> int:
    place = connection.execute(_of_run(run_id, *EXPORT_ORDER).where(looks.c.key == key)).one_or_none()
    if place is None:
        return 1
    earlier = tuple_(*EXPORT_ORDER) < tuple_(place.position, place.key)
    before: int = connection.execute(_of_run(run_id, func.count()).where(earlier)).scalar_one()
    return before // LOOKS_ON_A_PAGE + 1


def _shows(of_garment: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(garment_looks.c.look_key).where(garment_looks.c.look_key == looks.c.key, of_garment).exists()
    )


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))
