"""``tryon report``: writes the report of a run, and its rejections for a spreadsheet."""

from __future__ import annotations

import re
import time
import uuid
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from tryon_catalogue.reporting.report.reading import read_report
from tryon_catalogue.reporting.report.rejections import write_rejections_csv
from tryon_catalogue.reporting.report.rendering import render
from tryon_catalogue.reporting.report.thumbnails import Thumbnails, reader_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings


def write_report(
    engine: Engine,
    settings: Settings,
    run_id: str,
    say: Callable[[str], None],
    *,
    output: Path | None = None,
    rejected: Path | None = None,
    in_browser: bool = False,
) -> Path:
    """Write the report of a run to a file, and say where and how large it is.

    Args:
        run_id: ``dag_id/run_id``, or ``last``.
        say: Prints a line.
        output: The page; a file named after the run in this folder without it.
        rejected: A file for the rejections as well, for a spreadsheet; none is written without it.
        in_browser: Whether to open the page.

    Returns:
        Where the page is.

    Raises:
        tryon_catalogue.reporting.report.reading.NoSuchRunError: There is no such run.
        OSError: A file cannot be written.
    """
    began = time.monotonic()
    report = read_report(engine, settings.price, run_id)
    page = render(report, Thumbnails(reader_of(settings.archive)), settings.archive)
    file = (output or Path(file_name(report.run_id))).resolve()
    written = _write(file, page)
    say(
        f"{file}: {len(report.looks):,} looks, {len(report.rejections):,} rejections, "
        f"{written / 1e6:.1f} MB, made in {time.monotonic() - began:.0f} s."
    )
    if rejected is not None:
        count = write_rejections_csv(engine, report.run_id, rejected)
        say(f"{rejected.resolve()}: {count:,} rejections.")
    if in_browser and not webbrowser.open(file.as_uri()):
        say("No browser was found to open it with.")
    return file


def file_name(run_id: str) -> str:
    """Give the name of a report's file."""
    # Plain letters only: the name goes into an HTTP header as well.
    plain = re.sub(r"[^\w.-]+", "-", run_id, flags=re.ASCII).strip("-.")
    return f"tryon-report-{plain}.html"


def _write(file: Path, page: str) -> int:
    """Write a file that appears whole; returns its size in bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{uuid.uuid4().hex}.part")
    try:
        written = part.write_bytes(page.encode())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return written
