"""Exports as shops really have them: each file shows a whole kind, made after reports of such files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.tryon_catalogue.exports.helpers import outcomes
from tryon_catalogue.exports import Chunk, ExportError, Rule, read_export
from tryon_catalogue.settings import ExportSettings

CASES = Path(__file__).with_name("cases")
OWN: dict[str, Any] = {
    "columns": {"title": "title", "collection": "collection", "tag": "gender", "tops_image": "image_url"}
}
MEDIA = "https://shop.example/media"


def read_case(name: str, **settings: Any) -> list[Chunk]:
    """Read one of the files; without a shop, its own columns are those of the sample's settings."""
    given = settings if "shop" in settings or "columns" in settings else {**OWN, **settings}
    return list(read_export(CASES / name, ExportSettings(path="-", **given)))


@dataclass(frozen=True)
class Case:
    """A file, and what is right of it.

    Attributes:
        garments: sku, category, tag, picture.
        rejected: sku and rule.
        left_out: Rows that the preset's filters leave out.
    """

    file: str
    settings: dict[str, Any]
    garments: list[tuple[str, str, str, str]]
    rejected: list[tuple[str, str]] = field(default_factory=list)
    left_out: int = 0


def _dress(sku: str, picture: str = "a.jpg", tag: str = "women") -> tuple[str, str, str, str]:
    return (sku, "dress", tag, f"https://shop.example/{picture}")


SHOPIFY = {"shop": "shopify"}
WOO = {"shop": "woocommerce"}
GOOGLE = {"shop": "google"}
MAGENTO = {"shop": "magento", "images": {"base_url": MEDIA}}
REST = {"sku": "sku", "category": "categories.name", "tops_image": "images.src"}
TREE = "Animals & Pet Supplies > Pet Supplies > Pet Apparel > Dog Coats"
LINEN = ("linen-dress", "dress", "women", "https://cdn.shop.example/1.jpg?v=1")
FEED = ("G-1", "dress", "women", "https://shop.example/i/1.jpg")
RIGHT = [
    Case(
        "shopify-type-empty.csv",
        SHOPIFY,
        [LINEN, ("polo", "shirt", "men", "https://cdn.shop.example/2.jpg?v=1")],
    ),
    Case(
        "shopify-no-status.csv",
        SHOPIFY,
        [LINEN, ("polo", "shirt", "men", "https://cdn.shop.example/2.jpg?v=1")],
    ),
    Case(
        "shopify-sorted.csv",
        {**SHOPIFY, "images": {"tops": -1}},
        [
            ("linen-dress", "dress", "women", "https://cdn.shop.example/1b.jpg?v=1"),
            ("wool-coat", "jacket", "women", "https://cdn.shop.example/2.jpg?v=1"),
        ],
    ),
    Case(
        "shopify-rev.csv",
        SHOPIFY,
        [
            ("linen-dress", "dress", "women", "https://cdn.shop.example/1.jpg"),
            ("wool-coat", "jacket", "women", "https://cdn.shop.example/2.jpg"),
        ],
    ),
    Case(
        "woo-comma.csv",
        WOO,
        [
            ("W-1", "tshirt", "women", "https://shop.example/up/tee_front,p-1,s-700.jpg"),
            ("W-2", "tshirt", "women", "https://shop.example/up/tee_front,p-1,s-700.jpg"),
            (
                *("W-3", "tshirt", "women"),
                "https://res.cdn.example/shop/image/upload/w_1000,h_1333,c_fill/v1/tee.jpg",
            ),
        ],
    ),
    Case(
        "google-comma.tsv",
        GOOGLE,
        [
            (
                *("G-1", "dress", "women"),
                "https://res.cdn.example/shop/image/upload/w_1000,h_1333,c_fill/v1/dress.jpg",
            )
        ],
    ),
    Case("magento-comma.csv", MAGENTO, [("M-1", "shirt", "women", f"{MEDIA}/w/t/top,%20red.jpg")]),
    Case(
        "magento-no-picture.csv",
        MAGENTO,
        [
            ("M-2", "shirt", "women", "https://cdn.shop.example/w/t/wt03.jpg"),
            ("M-3", "shirt", "women", f"{MEDIA}/w/t/red%20%232.jpg"),
            ("M-4", "shirt", "women", f"{MEDIA}/w/t/red%232.jpg"),
        ],
        [("M-1", "missing_image"), ("M-5", "missing_image"), ("M-6", "missing_image"), ("M-7", "bad_url")],
    ),
    Case("google-spaces.tsv", GOOGLE, [FEED]),
    Case("google.xml", GOOGLE, [FEED]),
    Case(
        "google-age.tsv",
        GOOGLE,
        [
            FEED,
            ("G-4", "not clothes", "", "https://shop.example/i/4.jpg"),
            ("G-5", "shoes", "women", "https://shop.example/i/5.jpg"),
            *((f"G-{n}", "not clothes", "", f"https://shop.example/i/{n}.jpg") for n in (6, 7, 8)),
        ],
        left_out=2,
    ),
    Case(
        "cr.xlsx", {}, [_dress("A1"), _dress("A2", "c.jpg"), _dress("A3", "d.jpg")], [("#REF!", "bad_text")]
    ),
    Case("cr-shared-strings.xlsx", {}, [_dress("B1"), _dress("B2", "c.jpg"), _dress("B3", "d.jpg")]),
    Case(
        "excel-skus.csv",
        {},
        [
            _dress("8.05769E+12", "r.jpg"),
            _dress("8.0577E+12", "g.jpg"),
            _dress("0012", "x.jpg"),
            _dress("00123", "y.jpg"),
            _dress("00124", "z.jpg"),
        ],
        [("8.05769E+12", "duplicate_sku"), ("#N/A", "bad_text")],
    ),
    *(Case(f"{name}.csv", {}, [_dress("A1")]) for name in ("bom-late", "bom-twice", "zwsp-header")),
    Case("nbsp.csv", {}, [_dress("A1"), _dress("A2", "b.jpg")]),
    Case(
        "several-urls.csv",
        {},
        [
            _dress("U11", "a.jpeg"),
            _dress("U12", "a.jpeg"),
            ("U17", "dress", "women", "https://drive.google.com/file/d/1AbC/view?usp=sharing"),
        ],
        [(sku, "bad_url") for sku in ("U8", "U9", "U10", "U18", "U20")],
    ),
    Case("list.json", {}, [_dress("A1")]),
    Case(
        "products.json",
        {
            "columns": {
                "sku": "handle",
                "category": "product_type",
                "tag": "tags",
                "tops_image": "images.src",
            }
        },
        [("linen-dress", "Dresses", "women", "https://shop.example/a.jpg")],
    ),
    Case("products.json", SHOPIFY, [_dress("linen-dress")]),
    Case("woorest.jsonl", {"columns": REST}, [("A1", "Women\nDresses", "", "https://shop.example/a.jpg")]),
    Case("woorest.jsonl", WOO, [_dress("A1")]),
    Case(
        "structs.parquet",
        {"columns": {**OWN["columns"], "tops_image": "image_url.src"}},
        [_dress("A1"), ("A2", "jacket", "women", "https://shop.example/c.jpg")],
    ),
    Case("title.xlsx", {"header_row": 3}, [_dress("A1")]),
    Case("titlerows.csv", {"header_row": 3}, [_dress("A1")], [("Total", "bad_url")]),
]


@pytest.mark.parametrize(
    "case", RIGHT, ids=[f"{case.file}-{case.settings.get('shop', 'own')}" for case in RIGHT]
)
def test_each_kind_of_export_is_read_as_the_shop_means_it(case: Case) -> None:
    chunks = read_case(case.file, **case.settings)
    garments, rejections = outcomes(chunks)
    found = [(row.sku, row.category, row.tag, row.tops_image) for row in garments]
    assert found == case.garments
    assert [(row.sku, str(row.rule)) for row in rejections] == case.rejected
    assert sum(sum(chunk.left_out.values()) for chunk in chunks) == case.left_out


def test_a_filter_of_a_preset_without_its_column_is_noted() -> None:
    notes = [note for chunk in read_case("shopify-no-status.csv", **SHOPIFY) for note in chunk.notes]
    (told,) = [note for note in notes if note.endswith("the filter on it leaves no row out")]
    assert "'Status'" in told


@pytest.mark.parametrize(
    ("file", "encoding", "title"),
    [
        ("cp1250", "cp1250", "Sukienka żółta w paski śliczna"),
        ("cp1251", "cp1251", "Платье красное"),
        ("cp1254", "cp1254", "Şık kırmızı elbise ığ"),
        ("euckr", "cp949", "빨간 원피스"),
        ("big5", "big5", "紅色洋裝"),
        ("sjis", "cp932", "赤いワンピース"),
        ("macroman", "mac-roman", "Robe d’été rayée"),
    ],
)
def test_a_guessed_encoding_is_named_with_the_words_that_hang_on_it(
    file: str, encoding: str, title: str
) -> None:
    (chunk,) = read_case(f"{file}.csv")
    assert chunk.garments[0].title == title
    (note,) = chunk.notes
    assert f"taken for {encoding} " in note
    assert f"“{title}”" in note
    assert "name its encoding in [export]" in note


def test_an_encoding_that_is_set_or_plain_is_no_guess() -> None:
    (set_by_hand,) = read_case("cp1250.csv", encoding="cp1250")
    (plain,) = read_case("zwsp-header.csv")
    assert not any("encoding" in note for note in (*set_by_hand.notes, *plain.notes))


@pytest.mark.parametrize(
    ("sku", "told"),
    [
        ("U8", "holds 2 URLs: set [export.images] separator"),
        ("U9", "holds 2 URLs: set [export.images] separator"),
        ("U10", "holds 2 URLs: set [export.images] separator"),
        ("U18", "is HTML"),
        ("U20", "begins twice with http"),
    ],
)
def test_a_cell_with_more_than_a_url_says_what_it_holds(sku: str, told: str) -> None:
    _, rejections = outcomes(read_case("several-urls.csv"))
    (reason,) = [row.reason for row in rejections if row.sku == sku]
    assert told in reason


def test_with_a_separator_the_first_of_several_urls_counts() -> None:
    garments, _ = outcomes(read_case("several-urls.csv", images={"separator": "|"}))
    assert garments[0].sku == "U8"
    assert garments[0].tops_image == "https://shop.example/a.jpg"


@pytest.mark.parametrize("file", ["title.xlsx", "titlerows.csv"])
def test_a_title_above_the_header_is_told_with_the_row_of_the_header(file: str) -> None:
    with pytest.raises(ExportError, match=r"set \[export\] header_row = 3"):
        read_case(file)


def test_an_error_of_excel_is_no_sku() -> None:
    _, rejections = outcomes(read_case("excel-skus.csv"))
    assert [row.reason for row in rejections if row.rule is Rule.BAD_TEXT] == [
        "The sku is an error of Excel and no number of a garment. Correct the formula behind it, and export it again."
    ]
