"""`make bench`: measures, prints the table, and keeps it in include/docs/benchmarks.md.

Figures are ratios of things measured side by side in one run wherever they can be: seconds tell of the machine,
ratios of the code.
"""

from __future__ import annotations

import logging
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ground import PROJECT, open_ground
from history import NEW_ROWS, Grown, measure_history
from parsing import measure_parsing
from planning import LARGE, SMALL, Planned, measure_planning
from rich.console import Console

if TYPE_CHECKING:
    from vendor import Beside

PAGE = PROJECT / "include" / "docs" / "benchmarks.md"
LONGEST_PARSE_SECONDS = 0.3
INTRODUCTION = """# Benchmarks

Written by `make bench`, which takes five to ten minutes. Seconds tell of the machine they were measured on;
the ratios compare two things that were measured side by side in the same run.

"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    what: str
    figure: str
    beside: str


def parsing_lines() -> Iterator[Line]:
    """How long DAG files take to read."""
    for one in measure_parsing():
        verdict = "within" if one.seconds <= LONGEST_PARSE_SECONDS else "**over**"
        yield Line(
            f"reading `dags/{one.file}`, beyond importing Airflow",
            f"{one.seconds:.2f} s of CPU",
            f"{verdict} the {LONGEST_PARSE_SECONDS} s wanted",
        )


def planning_lines(found: Sequence[Planned]) -> Iterator[Line]:
    """How reading and planning grow with the export."""
    for small, large in zip(found[::2], found[1::2], strict=True):
        name = "CSV" if large.ending == "csv" else "Parquet"
        yield Line(
            f"reading {LARGE:,} rows of {name}",
            f"{large.rows / large.reading:,.0f} rows/s",
            f"{large.reading / small.reading:.1f} times the time of {SMALL:,}",
        )
        yield Line(
            f"planning {LARGE:,} rows of {name}: read, cast, written to the ledger, reserved within a limit, cut",
            f"{large.planning:.0f} s, {large.cutting:.0f} s of it from the ledger on",
            f"{large.planning / small.planning:.1f} times the time of {SMALL:,}; {large.planning / large.bare:.1f} "
            f"times that of a bare read by pandas and `COPY`, {large.bare:.1f} s",
        )
        yield Line(
            f"planning {LARGE:,} rows of {name} whose looks are published: read, cast, compared",
            f"{large.known:.0f} s",
            f"{large.known / small.known:.1f} times the time of {SMALL:,}; {large.known / large.planning:.2f} times "
            "that of as many new ones",
        )
        yield Line(
            f"memory for {LARGE:,} rows of {name}",
            f"{large.peak:,.0f} MiB at the peak",
            f"{large.peak / small.peak:.2f} times the peak of {SMALL:,}",
        )


def history_lines(few: Grown, many: Grown) -> Iterator[Line]:
    """What long published looks cost the next night."""
    for what, name in (
        ("previewing", "previewing"),
        ("recording", "recording"),
        ("cutting", "cutting, under a limit for each collection,"),
    ):
        small, large = getattr(few, what), getattr(many, what)
        yield Line(
            f"{name} {NEW_ROWS:,} new rows beside {many.looks:,} looks published long ago",
            f"{large:.2f} s",
            f"{large / small:.1f} times the time beside {few.looks:,}",
        )


def reading_lines(few: Grown, many: Grown) -> Iterator[Line]:
    """What people wait for at a page or a command, beside years of looks."""
    for what, read in many.reading.items():
        before = few.reading[what]
        yield Line(
            f"{what}, of a ledger of {many.looks:,} looks",
            f"{1000 * read.seconds:,.0f} ms, its slowest query {1000 * read.slowest:,.0f} ms",
            f"{1000 * before.seconds:,.0f} ms and {1000 * before.slowest:,.0f} ms with {few.looks:,}",
        )


def vendor_lines(submitting: Beside, publishing: Beside) -> Iterator[Line]:
    """What remembering costs."""
    yield Line(
        f"submitting {submitting.count:,} looks, each call with its intent and its outcome in the ledger",
        f"{submitting.count / submitting.ours:,.0f} looks/s",
        f"{submitting.ratio:.2f} times the time of a bare loop of the same calls",
    )
    yield Line(
        f"publishing {publishing.count:,} pictures of 900 x 1200: fetched, judged, labelled, archived, ledger and "
        "catalogue written",
        f"{publishing.count / publishing.ours:,.0f} pictures/s, each {1000 * publishing.cpu / publishing.count:.0f} ms "
        "of CPU, the database's among them",
        f"{publishing.ratio:.2f} times the time of bare queries and downloads",
    )


def as_table(lines: Sequence[Line]) -> str:
    """The lines in Markdown."""
    rows = [f"| {line.what} | {line.figure} | {line.beside} |" for line in lines]
    return "\n".join(["| what | figure | beside |", "| --- | --- | --- |", *rows]) + "\n"


def main() -> None:
    """Measure everything."""
    console = Console(highlight=False, markup=False)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tryon-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
        console.print("DAG files …")
        lines = list(parsing_lines())
        console.print("exports …")
        lines += planning_lines(measure_planning(folder / "planning"))
        console.print("a ledger of years …")
        grown = measure_history(folder / "history")
        lines += [*history_lines(*grown), *reading_lines(*grown)]
        console.print("the vendor …")
        from vendor import measure_vendor

        with open_ground(folder / "vendor") as ground:
            lines += vendor_lines(*measure_vendor(ground))
    table = as_table(lines)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {time.monotonic() - began:.0f} s in all."
    PAGE.write_text(f"{INTRODUCTION}{table}\n{machine}\n", encoding="utf-8")
    console.print(f"\n{table}\n{machine}\nKept in {PAGE.relative_to(PROJECT)}.", soft_wrap=True)


if __name__ == "__main__":
    main()
