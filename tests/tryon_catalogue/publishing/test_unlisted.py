"""Garments that the shop's table has no row for are known before anything is paid."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from tryon_catalogue.publishing.shop_table import CatalogueError
from tryon_catalogue.publishing.unlisted import skus_without_row
from tryon_catalogue.settings import CatalogueSettings


def of_table(name: str) -> CatalogueSettings:
    return CatalogueSettings.model_validate(
        {"table": name, "key": "sku", "columns": {"picture_url": "tryon_picture_url"}}
    )


def test_skus_without_a_row_are_found_and_nothing_is_written(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE goods (sku text PRIMARY KEY, tryon_picture_url text)"))
        connection.execute(text("INSERT INTO goods VALUES ('a'), ('00123')"))
    found = skus_without_row(engine, of_table("goods"), ["a", "123", "00123", "8.05769E+12"])
    assert found == ["123", "8.05769E+12"]


def test_a_table_that_is_not_there_is_told(engine: Engine) -> None:
    with pytest.raises(CatalogueError):
        skus_without_row(engine, of_table("nowhere"), ["a"])
