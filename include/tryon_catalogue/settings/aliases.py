"""What else the columns of ready settings are called: in other languages, in older and newer exports, in JSON.

A table: the shop's program -> the column as its preset has it -> its other names. Names are compared without their
case, blanks, hyphens and underscores, so that ``image link`` and ``Image_Link`` need no line.
"""

import re
from collections.abc import Mapping
from typing import Final

BLANKS: Final = "".join(map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680))) + (
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
)
"""What is a blank at the ends of a name or a value: all that Unicode calls so, and what cannot be seen at all."""

_SHOPIFY: Final[Mapping[str, tuple[str, ...]]] = {
    "Handle": ("URL handle",),
    "Title": ("Product title",),
    "Product Category": ("Standardized Product Type", "Standard Product Type", "category.full_name"),
    "Type": ("Custom Product Type", "product_type", "productType"),
    "Image Src": ("Product image URL", "images.src", "image.src"),
    "Image Position": ("images.position",),
    "Variant SKU": ("SKU", "variants.sku"),
    "Variant Image": ("Variant image URL",),
    "Published": ("Published on online store",),
    "Option1 Value": ("options.values",),
    "Google Shopping / Google Product Category": ("Google Shopping / Category",),
}
# As the program's own translations name them: German, French, Spanish, Russian, Chinese, Italian, Dutch, Polish,
# Portuguese, Japanese; and its REST answers.
_WOOCOMMERCE: Final[Mapping[str, tuple[str, ...]]] = {
    "SKU": ("Artikelnummer", "UGS", "Артикул", "COD", "Artikelnummer (SKU)", "REF", "货号", "商品コード"),
    "Name": ("Nom", "Nombre", "Имя", "Название", "名称", "名稱", "Nome", "Naam", "Nazwa", "名前"),
    "Type": ("Typ", "Tipo", "Тип", "类型", "類型", "タイプ", "Soort"),
    "Published": (
        *("Veröffentlicht", "Publié", "Publicado", "Опубликован", "Опубликовано", "已发布", "已發佈"),
        *("Pubblicato", "Gepubliceerd", "Opublikowano", "公開", "公開済み", "status"),
    ),
    "Categories": (
        *("Kategorien", "Catégories", "Categorías", "Категории", "分类", "类别", "分類", "产品分类"),
        *("Categorie", "Categorieën", "Kategorie", "Categorias", "カテゴリー", "categories.name"),
    ),
    "Tags": (
        *("Schlagwörter", "Étiquettes", "Mots clés", "Etiquetas", "Метки", "标签", "標籤", "Tag"),
        *("Tagi", "Znaczniki", "タグ", "tags.name"),
    ),
    "Images": (
        *("Bilder", "Imágenes", "Изображения", "图片", "图像", "圖片", "Immagini", "Afbeeldingen"),
        *("Obrazki", "Imagens", "画像", "תמונות", "images.src"),
    ),
}
_BIGCOMMERCE: Final[Mapping[str, tuple[str, ...]]] = {
    "Item": ("Item Type",),
    "SKU": ("Product Code/SKU", "Product SKU", "Code"),
    "Name": ("Product Name",),
    "Categories": ("Category", "Category Details"),
    "Internal Image URL (Export)": ("Image URL (Import)", "Product Image URL - 1", "Product Image File - 1"),
    "Is Visible": ("Product Visible?", "Product Visible"),
}
_PRESTASHOP: Final[Mapping[str, tuple[str, ...]]] = {
    "Reference": ("Reference #", "Référence", "Référence interne", "Referencia", "Referenz", "Artikelnummer"),
    "Name": ("Name *", "Nom", "Nom *", "Nombre", "Product name"),
    "Categories (x,y,z...)": ("Categories", "Category", "Catégories (x,y,z...)", "Catégorie", "Categoría"),
    "Image URLs (x,y,z...)": (
        *("Image URLs", "Image", "URL images (x,y,z...)", "URLs des images (x,y,z...)", "Images"),
        *("URLs de imágenes (x,y,z...)", "Imagen"),
    ),
    "Active (0/1)": ("Active", "Status", "Actif (0/1)", "Activo (0/1)", "Enabled"),
}
_GOOGLE: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("item_id", "ID [id]"),
    "image_link": ("image", "image_url"),
    "google_product_category": ("product_category", "category"),
}

ALIASES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "shopify": _SHOPIFY,
    "shopify-url-handle": {
        "URL handle": ("Handle",),
        "Product image URL": ("Image Src", "images.src"),
        **_SHOPIFY,
    },
    "shopify-variants": _SHOPIFY,
    "woocommerce": _WOOCOMMERCE,
    "bigcommerce": _BIGCOMMERCE,
    "prestashop": _PRESTASHOP,
    "google": _GOOGLE,
}
"""Name of a shop's program -> column of its preset -> its other names, the likeliest first."""

_BETWEEN: Final = re.compile(r"[\s_\-]+")
_IN_PARENTHESES: Final = re.compile(r"\(([\w.\-]+)\)$")


def plain_name(name: str) -> str:
    """Give a column's name as it is compared where it does not stand there letter by letter."""
    return _BETWEEN.sub("", name.strip(BLANKS)).casefold()


def plain_names(name: str) -> tuple[str, ...]:
    """Give what a column of a file answers to: its name, and the key of a metafield that follows in parentheses."""
    key = _IN_PARENTHESES.search(name.strip(BLANKS))
    return (plain_name(name), plain_name(key[1])) if key else (plain_name(name),)


def other_names(shop: str | None, name: str) -> tuple[str, ...]:
    """Give the names, as they are compared, that a column of the settings may have beside its own."""
    return tuple(map(plain_name, ALIASES.get(shop or "", {}).get(name, ())))
