"""What people decide in Review: each is one function with what the command line does."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import HTTPException
from sqlalchemy import select

from tryon_catalogue.desk.language import Speech
from tryon_catalogue.desk.review import FILTERS, Filters, count, next_looks, waiting
from tryon_catalogue.desk.serving import Outcome, Refusal
from tryon_catalogue.ledger.decisions import LONGEST_NOTE, Action, Reason, Word, claim, same_decision
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.publishing.review import CannotUndoError, accept, recollect, refuse, remake, undo
from tryon_catalogue.publishing.writeback import CatalogueError
from tryon_catalogue.submission.retry import NoSuchLookError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.desk.access import Form, Visitor
    from tryon_catalogue.desk.serving import Shop


def filters_in(form: Form) -> Filters:
    """Read the filters of Review from a form."""
    return Filters(**{name: form.one(name) for name in FILTERS})


def read_next(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Give the keys of the looks that come next, and how many wait; they are kept for who may decide on them."""
    filters = filters_in(form)
    with shop.engine.begin() as connection:
        shown = form.every("keep")
        kept = claim(connection, shown, visitor.name) if visitor.may_decide else shown
        keys = next_looks(connection, visitor, filters, [*shown, *form.every("not")])
        return Outcome("", {"keys": keys, "kept": kept, "total": count(connection, filters)})


def decide(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Take a person's decision on a look.

    Raises:
        tryon_catalogue.desk.serving.Refusal: The look is not any more what the person has seen.
    """
    key, by, speech = form.one("look"), Mover(visitor.name), Speech(visitor.language)
    try:
        action, word = Action(form.one("action")), _word(form)
    except ValueError:
        raise HTTPException(422, "action") from None
    what = _name(shop.engine, key)
    engine, settings = shop.engine, shop.settings
    try:
        match action:
            case Action.ACCEPT:
                accept(engine, settings, [key], by, word)
            case Action.REMAKE:
                remake(engine, [key], by, word)
            case Action.REFUSE:
                refuse(engine, settings, [key], by, word)
            case Action.COLLECT:
                recollect(engine, [key], by, word)
    except NoSuchLookError as error:
        with engine.connect() as connection:
            repeated = same_decision(connection, key, by.run, action, word.seen)
        if not repeated:
            raise Refusal(str(error), conflict=True) from error
    except CatalogueError as error:
        raise Refusal(str(error)) from error
    return Outcome(speech(f"said_{action.value}", what=what))


def take_back(shop: Shop, visitor: Visitor) -> Outcome:
    """Undo a person's own last decision.

    Raises:
        tryon_catalogue.desk.serving.Refusal: There is none, or something has come of it.
    """
    speech = Speech(visitor.language)
    try:
        key = undo(shop.engine, shop.settings, Mover(visitor.name))
    except (CannotUndoError, CatalogueError) as error:
        raise Refusal(str(error)) from error
    with shop.engine.begin() as connection:
        claim(connection, [key], visitor.name)
    return Outcome(speech("said_undone", what=_name(shop.engine, key)), {"look": key})


def _word(form: Form) -> Word:
    """Read what a person says of a decision.

    Raises:
        ValueError: It is nothing that a page of ours sends.
    """
    seen = form.one("seen")
    numbers = frozenset(int(number) for number in form.every("picture"))
    return Word(
        reasons=tuple(Reason(reason) for reason in form.every("reason")),
        note=form.one("note")[:LONGEST_NOTE],
        numbers=numbers or None,
        seen=datetime.fromisoformat(seen) if seen else None,
    )


def accept_all(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Accept every look that a filter means, where there are as many as the person has confirmed.

    Raises:
        tryon_catalogue.desk.serving.Refusal: There are more or fewer by now.
    """
    filters, speech = filters_in(form), Speech(visitor.language)
    with shop.engine.connect() as connection:
        keys = list(connection.execute(select(looks.c.key).where(waiting(filters))).scalars())
    if len(keys) != form.number("count"):
        raise Refusal(speech("bulk_changed", n=len(keys)), conflict=True)
    try:
        accepted = accept(shop.engine, shop.settings, keys, Mover(visitor.name))
    except (NoSuchLookError, CatalogueError) as error:
        raise Refusal(str(error)) from error
    return Outcome(speech("said_bulk", n=len(accepted)))


def _name(engine: Engine, key: str) -> str:
    with engine.connect() as connection:
        skus = connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key == key).distinct()
        ).scalars()
        return ", ".join(sorted(skus)) or key[:10]
