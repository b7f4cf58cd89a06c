"""The note of a run: figures, what stops it, what was not sent and why, what is in doubt, what was rejected.

A ``Note`` is data; ``as_markdown`` makes of it what the Airflow UI shows beside the run, and ``as_text`` what stands in
the task's log. Reading it from the ledger is at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from tryon_catalogue.ledger.images import count_repaired
from tryon_catalogue.ledger.rejections import read_rejections
from tryon_catalogue.publishing.review import open_reviews
from tryon_catalogue.reporting.account.wording import figures, headline
from tryon_catalogue.submission import doubts as ledger_doubts
from tryon_catalogue.submission.stops import active_stops
from tryon_catalogue.words import counted, escape_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from tryon_catalogue.exports import Rejection
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


@dataclass(frozen=True, slots=True)
class NotSent:
    """Looks that were not sent, and why."""

    looks: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """What people read of a run beside it in the Airflow UI and in the log.

    Attributes:
        title: What it is about, without a full stop.
        figures: Name -> value in words, in their order.
        stops: Why nothing is sent at all right now.
        not_sent: Looks that were not sent.
        doubts: Submissions in doubt.
        review: Looks in review.
        rejected: The first rejected rows, in the order of the export.
        refused: The first rows that the catalogue's table did not take, and why.
    """

    title: str
    figures: tuple[tuple[str, str], ...] = ()
    stops: tuple[Stop, ...] = ()
    not_sent: tuple[NotSent, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    review: tuple[Review, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    refused: tuple[str, ...] = ()


def as_markdown(note: Note, most_characters: int = MOST_CHARACTERS) -> str:
    """Give a note as Markdown that Airflow takes: whole lines, as many as there is room for.

    Args:
        most_characters: The longest text.
    """
    lines = [f"**{escape_markdown(note.title)}**", ""]
    lines += [f"- {escape_markdown(name)}: {escape_markdown(value)}" for name, value in note.figures]
    for heading, section in _sections(note):
        lines += ["", f"**{heading}**", ""]
        lines += [
            f"- {_shown(text)}{f' `{command}`' if command else ''}" for text, command in section[:MOST_LINES]
        ]
        if len(section) > MOST_LINES:
            lines.append(f"- and {len(section) - MOST_LINES} more in the log")
    return _cut(lines, most_characters)


def as_text(note: Note) -> str:
    """Give a note as plain lines for a log."""
    lines = [f"{note.title}."]
    lines += [f"  {name}: {value}" for name, value in note.figures]
    for heading, section in _sections(note):
        lines.append(f"{heading}:")
        lines += [
            f"  {' '.join(text.split())}{f' {command}' if command else ''}"
            for text, command in section[:MOST_LINES_LOGGED]
        ]
        if len(section) > MOST_LINES_LOGGED:
            lines.append(f"  and {len(section) - MOST_LINES_LOGGED} more")
    return "\n".join(lines)


def _sections(note: Note) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give headings, each with lines of a text and the command to type; one without lines is left out."""
    sections = {
        "Stopped": [(f"{stop.conn_id}: {stop.reason}", "tryon resume") for stop in note.stops],
        "Waiting": [(f"{counted(group.looks, 'look')}: {group.reason}", "") for group in note.not_sent],
        "In doubt": [
            (
                f"{doubt.id}: {counted(doubt.looks, 'look')} of {_skus(doubt)}, sent {_utc(doubt.sent_at)}: "
                f"{doubt.message or NO_ANSWER}",
                f"tryon doubts resolve {doubt.id}",
            )
            for doubt in note.doubts
        ],
        "To review": [
            (
                f"{', '.join(look.skus) or 'no garment'} on {look.model or 'a model'}: {look.reason}",
                f"tryon review {'accept' if look.paths else 'collect'} {look.key[:SHORT_KEY]}",
            )
            for look in note.review
        ],
        "Not written to the catalogue": [(reason, "") for reason in note.refused],
        "Rejected": [(f"{_place(rejection)}: {rejection.reason}", "") for rejection in note.rejected],
    }
    return [(heading, lines) for heading, lines in sections.items() if lines]


def _place(rejection: Rejection) -> str:
    return (
        f"the {rejection.place}" if rejection.place else f"line {rejection.line}, {rejection.sku or 'no sku'}"
    )


def _shown(text: str) -> str:
    return escape_markdown(text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 2]} …")


def _skus(doubt: Doubt) -> str:
    return f"{', '.join(doubt.skus)}{', …' if doubt.more_skus else ''}" or "no garment"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


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
    """Make the note of a run whose account is written."""
    run_id = account.run_id
    with engine.connect() as connection:
        stops = active_stops(connection)
        doubts = ledger_doubts.of_run(connection, run_id)
        review = open_reviews(connection, run_id)
        repaired = count_repaired(connection, run_id)
        rejected = tuple(read_rejections(connection, run_id, MOST_LINES_LOGGED))
    return Note(
        title=headline(account),
        figures=(
            *figures(account).items(),
            *((("repaired pictures sent", str(repaired)),) if repaired else ()),
        ),
        stops=stops,
        not_sent=tuple(NotSent(count, reason) for reason, count in account.reasons_not_sent.items()),
        doubts=doubts,
        review=tuple(review),
        rejected=rejected,
        refused=account.refused_rows,
    )


def read_recovery_note(engine: Engine, batches: int, newly_doubted: int) -> Note:
    """Make the note of a recovery, before it collects what it has found.

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
