"""What people read of a run: its headline and its figures, the same wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tryon_catalogue.planning.request import NOTHING_THERE
from tryon_catalogue.words import counted, money

if TYPE_CHECKING:
    from tryon_catalogue.reporting.account.facts import Account


def headline(account: Account) -> str:
    """Say in a line how a run ended, or how far it is."""
    ended = account.ended
    held = f"{counted(account.held, 'look')} {'held back' if ended else 'not sent yet'}"
    price = money(account.estimate, account.currency)
    cases = (
        (account.problem.startswith(NOTHING_THERE), NOTHING_THERE),
        (bool(account.problem), "No export"),
        (not account.planned, "The export was not read" if ended else "The export is being read"),
        (ended and not account.cut, "The export was read, and nothing of it was sent"),
        (
            ended and not account.garment_rows and not account.may_be_empty,
            "The export has no row that is meant",
        ),
        (
            account.would_make is not None,
            f"Dry run: {counted(account.would_make or 0, 'look')} would be made for {price}; nothing was sent",
        ),
        (account.tried > 0, _published(account) + (f", {held}" if account.held else "")),
        (account.held > 0, held),
        (account.elsewhere > 0, f"{counted(account.elsewhere, 'look')} left to another run"),
        (account.all_rejected, "Every row was rejected"),
    )
    return next((text for applies, text in cases if applies), "Nothing new to make")


def figures(account: Account) -> dict[str, str]:
    """Give the figures of a run that there is something to say of: name -> value, in words."""
    rules = ", ".join(f"{count} {rule}" for rule, count in account.rejections.items())
    dry = account.would_make is not None
    read = f"{account.rows:,} read{account.beside}"
    every = {
        "export": account.problem,
        "asked for": account.asked_for,
        # Of a dry run the ledger keeps no rejections to count.
        "rows": read
        if dry
        else f"{read}, {account.rejected_rows:,} rejected{f' ({rules})' if rules else ''}",
        "how it was read": ". ".join(account.notes),
        "looks": f"{account.would_make} would be made" if dry else account.states or "none to make",
        "known before": f"{account.known:,}" if account.known else "",
        "carried by another run": f"{account.elsewhere:,}" if account.elsewhere else "",
        "held back": f"{account.held:,}" if account.held else "",
        "garments without a row in the catalogue": f"{account.unlisted:,}" if account.unlisted else "",
        "rows of the catalogue not written": f"{account.refused:,}" if account.refused else "",
        "cost": f"{spent(account)}, {money(account.cost, account.currency)}"
        f"{f'; estimated {money(account.estimate, account.currency)}' if account.estimate else ''}",
        "approval": account.approval,
        "warning": "; ".join(account.warnings),
    }
    return {name: value for name, value in every.items() if value}


def spent(account: Account) -> str:
    """Say what the vendor is expected to charge for."""
    return f"{counted(account.uses, 'use')} in {counted(account.submissions, 'submission')}"


def _published(account: Account) -> str:
    if account.published == account.tried and not account.held:
        return "The look published" if account.tried == 1 else f"All {account.tried:,} looks published"
    return f"{account.published:,} of {counted(account.tried, 'look')} published"
