"""The exports that shop programs make: which rows become garments, and what their values become."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.tryon_catalogue.exports.helpers import SAMPLES, read_sample, refused
from tryon_catalogue.exports import Garment, Rejection, Rule, read_export
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.shops import SHOPS


def said(garments: list[Garment]) -> list[tuple[str, str, str, str]]:
    return [(one.sku, one.category, one.tag, one.tops_image) for one in garments]


def why(rejections: list[Rejection]) -> list[tuple[str, Rule]]:
    return [(one.sku, one.rule) for one in rejections]


def test_shopifys_rows_of_one_handle_are_one_garment_with_its_first_picture() -> None:
    garments, rejections = read_sample("shopify.csv")
    assert said(garments) == [
        ("linen-wrap-dress", "dress", "women", "https://cdn.example.com/linen-wrap-dress-flat.jpg?v=17"),
        ("oxford-shirt", "shirt", "men", "https://cdn.example.com/oxford.jpg"),
    ]
    assert garments[0].title == "Linen Wrap Dress"
    assert why(rejections) == [("pleated-trousers", Rule.MISSING_TOP), ("ghost-tee", Rule.MISSING_IMAGE)]


def test_what_shopify_has_as_a_draft_is_left_out_with_its_variants_and_counted() -> None:
    settings = ExportSettings(path="-", shop="shopify")
    chunks = list(read_export(SAMPLES / "shopify.csv", settings))
    assert [chunk.left_out for chunk in chunks if chunk.left_out] == [{"Status is not 'active'": 2}]
    assert sum(chunk.further for chunk in chunks) == 2
    assert sum(chunk.rows for chunk in chunks) == 8


@pytest.mark.parametrize("chunk_rows", range(1, 9))
def test_rows_of_one_garment_belong_together_wherever_chunks_are_cut(chunk_rows: int) -> None:
    assert read_sample("shopify.csv", chunk_rows=chunk_rows) == read_sample("shopify.csv")


def test_a_pictures_number_may_be_asked_for() -> None:
    garments, rejections = read_sample("shopify.csv", images={"tops": 2})
    assert [one.tops_image for one in garments] == ["https://cdn.example.com/linen-wrap-dress-worn.jpg"]
    assert why(rejections)[0] == ("oxford-shirt", Rule.MISSING_IMAGE)
    assert "has 1 pictures, and [export.images] tops asks for number 2" in rejections[0].reason


def test_the_last_picture_may_be_asked_for() -> None:
    garments, _ = read_sample("shopify.csv", images={"tops": -1})
    assert garments[0].tops_image == "https://cdn.example.com/linen-wrap-dress-worn.jpg"


def test_trousers_alone_are_shown_with_the_plain_top() -> None:
    plain = "https://cdn.example.com/plain-tee.jpg"
    garments, _ = read_sample("shopify.csv", plain_top=plain)
    trousers = next(one for one in garments if one.sku == "pleated-trousers")
    assert (trousers.category, trousers.tops_image) == ("trousers", plain)
    assert trousers.pants_image == "https://cdn.example.com/trousers.jpg"


def test_shopifys_newer_columns_have_a_preset_of_their_own() -> None:
    garments, rejections = read_sample("shopify-url-handle.csv")
    assert said(garments) == [("silk-blouse", "shirt", "women", "https://cdn.example.com/blouse.jpg")]
    assert rejections == []


def test_woocommerces_variations_and_drafts_are_left_out() -> None:
    garments, rejections = read_sample("woocommerce.csv")
    assert said(garments) == [
        ("WC-HOOD", "sweater", "men", "https://shop.example.com/hoodie.jpg"),
        ("WC-GOWN", "dress", "women", "https://shop.example.com/gown.png"),
        # No preset knows bags: the casting says that there is no rule for them.
        ("WC-BAG", "Accessories > Bags, Women", "women", "https://shop.example.com/bag.jpg"),
    ]
    assert why(rejections) == [("", Rule.MISSING_SKU)]


def test_a_comma_after_a_backslash_belongs_to_woocommerces_url() -> None:
    garments, _ = read_sample("woocommerce.csv", images={"tops": 2})
    assert garments[0].tops_image == "https://shop.example.com/hoodie,back.jpg"


def test_magentos_pictures_are_put_behind_the_shops_address() -> None:
    media = "https://shop.example.com/media/catalog/product/"
    garments, rejections = read_sample("magento.csv", images={"base_url": media})
    assert said(garments) == [
        ("MJ07", "jacket", "men", f"{media}m/j/mj07.jpg"),
        ("WD02", "dress", "women", f"{media}w/d/wd02.jpg"),
    ]
    assert rejections == []
    flat, _ = read_sample("magento.csv", images={"base_url": media, "tops": 2})
    assert flat[0].tops_image == f"{media}m/j/mj07_flat.jpg"


def test_magentos_pictures_without_the_shops_address_say_what_is_missing() -> None:
    _, rejections = read_sample("magento.csv")
    assert {one.rule for one in rejections} == {Rule.BAD_URL}
    assert "[export.images] base_url" in rejections[0].reason


def test_googles_feed_is_read_with_its_numbers_of_categories() -> None:
    garments, rejections = read_sample("google.tsv")
    assert said(garments) == [
        ("G-1-S", "shirt", "women", "https://img.example.com/tee.jpg"),
        ("G-1-M", "shirt", "women", "https://img.example.com/tee.jpg"),
        ("G-2", "dress", "women", "https://img.example.com/sun.jpg"),
        ("G-3", "suit", "men", "https://img.example.com/suit.jpg"),
        ("G-4", "swimwear", "women", "https://img.example.com/swim.jpg"),
    ]
    assert garments[0].title == 'Crew Tee 5" logo'
    assert rejections == []


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("Dress Shirts", "shirt"),
        ("Summer Dresses", "dress"),
        ("Address books", "Address books"),
        ("Sweatshirts", "sweater"),
        ("T-Shirts", "tshirt"),
        ("Swimsuits", "swimwear"),
        ("女装 > 连衣裙", "dress"),
        ("", ""),
    ],
)
def test_words_of_a_category_count_as_whole_words(words: str, category: str, tmp_path: Any) -> None:
    path = tmp_path / "e.csv"
    path.write_text(f"Handle,Type,Image Src,Status,Tags\na,{words},https://x.example/a.jpg,active,women\n")
    (chunk,) = read_export(path, ExportSettings(path="-", shop="shopify"))
    assert chunk.garments[0].category == category


def test_ones_own_keys_take_the_place_of_the_presets() -> None:
    garments, _ = read_sample(
        "shopify.csv",
        columns={"sku": "Variant SKU"},
        filters=[],
        values=[{"field": "category", "has": "dresses", "becomes": "robe"}],
    )
    assert [(one.sku, one.category) for one in garments] == [
        ("LWD-S", "robe"),
        ("OXF-1", "shirt"),
        ("COAT-S", "jacket"),
    ]


@pytest.mark.parametrize("shop", SHOPS)
def test_every_preset_is_what_a_person_could_have_written(shop: str) -> None:
    by_hand = ExportSettings(path="-", **SHOPS[shop])
    assert ExportSettings(path="-", shop=shop).model_copy(update={"shop": None}) == by_hand


def test_a_shop_nobody_knows_is_told_with_those_there_are() -> None:
    with pytest.raises(
        ValidationError, match="one of shopify, shopify-url-handle, woocommerce, magento, google"
    ):
        ExportSettings(path="-", shop="shopfy")


def test_an_export_of_a_known_shop_is_recognised_when_its_columns_are_not_found() -> None:
    assert 'those of [export] shop = "woocommerce"' in refused(SAMPLES / "woocommerce.csv")
