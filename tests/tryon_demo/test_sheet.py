"""The demo's contact sheet: which images stand on it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.tryon_demo.nights import LOOK, night
from tryon_demo import sheet


def test_a_sheet_shows_each_look_with_the_samples_images_and_the_archived_picture(tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (300, 400), "navy").save(picture)
    page = sheet.write_sheet(tmp_path, night(looks=(replace(LOOK, pictures=(str(picture),)),)))
    shown = re.findall(r'src="data:image/webp;base64,(.*?)"', page.read_text(encoding="utf-8"))
    assert len(shown) == 3
    with Image.open(io.BytesIO(base64.b64decode(shown[-1]))) as opened:
        red, green, blue = opened.convert("RGB").getpixel((9, 9))
    assert blue > 100 > red + green


def test_a_model_that_only_the_row_names_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[sheet.SheetRow] = []
    monkeypatch.setattr(sheet, "write_contact_page", lambda rows, *_, **__: shown.extend(rows))
    sheet.write_sheet(tmp_path, night(looks=(replace(LOOK, model="", state="FAILED", reason="It broke."),)))
    assert [(one.model_name, one.reason) for one in shown] == [("as the row names", "It broke.")]


def test_a_second_night_that_makes_nothing_keeps_every_look_on_the_sheet(tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (300, 400), "navy").save(picture)
    first = night(looks=(replace(LOOK, pictures=(str(picture),)),))
    written = [
        sheet.write_sheet(tmp_path, outcome).read_text(encoding="utf-8")
        for outcome in (first, replace(first, account=replace(first.account, looks={}, uses=0)))
    ]
    assert written[0] == written[1]
    page = written[1]
    assert LOOK.title in page
    assert page.count("<img ") == 3
