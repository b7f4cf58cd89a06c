"""What people are told of a run: figures, what stops it, what waits and why, what is in doubt, what was rejected.

A ``Note`` is data; ``as_markdown`` makes of it what the Airflow UI shows beside the run, and ``as_text`` what stands in
the task's log. Reading it from the ledger is at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from tryon_catalogue.exports import PLACES
from tryon_catalogue.ledger.images import count_repaired
from tryon_catalogue.ledger.tables import looks, rejections, run_looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.review import open_reviews
from tryon_catalogue.submission import doubts as ledger_doubts
from tryon_catalogue.submission.stops import active_stops
from tryon_catalogue.words import escape_markdown, money

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from tryon_catalogue.publishing.review import Review
    from tryon_catalogue.reporting.account import Account
    from tryon_catalogue.submission.doubts import Doubt
    from tryon_catalogue.submission.stops import Stop

MOST_CHARACTERS: Final = 1_000
"""What Airflow's REST API and its database take for a note of a DAG run."""
MOST_LINES: Final = 5
"""Lines of a section in a note; the log has all of them."""
MOST_LINES_LOGGED: Final = 50
LONGEST_REASON: Final = 160
SHORT_KEY: Final = 10
NO_ANSWER: Final = "no answer came"
UNSENT: Final = "not sent; the log of the submit tasks says why"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Looks that are wanted and were not sent."""

    looks: int
    reason: str


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of the export that could not be used.

    Attributes:
        line: Its line in the export.
        sku: The garment, where the row names one.
    """

    line: int
    sku: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """What people are told of a run.

    Attributes:
        title: What it is about, without a full stop.
        figures: Name -> value in words, in their order.
        stops: Why nothing is sent at all right now.
        waiting: Looks that were not sent.
        doubts: Submissions in doubt.
        review: Looks that wait for a person's word.
        rejected: The first rejected rows, in the order of the export.
        refused: The first rows that the catalogue's table did not take, and why.
    """

    title: str
    figures: tuple[tuple[str, str], ...] = ()
    stops: tuple[Stop, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    review: tuple[Review, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    refused: tuple[str, ...] = ()


def as_markdown(note: Note, most_characters: int = MOST_CHARACTERS) -> str:
    """Give a note as Markdown that Airflow takes: whole lines, as many as there is room for.

    Args:
        note: What to tell.
        most_characters: The longest text.
    """
    lines = [f"**{escape_markdown(note.title)}**", ""]
    lines += [f"- {escape_markdown(name)}: {escape_markdown(value)}" for name, value in note.figures]
    for heading, told in _sections(note):
        lines += ["", f"**{heading}**", ""]
        lines += [
            f"- {_shown(words)}{f' `{command}`' if command else ''}" for words, command in told[:MOST_LINES]
        ]
        if len(told) > MOST_LINES:
            lines.append(f"- and {len(told) - MOST_LINES} more in the log")
    return _cut(lines, most_characters)


def as_text(note: Note) -> str:
    """Give a note as plain lines for a log."""
    lines = [f"{note.title}."]
    lines += [f"  {name}: {value}" for name, value in note.figures]
    for heading, told in _sections(note):
        lines.append(f"{heading}:")
        lines += [
            f"  {' '.join(words.split())}{f' {command}' if command else ''}"
            for words, command in told[:MOST_LINES_LOGGED]
        ]
        if len(told) > MOST_LINES_LOGGED:
            lines.append(f"  and {len(told) - MOST_LINES_LOGGED} more")
    return "\n".join(lines)


def _sections(note: Note) -> list[tuple[str, list[tuple[str, str]]]]:
    """Heading, and lines of words with the command to type; a section without lines is left out."""
    sections = {
        "Stopped": [(f"{one.conn_id}: {one.reason}", "tryon resume") for one in note.stops],
        "Waiting": [(f"{_looks(one.looks)}: {one.reason}", "") for one in note.waiting],
        "In doubt": [
            (
                f"{one.id}: {_looks(one.looks)} of {_skus(one)}, sent {_utc(one.sent_at)}: {one.words or NO_ANSWER}",
                f"tryon doubts resolve {one.id}",
            )
            for one in note.doubts
        ],
        "To review": [
            (
                f"{', '.join(one.skus) or 'no garment'} on {one.model or 'a model'}: {one.reason}",
                f"tryon review {'accept' if one.paths else 'collect'} {one.key[:SHORT_KEY]}",
            )
            for one in note.review
        ],
        "Not written to the catalogue": [(words, "") for words in note.refused],
        "Rejected": [(f"{_place(one)}: {one.reason}", "") for one in note.rejected],
    }
    return [(heading, lines) for heading, lines in sections.items() if lines]


def _place(row: RejectedRow) -> str:
    place = PLACES.get(row.line)
    return f"the {place}" if place else f"line {row.line}, {row.sku or 'no sku'}"


def _shown(words: str) -> str:
    return escape_markdown(words if len(words) <= LONGEST_REASON else f"{words[: LONGEST_REASON - 2]} …")


def _skus(doubt: Doubt) -> str:
    return f"{', '.join(doubt.skus)}{', …' if doubt.more_skus else ''}" or "no garment"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _looks(count: int) -> str:
    return f"{count} look{'' if count == 1 else 's'}"


def _cut(lines: Sequence[str], most_characters: int) -> str:
    whole = "\n".join(lines)
    if len(whole) <= most_characters:
        return whole
    tail = "\n\n… cut here; the log has all of it"
    kept = list(lines)
    while kept and len("\n".join(kept)) + len(tail) > most_characters:
        kept.pop()
    return "\n".join(kept) + tail


def read_run_note(engine: Engine, account: Account) -> Note:
    """Put together what people are told of a run whose account is written.

    Args:
        account: Of the run.
    """
    run_id = account.run_id
    with engine.connect() as connection:
        stops = active_stops(connection)
        doubts = ledger_doubts.of_run(connection, run_id)
        review = open_reviews(connection, run_id)
        repaired = count_repaired(connection, run_id)
        by_rule = connection.execute(
            select(rejections.c.rule, func.count(rejections.c.line.distinct()).label("rows"))
            .where(rejections.c.run_id == run_id)
            .group_by(rejections.c.rule)
            .order_by(func.count(rejections.c.line.distinct()).desc(), rejections.c.rule)
        ).all()
        rejected = connection.execute(
            select(rejections.c.line, rejections.c.sku, rejections.c.reason)
            .where(rejections.c.run_id == run_id)
            .order_by(rejections.c.line, rejections.c.id)
            .limit(MOST_LINES_LOGGED)
        ).all()
        waiting = connection.execute(
            select(looks.c.reason, func.count().label("looks"))
            .join(run_looks, run_looks.c.look_key == looks.c.key)
            .where(run_looks.c.run_id == run_id, looks.c.state == LookState.PLANNED.value)
            .group_by(looks.c.reason)
            .order_by(func.count().desc())
        ).all()
    return Note(
        title=_title(account),
        figures=(
            *_figures(account, {row.rule: row.rows for row in by_rule}),
            *((("repaired pictures sent", str(repaired)),) if repaired else ()),
        ),
        stops=stops,
        waiting=tuple(Waiting(row.looks, row.reason or UNSENT) for row in waiting),
        doubts=doubts,
        review=tuple(review),
        rejected=tuple(RejectedRow(row.line, row.sku or "", row.reason) for row in rejected),
        refused=account.refused_rows,
    )


def _title(account: Account) -> str:
    price = money(account.estimate, account.currency)
    would_make = f"{_looks(account.would_make or 0)} would be made for {price}"
    cases = (
        (bool(account.problem), "No export"),
        (not account.planned, "The export was not read"),
        (not account.cut, "The export was read, and nothing of it was sent"),
        (not account.meant_rows and not account.may_be_empty, "The export has no row that is meant"),
        (account.would_make is not None, f"Dry run: {would_make}; nothing was sent"),
        (account.tried > 0, f"{account.published} of {_looks(account.tried)} published"),
        (account.held > 0, f"{_looks(account.held)} held back"),
    )
    return next((words for holds, words in cases if holds), "Nothing new to make")


def read_recovery_note(engine: Engine, batches: int, newly_doubted: int) -> Note:
    """Put together what people are told of a recovery, before it collects what it has found.

    Args:
        batches: How many batches it is going to collect.
        newly_doubted: How many submissions it has put in doubt.
    """
    with engine.connect() as connection:
        stops = active_stops(connection)
        doubts = ledger_doubts.open_doubts(connection)
    return Note(
        title=f"{batches} batches to collect, {len(doubts)} submissions in doubt",
        figures=(("put in doubt now", str(newly_doubted)),) if newly_doubted else (),
        stops=stops,
        doubts=doubts,
    )


def _figures(account: Account, rejected_by_rule: dict[str, int]) -> tuple[tuple[str, str], ...]:
    rules = ", ".join(f"{count} {rule}" for rule, count in rejected_by_rule.items())
    states = ", ".join(f"{count} {state}" for state, count in sorted(account.looks.items()))
    cost = money(account.cost, account.currency)
    dry = account.would_make is not None and account.planned
    read = f"{account.rows:,} read{account.beside}"
    figures = {
        "export": account.problem,
        "asked for": account.asked_for,
        "rows": read
        if dry
        else f"{read}, {account.rejected_rows:,} rejected{f' ({rules})' if rules else ''}",
        "looks": f"{account.would_make} would be made" if dry else states or "none to make",
        "known before": f"{account.known:,}" if account.known else "",
        "carried by another run": f"{account.elsewhere:,}" if account.elsewhere else "",
        "held back": f"{account.held:,}" if account.held else "",
        "garments without a row in the catalogue": f"{account.unlisted:,}" if account.unlisted else "",
        "rows of the catalogue not written": f"{account.refused:,}" if account.refused else "",
        "cost": f"{account.uses:,} uses in {account.submissions:,} submissions, {cost}"
        f"{f'; estimated {money(account.estimate, account.currency)}' if account.estimate else ''}",
        "approval": account.approval,
        "warning": "; ".join(account.warnings),
    }
    return tuple((name, words) for name, words in figures.items() if words)
