"""A dry run: what a run would make and what that would cost, in the account of a run that sends and plans nothing.

The pictures were checked before, which is free, so looks whose pictures break a rule are left out of the price.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tryon_catalogue.exports import PLACES
from tryon_catalogue.planning.preview import MOST_LISTED, preview_run
from tryon_catalogue.planning.runs import record_figures
from tryon_catalogue.words import harmless

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.planning.preview import Asked, NextRun
    from tryon_catalogue.planning.runs import Run
    from tryon_catalogue.settings import Settings

COLUMNS: Final = ("sku", "collection", "model", "fit type", "pictures", "why")
MOST_REASONS: Final = 5


def record_dry_run(engine: Engine, settings: Settings, run: Run) -> NextRun:
    """Find what a run would make, and keep the figures in its row. No look is planned.

    Args:
        settings: As the run's request has them.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    asked, found = preview_run(engine, settings, run, checked=True)
    record_figures(
        engine,
        run,
        {
            "rows_read": asked.rows,
            "rows_further": asked.further,
            "rows_left_out": dict(asked.left_out),
            "reading_notes": asked.notes,
            "looks_known": found.at_rest,
            "looks_new": found.estimate.looks,
            "estimated_uses": found.estimate.uses,
            "estimated_amount": found.estimate.amount,
            "warnings": list(_warnings(asked, found)),
        },
    )
    return found


def as_list(found: NextRun) -> str:
    """Give the looks that would be made as CSV, for a log: as many as are listed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for listed in found.listed:
        look = listed.look
        model = look.model or "of the row"
        texts = map(harmless, (listed.sku, listed.collection, model, look.fit_type.value))
        writer.writerow([*texts, look.inference_num, harmless(listed.why)])
    more = found.estimate.looks - len(found.listed)
    return text.getvalue() + (f"and {more:,} more; only {MOST_LISTED:,} are listed\n" if more else "")


def _warnings(asked: Asked, found: NextRun) -> Iterator[str]:
    """Say what is not made, and why; and what people should know of their packs."""
    yield from found.estimate.held_back
    yield from found.estimate.warnings
    first = [rejection for examples in asked.examples.values() for rejection in examples]
    for rejection in sorted(first, key=lambda rejection: rejection.line)[:MOST_REASONS]:
        place = PLACES.get(rejection.line)
        where = f"the {place}" if place else f"line {rejection.line}, {rejection.sku or 'no sku'}"
        yield f"{where}: {rejection.reason}"
    if (more := asked.rejected.total() - min(len(first), MOST_REASONS)) > 0:
        yield f"{more} more rows cannot be used"
