"""The table of the fault matrix in the documents is the one of these tests."""

from __future__ import annotations

from tests.e2e.matrix import DOCUMENT, HEADINGS, MODULES, PROJECT, all_cases, read_lines

MOST_CHARGES = HEADINGS.index("most charges of one look")
AFTER = HEADINGS.index("after recovery")
OPEN_ENDS = ("IN_DOUBT", "PLANNED", "SUBMIT", "SUCCEEDED", "REVIEW")


def cells(line: str) -> list[str]:
    """The cells of a line of the table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_every_case_has_its_row_and_every_row_its_case() -> None:
    assert list(read_lines()) == [case.name for case in all_cases()], (
        f"write {DOCUMENT.relative_to(PROJECT)} anew: TRYON_WRITE_FAULT_MATRIX=1 make faults"
    )


def test_every_row_says_what_its_case_says() -> None:
    for case in all_cases():
        assert cells(read_lines()[case.name])[:4] == [case.name, case.died, case.where, case.how.value]


def test_no_row_tells_of_a_look_that_was_paid_twice_or_left_without_an_end() -> None:
    for line in read_lines().values():
        assert cells(line)[MOST_CHARGES] == "1", line
        assert not any(state in cells(line)[AFTER] for state in OPEN_ENDS), line


def test_every_module_of_cases_is_in_the_table() -> None:
    with_cases = {
        path.stem
        for path in (PROJECT / "tests" / "e2e").glob("test_*.py")
        if "\nBOOK = CaseBook(" in path.read_text(encoding="utf-8")
    }
    assert with_cases == set(MODULES)


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in all_cases()]
    assert len(names) == len(set(names))
