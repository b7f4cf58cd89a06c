"""Ready settings for the exports that shop programs make: what `[export] shop` stands for.

Written down from the public descriptions of the formats. A preset is what a person would write under [export] by hand,
and whatever is written there takes its place. Other names that the columns have, in other languages, in newer exports
and in JSON, are in ``aliases``.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from tryon_catalogue.settings.clothes import CLOTHES, GENDERS

_VALUES: Final = (*CLOTHES, *GENDERS)
_FOR_CHILDREN: Final = ("newborn", "infant", "toddler", "kids")


def _only(column: str, *values: str) -> dict[str, Any]:
    return {"column": column, "only": values, "optional": True}


def _except(column: str, *values: str) -> dict[str, Any]:
    return {"column": column, "except": values, "optional": True}


def _shopify(columns: Mapping[str, Any], images: Mapping[str, Any], option: str) -> Mapping[str, Any]:
    gender: Sequence[str] = (
        "Tags",
        "product.metafields.shopify.target-gender",
        "Google Shopping / Gender",
        *(option.format(number) for number in (1, 2, 3)),
        "Type",
        "Product Category",
    )
    return {
        "columns": {
            "title": "Title",
            "category": (
                "Product Category",
                "Google Shopping / Google Product Category",
                "Type",
                "Tags",
            ),
            "tag": gender,
            **columns,
        },
        "images": images,
        "values": _VALUES,
        "filters": (
            _only("Status", "active"),
            _except("Published", "false"),
            _except("Google Shopping / Age Group", *_FOR_CHILDREN),
            _except("product.metafields.shopify.age-group", *_FOR_CHILDREN),
        ),
    }


_SHOPIFY: Final = {
    **_shopify(
        {"sku": "Handle", "tops_image": "Image Src"}, {"position": "Image Position"}, "Option{} Value"
    ),
    "group": "Handle",
}
_SHOPIFY_URL_HANDLE: Final = {
    **_shopify(
        {"sku": "URL handle", "tops_image": "Product image URL"},
        {"position": "Image position"},
        "Option{} value",
    ),
    "group": "URL handle",
}
_SHOPIFY_VARIANTS: Final = {
    **_SHOPIFY,
    "columns": {**_SHOPIFY["columns"], "sku": "Variant SKU"},
    "images": {"position": "Image Position", "variant": "Variant Image"},
}
_WOOCOMMERCE: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "SKU",
        "title": "Name",
        "category": "Categories",
        "tops_image": "Images",
        "tag": ("Categories", "Tags"),
    },
    "images": {"separator": ","},
    "values": _VALUES,
    "filters": (
        _except(
            "Type",
            *("variation", "grouped", "external", "variation, virtual", "variation, downloadable"),
            *("variation, downloadable, virtual", "variation, virtual, downloadable"),
        ),
        _only("Published", "1", "publish"),
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
    "values": _VALUES,
    "filters": (
        _only("store_view_code", ""),
        _only("product_online", "1"),
        _except("visibility", "Not Visible Individually"),
    ),
}
_GOOGLE: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "id",
        "title": "title",
        "category": ("google_product_category", "product_type"),
        "tops_image": "image_link",
        "tag": "gender",
    },
    "images": {"more": "additional_image_link", "separator": ","},
    "values": _VALUES,
    "filters": (_except("age_group", *_FOR_CHILDREN),),
}
_BIGCOMMERCE: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "SKU",
        "title": "Name",
        "category": "Categories",
        "tops_image": "Internal Image URL (Export)",
        "tag": "Categories",
    },
    "group": "Item",
    "group_starts": "Product",
    "images": {"position": "Image Sort Order"},
    "values": _VALUES,
    "filters": (_except("Is Visible", "false", "n", "no", "0"),),
}
_PRESTASHOP: Final[Mapping[str, Any]] = {
    "columns": {
        "sku": "Reference",
        "title": "Name",
        "category": "Categories (x,y,z...)",
        "tops_image": "Image URLs (x,y,z...)",
        "tag": "Categories (x,y,z...)",
    },
    "images": {"separator": ","},
    "values": _VALUES,
    "filters": (_only("Active (0/1)", "1"),),
}

OTHER: Final = "other"
"""No program that is known: the columns are one's own, the words for clothes and genders are ready."""

SHOPS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "shopify": _SHOPIFY,
        "shopify-url-handle": _SHOPIFY_URL_HANDLE,
        "woocommerce": _WOOCOMMERCE,
        "magento": _MAGENTO,
        "google": _GOOGLE,
        "shopify-variants": _SHOPIFY_VARIANTS,
        "bigcommerce": _BIGCOMMERCE,
        "prestashop": _PRESTASHOP,
        OTHER: {"values": _VALUES},
    }
)
"""Name of a shop's program -> what it stands for under [export]."""

NOT_TOLD: Final = frozenset({OTHER, "shopify-variants"})
"""Those that no file can be told by: a person asks for them."""


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
