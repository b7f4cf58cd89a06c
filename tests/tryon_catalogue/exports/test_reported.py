"""Exports written after the formats' public descriptions and after reports of files that could not be read.

Each names the report or the description that it shows; the rows are ours.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.tryon_catalogue.exports.helpers import outcomes
from tryon_catalogue.exports import ExportError, read_export
from tryon_catalogue.settings import ExportSettings

URL = "https://shop.example/i"
WOO_TYPES = "10,simple,W-1,{name},1,{cat},,{url}/1.jpg\n11,variation,,{name} S,1,,,{url}/1.jpg\n"


@dataclass(frozen=True)
class Reported:
    """An export, and what is right of it.

    Attributes:
        report: Where the kind of file is reported or described.
        garments: sku, category, tag, picture.
        rejected: sku and rule.
    """

    name: str
    report: str
    content: str | bytes
    settings: dict[str, Any]
    garments: list[tuple[str, str, str, str]]
    rejected: list[tuple[str, str]] = field(default_factory=list)
    left_out: int = 0


def woo(name: str, report: str, header: str, title: str, categories: str) -> Reported:
    rows = WOO_TYPES.format(name=title, cat=categories, url=URL)
    return Reported(
        name,
        report,
        f"{header}\n{rows}",
        {"shop": "woocommerce"},
        [("W-1", "dress", "women", f"{URL}/1.jpg")],
        left_out=1,
    )


def workbook(*rows: tuple[object, ...]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


DRESS = ("a", "dress", "women", f"{URL}/1.jpg")
OWN = {"columns": {"tops_image": "image_url", "tag": "gender"}}
HEADER = "sku,category,gender,image_url"
ROW = f"a,dress,women,{URL}/1.jpg"
BIGCOMMERCE = "support.bigcommerce.com: Supported Product Fields"
SHOPIFY_HELP = "help.shopify.com: Using CSV files to import and export products"
GOOGLE_HELP = "support.google.com/merchants: Product data specification"
REPORTED = [
    woo(
        "german",
        "woocommerce/woocommerce#24963",
        "ID,Typ,Artikelnummer,Name,Veröffentlicht,Kategorien,Schlagwörter,Bilder",
        "Leinenkleid",
        "Damen > Kleider",
    ),
    woo(
        "french",
        "woocommerce/woocommerce#20430",
        "ID,Type,UGS,Nom,Publié,Catégories,Étiquettes,Images",
        "Robe",
        "Femme > Robes",
    ),
    woo(
        "spanish",
        "woocommerce/woocommerce#24963",
        "ID,Tipo,SKU,Nombre,Publicado,Categorías,Etiquetas,Imágenes",
        "Vestido",
        "Mujer > Vestidos",
    ),
    woo(
        "russian",
        "woocommerce/woocommerce#24963, a comment",
        "ID,Тип,Артикул,Имя,Опубликован,Категории,Метки,Изображения",
        "Платье",
        "Женщины > Платья",
    ),
    woo(
        "chinese",
        "woocommerce/woocommerce#19596",
        "ID,类型,SKU,名称,已发布,分类,标签,图片",
        "亚麻连衣裙",
        "女装 > 连衣裙",
    ),
    woo(
        "hebrew images",
        "woocommerce/woocommerce#32492",
        "ID,Type,SKU,Name,Published,Categories,Tags,תמונות",
        "Dress",
        "Women > Dresses",
    ),
    woo(
        "blanks before names",
        "woocommerce/woocommerce#21511",
        "ID, Type, SKU, Name, Published, Categories, Tags, Images",
        "Dress",
        "Women > Dresses",
    ),
    Reported(
        "bigcommerce, modern",
        BIGCOMMERCE,
        "Item,ID,Name,SKU,Categories,Is Visible,Internal Image URL (Export),Image Sort Order\n"
        "Product,77,Linen dress,BC-1,Shop All/Women/Dresses,TRUE,,\n"
        "Variant,101,,BC-1-S,,,,\n"
        f"Image,501,,,,,{URL}/worn.jpg,2\n"
        f"Image,502,,,,,{URL}/flat.jpg,1\n"
        "Product,78,Hidden coat,BC-2,Women/Coats,FALSE,,\n"
        f"Image,503,,,,,{URL}/coat.jpg,1\n",
        {"shop": "bigcommerce"},
        [("BC-1", "dress", "women", f"{URL}/flat.jpg")],
        left_out=2,
    ),
    Reported(
        "bigcommerce, bulk edit",
        BIGCOMMERCE,
        "Item Type,Product ID,Product Name,Product Code/SKU,Category,Product Visible?,Product Image URL - 1\n"
        f"Product,77,Linen dress,BC-1,Women/Dresses,Y,{URL}/flat.jpg\n"
        "  SKU,,[S]Size=S,BC-1-S,,,\n",
        {"shop": "bigcommerce"},
        [("BC-1", "dress", "women", f"{URL}/flat.jpg")],
    ),
    Reported(
        "prestashop",
        "PrestaShop/PrestaShop: the sample file of its product import",
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Reference #;Image URLs (x,y,z...)\n"
        f'1;1;Linen dress;"Home,Women,Dresses";PS-1;"{URL}/1.jpg,{URL}/2,x.jpg"\n'
        f'2;0;Old coat;"Home,Coats";PS-2;{URL}/3.jpg\n',
        {"shop": "prestashop"},
        [("PS-1", "dress", "women", f"{URL}/1.jpg")],
        left_out=1,
    ),
    Reported(
        "shopify, gender as an option",
        SHOPIFY_HELP,
        "Handle,Title,Type,Tags,Option1 Name,Option1 Value,Status,Image Src\n"
        f"tee,Tee,T-Shirts,summer,Gender,Men's,active,{URL}/1.jpg\n"
        f"draft,Tee,T-Shirts,men,Title,Default Title,draft,{URL}/2.jpg\n"
        f"old,Tee,T-Shirts,men,Title,Default Title,archived,{URL}/3.jpg\n"
        f"link-only,Tee,T-Shirts,men,Title,Default Title,unlisted,{URL}/4.jpg\n",
        {"shop": "shopify"},
        [("tee", "tshirt", "men", f"{URL}/1.jpg")],
        left_out=3,
    ),
    Reported(
        "shopify, metafields with names in German",
        "shopify.dev: standard metafield definitions",
        "Handle,Title,Product Category,Zielgeschlecht (product.metafields.shopify.target-gender),"
        "Altersgruppe (product.metafields.shopify.age-group),Image Src\n"
        f"k,Kleid,Apparel & Accessories > Clothing > Dresses,female,adults,{URL}/1.jpg\n"
        f"t,Kleidchen,Apparel & Accessories > Clothing > Dresses,female,kids,{URL}/2.jpg\n",
        {"shop": "shopify"},
        [("k", "dress", "women", f"{URL}/1.jpg")],
        left_out=1,
    ),
    Reported(
        "shopify, a category that Type decides first",
        SHOPIFY_HELP,
        "Handle,Title,Product Category,Type,Tags,Image Src\n"
        f"s,S,Apparel & Accessories > Clothing > Clothing Tops,Hoodies,women,{URL}/1.jpg\n",
        {"shop": "shopify", "columns": {"category": ["Type", "Product Category", "Tags"]}},
        [("s", "sweater", "women", f"{URL}/1.jpg")],
    ),
    Reported(
        "shopify, variants with pictures of their own",
        SHOPIFY_HELP,
        "Handle,Title,Type,Tags,Variant SKU,Variant Image,Image Src,Image Position\n"
        f"d,Dress,Dresses,women,D-RED,{URL}/red.jpg,{URL}/first.jpg,1\n"
        f"d,,,,D-BLUE,{URL}/blue.jpg,{URL}/second.jpg,2\n"
        "d,,,,D-PLAIN,,,\n",
        {"shop": "shopify-variants"},
        [
            ("D-RED", "dress", "women", f"{URL}/red.jpg"),
            ("D-BLUE", "dress", "women", f"{URL}/blue.jpg"),
            ("D-PLAIN", "dress", "women", f"{URL}/first.jpg"),
        ],
    ),
    Reported(
        "shopify's storefront, pretty JSON",
        "shopify.dev: the products.json of a storefront",
        json.dumps(
            {
                "products": [
                    {
                        "handle": "d",
                        "title": "Dress",
                        "product_type": "Dresses",
                        "tags": ["women", "linen"],
                        "images": [{"src": f"{URL}/1.jpg", "position": 1}, {"src": f"{URL}/2.jpg"}],
                    }
                ]
            },
            indent=2,
        ),
        {"shop": "shopify"},
        [("d", "dress", "women", f"{URL}/1.jpg")],
    ),
    Reported(
        "woocommerce's REST answer",
        "woocommerce.github.io: REST API, list all products",
        json.dumps(
            [
                {
                    "sku": "W-1",
                    "name": "Dress",
                    "type": "variable",
                    "status": "publish",
                    "categories": [{"name": "Women"}, {"name": "Dresses"}],
                    "images": [{"src": f"{URL}/1.jpg"}],
                },
                {
                    "sku": "W-2",
                    "name": "Draft",
                    "type": "simple",
                    "status": "draft",
                    "categories": [],
                    "images": [],
                },
            ]
        ),
        {"shop": "woocommerce"},
        [("W-1", "dress", "women", f"{URL}/1.jpg")],
        left_out=1,
    ),
    Reported(
        "google's feed as Atom, in CDATA, with several further pictures",
        GOOGLE_HELP,
        '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'
        "<!-- made by hand --><entry><title>Not this</title><g:title><![CDATA[Dress & belt]]></g:title><g:id>G-1</g:id>"
        f"<g:image_link>{URL}/1.jpg</g:image_link><g:additional_image_link>{URL}/2.jpg</g:additional_image_link>"
        f"<g:additional_image_link>{URL}/3,x.jpg</g:additional_image_link>"
        "<g:google_product_category>2271</g:google_product_category><g:gender>female</g:gender>"
        "<g:shipping><g:country>DE</g:country></g:shipping></entry></feed>",
        {"shop": "google", "images": {"tops": 3}},
        [("G-1", "dress", "women", f"{URL}/3,x.jpg")],
    ),
    Reported(
        "google's feed in Latin-1 XML",
        GOOGLE_HELP,
        (
            '<?xml version="1.0" encoding="ISO-8859-1"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><item>'
            f"<g:id>É-1</g:id><g:image_link>{URL}/1.jpg</g:image_link><g:product_type>Damen > Kleider</g:product_type>"
            "<g:gender>female</g:gender></item></channel></rss>"
        ).encode("latin-1"),
        {"shop": "google"},
        [("É-1", "dress", "women", f"{URL}/1.jpg")],
    ),
    Reported(
        "google's feed for other kinds of goods",
        GOOGLE_HELP,
        "id\ttitle\timage_link\tgoogle_product_category\tgender\tage_group\titem_group_id\n"
        f"G-1\tDress\t{URL}/1.jpg\tApparel & Accessories > Clothing > Dresses\tfemale\tadult\tG\n"
        f"G-2\tCollar\t{URL}/2.jpg\tAnimals & Pet Supplies > Pet Supplies > Dog Supplies > Dog Apparel\t\t\t\n"
        f"G-3\tRomper\t{URL}/3.jpg\tApparel & Accessories > Clothing > Baby & Toddler Clothing\tunisex\tinfant\t\n",
        {"shop": "google"},
        [
            ("G-1", "dress", "women", f"{URL}/1.jpg"),
            ("G-2", "not clothes", "", f"{URL}/2.jpg"),
        ],
        left_out=1,
    ),
    Reported(
        "magento, names of files that a Mac made",
        "experienceleague.adobe.com: Product attributes of a complex CSV",
        "sku,store_view_code,categories,name,product_online,visibility,base_image,additional_images\n"
        'M-1,,Default Category/Men/Tops,Polo,1,"Catalog, Search",Polo shirt 100%.jpg,"a,b.jpg,c d.jpg"\n',
        {"shop": "magento", "images": {"base_url": URL}},
        [("M-1", "shirt", "men", f"{URL}/Polo%20shirt%20100%25.jpg")],
    ),
    Reported(
        "numbers that Excel keeps as formulas",
        "pandas-dev/pandas#38247 and the like: leading noughts in CSV",
        f'{HEADER}\n"=""00123""",dress,women,{URL}/1.jpg\n#N/A,dress,women,{URL}/2.jpg\n',
        OWN,
        [("00123", "dress", "women", f"{URL}/1.jpg")],
        [("#N/A", "bad_text")],
    ),
    Reported(
        "a workbook of pandas with line ends of Windows",
        "openpyxl: _x000D_ in cells of shared strings",
        workbook(HEADER.split(","), ("a_x000D_", "dress_x000D_\n", "women", f"{URL}/1.jpg_x000D_")),
        OWN,
        [DRESS],
    ),
    Reported(
        "semicolons, a title and decimal commas, as a German Excel writes",
        "pandas-dev/pandas#2733 and the like: skiprows for titles",
        f"Artikelliste;;;\n\n{HEADER.replace(',', ';')}\n{ROW.replace(',', ';')}\n",
        {**OWN, "header_row": 3},
        [DRESS],
    ),
    Reported(
        "packed, in UTF-16 with tabs, as Excel's Unicode text",
        "microsoft: Unicode Text (*.txt)",
        gzip.compress(f"{HEADER}\r\n{ROW}\r\n".replace(",", "\t").encode("utf-16")),
        OWN,
        [DRESS],
    ),
]


@pytest.mark.parametrize("case", REPORTED, ids=[f"{case.name}: {case.report}" for case in REPORTED])
def test_an_export_of_a_report_is_read_as_its_shop_means_it(case: Reported, tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_bytes(case.content.encode() if isinstance(case.content, str) else case.content)
    chunks = list(read_export(file, ExportSettings(path="-", **case.settings)))
    garments, rejections = outcomes(chunks)
    found = [(row.sku, row.category, row.tag, row.tops_image) for row in garments]
    assert found == case.garments
    assert [(row.sku, str(row.rule)) for row in rejections] == case.rejected
    assert sum(sum(chunk.left_out.values()) for chunk in chunks) == case.left_out


def _bomb(entities: str) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE rss [{entities}]><rss><channel><item><id>&a;</id></item></channel></rss>'


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        (lambda: _bomb('<!ENTITY a "x">'), {}, "has a document type"),
        (lambda: "<?xml version='1.0'?><rss><channel/></rss>", {}, "is XML without an item"),
        (lambda: "<rss><channel><item><id>1</id>", {}, "is damaged, its XML cannot be read"),
        (
            lambda: f"<rss><item><id>{'x' * 200_000}</id></item></rss>",
            {"longest_line": 1000},
            "raise [export] longest_line",
        ),
        (lambda: f'[{{"id": "{"x" * 200_000}"}}]', {"longest_line": 1000}, "raise [export] longest_line"),
        (lambda: f"[{'[' * 100_000}", {}, "too deep"),
        (lambda: '{"products": [{"id": 1}, {"id": ', {}, "is no JSON from item 2"),
    ],
    ids=["entities", "no items", "cut", "long item", "long JSON", "deep JSON", "cut JSON"],
)
def test_feeds_and_arrays_are_held_to_the_bounds(
    content: Callable[[], str], settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    file = tmp_path / "export"
    file.write_text(content())
    columns = {"sku": "id", "category": "id", "tops_image": "id"}
    with pytest.raises(ExportError) as caught:
        list(read_export(file, ExportSettings(path="-", columns=columns, **settings)))
    assert told in str(caught.value)
