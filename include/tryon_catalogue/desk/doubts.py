"""What was sent and never answered, and what stops every submission: a person settles both here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from damo_tryon.errors import TryOnError
from damo_tryon.hooks import DamoTryOnHook
from tryon_catalogue.desk.language import Speech
from tryon_catalogue.desk.serving import Outcome, Refusal
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.submission.doubts import (
    Doubt,
    DoubtError,
    declare_lost,
    give_up,
    open_doubts,
    record_found,
)
from tryon_catalogue.submission.stops import active_stops, lift_stops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tryon_catalogue.desk.access import Form, Visitor
    from tryon_catalogue.desk.serving import Shop


class Settlement(StrEnum):
    """How a doubt is settled. The values stand in forms."""

    FOUND = "found"
    LOST = "lost"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class OpenDoubt:
    """A doubt as the page shows it.

    Attributes:
        again: What sending it again would cost by the price of now.
    """

    doubt: Doubt
    again: Decimal


def read_doubts(shop: Shop) -> Mapping[str, Any]:
    """Read what the page shows."""
    price = shop.settings.price
    with shop.engine.connect() as connection:
        found = open_doubts(connection)
        stops = active_stops(connection)
    return {
        "doubts": [
            OpenDoubt(doubt, price.cost(looks=doubt.looks, pictures=doubt.pictures, submissions=1))
            for doubt in found
        ],
        "stops": stops,
        "currency": price.currency,
    }


def settle(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Settle a doubt by a person's word.

    Raises:
        tryon_catalogue.desk.serving.Refusal: It is settled already, or the vendor does not know the key.
    """
    number = form.number("submission")
    by, speech = Mover(visitor.name), Speech(visitor.language)
    try:
        how = Settlement(form.one("how"))
    except ValueError:
        raise HTTPException(422, "how") from None
    try:
        if how is Settlement.FOUND:
            key = form.one("result_key")
            if not key:
                raise Refusal(speech("doubt_no_key"))
            count = record_found(
                shop.engine,
                lambda conn_id: DamoTryOnHook(conn_id).query,
                number,
                key,
                by=by,
                price=shop.settings.price,
            )
        else:
            count = {Settlement.LOST: declare_lost, Settlement.GIVE_UP: give_up}[how](shop.engine, number, by)
    except (DoubtError, TryOnError) as error:
        raise Refusal(str(error), conflict=isinstance(error, DoubtError)) from error
    return Outcome(speech(f"doubt_done_{how.value}", n=count))


def resume(shop: Shop, visitor: Visitor, form: Form) -> Outcome:
    """Lift a stop by a person's word: submissions over the connection go on.

    Raises:
        tryon_catalogue.desk.serving.Refusal: Nothing is stopped there any more.
    """
    speech, conn_id = Speech(visitor.language), form.one("conn_id")
    with shop.engine.begin() as connection:
        lifted = lift_stops(connection, visitor.name, conn_id=conn_id)
    if not lifted:
        raise Refusal(speech("stop_gone", conn=conn_id), conflict=True)
    return Outcome(speech("stop_lifted", conn=conn_id))
