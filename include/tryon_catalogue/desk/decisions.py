"""What people decide in Review: each is one function with what the command line does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import HTTPException
from sqlalchemy import select

from tryon_catalogue.desk.language import Speech
from tryon_catalogue.desk.review import FILTERS, Filters, count, queue, waiting
from tryon_catalogue.desk.serving import Outcome, Refusal
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.publishing.review import accept, recollect, remake
from tryon_catalogue.publishing.writeback import CatalogueError
from tryon_catalogue.submission.retry import NoSuchLookError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.desk.access import Form, Visitor
    from tryon_catalogue.desk.serving import Shop

MOST_AT_ONCE: Final = 500
"""Looks that one bulk acceptance takes: each is written to the shop's table."""


def filters_in(form: Form) -> Filters:
    """Read the filters of Review from a form."""
    return Filters(**{name: form.one(name) for name in FILTERS})


def read_next(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Give the keys of the looks that come next, and how many wait."""
    filters = filters_in(form)
    with shop.engine.connect() as connection:
        keys = queue(connection, filters, form.every("not"))
        return Outcome("", {"keys": keys, "total": count(connection, filters)})


def decide(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Take a person's decision on a look.

    Raises:
        tryon_catalogue.desk.serving.Refusal: The look is not any more what the person has seen.
    """
    key, by, speech = form.one("look"), Mover(visitor.name), Speech(visitor.language)
    what = _name(shop.engine, key)
    try:
        match form.one("action"):
            case "accept":
                accept(shop.engine, shop.settings, [key], by)
                return Outcome(speech("said_accepted", what=what))
            case "remake":
                remake(shop.engine, [key], by)
                return Outcome(speech("said_remade", what=what))
            case "collect":
                recollect(shop.engine, [key], by)
                return Outcome(speech("said_collected", what=what))
            case _:
                raise HTTPException(422, "action")
    except (NoSuchLookError, CatalogueError) as error:
        raise Refusal(str(error), conflict=isinstance(error, NoSuchLookError)) from error


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
            select(garment_looks.c.sku.distinct()).where(garment_looks.c.look_key == key)
        ).scalars()
        return ", ".join(sorted(skus)) or key[:10]
