"""``tryon preview`` in the terminal: what an export asks for, and what the next run over it would make and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from tryon_catalogue.budget.limits import cost_of
from tryon_catalogue.exports import printable
from tryon_catalogue.planning.casting import rule_for
from tryon_catalogue.planning.preview import EXAMPLES
from tryon_catalogue.settings.export import listed
from tryon_catalogue.terminal import terminal
from tryon_catalogue.words import counted, money

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from tryon_catalogue.planning.preview import Asked, NextRun
    from tryon_catalogue.settings import Settings

CATEGORIES: Final = 30
"""Categories shown, those with most garments first."""


def show_preview(
    asked: Asked,
    next_run: NextRun | None,
    settings: Settings,
    console: Console | None = None,
    unlisted: Sequence[str] = (),
) -> None:
    """Print what a run over an export would make, and what that would cost.

    Args:
        next_run: What a run would do; None without a ledger.
        unlisted: Skus of garments to be made that the catalogue's table has no row for.
    """
    console = console or terminal()
    console.print(
        f"[bold]{escape(asked.export)}[/], read as {settings.export.kind} export. Nothing is spent."
    )
    parts = [
        counted(asked.rows, "row"),
        counted(asked.garments, "garment"),
        f"{asked.rejected_rows:,} rejected",
    ]
    if asked.further:
        parts.append(f"{counted(asked.further, 'further row')} of the same garments")
    console.print(", ".join(parts) + ".")
    for reason, count in asked.left_out.most_common():
        console.print(f"{counted(count, 'row')} left out, because {escape(reason)}.")
    for note in asked.notes:
        console.print(f"{escape(note)}.")
    _show_columns(console, asked, settings)
    _show_categories(console, asked, settings)
    _show_rejections(console, asked)
    _show_first(console, asked)
    for line in _paid_in_vain(asked, unlisted, settings):
        console.print(f"[bold yellow]Look first:[/] {line}")
    for line in _totals(asked, next_run, settings):
        console.print(line)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show_columns(console: Console, asked: Asked, settings: Settings) -> None:
    if asked.example is None:
        return
    table = _table("What stands where", "here", "column of the export", "in the first garment")
    for name, column in settings.export.columns:
        if column is not None:
            table.add_row(name, escape(listed(column)), escape(printable(getattr(asked.example, name) or "")))
    console.print(table)


def _show_categories(console: Console, asked: Asked, settings: Settings) -> None:
    if not asked.categories:
        return
    table = _table("What the categories become", "category", "garments", "made as")
    for category, count in asked.categories.most_common(CATEGORIES):
        rule = rule_for(category, settings.rules)
        made = "[red]no rule[/]"
        if rule is not None:
            made = f"{rule.fit_type}, {counted(rule.inference_num, 'picture')}, pants {rule.pants}"
        table.add_row(escape(printable(category)) or "(none)", f"{count:,}", made)
    console.print(table)
    if len(asked.categories) > CATEGORIES:
        console.print(f"and {len(asked.categories) - CATEGORIES:,} more categories.")


def _show_rejections(console: Console, asked: Asked) -> None:
    if not asked.rejected:
        return
    table = _table("What cannot be used, and why", "rule", "rows", "line", "sku", "reason")
    for rule, count in asked.rejected.most_common():
        for number, rejection in enumerate(asked.examples[rule]):
            name, rows = (rule, f"{count:,}") if number == 0 else ("", "")
            line = "" if rejection.line < 1 else str(rejection.line)
            table.add_row(name, rows, line, escape(rejection.sku), escape(rejection.reason))
    console.print(table)


def _show_first(console: Console, asked: Asked) -> None:
    if not asked.first:
        return
    table = _table(f"The first {len(asked.first)} looks", "sku", "model", "fit type", "top", "pants")
    for sku, look in asked.first:
        tops, pants = escape(printable(look.tops_image)), escape(printable(look.pants_image or ""))
        table.add_row(escape(sku), escape(look.model or "of the row"), look.fit_type.value, tops, pants)
    console.print(table)


def _paid_in_vain(asked: Asked, unlisted: Sequence[str], settings: Settings) -> Iterator[str]:
    """Write what would be paid for, and perhaps never shown, in lines of markup."""
    if unlisted:
        first = escape(", ".join(map(printable, unlisted[:EXAMPLES])))
        table = escape(settings.catalogue.table)
        yield (
            f"{counted(len(unlisted), 'garment')} without a row in the table {table}, such as {first}. They would be "
            "paid for and shown nowhere. See \\[catalogue] key and \\[export.columns] sku."
        )
    if asked.cut:
        first = escape(", ".join(asked.cut_numbers))
        yield (
            f"{counted(asked.cut, 'sku')} that Excel has cut to a few figures, such as {first}. Different garments may "
            "have become one. Export the column as text."
        )
    if asked.for_children:
        words = escape(
            ", ".join(f"{word} ({count:,})" for word, count in asked.for_children.most_common(EXAMPLES))
        )
        total = asked.for_children.total()
        yield (
            f"{counted(total, 'garment')} may be for children, by the words {words}. They would be shown on the "
            "models of the roster. Leave them out with \\[\\[export.filters]], or name a category for them."
        )
    for picture, count in sorted(asked.shared.items(), key=lambda shared: -shared[1])[:EXAMPLES]:
        yield (
            f"{counted(count, 'garment')} share the picture {escape(printable(picture))}. It is paid for once, and "
            "shown for all of them. Perhaps it stands for a missing one."
        )


def _totals(asked: Asked, next_run: NextRun | None, settings: Settings) -> Iterator[str]:
    """Write what it comes to, in lines of markup."""
    price = settings.price

    def amount(looks: int, pictures: int, uses: int) -> str:
        cost = money(price.per_use * uses, price.currency)
        return f"{counted(looks, 'look')}, {counted(pictures, 'picture')}, {counted(uses, 'use')}, {cost}"

    pictures = sum(number * count for (_, number), count in asked.kinds.items())
    everything = amount(asked.kinds.total(), pictures, cost_of(price, asked.kinds)[0])
    yield f"[bold]All of it:[/] {everything}."
    if next_run is None:
        yield (
            "There is no ledger to compare with: what was made before is not taken off, and no limit is looked at. "
            f"A first run over this export is to make {counted(asked.kinds.total(), 'look')} at most."
        )
    else:
        estimate = next_run.estimate
        states = ", ".join(f"{count:,} {state.value}" for state, count in sorted(next_run.known.items()))
        known = sum(next_run.known.values())
        yield f"The ledger has {known:,} of these looks{f': {states}' if states else ''}."
        made = amount(estimate.looks, estimate.pictures, estimate.uses)
        yield f"[bold]A run would make:[/] {made}."
        yield from _details(next_run, settings)
    if asked.unchecked:
        yield (
            f"Not known: {counted(asked.unchecked, 'picture')} that no run has looked at yet. A preview fetches none: "
            "it takes each for a good one, and for one that was never made before. A dry run checks them, for free."
        )


def _details(next_run: NextRun, settings: Settings) -> Iterator[str]:
    """Write what of it is whose, what stays, and what stands in the way."""
    estimate, currency = next_run.estimate, settings.price.currency
    leftovers = f", {estimate.leftovers:,} of them left over from earlier runs" if estimate.leftovers else ""
    yield (
        f"The next run over this export is to make {counted(estimate.looks, 'look')} for "
        f"{money(estimate.amount, currency)}{leftovers}."
    )
    for reason in estimate.held_back:
        yield f"Held back: {escape(reason)}."
    if next_run.in_doubt:
        yield f"{counted(next_run.in_doubt, 'look')} in doubt: not sent before you settle it. See `tryon doubts`."
    for stop in next_run.stops:
        yield (
            f"[bold red]Stopped:[/] {escape(str(stop.error()))} A run tries with one submission; it sends the rest "
            "when that one gets through."
        )
    if next_run.asks_first:
        above = money(settings.budget.approve_above, currency)
        yield f"The run asks a person first: it would cost more than approve_above = {above}."
    for warning in estimate.warnings:
        yield f"Packs: {escape(warning)}."
    if next_run.missing:
        yield (
            f"{next_run.missing:,} garments that the ledger knows are not in this full export: the shop no longer "
            "sells them. Nothing is made for them, and nothing of theirs is removed."
        )
