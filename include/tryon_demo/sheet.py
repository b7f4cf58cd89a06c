"""The demo's contact sheet: model, garments and result of every look side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tryon_demo.contact_page import SheetRow, write_contact_page
from tryon_demo.scene import SAMPLES

if TYPE_CHECKING:
    from tryon_demo.outcome import LookOutcome, Outcome

TITLE: Final = "Garments on models: one night"


def write_sheet(folder: Path, outcome: Outcome) -> Path:
    """Write the contact sheet of a run: every look that its export asks for, whichever night made it.

    Returns:
        Where the page is.
    """
    page = folder / "contact-sheet.html"
    write_contact_page([_row(look) for look in outcome.looks], page, title=TITLE)
    return page


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
