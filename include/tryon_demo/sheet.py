"""The demo's contact sheet: model, garments and result of every look side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tryon_demo.contact_page import write_contact_page
from tryon_demo.contact_sheet import SheetRow, write_contact_sheet
from tryon_demo.scene import SAMPLES

if TYPE_CHECKING:
    from tryon_demo.outcome import LookOutcome, Outcome

TITLE: Final = "Garments on models: one night"


def write_sheet(folder: Path, outcome: Outcome) -> tuple[Path, Path]:
    """Write the contact sheet of a run: every look that its export asks for, whichever night made it.

    Args:
        outcome: Of the run.

    Returns:
        The sheet as a picture, and as a page.
    """
    picture, page = folder / "contact-sheet.png", folder / "contact-sheet.html"
    rows = [_row(look) for look in outcome.looks]
    write_contact_sheet(rows, picture, title=TITLE)
    write_contact_page(rows, page, title=TITLE)
    return picture, page


def _row(look: LookOutcome) -> SheetRow:
    model, *garments = (_image(url) for url in look.images)
    return SheetRow(
        sku=look.sku,
        title=look.title,
        model_name=look.model or "as the row names",
        state=look.state,
        reason=look.reason,
        model_image=model,
        garment_images=tuple(garments),
        pictures=tuple(Path(path).read_bytes() for path in look.pictures),
    )


def _image(url: str) -> bytes:
    # The samples' images lie on this disk; the URL only says which.
    return (SAMPLES / "images" / url.rpartition("/")[2]).read_bytes()
