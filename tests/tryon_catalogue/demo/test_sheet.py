"""The demo's contact sheet: which images stand on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from tests.tryon_catalogue.demo.nights import LOOK, night
from tryon_catalogue.demo.sheet import write_sheet


def test_a_sheet_shows_each_look_with_the_samples_images_and_the_archived_picture(tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (30, 40), "navy").save(picture)

    image, page = write_sheet(tmp_path, night(looks=(replace(LOOK, pictures=(str(picture),)),)))

    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 3
    assert LOOK.title in html
    with Image.open(image) as opened:
        assert opened.format == "PNG"


def test_a_model_that_only_the_row_names_is_called_so(tmp_path: Path) -> None:
    _, page = write_sheet(
        tmp_path, night(looks=(replace(LOOK, model="", state="FAILED", reason="It broke."),))
    )
    html = page.read_text(encoding="utf-8")
    assert "as the row names" in html
    assert "It broke." in html
