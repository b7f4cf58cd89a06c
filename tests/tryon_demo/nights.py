"""Made-up nights for the tests of how a night is shown."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from tryon_catalogue.exports import Rejection, Rule
from tryon_catalogue.reporting.account import Account
from tryon_demo.outcome import Charges, GarmentRow, LookOutcome, Outcome

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


def refused(line: int, sku: str, reason: str) -> Rejection:
    """Why a row of the export cannot be used."""
    return Rejection(line, sku, Rule.MISSING_IMAGE, "image", "", reason)


NIGHT = Outcome(
    looks=(LOOK,),
    catalogue=(
        GarmentRow("00123", LOOK.title, "SS26", "PUBLISHED", ("/shop/archive/SS26/00123/Mei-f62775-1.jpg",)),
    ),
    rejections=tuple(refused(line, f"sku-{line}", "The row has no image.") for line in (6, 12, 15)),
    account=Account("r/1", 4, 3, 0, {"PUBLISHED": 1}, 0, 1, 1, Decimal("0.95"), "CNY"),
)


def night(account: Mapping[str, object] | None = None, **changes: object) -> Outcome:
    """A night on which all went well, but for the changes of it and of its account."""
    return replace(NIGHT, account=replace(NIGHT.account, **(account or {})), **changes)


def screen(width: int = 120, *, terminal: bool = False) -> Console:
    """A console whose output is read with ``said``."""
    return Console(file=io.StringIO(), width=width, record=True, highlight=False, force_terminal=terminal)


def said(console: Console) -> str:
    """What was printed, without colours."""
    return console.export_text(clear=False)
