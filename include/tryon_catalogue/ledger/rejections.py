"""Why rows of a run's export got no picture, as the ledger keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from tryon_catalogue.exports import Rejection
from tryon_catalogue.ledger.tables import rejections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


def read_rejections(
    connection: Connection, run_id: str, most: int | None = None, *, after: int = 0
) -> Iterator[Rejection]:
    """Read the rejections of a run in the order of the export, a few at a time.

    Args:
        most: Read no more than so many.
        after: Leave out so many first ones.
    """
    statement = (
        select(rejections)
        .where(rejections.c.run_id == run_id)
        .order_by(rejections.c.line, rejections.c.id)
        .limit(most)
        .offset(after)
    )
    for row in connection.execute(statement.execution_options(yield_per=1_000)):
        yield Rejection(
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
