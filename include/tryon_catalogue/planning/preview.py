"""What the next run over an export would make: the real plan, over a copy of the ledger that is thrown away.

The ledger is only read, no picture is fetched, and no run waits for it; see ``ledger.scratch``. Without a ledger it
says what the export asks for, and nothing of what a run would make of that.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from more_itertools import batched
from sqlalchemy import func, or_, select

from tryon_catalogue.exports import ROSTER_LINE
from tryon_catalogue.ledger.images import KnownImage, load_images, url_sha256
from tryon_catalogue.ledger.scratch import copy_requested, scratch_ledger
from tryon_catalogue.ledger.tables import SCHEMA, garment_looks, looks, run_looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.approval import asks_first
from tryon_catalogue.planning.record import record
from tryon_catalogue.planning.request import read_requested
from tryon_catalogue.planning.reserve import choose, in_order
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.planning.temporary_tables import CANDIDATES, REQUESTED
from tryon_catalogue.planning.vetting import vet_chunk
from tryon_catalogue.settings.export import ExportKind
from tryon_catalogue.submission.journal import look_of
from tryon_catalogue.submission.stops import active_stops

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.budget.limits import Kind
    from tryon_catalogue.exports import Garment, Rejection
    from tryon_catalogue.ledger.images import ImageKey
    from tryon_catalogue.looks import Look
    from tryon_catalogue.planning.reserve import Estimate
    from tryon_catalogue.planning.vetting import VettedChunk
    from tryon_catalogue.settings import Settings
    from tryon_catalogue.submission.stops import Stop

FIRST_LOOKS: Final = 10
EXAMPLES: Final = 3
"""Rejections shown of each rule."""
MOST_LISTED: Final = 1_000
"""Looks to make that are listed one by one."""
NEXT_RUN: Final = "preview"
"""Id of the run that is planned in the copy; a run of Airflow has a slash in its own."""
AT_ONCE: Final = 5_000
SHARED_BY: Final = 5
"""Garments from which on one picture for all of them is worth a look."""
MOST_SHARED: Final = 1_000
_CUT_NUMBER: Final = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListedLook:
    """A look that a run would send.

    Attributes:
        sku: A garment that shows it.
        collection: Of the garment.
        look: What is asked for.
        why: ``new``, ``left over``, or the state from which it would be made.
    """

    sku: str
    collection: str
    look: Look
    why: str


@dataclass(frozen=True, slots=True)
class NextRun:
    """What the next run would do.

    Attributes:
        estimate: What it would reserve and what that costs, what it would hold back, and why.
        at_rest: Looks of the export that need no sending: they have ended, or are on their way.
        in_doubt: Looks among them that are in doubt.
        asks_first: Whether it would wait for a person's approval.
        stops: Why nothing is sent right now; a run tries all the same, with one submission.
        known: State -> looks of the export that the ledger has.
        listed: The first looks that would be sent, in their order.
        missing: Garments the ledger knows and a full export does not have; None when that is not known.
    """

    estimate: Estimate
    at_rest: int
    in_doubt: int
    asks_first: bool
    stops: tuple[Stop, ...]
    known: Mapping[LookState, int]
    listed: tuple[ListedLook, ...]
    missing: int | None


@dataclass(slots=True)
class Asked:
    """What an export asks for, whatever was made of it before.

    Attributes:
        export: Its path or URL.
        rows: Rows read.
        garments: Those that give looks.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter says -> rows it left out.
        rejected_rows: Rows that cannot be used.
        rejected: Rule -> those rows, and models of the roster whose picture breaks it.
        examples: Rule -> the first rejections of it.
        categories: Category -> garments.
        example: The first garment.
        kinds: The distinct looks that the garments ask for, by kind.
        first: The first of them, each with the sku that asks for it.
        notes: How the export is read, in sentences without their full stop.
        cut_numbers: Skus that Excel has cut: the first of them.
        cut: How many there are.
        for_children: Word -> garments that it says to be for children, and that are made on models of the roster.
        shared: Picture -> garments that share it, where they are many.
        to_make: Skus of the garments that give looks.
        unchecked: Pictures that no run has checked yet: each is taken for good, and for different from every other.
    """

    export: str
    rows: int = 0
    garments: int = 0
    further: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejected_rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Rejection]] = field(default_factory=dict)
    categories: Counter[str] = field(default_factory=Counter)
    example: Garment | None = None
    kinds: Counter[Kind] = field(default_factory=Counter)
    first: list[tuple[str, Look]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cut_numbers: list[str] = field(default_factory=list)
    cut: int = 0
    for_children: Counter[str] = field(default_factory=Counter)
    shared: dict[str, int] = field(default_factory=dict)
    to_make: set[str] = field(default_factory=set)
    unchecked: int = 0


def run_over(export: str | None, settings: Settings) -> Run:
    """Give the run that would read an export.

    Args:
        export: Its path or URL, or its date as 2026-01-31; None for today's.
        settings: Where the exports of dates are.
    """
    today = datetime.now(UTC).date()
    try:
        day = today if export is None else date.fromisoformat(export)
    except ValueError:
        return Run(NEXT_RUN, str(export), today)
    return Run(NEXT_RUN, settings.export.path_for(day), day)


def read_asked(settings: Settings, run: Run) -> Asked:
    """Read what an export asks for, without a ledger.

    Args:
        settings: As the run's request has them.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    reading = _Reading(Asked(run.export))
    for chunk in read_requested(run.request, run.export, settings):
        reading.count(vet_chunk(chunk, settings, reading.suppose))
    return reading.asked


def preview_run(
    engine: Engine, settings: Settings, run: Run, *, checked: bool = False
) -> tuple[Asked, NextRun]:
    """Read an export and say what a run over it would do.

    Args:
        settings: As the run's request has them.
        checked: Whether preflight has been there, so that a picture which it did not see is refused, as a plan does.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export at all.
    """
    reading = _Reading(Asked(run.export))
    load = load_images if checked else reading.load
    run = replace(run, id=NEXT_RUN, request=run.request.model_copy(update={"dry_run": False}))
    schema = settings.ledger.schema_name
    since = min((pack.bought_at for pack in settings.price.packs), default=None)

    def copy_chunk(connection: Connection) -> None:
        copy_requested(connection, schema, REQUESTED.name)

    with scratch_ledger(engine, schema, since) as connection:
        record(
            lambda: nullcontext(connection),
            settings,
            run,
            load=load,
            watch=reading.count,
            before=copy_chunk,
        )
        estimate = choose(connection, settings, run.id)
        ledger = _Ledger(connection, schema)
        full = settings.export.kind is ExportKind.FULL and not run.request.selects
        next_run = NextRun(
            estimate=estimate,
            at_rest=len(reading.keys) - _to_be_sent(connection),
            in_doubt=_in_doubt(connection),
            asks_first=asks_first(estimate, settings.budget),
            stops=tuple(stop for stop in active_stops(connection) if stop.conn_id == settings.vendor.conn_id),
            known=ledger.count_states(reading.keys),
            listed=_list_looks(connection, ledger, settings),
            missing=ledger.count_missing(reading.skus) if full else None,
        )
    return reading.asked, next_run


class _Reading:
    """Counts what an export asks for while it is read. Memory holds one chunk, and a digest for each look."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.keys: set[bytes] = set()
        self.skus: set[str] = set()
        self._unchecked: set[bytes] = set()
        self._of_roster: set[Rejection] = set()
        self._garments_of: Counter[int] = Counter()

    def load(self, connection: Connection, images: Collection[ImageKey]) -> Mapping[ImageKey, KnownImage]:
        """Give what preflight found of pictures, and suppose the best of those it never saw."""
        known = load_images(connection, images)
        return {**self.suppose(set(images) - known.keys()), **known}

    def suppose(self, images: Collection[ImageKey]) -> Mapping[ImageKey, KnownImage]:
        """Suppose of pictures that each is good, and like no other."""
        supposed = {image: url_sha256(image[0]) for image in images}
        self._unchecked.update(bytes.fromhex(digest) for digest in supposed.values())
        self.asked.unchecked = len(self._unchecked)
        return {(url, role): KnownImage(url, role, sha256=digest) for (url, role), digest in supposed.items()}

    def count(self, vetted: VettedChunk) -> None:
        """Count the rows of a chunk, and the looks that no earlier one asks for."""
        asked, chunk = self.asked, vetted.chunk
        asked.rows += chunk.rows
        asked.further += chunk.further
        asked.left_out.update(chunk.left_out)
        asked.notes += chunk.notes
        asked.rejected_rows += vetted.rejected_rows
        for garment in chunk.garments:
            asked.example = asked.example or garment
            asked.categories[garment.category] += 1
        self.skus.update(garment.sku for garment in chunk.garments)
        self.skus.update(rejection.sku for rejection in chunk.rejections)
        for rejection in vetted.rejections:
            self._reject(rejection)
        asked.garments += len(vetted.garments)
        skus = [*(garment.sku for garment in chunk.garments), *(row.sku for row in chunk.rejections)]
        cut = list(filter(_CUT_NUMBER.fullmatch, skus))
        asked.cut += len(cut)
        asked.cut_numbers += cut[: EXAMPLES - len(asked.cut_numbers)]
        for row in vetted.garments:
            self._count_garment(row.garment)
            for vetted_look in row.looks:
                self._count_look(row.garment.sku, vetted_look.look, bytes.fromhex(vetted_look.key))

    def _count_garment(self, garment: Garment) -> None:
        asked = self.asked
        asked.to_make.add(garment.sku)
        if garment.for_children and garment.model_image is None:
            asked.for_children[garment.for_children.casefold()] += 1
        picture = garment.pants_image or garment.tops_image
        key = hash(picture)
        self._garments_of[key] += 1
        many = self._garments_of[key] >= SHARED_BY
        if many and (picture in asked.shared or len(asked.shared) < MOST_SHARED):
            asked.shared[picture] = self._garments_of[key]

    def _count_look(self, sku: str, look: Look, key: bytes) -> None:
        if key in self.keys:
            return
        self.keys.add(key)
        self.asked.kinds[look.fit_type.value, look.inference_num] += 1
        if len(self.asked.first) < FIRST_LOOKS:
            self.asked.first.append((sku, look))

    def _reject(self, rejection: Rejection) -> None:
        if rejection.line == ROSTER_LINE:
            if rejection in self._of_roster:
                return  # each garment cast on the model has it
            self._of_roster.add(rejection)
        self.asked.rejected[rejection.rule] += 1
        examples = self.asked.examples.setdefault(rejection.rule, [])
        if len(examples) < EXAMPLES:
            examples.append(rejection)


class _Ledger:
    """Reads the ledger as it is beside the copy in which the run is planned, as of the same moment.

    Args:
        connection: To the copy.
        schema: The ledger's.
    """

    def __init__(self, connection: Connection, schema: str) -> None:
        self._connection = connection
        self._there = {"schema_translate_map": {SCHEMA: schema}}

    def states(self, keys: Collection[str]) -> dict[str, LookState]:
        """Give the states of those looks that it has, by their keys."""
        asked = select(looks.c.key, looks.c.state).where(looks.c.key == func.any(sorted(keys)))
        found = self._connection.execute(asked, execution_options=self._there)
        return {row.key: LookState(row.state) for row in found}

    def count_states(self, keys: Collection[bytes]) -> Counter[LookState]:
        """Count the looks that it has by their states."""
        counted: Counter[LookState] = Counter()
        for part in batched(keys, AT_ONCE):
            counted.update(self.states([key.hex() for key in part]).values())
        return counted

    def count_missing(self, skus: Collection[str]) -> int:
        """Count the garments that it knows and that are not among the given ones."""
        count = select(func.count(garment_looks.c.sku.distinct()))
        among = (count.where(garment_looks.c.sku == func.any(list(part))) for part in batched(skus, AT_ONCE))
        known, *there = (
            self._connection.execute(asked, execution_options=self._there).scalar_one()
            for asked in (count, *among)
        )
        return int(known - sum(there))


def _to_be_sent(connection: Connection) -> int:
    """Count the looks that the run is asked for and would send, now or when there is money."""
    sent = or_(CANDIDATES.c.goes, CANDIDATES.c.held_by.is_not(None))
    return connection.execute(
        select(func.count()).select_from(CANDIDATES).where(sent, ~CANDIDATES.c.leftover)
    ).scalar_one()


def _in_doubt(connection: Connection) -> int:
    """Count the looks that the run is asked for and leaves in doubt."""
    in_doubt = looks.c.state == LookState.IN_DOUBT.value
    of_run = run_looks.join(looks, looks.c.key == run_looks.c.look_key)
    return connection.execute(
        select(func.count()).select_from(of_run).where(run_looks.c.run_id == NEXT_RUN, in_doubt)
    ).scalar_one()


def _list_looks(connection: Connection, ledger: _Ledger, settings: Settings) -> tuple[ListedLook, ...]:
    """List the first looks that would be sent."""
    sku = select(func.min(garment_looks.c.sku)).where(garment_looks.c.look_key == looks.c.key)
    found = connection.execute(
        select(looks, CANDIDATES.c.leftover, sku.scalar_subquery().label("sku"))
        .join(CANDIDATES, CANDIDATES.c.key == looks.c.key)
        .where(CANDIDATES.c.goes)
        .order_by(*in_order(settings.budget))
        .limit(MOST_LISTED)
    ).all()
    states = ledger.states([row.key for row in found])

    def why(row: Any) -> str:
        return "left over" if row.leftover else states.get(row.key, "new")

    return tuple(ListedLook(row.sku or "", row.collection, look_of(row), why(row)) for row in found)
