"""Cases of the fault matrix: what dies or lies, where, and what came of it.

A case breaks one night (or several) and waits until it has ended. What follows is the same for all: the books are
checked, a person settles what is in doubt by what the vendor says, the recovery DAG collects what is left, and the
books are checked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from tests.e2e.books import Books
from tests.e2e.world import Export, World
from tryon_catalogue.looks import LookState


class How(StrEnum):
    """What a case ran in."""

    AIRFLOW = "Airflow"
    """The four real processes of Airflow, with real tasks and triggers."""
    CODE = "the tasks' code"
    """The code of the tasks on the ledger and the sandbox, without Airflow around it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case says of the looks of one export when its night has ended.

    Attributes:
        published: Looks in the catalogue; None where that is a matter of chance.
        in_doubt: Looks of which nobody knows; None where that is a matter of chance.
        refused: Looks that the vendor refused or could not make: they have an end without a picture.
        left: Looks that are paid for and left to the recovery, or were never sent.
    """

    export: Export
    published: int | None
    in_doubt: int | None = 0
    refused: int = 0
    left: int = 0


Break = Callable[[World], Expected | list[Expected]]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the matrix.

    Attributes:
        name: A sentence.
        died: What died or lied.
        where: And where.
        how: What it ran in.
        run: Breaks and waits; None where the test does so itself.
    """

    name: str
    died: str
    where: str
    how: How
    run: Break | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Row:
    """What a case came to.

    Attributes:
        looks: How many there were.
        sent: Submissions begun until the night had ended.
        most_charges: Of one look.
        published: Looks in the catalogue when the night had ended.
        in_doubt: Looks in doubt when the night had ended.
        after: What the looks came to after doubts were settled and the recovery had run.
        seconds: From the night's start to its end.
    """

    looks: int
    sent: int
    most_charges: int
    published: int
    in_doubt: int
    after: str
    seconds: float


@dataclass(slots=True)
class CaseBook:
    """The cases of one module, in order."""

    cases: list[Case] = field(default_factory=list)

    def case(self, *, died: str, where: str, how: How = How.AIRFLOW) -> Callable[[Break], Break]:
        """Enter a function as a case; its name is the case's.

        Args:
            died: What died or lied.
            where: And where.
            how: What it ran in.
        """

        def enter(run: Break) -> Break:
            self.cases.append(Case(run.__name__.replace("_", " "), died, where, how, run))
            return run

        return enter


@dataclass(frozen=True, slots=True)
class _Broken:
    """A case whose nights have ended."""

    expected: list[Expected]
    at_night: list[Books]
    seconds: float


def run_cases(world: World, cases: Iterable[Case], *, at_once: int) -> dict[Case, Row | Exception]:
    """Run cases, then settle doubts and recover for all of them together, then check the books.

    Args:
        cases: Each has exports of its own.
        at_once: How many run side by side.

    Returns:
        Each case's row, or why it failed.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="case") as threads:
        futures = {case: threads.submit(_break, case, world) for case in cases}
    broken: dict[Case, _Broken] = {}
    results: dict[Case, Row | Exception] = {}
    for case, future in futures.items():
        error = _error_of(future)
        if error is None:
            broken[case] = future.result()
        else:
            results[case] = error
    exports = [one.export for each in broken.values() for one in each.expected]
    if exports:
        try:
            world.settle_and_recover(exports)
        except Exception as error:  # noqa: BLE001  # told by each case that needed it
            return results | dict.fromkeys(broken, error)
    for case, each in broken.items():
        try:
            results[case] = _row(each)
        except AssertionError as error:
            results[case] = error
    return results


def _error_of(future: Future[_Broken]) -> Exception | None:
    error = future.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def _break(case: Case, world: World) -> _Broken:
    begun = time.monotonic()
    if case.run is None:
        raise ValueError(f"{case} is run by its own test")
    found = case.run(world)
    seconds = time.monotonic() - begun
    expected = found if isinstance(found, list) else [found]
    books = [one.export.books() for one in expected]
    for one, book in zip(expected, books, strict=True):
        book.check(open_looks=one.left > 0)
        states = book.states
        published = states[LookState.PUBLISHED]
        assert one.published in {None, published}, f"{published} are published: {book}"
        in_doubt = states[LookState.IN_DOUBT]
        assert one.in_doubt in {None, in_doubt}, f"{in_doubt} are in doubt: {book}"
        assert len(book.looks) == len(one.export.garments)
        assert states[LookState.REJECTED] + states[LookState.FAILED] == one.refused, str(book)
    return _Broken(expected, books, seconds)


def _row(broken: _Broken) -> Row:
    after = [one.export.books() for one in broken.expected]
    for one, book in zip(broken.expected, after, strict=True):
        book.check()
        published = book.states[LookState.PUBLISHED]
        assert published == len(one.export.garments) - one.refused, f"not all is published in the end: {book}"
    return Row(
        looks=sum(len(book.looks) for book in after),
        sent=sum(book.sent for book in broken.at_night),
        most_charges=max(book.most_charges for book in after),
        published=sum(book.states[LookState.PUBLISHED] for book in broken.at_night),
        in_doubt=sum(book.states[LookState.IN_DOUBT] for book in broken.at_night),
        after="; ".join(book.summary for book in after),
        seconds=broken.seconds,
    )
