from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.tryon_catalogue.budgets import with_budget
from tests.tryon_catalogue.helpers import pretend_checked
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Settings

Garment = tuple[str, str, str]
"""Sku, collection and priority; the sku is the picture's name, up to a dash."""
Night = Callable[..., list[str]]


@pytest.fixture
def night(engine: Engine, settings: Settings, tmp_path: Path) -> Night:
    """Plan a night with room for so many looks: ``night(order, room, garments, day=...) -> skus that it sends``."""
    columns = settings.export.columns.model_copy(update={"priority": "rank"})
    export_settings = settings.export.model_copy(update={"columns": columns})
    shop = settings.model_copy(update={"export": export_settings})

    def plan(order: str, room: int, garments: list[Garment], day: int = 1) -> list[str]:
        file = tmp_path / f"{day}.csv"
        lines = [
            f"{sku},T,{collection},shirt,https://pictures.example/{sku.partition('-')[0]}.png,{priority}\n"
            for sku, collection, priority in garments
        ]
        file.write_text("sku,title,collection,category,image_url,rank\n" + "".join(lines))
        pretend_checked(engine, shop, file)
        limited = with_budget(shop, per_run=room, order=order)
        run = Run(f"dag/{day}", str(file), date(2026, 11, day))
        record_run(engine, limited, run)
        batch_ids = cut_run(engine, limited, run.id).batch_ids
        with engine.connect() as connection:
            goes = (
                select(garment_looks.c.sku)
                .join(looks, looks.c.key == garment_looks.c.look_key)
                .where(looks.c.batch_id.in_(batch_ids))
            )
            return sorted(connection.execute(goes).scalars())

    return plan


def test_by_the_export_what_stands_first_goes_first(night: Night) -> None:
    assert night("export", 2, [("b", "", "1"), ("c", "new", "9"), ("a", "", "")]) == ["b", "c"]


def test_the_newest_collection_is_the_one_that_appeared_last(night: Night) -> None:
    night("newest_collection", 9, [("a1", "aw26", ""), ("s1", "ss27", "")], day=1)
    night("newest_collection", 9, [("a1", "aw26", ""), ("s1", "ss27", ""), ("b1", "basics", "")], day=2)
    rows = [("x1", "", ""), ("a2", "aw26", ""), ("b2", "basics", ""), ("c2", "capsule", "")]
    assert night("newest_collection", 1, rows, day=3) == ["c2"]
    assert night("newest_collection", 3, [*rows[:3], ("b3", "basics", "")], day=4) == ["a2", "b2", "x1"]


def test_among_collections_of_one_age_the_export_decides_and_none_goes_last(night: Night) -> None:
    rows = [("x", "", ""), ("s", "ss27", ""), ("a", "aw26", ""), ("s2", "ss27", "")]
    assert night("newest_collection", 3, rows) == ["a", "s", "s2"]


def test_an_old_export_makes_no_collection_new(night: Night) -> None:
    night("newest_collection", 9, [("a", "aw26", "")], day=10)
    night("newest_collection", 9, [("s", "ss25", "")], day=2)
    assert night("newest_collection", 1, [("s2", "ss25", ""), ("a2", "aw26", "")], day=11) == ["a2"]


def test_the_highest_priority_goes_first_and_none_at_all_last(night: Night) -> None:
    rows = [("blank", "", ""), ("low", "", "-1"), ("ten", "", "10"), ("nine", "", "9.5"), ("zero", "", "0")]
    assert night("priority", 3, rows) == ["nine", "ten", "zero"]
    assert night("priority", 1, [], day=2) == ["low"]
    assert night("priority", 1, [], day=3) == ["blank"]


def test_a_look_of_several_garments_goes_with_the_best_of_them(night: Night) -> None:
    rows = [("one-s", "", "1"), ("two", "", "5"), ("one-m", "", "7")]
    assert night("priority", 1, rows) == ["one-m", "one-s"]


def test_what_waited_goes_before_what_is_more_urgent(night: Night) -> None:
    assert night("priority", 1, [("a", "", "2"), ("b", "", "1")]) == ["a"]
    assert night("priority", 1, [("c", "", "100")], day=2) == ["b"]


def test_the_newest_export_says_what_is_urgent_of_what_waits(night: Night) -> None:
    assert night("priority", 1, [("a", "", "3"), ("b", "", "2"), ("c", "", "1")], day=5) == ["a"]
    assert night("priority", 1, [("b", "", "1"), ("c", "", "2")], day=6) == ["c"]


def test_an_older_export_does_not_say_what_is_urgent(night: Night) -> None:
    assert night("priority", 1, [("a", "", "3"), ("b", "", "2"), ("c", "", "1")], day=5) == ["a"]
    assert night("priority", 1, [("b", "", "1"), ("c", "", "2")], day=4) == ["b"]
