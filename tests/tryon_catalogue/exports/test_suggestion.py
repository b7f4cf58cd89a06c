"""A first mapping for an export that nobody has described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tryon_catalogue.exports.helpers import SAMPLES, outcomes
from tryon_catalogue.exports import ExportError, read_export
from tryon_catalogue.exports.suggestion import suggest
from tryon_catalogue.settings import ExportSettings

PLAIN = ExportSettings(path="-")
URL = "https://shop.example/i"
UNKNOWN = (
    "prod_no;prod_name;product_group;kind;front;page\n"
    + "".join(
        f"P-{n};{name} {n};{group};{kind};{URL}/{n}.jpg;https://shop.example/p/{n}.html\n"
        for n, (name, group, kind) in enumerate(
            [
                ("Linen dress", "Summer dresses", "Womenswear, women"),
                ("Oxford shirt", "Shirts", "men"),
                ("Bead ring", "Rings", "women"),
            ]
        )
    )
)  # fmt: skip


def written(folder: Path, text: str) -> str:
    path = folder / "export.csv"
    path.write_text(text)
    return str(path)


def parts(path: str, **settings: Any) -> dict[str, str]:
    return {
        choice.part: choice.column for choice in suggest(path, ExportSettings(path="-", **settings)).choices
    }


@pytest.mark.parametrize(
    ("sample", "shop"),
    [
        ("shopify.csv", "shopify"),
        ("shopify-url-handle.csv", "shopify-url-handle"),
        ("woocommerce.csv", "woocommerce"),
        ("magento.csv", "magento"),
        ("google.tsv", "google"),
    ],
)
def test_a_known_shop_is_recognised_by_its_columns(sample: str, shop: str) -> None:
    found = suggest(str(SAMPLES / sample), PLAIN)
    assert (found.shop, found.section) == (shop, {"shop": shop})
    assert found.categories


def test_columns_of_an_unknown_file_are_found_by_what_stands_in_them(tmp_path: Path) -> None:
    path = written(tmp_path, UNKNOWN)
    found = suggest(path, PLAIN)
    assert found.shop == "other"
    assert parts(path) == {
        "sku": "prod_no",
        "title": "prod_name",
        "category": "product_group",
        "tag": "kind",
        "tops_image": "front",
    }
    why = {choice.part: choice.why for choice in found.choices}
    assert why["tops_image"] == "100% of its cells are pictures"
    assert why["category"] == "its name and 67% of its cells are words for clothes"


def test_the_section_reads_the_file_as_it_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, UNKNOWN)
    found = suggest(path, PLAIN)
    garments, rejections = outcomes(read_export(path, ExportSettings(path="-", **found.section)))
    assert [(row.sku, row.category, row.tag) for row in garments] == [
        ("P-0", "dress", "women"),
        ("P-1", "shirt", "men"),
        ("P-2", "Rings", "women"),
    ]
    assert rejections == []
    assert found.categories == {("Summer dresses", "dress"): 1, ("Shirts", "shirt"): 1, ("Rings", "Rings"): 1}


def test_a_title_above_the_header_and_several_urls_in_a_cell_are_part_of_the_section(tmp_path: Path) -> None:
    rows = f"a,Red dress,dress,{URL}/1.jpg|{URL}/2.jpg\nb,Blue dress,dress,{URL}/3.jpg\n"
    found = suggest(written(tmp_path, f"Products of 2026,,,\n\nsku,title,category,image\n{rows}"), PLAIN)
    assert found.section["header_row"] == 3
    assert found.section["images"] == {"separator": "|"}


def test_what_cannot_be_known_is_left_to_decide(tmp_path: Path) -> None:
    path = written(tmp_path, "sku,category,image\na,dress,1.jpg\na,dress,2.jpg\nb,dress,3.jpg\n")
    found = suggest(path, PLAIN)
    assert found.section["group"] == "sku"
    text = " ".join(found.open_points)
    assert "No column says for whom" in text
    assert "base_url" in text
    assert "Several rows share a sku" in text


def test_a_file_without_a_picture_or_a_header_says_so(tmp_path: Path) -> None:
    found = suggest(written(tmp_path, "number,amount\n1,2\n"), PLAIN)
    assert any("for tops_image" in point for point in found.open_points)
    with pytest.raises(ExportError, match="only blank lines"):
        suggest(written(tmp_path, "\n\n"), PLAIN)
