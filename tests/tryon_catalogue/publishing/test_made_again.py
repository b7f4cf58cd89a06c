"""A look that is made again: the shop shows its old pictures until the new ones are found good."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, select, update

from tests.tryon_catalogue.helpers import states
from tests.tryon_catalogue.publishing.world import BLANK, Publish, SendAgain, Submit, files, kept, shop_row
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.publishing import review
from tryon_catalogue.publishing.writeback import Catalogue
from tryon_catalogue.settings import Settings

PERSON = Mover("mei")


def shown(engine: Engine) -> tuple[object, bytes]:
    """What the shop shows of the first garment: the address, and what is behind it."""
    url = shop_row(engine, "sku-0").picture_url
    return url, Path(str(url)).read_bytes()


def test_a_picture_that_waits_for_an_eye_stands_beside_the_one_that_is_shown(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(1)
    publish(batch)
    before = shown(engine)
    send_again(batch)
    assert publish(batch, None, BLANK).review == 1
    assert shown(engine) == before
    assert shop_row(engine, "sku-0").tryon_status == "REVIEW"
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
    (doubted,) = waiting.paths
    assert sorted(files(settings)) == sorted([Path(doubted), Path(str(before[0]))])
    review.accept(engine, settings, ["sku-0"], PERSON)
    assert shown(engine) == (doubted, Path(doubted).read_bytes())
    assert [row.path for row in kept(engine)] == [doubted]


def test_a_picture_that_is_good_takes_the_place_of_the_one_before(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(1)
    publish(batch)
    old, content = shown(engine)
    send_again(batch)
    assert publish(batch).published == 1
    new, _ = shown(engine)
    assert [row.path for row in kept(engine)] == [new] != [old]
    assert Path(str(old)).read_bytes() == content
    assert len(files(settings)) == 2


def test_a_picture_that_a_person_refuses_leaves_with_the_next_one_and_the_shown_one_stays_till_then(
    engine: Engine, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(1)
    publish(batch)
    before = shown(engine)
    send_again(batch)
    publish(batch, None, BLANK)
    review.remake(engine, ["sku-0"], PERSON)
    send_again(batch)
    assert publish(batch, None, BLANK).review == 1
    assert shown(engine) == before
    assert len(kept(engine)) == 2
    review.remake(engine, ["sku-0"], PERSON)
    send_again(batch)
    assert publish(batch).published == 1
    assert [row.path for row in kept(engine)] == [shown(engine)[0]] != [before[0]]


def test_the_shop_s_list_keeps_the_old_picture_of_a_look_that_is_made_again(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(2)
    publish(batch)
    with engine.begin() as connection:  # both looks are of the first garment
        second = select(looks.c.key).where(looks.c.position == 1).scalar_subquery()
        other = update(garment_looks).where(garment_looks.c.sku == "sku-1").values(sku="sku-0", position=1)
        connection.execute(other.where(garment_looks.c.look_key == second))
        Catalogue(connection, settings.catalogue).write_garments(connection, ["sku-0"])
    before = shop_row(engine, "sku-0").picture_urls
    assert isinstance(before, list)
    assert len(before) == 2
    send_again(batch)
    with engine.begin() as connection:
        Catalogue(connection, settings.catalogue).write_garments(connection, ["sku-0"])
    assert (shop_row(engine, "sku-0").tryon_status, states(engine)[0]) == ("SUBMITTED", "SUBMITTED")
    assert shop_row(engine, "sku-0").picture_urls == before
    publish(batch, None, BLANK)
    assert shop_row(engine, "sku-0").picture_urls == before
