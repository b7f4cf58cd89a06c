"""The rejected rows of a run as a spreadsheet, for the people who keep the catalogue."""

from __future__ import annotations

import csv
import uuid
from typing import TYPE_CHECKING, Final

from tryon_catalogue.reporting.report.reading import every_rejection
from tryon_catalogue.words import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

HEADINGS: Final = ("line", "sku", "rule", "column", "value", "measured", "allowed", "what to do")


def write_rejections_csv(engine: Engine, run_id: str, path: Path) -> int:
    """Write every rejection of a run as CSV: UTF-8 with the mark by which Excel knows it.

    Args:
        run_id: ``dag_id/run_id``, or ``last``.
        path: The file, which appears whole; its folder is made when it is missing.

    Returns:
        Rows written.

    Raises:
        tryon_catalogue.reporting.report.reading.NoSuchRunError: There is no such run.
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    count = 0
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADINGS)
            for rejection in every_rejection(engine, run_id):
                cells = (
                    rejection.sku,
                    rejection.rule,
                    rejection.column,
                    rejection.subject,
                    rejection.measured,
                    rejection.limit,
                    rejection.reason,
                )
                # Some lines stand for what has none.
                place = harmless(rejection.place) or rejection.line
                writer.writerow([place, *map(harmless, cells)])
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count
