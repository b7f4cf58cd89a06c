"""Garments: found by sku, title or collection, each with its looks, their pictures and all that befell them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import HTTPException
from sqlalchemy import func, literal_column, select, tuple_, union
from sqlalchemy.dialects.postgresql import TSVECTOR

from tryon_catalogue.desk.language import Speech
from tryon_catalogue.desk.pictures import Kind
from tryon_catalogue.desk.serving import Outcome, Refusal
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.states import MAY_BE_RETRIED, MAY_COST
from tryon_catalogue.ledger.tables import (
    garment_looks,
    look_moves,
    looks,
    pictures,
    submission_looks,
    submissions,
)
from tryon_catalogue.publishing.review import IN_REVIEW
from tryon_catalogue.submission.retry import NoSuchLookError, retry_looks

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

    from tryon_catalogue.desk.access import Form, Visitor
    from tryon_catalogue.desk.serving import Shop

ON_A_PAGE: Final = 40
_IN_ORDER: Final = (func.lower(garment_looks.c.sku).collate("C"), garment_looks.c.sku)
_FEW: Final = 5_000
_LAST_CHARACTER: Final = "\U0010ffff"
# As an index has it, so nothing in it is bound.
_TITLED: Final = literal_column(
    r"to_tsvector('simple', regexp_replace(title, '([㐀-鿿])', ' \1 ', 'g'))", TSVECTOR
)
_CHINESE_OR_WORD: Final = re.compile(r"[㐀-鿿]+|[^\W㐀-鿿]+")
MOST_MOVES: Final = 200
"""Moves of a look that a page shows, the newest first."""


@dataclass(frozen=True, slots=True)
class GarmentSearch:
    """Which garments are meant; empty for all.

    Attributes:
        text: The sku begins with it, or the title has words that begin with its words.
        collection: Its name, whole.
        after: Only skus behind this one in the order of the list.
    """

    text: str = ""
    collection: str = ""
    after: str = ""

    @property
    def query(self) -> str:
        """The search as the query of an address, without the place in the list."""
        chosen = {"text": self.text, "collection": self.collection}
        return urlencode({name: value for name, value in chosen.items() if value})


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of a look in the archive: what its address is made of."""

    key: str
    kind: str
    number: int
    version: str


@dataclass(frozen=True, slots=True)
class FoundGarment:
    """A garment in the list.

    Attributes:
        states: Of its looks, with how many stand there.
        picture: One that the catalogue shows; None where it shows none.
    """

    sku: str
    title: str
    collection: str
    states: tuple[tuple[str, int], ...]
    picture: KeptPicture | None


@dataclass(frozen=True, slots=True)
class Step:
    """Something that befell a look.

    Attributes:
        to: The state that it came to.
        who: The run or the person.
    """

    at: datetime
    to: str
    who: str
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A time that a look was sent, and what may be paid for it."""

    id: int
    at: datetime
    state: str
    run: str
    result_key: str
    amount: Decimal
    may_cost: bool


@dataclass(frozen=True, slots=True)
class GarmentLook:
    """A look of a garment.

    Attributes:
        price: Of making it now.
        retried: Whether a person may have it planned again as it is.
        waits: Whether it waits for review.
    """

    key: str
    model: str
    state: str
    reason: str
    inputs: tuple[KeptPicture, ...]
    shown: tuple[KeptPicture, ...]
    new: tuple[KeptPicture, ...]
    steps: tuple[Step, ...]
    sent: tuple[Sent, ...]
    price: Decimal
    retried: bool
    waits: bool


def read_garments(shop: Shop, search: GarmentSearch) -> Mapping[str, Any]:
    """Read what the list shows."""
    with shop.engine.connect() as connection:
        rows = _find(connection, search)
        shown = rows[:ON_A_PAGE]
        skus = [row.sku for row in shown]
        states = _states(connection, skus)
        first = _first_pictures(connection, skus)
    return {
        "garments": [
            FoundGarment(
                row.sku, row.title, row.collection, tuple(states.get(row.sku, ())), first.get(row.sku)
            )
            for row in shown
        ],
        "after": shown[-1].sku if len(rows) > ON_A_PAGE else "",
        "search": search,
    }


def read_garment(shop: Shop, sku: str) -> Mapping[str, Any]:
    """Read what the page of a garment shows.

    Raises:
        fastapi.HTTPException: No run has asked for it.
    """
    with shop.engine.connect() as connection:
        rows = connection.execute(
            select(garment_looks.c.title, garment_looks.c.collection, garment_looks.c.export_date, looks)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(garment_looks.c.sku == sku)
            .order_by(garment_looks.c.position)
        ).all()
        if not rows:
            raise HTTPException(404)
        keys = [row.key for row in rows]
        kept = _pictures(connection, keys)
        found = [
            GarmentLook(
                key=row.key,
                model=row.model,
                state=row.state,
                reason=row.reason or "",
                inputs=tuple(
                    KeptPicture(row.key, kind.value, 0, digest)
                    for kind in (Kind.MODEL, Kind.TOPS, Kind.PANTS)
                    if (digest := getattr(row, f"{kind.value}_sha256"))
                ),
                shown=tuple(picture for picture in kept.get(row.key, ()) if picture.kind == Kind.SHOWN),
                new=tuple(picture for picture in kept.get(row.key, ()) if picture.kind == Kind.NEW),
                steps=_steps(connection, row.key),
                sent=_sent(connection, row.key),
                price=shop.settings.price.cost(looks=1, pictures=row.inference_num, submissions=1),
                retried=row.state in MAY_BE_RETRIED,
                waits=row.state in IN_REVIEW,
            )
            for row in rows
        ]
    return {
        "sku": sku,
        "title": rows[0].title,
        "collection": rows[0].collection,
        "export_date": rows[0].export_date,
        "looks": found,
        "currency": shop.settings.price.currency,
    }


def retry_look(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Plan a look again that was refused or failed, by a person's word.

    Raises:
        tryon_catalogue.desk.serving.Refusal: It is neither, or no more.
    """
    key = form.one("look")
    try:
        retry_looks(shop.engine, [key], Mover(visitor.name))
    except NoSuchLookError as error:
        raise Refusal(str(error), conflict=True) from error
    return Outcome(Speech(visitor.language)("retry_done", what=form.one("sku") or key[:10]))


def _find(connection: Connection, search: GarmentSearch) -> Sequence[Row[Any]]:
    """Find the garments of a page, and one more where there is one; each way to find them has its index."""
    which = [garment_looks.c.position == 0]
    if search.after:
        which.append(tuple_(*_IN_ORDER) > tuple_(func.lower(search.after).collate("C"), search.after))
    if search.collection:
        which.append(garment_looks.c.collection == search.collection)
    first = (
        select(
            garment_looks.c.sku,
            garment_looks.c.title,
            garment_looks.c.collection,
            _IN_ORDER[0].label("place"),
        )
        .where(*which)
        .order_by(*_IN_ORDER)
        .limit(ON_A_PAGE + 1)
    )
    if not search.text:
        return connection.execute(first).all()
    beginning = func.lower(search.text)
    ways = [first.where(_IN_ORDER[0] >= beginning, _IN_ORDER[0] <= func.concat(beginning, _LAST_CHARACTER))]
    if words := _in_title(search.text):
        ways.append(_titled(connection, first, words))
    found = union(*(way.subquery().select() for way in ways)).subquery()
    return connection.execute(select(found).order_by(found.c.place, found.c.sku).limit(ON_A_PAGE + 1)).all()


def _titled(connection: Connection, first: Select[Any], words: str) -> Select[Any]:
    """Narrow the first garments down to those with some words in the title.

    The database does not know how rare words are, and would read every garment in order until it has found a page of
    them. So rare ones are found by their index first; of frequent ones a page is soon full.
    """
    which = _TITLED.bool_op("@@")(func.to_tsquery("simple", words))
    few = first.where(which).order_by(None).limit(_FEW + 1).cte("few").prefix_with("MATERIALIZED")
    count = connection.execute(select(func.count()).select_from(few)).scalar_one()
    if count > _FEW:
        return first.where(which)
    return select(few).order_by(few.c.place, few.c.sku).limit(ON_A_PAGE + 1)


def _in_title(text: str) -> str:
    """Write what a title is searched for: beginnings of words, and Chinese characters in a row."""
    words = _CHINESE_OR_WORD.findall(text)
    return " & ".join(f"({' <-> '.join(word)})" if "㐀" <= word[0] <= "鿿" else f"{word}:*" for word in words)


def _states(connection: Connection, skus: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    rows = connection.execute(
        select(garment_looks.c.sku, looks.c.state, func.count())
        .join(looks, looks.c.key == garment_looks.c.look_key)
        .where(garment_looks.c.sku.in_(skus))
        .group_by(garment_looks.c.sku, looks.c.state)
        .order_by(garment_looks.c.sku, looks.c.state)
    )
    for sku, state, n in rows:
        found.setdefault(sku, []).append((state, n))
    return found


def _first_pictures(connection: Connection, skus: Sequence[str]) -> dict[str, KeptPicture]:
    rows = connection.execute(
        select(garment_looks.c.sku, pictures.c.look_key, pictures.c.number, pictures.c.sha256)
        .join(pictures, pictures.c.look_key == garment_looks.c.look_key)
        .where(garment_looks.c.sku.in_(skus), pictures.c.shown)
        .order_by(garment_looks.c.sku, garment_looks.c.position.desc(), pictures.c.number.desc())
    )
    return {row.sku: KeptPicture(row.look_key, Kind.SHOWN.value, row.number, row.sha256) for row in rows}


def _pictures(connection: Connection, keys: Sequence[str]) -> dict[str, list[KeptPicture]]:
    found: dict[str, list[KeptPicture]] = {}
    rows = connection.execute(
        select(pictures).where(pictures.c.look_key.in_(keys)).order_by(pictures.c.look_key, pictures.c.number)
    )
    for row in rows:
        kind = Kind.SHOWN if row.shown else Kind.NEW
        found.setdefault(row.look_key, []).append(
            KeptPicture(row.look_key, kind.value, row.number, row.sha256)
        )
    return found


def _steps(connection: Connection, key: str) -> tuple[Step, ...]:
    rows = connection.execute(
        select(look_moves)
        .where(look_moves.c.look_key == key)
        .order_by(look_moves.c.id.desc())
        .limit(MOST_MOVES)
    )
    return tuple(
        Step(row.moved_at, row.to_state, row.run, row.reason or "", row.vendor_code or "") for row in rows
    )


def _sent(connection: Connection, key: str) -> tuple[Sent, ...]:
    of_submission = submission_looks.alias("of_submission")
    carried = (
        select(func.count())
        .select_from(of_submission)
        .where(of_submission.c.submission_id == submissions.c.id)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(submissions, carried.label("carried"))
        .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
        .where(submission_looks.c.look_key == key)
        .order_by(submissions.c.id.desc())
    )
    return tuple(
        Sent(
            row.id,
            row.intended_at,
            row.state,
            row.run_id,
            row.result_key or "",
            row.amount / row.carried,
            row.state in MAY_COST,
        )
        for row in rows
    )
