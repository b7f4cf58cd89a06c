"""The table of the fault matrix in the documents: written by a run of the tests, held by one of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.e2e.cases import Case, Row

PROJECT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = PROJECT / "include" / "docs" / "fault-matrix.md"
MODULES: Final = (
    "test_killed_tasks",
    "test_lying_vendor",
    "test_restarts",
    "test_people",
    "test_many_kills",
    "test_clock",
    "test_large_nights",
)
HEADINGS: Final = (
    "case",
    "what died or lied",
    "where",
    "ran in",
    "looks",
    "submissions sent",
    "most charges of one look",
    "published",
    "in doubt",
    "after recovery",
    "seconds",
)
WORDS: Final = """# The fault matrix

What was broken on purpose, where, and what it cost. Every row is a test in `tests/e2e`, and the tests write this
table (`TRYON_WRITE_FAULT_MATRIX=1 make faults`).

- *Submissions sent* counts the calls of submit that were begun. *Most charges of one look* is the sandbox's own
  count: what the vendor's bill would say.
- *Published* and *in doubt* are counted when the night has ended. A look in doubt was sent and nobody knows whether
  the vendor has it; it is not sent again by itself.
- *After recovery* is where the looks stand once a person has settled the doubts by what the vendor says
  (`tryon doubts resolve`) and the DAG `tryon_recover` has run.
- *Seconds* are from the start of the night to its end, on a machine with two cores, beside the other cases of the
  same group.
"""


def all_cases() -> list[Case]:
    """Every case there is, in the order of the table."""
    return [case for module in MODULES for case in importlib.import_module(f"tests.e2e.{module}").BOOK.cases]


def read_lines() -> dict[str, str]:
    """Read the table: case -> its line."""
    if not DOCUMENT.exists():
        return {}
    lines = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines[2:]}


def write_matrix(rows: Mapping[str, Row]) -> None:
    """Write the table: the rows of this run, and for other cases the lines that are there.

    Args:
        rows: Case -> what it came to.
    """
    lines = read_lines()
    for case in all_cases():
        if case.name in rows:
            lines[case.name] = _line(case, rows[case.name])
    table = [lines[case.name] for case in all_cases() if case.name in lines]
    head = [f"| {' | '.join(HEADINGS)} |", f"| {' | '.join('---' for _ in HEADINGS)} |"]
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n".join([WORDS, *head, *table, ""]), encoding="utf-8")


def _line(case: Case, row: Row) -> str:
    cells = (
        case.name,
        case.died,
        case.where,
        case.how.value,
        row.looks,
        row.sent,
        row.most_charges,
        row.published,
        row.in_doubt,
        row.after,
        round(row.seconds),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"
