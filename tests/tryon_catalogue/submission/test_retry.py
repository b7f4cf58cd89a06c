from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import look_moves, looks
from tryon_catalogue.submission.retry import NoSuchLookError, retry_looks

ADA = Mover("ada")


@pytest.fixture
def keys(engine: Engine, plan_batch: PlanBatch) -> list[str]:
    """Three looks: rejected, failed, published; of the garments sku-0, sku-1, sku-2."""
    _, keys = plan_batch(some_looks(3))
    ways = (
        ["REJECTED"],
        ["SUBMITTING", "SUBMITTED", "FAILED"],
        ["SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"],
    )
    with engine.begin() as connection:
        for key, way in zip(keys, ways, strict=True):
            for state in way:
                connection.execute(update(looks).where(looks.c.key == key).values(state=state))
    return keys


def test_looks_are_planned_again_by_sku_and_by_the_beginning_of_their_key(
    engine: Engine, keys: list[str]
) -> None:
    assert retry_looks(engine, ["sku-0", keys[1][:10].upper()], ADA) == sorted(keys[:2])
    assert states(engine) == ["PLANNED", "PLANNED", "PUBLISHED"]
    with engine.connect() as connection:
        last = connection.execute(select(look_moves).order_by(look_moves.c.id.desc()).limit(1)).one()
    assert (last.run, last.reason) == ("ada", "to be tried again, says ada")


@pytest.mark.parametrize("name", ["sku-2", "no-such-sku", "%%%%%%%", "a", ""])
def test_what_is_neither_rejected_nor_failed_is_refused_and_nothing_changes(
    engine: Engine, keys: list[str], name: str
) -> None:
    with pytest.raises(NoSuchLookError, match="only looks that are FAILED or REJECTED"):
        retry_looks(engine, ["sku-0", name], ADA)
    assert states(engine) == ["REJECTED", "FAILED", "PUBLISHED"]


def test_a_published_look_is_never_tried_again(engine: Engine, keys: list[str]) -> None:
    with pytest.raises(NoSuchLookError, match="it is PUBLISHED"):
        retry_looks(engine, [keys[2]], ADA)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM tryon.look_moves")).scalar_one() == 3 + 1 + 3 + 4
