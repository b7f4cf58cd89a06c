"""``tryon preview``: what a run over an export would do, without spending or writing anything.

It reads the export as a run does, casts its garments, and compares with the ledger where there is one. It must
not write to the ledger, and it fetches no picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import and_, func, or_, select

from damo_tryon.contract import MAX_TASKS
from tryon_catalogue.exports import Rejection, Rule, shown
from tryon_catalogue.ledger.images import load_images
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.casting import cast, rule_for
from tryon_catalogue.planning.request import EVERYTHING, read_wanted
from tryon_catalogue.planning.vetting import wanted_images
from tryon_catalogue.settings.export import ExportKind
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tryon_catalogue.exports import Chunk, Garment
    from tryon_catalogue.ledger.images import KnownImage, Wanted
    from tryon_catalogue.looks import Look
    from tryon_catalogue.planning.request import Request
    from tryon_catalogue.settings import Settings

FIRST_LOOKS: Final = 10
EXAMPLES: Final = 3
"""Rejections shown of each rule."""
MOST_LISTED: Final = 1_000
"""Looks to make that are listed one by one."""
CATEGORIES: Final = 30
"""Categories shown, those with most garments first."""


@dataclass(slots=True)
class Amount:
    """So many looks, and what the vendor charges for them.

    Attributes:
        pictures: That they ask for.
        kinds: Fit type and number of pictures -> looks; only looks of one kind share a submission.
    """

    looks: int = 0
    pictures: int = 0
    kinds: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, look: Look) -> None:
        """Count one look more."""
        self.looks += 1
        self.pictures += look.inference_num
        self.kinds[look.fit_type.value, look.inference_num] += 1

    @property
    def submissions(self) -> int:
        """Submissions at least: full ones, but for the last of each kind."""
        return sum(-(-count // MAX_TASKS) for count in self.kinds.values())

    def uses(self, settings: Settings) -> int:
        """Give the uses that are charged."""
        return settings.price.uses(looks=self.looks, pictures=self.pictures, submissions=self.submissions)

    def cost(self, settings: Settings) -> Decimal:
        """Give their price, in the currency of the settings."""
        return settings.price.per_use * self.uses(settings)


@dataclass(frozen=True, slots=True)
class ListedLook:
    """A look that a run would send.

    Attributes:
        sku: The garment that asks for it first.
        collection: Of the garment.
        look: What is asked for.
        why: ``new``, or the state from which it would be made.
    """

    sku: str
    collection: str
    look: Look
    why: str


@dataclass(slots=True)
class Preview:
    """What an export would come to.

    Attributes:
        export: Its path or URL.
        rows: Rows read.
        garments: Those that can be cast.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter says -> rows it left out.
        rejected: Rule -> rows that cannot be used.
        examples: Rule -> the first rejections of it.
        categories: Category -> garments.
        example: The first garment.
        wanted: The distinct looks that the garments ask for.
        to_make: Those a run would send: not in the ledger, not sent yet, or failed and to be tried again; all of them
            without a ledger.
        broken: Rule -> looks that are left out, because a picture of theirs is known to break it.
        listed: The first looks to make.
        known: State -> looks that the ledger has.
        first: The first looks, each with the sku that asks for it.
        ledger: Whether there was one to compare with.
        missing: Garments the ledger knows and a full export does not have; None when that is not known.
    """

    export: str
    rows: int = 0
    garments: int = 0
    further: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Rejection]] = field(default_factory=dict)
    categories: Counter[str] = field(default_factory=Counter)
    example: Garment | None = None
    wanted: Amount = field(default_factory=Amount)
    to_make: Amount = field(default_factory=Amount)
    broken: Counter[str] = field(default_factory=Counter)
    listed: list[ListedLook] = field(default_factory=list)
    known: Counter[LookState] = field(default_factory=Counter)
    first: list[tuple[str, Look]] = field(default_factory=list)
    ledger: bool = False
    missing: int | None = None

    def reject(self, one: Rejection) -> None:
        """Count a row that cannot be used, and keep the first of its kind."""
        self.rejected[one.rule] += 1
        examples = self.examples.setdefault(one.rule, [])
        if len(examples) < EXAMPLES:
            examples.append(one)


def export_path(export: str | None, settings: Settings) -> str:
    """Give the path or URL of an export.

    Args:
        export: itself, or its date as 2026-01-31; None for today's.
        settings: Where the exports of dates are.
    """
    if export is None:
        return settings.export.path_for(datetime.now(UTC).date())
    try:
        return settings.export.path_for(date.fromisoformat(export))
    except ValueError:
        return export


def read_preview(
    export: str, settings: Settings, connection: Connection | None, request: Request = EVERYTHING
) -> Preview:
    """Read an export and count what a run over it would do.

    Memory holds one chunk, and a digest for each look.

    Args:
        export: Path or URL.
        settings: columns, rules, roster, price.
        connection: To the ledger; None when it cannot be reached, and then every look counts as new.
        request: What of the export a run would be asked for, which the settings are as of.

    Raises:
        tryon_catalogue.exports.ExportError: A file cannot be read as an export at all.
    """
    preview = Preview(export, ledger=connection is not None)
    seen: set[bytes] = set()
    there = 0
    for chunk in read_wanted(request, export, settings):
        cast_for = _count(preview, chunk, settings)
        known = {} if connection is None else _images(connection, cast_for)
        digests = {url: one.sha256 for (url, _), one in known.items() if one.sha256 is not None}
        keyed: dict[str, tuple[Garment, Look]] = {}
        for garment, look in cast_for:
            key = look.key_with(digests)
            if bytes.fromhex(key) in seen:
                continue
            seen.add(bytes.fromhex(key))
            if (rule := _broken_rule(look, known)) is not None:
                preview.broken[rule] += 1
                continue
            keyed[key] = (garment, look)
            preview.wanted.add(look)
            if len(preview.first) < FIRST_LOOKS:
                preview.first.append((garment.sku, look))
        if connection is None:
            for _, look in keyed.values():
                preview.to_make.add(look)
        else:
            _compare(preview, connection, keyed, settings, request)
            there += _garments_known(connection, chunk)
    if connection is not None and settings.export.kind is ExportKind.FULL and not request.selects:
        every = select(func.count(garment_looks.c.sku.distinct()))
        preview.missing = connection.execute(every).scalar_one() - there
    return preview


def _count(preview: Preview, chunk: Chunk, settings: Settings) -> list[tuple[Garment, Look]]:
    """Count the rows of a chunk; gives the looks of its garments."""
    preview.rows += chunk.rows
    preview.further += chunk.further
    preview.left_out.update(chunk.left_out)
    for rejection in chunk.rejections:
        preview.reject(rejection)
    found: list[tuple[Garment, Look]] = []
    for garment in chunk.garments:
        preview.example = preview.example or garment
        preview.categories[garment.category] += 1
        answer = cast(garment, settings)
        if isinstance(answer, Rejection):
            preview.reject(answer)
        else:
            preview.garments += 1
            found += [(garment, look) for look in answer]
    return found


def _images(connection: Connection, cast_for: list[tuple[Garment, Look]]) -> Mapping[Wanted, KnownImage]:
    """Give what the last preflight found behind the addresses: a moved picture is no new look."""
    wanted = {image for _, look in cast_for for image in wanted_images(look)}
    return load_images(connection, wanted) if wanted else {}


def _broken_rule(look: Look, known: Mapping[Wanted, KnownImage]) -> str | None:
    found = (known.get(image) for image in wanted_images(look))
    return next((one.rule for one in found if one is not None and not one.good), None)


def _compare(
    preview: Preview,
    connection: Connection,
    keyed: Mapping[str, tuple[Garment, Look]],
    settings: Settings,
    request: Request,
) -> None:
    """Count what the ledger has of some looks, and what a run would send."""
    again = and_(looks.c.state == LookState.FAILED.value, looks.c.attempts < settings.safety.max_attempts)
    asked_again = looks.c.state.in_(sorted(request.redone_states))
    unsent = or_(looks.c.state == LookState.PLANNED.value, again, asked_again)
    found = connection.execute(
        select(looks.c.key, looks.c.state, unsent.label("unsent")).where(looks.c.key == func.any(list(keyed)))
    ).all()
    preview.known.update(LookState(one.state) for one in found)
    states = {one.key: one.state for one in found}
    done = {one.key for one in found if not one.unsent}
    for key, (garment, look) in keyed.items():
        if key in done:
            continue
        preview.to_make.add(look)
        if len(preview.listed) < MOST_LISTED:
            why = states.get(key, "new")
            preview.listed.append(ListedLook(garment.sku, garment.collection, look, why))


def _garments_known(connection: Connection, chunk: Chunk) -> int:
    # A sku's further rows are rejected as such, and must not count it once more.
    firsts = (one for one in chunk.rejections if one.sku and one.rule is not Rule.DUPLICATE_SKU)
    skus = [*(one.sku for one in chunk.garments), *(one.sku for one in firsts)]
    known = select(func.count(garment_looks.c.sku.distinct())).where(garment_looks.c.sku == func.any(skus))
    return int(connection.execute(known).scalar_one())


# --- on the screen ---


def show_preview(preview: Preview, settings: Settings, console: Console | None = None) -> None:
    """Print it.

    Args:
        preview: What was counted.
        settings: Those it was read with.
        console: To print to; the terminal by default.
    """
    console = console or Console(highlight=False)
    console.print(
        f"[bold]{escape(preview.export)}[/], read as {settings.export.kind} export. Nothing is spent."
    )
    rejected = preview.rejected.total()
    parts = [_so_many(preview.rows, "row"), _so_many(preview.garments, "garment"), f"{rejected:,} rejected"]
    if preview.further:
        parts.append(f"{_so_many(preview.further, 'further row')} of the same garments")
    console.print(", ".join(parts) + ".")
    for words, count in preview.left_out.most_common():
        console.print(f"{_so_many(count, 'row')} left out, because {escape(words)}.")
    _show_columns(console, preview, settings)
    _show_categories(console, preview, settings)
    _show_rejections(console, preview)
    for rule, count in preview.broken.most_common():
        console.print(
            f"{_so_many(count, 'look')} left out, because a picture breaks {rule.replace('_', ' ')}."
        )
    _show_looks(console, preview, settings)


def _so_many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show_columns(console: Console, preview: Preview, settings: Settings) -> None:
    if preview.example is None:
        return
    table = _table("What stands where", "here", "column of the export", "in the first garment")
    for name, column in settings.export.columns:
        if column is not None:
            table.add_row(name, escape(column), escape(shown(getattr(preview.example, name) or "")))
    console.print(table)


def _show_categories(console: Console, preview: Preview, settings: Settings) -> None:
    if not preview.categories:
        return
    table = _table("What the categories become", "category", "garments", "made as")
    for category, count in preview.categories.most_common(CATEGORIES):
        rule = rule_for(category, settings.rules)
        made = "[red]no rule[/]"
        if rule is not None:
            pictures = _so_many(rule.inference_num, "picture")
            made = f"{rule.fit_type}, {pictures}, pants {rule.pants}"
        table.add_row(escape(shown(category)) or "(none)", f"{count:,}", made)
    console.print(table)
    if len(preview.categories) > CATEGORIES:
        console.print(f"and {len(preview.categories) - CATEGORIES:,} more categories.")


def _show_rejections(console: Console, preview: Preview) -> None:
    if not preview.rejected:
        return
    table = _table("Rows that cannot be used, and why", "rule", "rows", "line", "sku", "reason")
    for rule, count in preview.rejected.most_common():
        for number, one in enumerate(preview.examples[rule]):
            name, rows = (rule, f"{count:,}") if number == 0 else ("", "")
            table.add_row(name, rows, str(one.line), escape(one.sku), escape(one.reason))
    console.print(table)


def _show_looks(console: Console, preview: Preview, settings: Settings) -> None:
    def priced(amount: Amount) -> str:
        cost = money(amount.cost(settings), settings.price.currency)
        uses = _so_many(amount.uses(settings), "use")
        return f"{_so_many(amount.looks, 'look')}, {_so_many(amount.pictures, 'picture')}, {uses}, {cost}"

    if preview.first:
        table = _table(f"The first {len(preview.first)} looks", "sku", "model", "fit type", "top", "pants")
        for sku, look in preview.first:
            tops, pants = escape(shown(look.tops_image)), escape(shown(look.pants_image or ""))
            table.add_row(escape(sku), escape(look.model or "of the row"), look.fit_type.value, tops, pants)
        console.print(table)
    console.print(f"[bold]All of it:[/] {priced(preview.wanted)}.")
    if not preview.ledger:
        console.print("There is no ledger to compare with: what was made before is not taken off.")
        return
    states = ", ".join(f"{count:,} {state.value}" for state, count in sorted(preview.known.items()))
    console.print(
        f"The ledger has {preview.known.total():,} of these looks{f': {states}' if states else ''}."
    )
    console.print(f"[bold]A run would make:[/] {priced(preview.to_make)}.")
    if preview.missing:
        console.print(
            f"{preview.missing:,} garments that the ledger knows are not in this full export: the shop no longer sells "
            "them. Nothing is made for them, and nothing of theirs is removed."
        )
