"""How garments are found: by the beginning of a sku, by words of a title, by collection, page by page."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert, select

from tests.tryon_catalogue.desk.shop_floor import Piece, furnish
from tryon_catalogue.desk import garments
from tryon_catalogue.desk.garments import GarmentSearch, read_garments
from tryon_catalogue.desk.serving import Shop
from tryon_catalogue.ledger.tables import garment_looks
from tryon_catalogue.settings import Settings

TITLES = {
    "TS-1": ("Breton tee", "SS26"),
    "ts-2": ("海魂衫 蓝色条纹T恤", "SS26"),
    "TS_10": ("Dot's blouse, breton-like", "AW26"),
    "X-%": ("Tea gown", ""),
}


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> Shop:
    """A shop of four garments that share a look."""
    (key,) = furnish(engine, settings, [Piece("first")])
    with engine.begin() as connection:
        known = connection.execute(select(garment_looks)).mappings().one()
        connection.execute(garment_looks.delete())
        rows = [
            {**known, "sku": sku, "look_key": key, "title": title, "collection": collection}
            for sku, (title, collection) in TITLES.items()
        ]
        connection.execute(insert(garment_looks), rows)
    return Shop(settings, engine)


def skus(shop: Shop, search: GarmentSearch) -> list[str]:
    return [garment.sku for garment in read_garments(shop, search)["garments"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["TS-1", "ts-2", "TS_10", "X-%"]),
        ("ts-", ["TS-1", "ts-2"]),
        ("TS_1", ["TS_10"]),
        ("x-%", ["X-%"]),
        ("bret", ["TS-1", "TS_10"]),
        ("BRETON tee", ["TS-1"]),
        ("te", ["TS-1", "X-%"]),
        ("蓝色", ["ts-2"]),
        ("条纹 t恤", ["ts-2"]),
        ("色蓝", []),
        ("nowhere", []),
        ("' & | ! :* \\\\ (", []),
        ("%", []),
    ],
)
def test_a_garment_is_found_by_the_beginning_of_its_sku_and_by_words_of_its_title(
    shop: Shop, text: str, found: list[str]
) -> None:
    assert skus(shop, GarmentSearch(text=text)) == found


def test_a_collection_is_searched_by_itself(shop: Shop) -> None:
    assert skus(shop, GarmentSearch(collection="SS26")) == ["TS-1", "ts-2"]
    assert skus(shop, GarmentSearch(text="bret", collection="AW26")) == ["TS_10"]


@pytest.mark.parametrize("text", ["", "t"])
def test_page_by_page_each_garment_is_shown_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(garments, "ON_A_PAGE", 1)
    every = skus(shop, GarmentSearch(text=text))
    after = ""
    while after := read_garments(shop, GarmentSearch(text=text, after=after))["after"]:
        every += skus(shop, GarmentSearch(text=text, after=after))
    assert every == ["TS-1", "ts-2", "TS_10", "X-%"]
