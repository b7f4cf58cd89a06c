"""A dry run: what a run would make and what that would cost, in the account of a run that sends and plans nothing.

The pictures were checked before, which is free, so looks whose pictures break a rule are left out of the price.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tryon_catalogue.exports import PLACES
from tryon_catalogue.planning.preview import MOST_LISTED, Preview, read_preview
from tryon_catalogue.planning.runs import record_rehearsal
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.planning.runs import Run
    from tryon_catalogue.settings import Settings

COLUMNS: Final = ("sku", "collection", "model", "fit type", "pictures", "why")
MOST_REASONS: Final = 5


def rehearse(engine: Engine, settings: Settings, run: Run) -> Preview:
    """Say what a run would make, and keep the figures with the run. No look is planned.

    Args:
        settings: As the run's request has them.
        run: Which run, over which export.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    with engine.connect() as connection:
        preview = read_preview(run.export, settings, connection, run.request)
    record_rehearsal(
        engine,
        run,
        {
            "rows_read": preview.rows,
            "rows_further": preview.further,
            "rows_left_out": dict(preview.left_out),
            "looks_known": preview.wanted.looks - preview.to_make.looks,
            "looks_new": preview.to_make.looks,
            "estimated_uses": preview.to_make.uses(settings),
            "estimated_amount": preview.to_make.cost(settings),
            "warnings": list(_warnings(preview, settings)),
        },
    )
    return preview


def as_list(preview: Preview) -> str:
    """Give the looks that would be made as CSV, for a log: as many as are listed.

    Args:
        preview: Of the run.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in preview.listed:
        look = one.look
        who = look.model or "of the row"
        writer.writerow([one.sku, one.collection, who, look.fit_type.value, look.inference_num, one.why])
    more = preview.to_make.looks - len(preview.listed)
    return text.getvalue() + (f"and {more:,} more; only {MOST_LISTED:,} are listed\n" if more else "")


def _warnings(preview: Preview, settings: Settings) -> Iterator[str]:
    """Say what is not made, and why."""
    budget = settings.budget.per_run
    cost = preview.to_make.cost(settings)
    if budget and cost > budget:
        currency = settings.price.currency
        yield (
            f"all of it costs {money(cost, currency)}, and the run may cost {money(budget, currency)}: a part would "
            "not be made"
        )
    for rule, count in preview.broken.most_common():
        yield f"{count} looks would be rejected for their pictures: {rule.replace('_', ' ')}"
    first = [one for found in preview.examples.values() for one in found]
    for one in sorted(first, key=lambda one: one.line)[:MOST_REASONS]:
        place = PLACES.get(one.line)
        where = f"the {place}" if place else f"line {one.line}, {one.sku or 'no sku'}"
        yield f"{where}: {one.reason}"
    if (more := preview.rejected.total() - min(len(first), MOST_REASONS)) > 0:
        yield f"{more} more rows cannot be used"
