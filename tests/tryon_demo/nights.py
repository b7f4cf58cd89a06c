"""Made-up nights for the tests of how a night is shown."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from tryon_demo.outcome import Charges, GarmentRow, LookOutcome, Outcome, RefusedRow

PAID_ONCE = Charges(uses=1, looks=1, most_for_one_look=1)
LOOK = LookOutcome(
    sku="00123",
    title="海魂衫条纹T恤 Breton Stripe Tee",
    model="Mei",
    state="PUBLISHED",
    reason="",
    images=("http://shop.example/model-mei.jpg", "http://shop.example/breton-tee.jpg"),
    pictures=(),
)
NIGHT = Outcome(
    looks=(LOOK,),
    catalogue=(
        GarmentRow("00123", LOOK.title, "SS26", "PUBLISHED", ("/shop/archive/SS26/00123/Mei-f62775-1.jpg",)),
    ),
    rejections=tuple(RefusedRow(line, f"sku-{line}", "The row has no image.") for line in (6, 12, 15)),
    new=1,
    uses=1,
    cost=Decimal("0.95"),
    currency="CNY",
)


def night(**changes: object) -> Outcome:
    """A night on which all went well, but for the changes."""
    return replace(NIGHT, **changes)


def screen(width: int = 120, *, terminal: bool = False) -> Console:
    """A console whose output is read with ``said``."""
    return Console(file=io.StringIO(), width=width, record=True, highlight=False, force_terminal=terminal)


def said(console: Console) -> str:
    """What was printed, without colours."""
    return console.export_text(clear=False)
