"""The contact sheet: what it shows, and that odd words and images do no harm."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tryon_demo.contact_sheet import SheetRow, write_contact_sheet


def an_image(colour: tuple[int, int, int], size: tuple[int, int] = (300, 400), kind: str = "JPEG") -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", size, colour).save(encoded, kind)
    return encoded.getvalue()


def a_row(**changes: object) -> SheetRow:
    values: dict[str, object] = {
        "sku": "00123",
        "title": "海魂衫 Breton Tee",
        "model_name": "mei",
        "state": "PUBLISHED",
        "reason": "",
        "model_image": an_image((200, 20, 20)),
        "garment_images": (an_image((20, 200, 20)),),
        "pictures": (an_image((20, 20, 200)),),
    }
    return SheetRow(**(values | changes))  # type: ignore[arg-type]  # the values' types are those above


@pytest.mark.parametrize("broken", [b"no image", an_image((9, 9, 9), kind="PNG")[:60]])
def test_an_image_that_cannot_be_read_leaves_an_empty_field(tmp_path: Path, broken: bytes) -> None:
    sheets = []
    for image in (broken, b""):
        row = a_row(model_image=image, garment_images=(image,), pictures=(image,))
        write_contact_sheet([row], tmp_path / "sheet.png", title="A night")
        sheets.append((tmp_path / "sheet.png").read_bytes())
    assert sheets[0] == sheets[1]


def test_the_png_shows_model_garment_and_picture_side_by_side(tmp_path: Path) -> None:
    write_contact_sheet([a_row()], tmp_path / "new" / "sheet.png", title="A night")

    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        line = [sheet.getpixel((x, 310)) for x in range(sheet.width)]
    firsts = [min(x for x, p in enumerate(line) if p[channel] > 180 and sum(p) < 280) for channel in range(3)]
    assert firsts == sorted(firsts)


def test_a_png_of_many_rows_has_room_for_each(tmp_path: Path) -> None:
    sizes = []
    for count in (0, 1, 27):
        write_contact_sheet([a_row()] * count, tmp_path / "s.png", title="A night")
        with Image.open(tmp_path / "s.png") as sheet:
            sizes.append(sheet.size)

    assert sizes[0][1] <= sizes[1][1] < sizes[2][1]
    assert sizes[1][0] < sizes[2][0]


def test_rows_without_any_image_tell_their_reason(tmp_path: Path) -> None:
    bare = {"model_image": None, "garment_images": (), "pictures": (), "state": "REJECTED"}
    written = []
    for reason in ("the row has no image", ""):
        row = a_row(**bare, reason=reason)
        write_contact_sheet([row], tmp_path / "s.png", title="A night")
        written.append((tmp_path / "s.png").read_bytes())

    assert written[0] != written[1]


def test_what_no_font_can_draw_is_named_otherwise_and_never_drawn_as_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tryon_demo.contact_sheet._FONTS", ())
    sheets = []
    for title, model in (("海魂衫", "小美"), ("00123", "model"), ("", "")):
        row = a_row(title=title, model_name=model)
        write_contact_sheet([row], tmp_path / "s.png", title="A night")
        with Image.open(tmp_path / "s.png") as sheet:
            sheets.append(sheet.tobytes())

    assert sheets[0] == sheets[1]
    assert sheets[1] != sheets[2]
