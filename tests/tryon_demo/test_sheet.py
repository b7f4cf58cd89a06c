"""The demo's contact sheet: which images stand on it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from tests.tryon_demo.nights import LOOK, night
from tryon_demo import sheet


def test_a_sheet_shows_each_look_with_the_samples_images_and_the_archived_picture(tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (300, 400), "navy").save(picture)
    image, _ = sheet.write_sheet(tmp_path, night(looks=(replace(LOOK, pictures=(str(picture),)),)))
    with Image.open(image) as opened:
        assert opened.format == "PNG"
        colours = {colour for _, colour in opened.convert("RGB").getcolors(1 << 24) or []}
    assert (0, 0, 128) in colours


def test_a_model_that_only_the_row_names_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[sheet.SheetRow] = []
    monkeypatch.setattr(sheet, "write_contact_sheet", lambda rows, *_, **__: shown.extend(rows))
    monkeypatch.setattr(sheet, "write_contact_page", lambda *_, **__: None)
    sheet.write_sheet(tmp_path, night(looks=(replace(LOOK, model="", state="FAILED", reason="It broke."),)))
    assert [(one.model_name, one.reason) for one in shown] == [("as the row names", "It broke.")]


def test_a_second_night_that_makes_nothing_keeps_every_look_on_both_forms_of_the_sheet(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (300, 400), "navy").save(picture)
    first = night(looks=(replace(LOOK, pictures=(str(picture),)),))
    written = [
        [one.read_bytes() for one in sheet.write_sheet(tmp_path, outcome)]
        for outcome in (first, replace(first, new=0, uses=0, cost=Decimal(0)))
    ]
    assert written[0] == written[1]
    page = written[1][1].decode()
    assert LOOK.title in page
    assert page.count("<img ") == 3
