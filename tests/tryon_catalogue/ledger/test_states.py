"""Nothing that lists states can forget one: every list is the table, or is held against it here."""

from __future__ import annotations

import ast
import io
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine, text

from tests.tryon_demo.nights import NIGHT
from tryon_catalogue.ledger.states import (
    LOOK_STATES,
    PAID,
    ROW_ORDER,
    SHOWN,
    SUBMISSION_STATES,
    TONES,
    SubmissionState,
)
from tryon_catalogue.looks import MOVES, LookState
from tryon_catalogue.reporting.asset import event_of
from tryon_catalogue.reporting.metrics import Figures
from tryon_catalogue.reporting.report.style import STATE_STYLE
from tryon_catalogue.reporting.status import Status, show_status
from tryon_demo.display import COLOURS

ROOT = Path(__file__).parents[3]
OPERATIONS = ROOT / "include" / "docs" / "operations.md"
SOURCES = sorted(path for folder in ("include", "plugins", "dags") for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted(path for kind in ("css", "html", "js") for path in (ROOT / "include").rglob(f"*.{kind}"))
THE_TABLES = ("tryon_catalogue/looks.py", "tryon_catalogue/ledger/states.py")
STATES = {"LookState": set(LookState), "SubmissionState": set(SubmissionState)}
EVERY_NAME = {state.value for states in STATES.values() for state in states}


def test_every_state_has_its_row_in_the_table_and_its_place_in_each_order() -> None:
    assert set(LOOK_STATES) == set(LookState)
    assert set(SUBMISSION_STATES) == set(SubmissionState)
    assert len(set(SHOWN)) == len(SHOWN)
    assert len({facts.row_order for facts in LOOK_STATES.values()}) == len(ROW_ORDER) == len(LookState)


def state_of(node: ast.expr) -> str | None:
    """The state that an expression names: ``LookState.PLANNED``, its value, or its name as text."""
    if isinstance(node, ast.Compare):
        return next(filter(None, map(state_of, node.comparators)), None)
    if isinstance(node, ast.Attribute) and node.attr == "value":
        node = node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in STATES:
        return node.attr
    return node.value if isinstance(node, ast.Constant) and node.value in EVERY_NAME else None


def listed_states(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """Each place that names several states beside each other: as a collection, as keys, or with ``or``."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) | ast.BoolOp(values=parts)
            ):
                named = {state_of(part) for part in parts} - {None}
            case ast.Dict(keys=keys):
                named = {state_of(key) for key in keys if key is not None} - {None}
            case _:
                continue
        if len(named) > 1:
            yield node.lineno, named


@pytest.mark.parametrize(
    "code",
    [
        "x = (LookState.PLANNED, LookState.FAILED)",
        "x = {LookState.PLANNED.value: 1, LookState.FAILED.value: 2}",
        "x = ['PLANNED', 'FAILED']",
        "state is LookState.PLANNED or state is LookState.FAILED",
    ],
)
def test_a_list_of_states_is_seen_in_whatever_form(code: str) -> None:
    assert list(listed_states(ast.parse(code))) == [(1, {"PLANNED", "FAILED"})]


def test_no_code_beside_the_table_lists_states() -> None:
    assert len(SOURCES) > 100
    found = [
        f"{path.relative_to(ROOT)}:{line} lists {', '.join(sorted(states))}"
        for path in SOURCES
        # A migration is what was true at its revision.
        if "migrations" not in path.parts and not path.as_posix().endswith(THE_TABLES)
        for line, states in listed_states(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == [], "name the set in ledger/states.py, made from a column of the table"


def test_no_page_names_a_state_or_has_the_colour_of_one() -> None:
    assert len(PAGES) > 4
    colours = {colour for tone in TONES for colour in (tone.light, tone.dark)}
    names = re.compile(rf"\b({'|'.join(EVERY_NAME)})\b|({'|'.join(colours)})\b")
    assert {path.name: found for path in PAGES if (found := names.findall(path.read_text()))} == {}


def test_every_state_has_its_rule_in_the_style_of_the_pages() -> None:
    for state, facts in LOOK_STATES.items():
        assert f".{state} {{ --tone: var(--{facts.tone.name});" in STATE_STYLE
    for tone in TONES:
        assert STATE_STYLE.count(f"--{tone.name}: {tone.light};") == 1
        assert STATE_STYLE.count(f"--{tone.name}: {tone.dark};") == 1


def checks_of(engine: Engine) -> list[tuple[str, set[str]]]:
    """The constraints of the ledger that name several states, and which."""
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT conrelid::regclass::text AS holder, pg_get_constraintdef(oid) AS definition"
                " FROM pg_constraint WHERE contype = 'c' AND connamespace = 'tryon'::regnamespace"
            )
        ).all()
    named = [(row.holder, set(re.findall(r"'(\w+)'", row.definition)) & EVERY_NAME) for row in found]
    return [(holder, states) for holder, states in named if len(states) > 1]


def test_the_database_takes_every_state_and_a_result_key_with_what_is_paid_for_alone(engine: Engine) -> None:
    found = checks_of(engine)
    assert sorted(holder for holder, _ in found) == sorted(
        [
            "tryon.looks",
            "tryon.allowed_moves",
            "tryon.allowed_moves",
            "tryon.submissions",
            "tryon.submissions",
        ]
    )
    for holder, states in found:
        if holder == "tryon.submissions":
            assert states in (set(SubmissionState), set(PAID))
        else:
            assert states == set(LookState)


def table_of_states(document: Path) -> dict[str, list[str]]:
    """The rows of a document's table of states: state -> the cells after it."""
    rows = re.findall(r"^\| `?([A-Z_]+)`? \| (.*) \|$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {state: cells.split(" | ") for state, cells in rows if state in set(LookState)}


def test_the_documents_tell_the_meaning_of_every_state_and_whether_it_is_paid() -> None:
    readme, operations = table_of_states(ROOT / "README.md"), table_of_states(OPERATIONS)
    assert readme == {state: [facts.meaning, facts.paid] for state, facts in LOOK_STATES.items()}
    meanings = {state: cells[0] for state, cells in operations.items()}
    assert meanings == {state: facts.meaning for state, facts in LOOK_STATES.items()}


def test_the_picture_of_a_looks_life_shows_every_move() -> None:
    page = (ROOT / "include" / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^  ([A-Z_]+) --> ([A-Z_]+) : ", page, re.MULTILINE))
    assert shown == {(old.value, new.value) for old, targets in MOVES.items() for new in targets}


def test_the_documents_name_every_metric_of_a_state_and_every_count_of_an_event() -> None:
    words = OPERATIONS.read_text(encoding="utf-8")
    figures = Figures(dict.fromkeys(LookState, 0), dict.fromkeys(SubmissionState, 0), 0, 0)
    for kind in ("looks", "submissions"):
        (row,) = re.findall(rf"^\| `tryon\.{kind}\.<state>` .*$", words, re.MULTILINE)
        listed = set(re.findall(r"`(\w+)`", row))
        assert {f"tryon.{kind}.{state}" for state in listed} == {
            name for name in figures.gauges if name.startswith(f"tryon.{kind}.")
        }
    start = words.index("`extra` holds")
    listed = set(re.findall(r"`(\w+)`", words[start : words.index("\n\n", start)])) - {"extra"}
    assert listed == set(event_of(NIGHT.account))


def test_every_state_is_shown_in_a_terminal() -> None:
    assert set(COLOURS) == set(LookState)
    screen = Console(file=io.StringIO(), width=120, record=True, highlight=False)
    show_status(Status(Counter(dict.fromkeys(LookState, 1)), 0, Decimal(0), "CNY", None), screen)
    told = screen.export_text()
    for state, facts in LOOK_STATES.items():
        assert re.search(rf"^.?\s*{state}\s.*{re.escape(facts.meaning)}", told, re.MULTILINE), state
