"""Preflight with the person check: what becomes of models' pictures as it is switched on and off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, select

from tests.tryon_catalogue.planning.preflight.people_table import lying, models, opened
from tests.tryon_catalogue.planning.preflight.test_run import HEADER, Shop, row, shop
from tryon_catalogue.ledger.tables import images, rejections
from tryon_catalogue.planning.preflight import person_detector as detector
from tryon_catalogue.planning.preflight.person_check import PersonCheckMissingError
from tryon_catalogue.planning.preflight.run import Preflight, preflight_run
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Settings

__all__ = ["shop"]  # the fixture


@dataclass
class Nights:
    """One garment, shown on Anna, night after night."""

    engine: Engine
    settings: Settings
    export: Path
    shop: Shop
    count: int = 0

    def __call__(self, **preflight: Any) -> tuple[Preflight, Plan]:
        self.count += 1
        self.shop.asked.clear()
        changed = self.settings.preflight.model_copy(update=preflight)
        settings = self.settings.model_copy(update={"preflight": changed})
        found = preflight_run(self.engine, settings, str(self.export))
        run = Run(f"dag/{self.count}", str(self.export), date(2026, 11, 20))
        return found, plan_run(self.engine, settings, run)

    @property
    def anna(self) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(images).where(images.c.url.endswith("/anna.png"))).one()

    @property
    def reasons(self) -> list[str]:
        statement = select(rejections.c.rule).where(rejections.c.run_id == f"dag/{self.count}")
        with self.engine.connect() as connection:
            return sorted(set(connection.scalars(statement)))


@pytest.fixture
def nights(engine: Engine, settings: Settings, shop: Shop, tmp_path: Path) -> Callable[..., Nights]:
    """Nights with a picture of Anna's: ``nights(picture)``, or one of nobody."""

    def with_picture(picture: Image.Image | None = None) -> Nights:
        url = shop.put("anna.png", (600, 800), "grey")
        if picture is not None:
            picture.save(shop.folder / "anna.png")
        anna, ben = settings.roster.models
        roster = (anna.model_copy(update={"image": url}), ben.model_copy(update={"image": url}))
        changed = settings.model_copy(
            update={
                "roster": settings.roster.model_copy(update={"models": roster}),
                "archive": settings.archive.model_copy(update={"path": str(tmp_path / "archive")}),
            }
        )
        export = tmp_path / "export.csv"
        export.write_text(f"{HEADER}{row('a', shop.put('top.png'))}\n")
        return Nights(engine, changed, export, shop)

    return with_picture


def test_a_model_whose_picture_shows_nobody_is_rejected_and_a_garment_that_does_is_not(
    nights: Callable[..., Nights],
) -> None:
    tonight = nights()
    found, plan = tonight(person_check=True)
    assert (found.images, found.broken, plan.new) == (2, 1, 0)
    assert tonight.reasons == ["nobody"]
    assert tonight.anna.measured == "nobody was found in it"


def test_without_the_switch_nobody_is_looked_for(nights: Callable[..., Nights]) -> None:
    tonight = nights()
    found, plan = tonight()
    assert (found.broken, plan.new) == (0, 1)
    assert tonight.anna.rule is None


def test_a_good_model_is_planned_as_ever(nights: Callable[..., Nights]) -> None:
    tonight = nights(opened(models()[0]))
    found, plan = tonight(person_check=True)
    assert (found.broken, plan.new) == (0, 1)
    assert (tonight.anna.rule, tonight.anna.warnings) == (None, [])


def test_a_lying_model_is_warned_about_once_however_many_nights_it_stays(
    nights: Callable[..., Nights],
) -> None:
    tonight = nights(lying(opened(models()[0])))
    for _ in range(3):
        found, plan = tonight(person_check=True, recheck_minutes=0)
        assert (found.broken, plan.rejected) == (0, 0)
        (warning,) = tonight.anna.warnings
        assert "degrees from upright" in warning


def test_what_rejects_can_be_changed_without_a_picture_being_fetched_again(
    nights: Callable[..., Nights],
) -> None:
    tonight = nights(lying(opened(models()[0])))
    assert tonight(person_check=True)[0].broken == 0
    found, _ = tonight(person_check=True, person_check_rejects=frozenset({"lying"}))
    assert (found.broken, found.unchanged) == (1, 1)
    assert tonight.reasons == ["lying"]
    assert [one for one in tonight.shop.asked if one[1] == 200] == []


def test_it_takes_effect_the_night_that_it_is_switched_on_and_none_after_it_is_switched_off(
    nights: Callable[..., Nights],
) -> None:
    tonight = nights()
    assert [tonight(person_check=on)[0].broken for on in (False, True, True, False, True)] == [0, 1, 1, 0, 1]
    assert tonight.shop.asked == [("/anna.png", 304)]


def test_a_picture_whose_small_copy_is_gone_is_fetched_again(
    nights: Callable[..., Nights], tmp_path: Path
) -> None:
    tonight = nights()
    tonight(person_check=False)
    shutil.rmtree(tmp_path / "archive")
    found, _ = tonight(person_check=True)
    assert (found.broken, found.fetched) == (1, 1)


def test_without_the_extra_nothing_is_fetched_and_the_error_says_what_to_do(
    nights: Callable[..., Nights], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "CARRIER", "not_there_at_all")
    tonight = nights()
    with pytest.raises(PersonCheckMissingError, match="person_check = false"):
        tonight(person_check=True)
    assert tonight.shop.asked == []
