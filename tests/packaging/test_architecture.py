"""The page on the architecture says what the code is."""

from __future__ import annotations

import re
from pathlib import Path

from tryon_catalogue.ledger.tables import metadata
from tryon_catalogue.looks import MOVES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "include" / "tryon_catalogue"
PAGE = (ROOT / "include" / "docs" / "architecture.md").read_text(encoding="utf-8")


def first_cells(section: str) -> set[str]:
    """The names in backticks in the first column of the tables of a section."""
    (text,) = [part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(section)]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_wing_has_a_line() -> None:
    modules = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert first_cells("The wings") == modules - {"__init__"}


def test_at_most_a_dozen_modules_stand_beside_the_wings() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_every_table_of_the_ledger_has_a_line() -> None:
    assert first_cells("The ledger") == {table.name for table in metadata.sorted_tables}


def test_the_picture_of_a_looks_life_has_every_move_and_no_other() -> None:
    drawn = {tuple(move) for move in re.findall(r"^  ([A-Z_]+) --> ([A-Z_]+) :", PAGE, re.MULTILINE)}
    assert drawn == {(str(state), str(to)) for state, moves in MOVES.items() for to in moves}


def test_every_file_that_a_change_touches_exists() -> None:
    table = PAGE.split("## Where do I change ...?")[1]
    paths = [path for path in re.findall(r"`([\w./]+)`", table) if "/" in path or "." in path]
    assert len(paths) > 20
    roots = (PACKAGE, ROOT)
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []
