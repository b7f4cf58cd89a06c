"""Garments that the shop's table has no row for: their pictures would be paid for and shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from more_itertools import batched

from tryon_catalogue.publishing.shop_table import ShopTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from tryon_catalogue.settings import CatalogueSettings

AT_ONCE: Final = 5_000


def skus_without_row(engine: Engine, settings: CatalogueSettings, skus: Iterable[str]) -> list[str]:
    """Give the skus that the shop's table has no row for, sorted.

    Raises:
        tryon_catalogue.publishing.shop_table.CatalogueError: The table is not as the settings say.
    """
    missing: list[str] = []
    with engine.connect() as connection:
        table = ShopTable(connection, settings)
        for part in batched(sorted(skus), AT_ONCE):
            present, _ = table.find(connection, part)
            missing += [sku for sku in part if sku not in present]
    return missing
