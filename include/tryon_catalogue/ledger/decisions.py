"""What people decide on looks, with reasons, notes and what was before; and who is looking at which look just now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tryon_catalogue.ledger.tables import claims, decisions, looks, pictures

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

CLAIMED_FOR: Final = timedelta(minutes=5)
"""How long a look is kept for the person who was shown it."""
LONGEST_NOTE: Final = 500


class Reason(StrEnum):
    """What is wrong with a picture, in the fixed words of people who review. The values are what the ledger stores."""

    COLOUR = "colour"
    LENGTH = "length"
    LOGO = "logo"
    PATTERN = "pattern"
    FACE = "face"
    HANDS = "hands"
    GARMENT = "garment"
    BACKGROUND = "background"
    OTHER = "other"


REASON_WORDS: Final = {
    Reason.COLOUR: "colour",
    Reason.LENGTH: "length or sleeve",
    Reason.LOGO: "logo or text",
    Reason.PATTERN: "pattern",
    Reason.FACE: "face or skin",
    Reason.HANDS: "hands",
    Reason.GARMENT: "wrong garment",
    Reason.BACKGROUND: "background",
    Reason.OTHER: "other",
}


class Action(StrEnum):
    """What a person decides on a look in review. The values are what the ledger stores."""

    ACCEPT = "accept"
    REMAKE = "remake"
    REFUSE = "refuse"
    COLLECT = "collect"


@dataclass(frozen=True, slots=True)
class Word:
    """Why a person decides as the person does.

    Attributes:
        reasons: In fixed words.
        note: In the person's own.
        numbers: Of the pictures that are meant, from 0; None for all.
        seen: ``looks.moved_at`` when the person saw the look; None where nobody says.
    """

    reasons: Sequence[Reason] = ()
    note: str = ""
    numbers: frozenset[int] | None = None
    seen: datetime | None = None

    @property
    def text(self) -> str:
        """Reasons and note in a line; empty where there are none."""
        parts = [REASON_WORDS[reason] for reason in self.reasons]
        return "; ".join(filter(None, (", ".join(parts), self.note)))


@dataclass(frozen=True, slots=True)
class Before:
    """What a look was before a decision."""

    moved_at: datetime
    reason: str
    pictures: Sequence[dict[str, Any]]


def snapshot(connection: Connection, look_key: str) -> Before:
    """Read what a look is.

    Args:
        connection: In a transaction that has locked the look.
    """
    look = connection.execute(select(looks.c.moved_at, looks.c.reason).where(looks.c.key == look_key)).one()
    rows = connection.execute(
        select(pictures).where(pictures.c.look_key == look_key).order_by(pictures.c.shown, pictures.c.number)
    ).mappings()
    return Before(
        look.moved_at,
        look.reason or "",
        [{**row, "archived_at": row["archived_at"].isoformat()} for row in rows],
    )


def record(  # noqa: PLR0917  # the facts of a decision
    connection: Connection, look_key: str, person: str, action: Action, word: Word, before: Before
) -> None:
    """Keep a decision, right after it was carried out in the same transaction."""
    left_at = connection.execute(select(looks.c.moved_at).where(looks.c.key == look_key)).scalar_one()
    connection.execute(
        insert(decisions).values(
            look_key=look_key,
            person=person,
            action=action.value,
            numbers=None if word.numbers is None else sorted(word.numbers),
            reasons=[reason.value for reason in word.reasons],
            note=word.note[:LONGEST_NOTE],
            seen_at=before.moved_at,
            left_at=left_at,
            before={"reason": before.reason, "pictures": before.pictures},
        )
    )
    connection.execute(delete(claims).where(claims.c.look_key == look_key))


def same_decision(
    connection: Connection, look_key: str, person: str, action: Action, seen: datetime | None
) -> bool:
    """Say whether this very decision was taken already: a click that came twice is one."""
    if seen is None:
        return False
    found = connection.execute(
        select(decisions.c.person, decisions.c.action)
        .where(decisions.c.look_key == look_key, decisions.c.seen_at == seen, decisions.c.undone_at.is_(None))
        .order_by(decisions.c.id.desc())
        .limit(1)
    ).one_or_none()
    return found is not None and tuple(found) == (person, action.value)


def last_decision(connection: Connection, person: str, look_key: str | None) -> Row[Any] | None:
    """Read the decision of a person that would be undone, and lock it.

    Args:
        look_key: Of this look only.
    """
    which = [decisions.c.person == person, decisions.c.undone_at.is_(None)]
    which += [] if look_key is None else [decisions.c.look_key == look_key]
    return connection.execute(
        select(decisions).where(*which).order_by(decisions.c.id.desc()).limit(1).with_for_update()
    ).one_or_none()


def mark_undone(connection: Connection, decision_id: int, person: str) -> None:
    """Note that a decision counts no more."""
    connection.execute(
        update(decisions).where(decisions.c.id == decision_id).values(undone_at=func.now(), undone_by=person)
    )


def restore_pictures(connection: Connection, look_key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Put back the rows of a look's pictures as a snapshot has them."""
    connection.execute(delete(pictures).where(pictures.c.look_key == look_key))
    if rows:
        connection.execute(
            insert(pictures),
            [{**row, "archived_at": datetime.fromisoformat(row["archived_at"])} for row in rows],
        )


def claim(connection: Connection, look_keys: Sequence[str], person: str) -> list[str]:
    """Keep looks for a person who is shown them, and give those of them that nobody else has.

    Args:
        connection: In a transaction; the caller commits.

    Returns:
        Keys, in the order in which they were given.
    """
    if not look_keys:
        return []
    row = upsert(claims).values(
        [
            {"look_key": key, "person": person, "until": func.now() + CLAIMED_FOR}
            for key in sorted(set(look_keys))
        ]
    )
    mine = connection.execute(
        row.on_conflict_do_update(
            index_elements=["look_key"],
            set_={"person": row.excluded.person, "until": row.excluded.until},
            where=(claims.c.person == row.excluded.person) | (claims.c.until < func.now()),
        ).returning(claims.c.look_key)
    ).scalars()
    kept = set(mine)
    return [key for key in look_keys if key in kept]
