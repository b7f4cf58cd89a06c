"""Ready settings for the exports that shop programs make: what `[export] shop` stands for.

Written down from the public descriptions of the formats. A preset is what a person would write under [export] by hand,
and whatever is written there takes its place.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final


def _category(becomes: str, has: Sequence[str], slot: str = "tops") -> dict[str, Any]:
    return {"field": "category", "becomes": becomes, "has": has, "slot": slot}


def _tag(becomes: str, has: Sequence[str], column: str | None) -> dict[str, Any]:
    return {"field": "tag", "becomes": becomes, "has": has, "column": column}


# Numbers are those of Google's product taxonomy. The order matters: the first that fits counts, so what looks
# like something else by one of its words comes before it.
_CLOTHES: Final = (
    # No picture can be made of these; they keep a category of their own, which no rule is for.
    _category("underwear", ["underwear", "lingerie", "bra", "bras", "underpants", "socks", "hosiery", "213"]),
    _category("swimwear", ["swimwear", "swimsuit", "swimsuits", "bikini", "bikinis", "211"]),
    _category("shoes", ["shoe", "shoes", "boots", "sneakers", "187"]),
    _category("shirt", ["dress shirt", "dress shirts"]),
    _category("dress", ["dress", "dresses", "gown", "gowns", "jumpsuit", "jumpsuits", "2271", "连衣裙"]),
    _category(
        "jacket", ["jacket", "jackets", "coat", "coats", "blazer", "blazers", "outerwear", "5598", "203"]
    ),
    _category("sweater", ["sweater", "sweaters", "sweatshirt", "sweatshirts", "hoodie", "hoodies", "jumper"]),
    _category("sweater", ["jumpers", "cardigan", "cardigans", "pullover", "pullovers", "knitwear", "毛衣"]),
    _category("tshirt", ["t-shirt", "t-shirts", "tshirt", "tshirts", "tee", "tees", "tank", "tanks"]),
    _category("suit", ["suit", "suits", "tuxedo", "1594", "西装"]),
    _category("shirt", ["shirt", "shirts", "blouse", "blouses", "top", "tops", "212", "衬衫"]),
    _category(
        "trousers", ["trousers", "pants", "jeans", "chinos", "leggings", "shorts", "204", "207"], "pants"
    ),
    _category("skirt", ["skirt", "skirts", "1581"], "pants"),
)


def _genders(*columns: str | None) -> tuple[dict[str, Any], ...]:
    """Look for a gender in the tag's own column (None) and in others, one after the other."""
    return tuple(
        _tag(becomes, has, column)
        for column in columns
        for becomes, has in (
            ("women", ["women", "women's", "womens", "woman", "female", "ladies", "女", "女装"]),
            ("men", ["men", "men's", "mens", "man", "male", "gentlemen", "男", "男装"]),
        )
    )


_SHOPIFY: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "Handle",
        "title": "Title",
        "category": "Type",
        "tops_image": "Image Src",
        "tag": "Tags",
    },
    "group": "Handle",
    "images": {"position": "Image Position"},
    "values": (*_CLOTHES, *_genders(None, "Google Shopping / Gender")),
    "filters": ({"column": "Status", "only": ["active"]},),
}
_SHOPIFY_URL_HANDLE: Final[Mapping[str, Any]] = {
    **_SHOPIFY,
    "columns": {**_SHOPIFY["columns"], "sku": "URL handle", "tops_image": "Product image URL"},
    "group": "URL handle",
    "images": {"position": "Image position"},
}
_WOOCOMMERCE: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "SKU",
        "title": "Name",
        "category": "Categories",
        "tops_image": "Images",
        "tag": "Categories",
    },
    "images": {"separator": ","},
    "values": (*_CLOTHES, *_genders(None, "Tags")),
    "filters": (
        {"column": "Type", "except": ["variation", "grouped", "external"]},
        {"column": "Published", "only": ["1"]},
    ),
}
_MAGENTO: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "sku",
        "title": "name",
        "category": "categories",
        "tops_image": "base_image",
        "tag": "categories",
    },
    "images": {"more": "additional_images", "separator": ","},
    "values": (*_CLOTHES, *_genders(None)),
    "filters": (
        {"column": "store_view_code", "only": [""]},
        {"column": "product_online", "only": ["1"]},
        {"column": "visibility", "except": ["Not Visible Individually"]},
    ),
}
_GOOGLE: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "id",
        "title": "title",
        "category": "google_product_category",
        "tops_image": "image_link",
        "tag": "gender",
    },
    "images": {"more": "additional_image_link", "separator": ","},
    "values": (*_CLOTHES, *_genders(None)),
}

SHOPS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "shopify": _SHOPIFY,
        "shopify-url-handle": _SHOPIFY_URL_HANDLE,
        "woocommerce": _WOOCOMMERCE,
        "magento": _MAGENTO,
        "google": _GOOGLE,
    }
)
"""Name of a shop's program -> what it stands for under [export]."""


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the keys of [export] with those of its shop's preset where none were written.

    Args:
        given: The keys as written. In ``columns`` and ``images`` each key counts by itself; one's own
            ``values`` are tried before the preset's; any other key takes the place of the preset's.
    """
    shop = given.get("shop")
    preset = SHOPS.get(shop, {}) if isinstance(shop, str) else {}
    merged = {**preset, **given}
    for name in ("columns", "images"):
        of_preset, own = preset.get(name), given.get(name, {})
        if of_preset is not None and isinstance(own, Mapping):
            merged[name] = {**of_preset, **own}
    own_values = given.get("values", ())
    if "values" in preset and isinstance(own_values, list | tuple):
        merged["values"] = (*own_values, *preset["values"])
    return merged
