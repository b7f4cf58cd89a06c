"""From planned looks to batches: what goes within the limits is reserved and cut, what does not is held back.

Nothing is spent here. One run cuts at a time, so that runs in parallel cannot pass a limit together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, case, false, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.contract import MAX_TASKS
from tryon_catalogue.budget.commitments import (
    CUTTING_LOCK,
    hold_back,
    is_narrow,
    one_at_a_time,
    read_commitments,
    total_settled,
)
from tryon_catalogue.budget.limits import (
    ASKED_FOR_AGAIN,
    GOES_FIRST,
    NOT_ASKED,
    Room,
    cost_of,
    reason_for,
    share_of,
)
from tryon_catalogue.budget.packs import pack_warnings, read_packs
from tryon_catalogue.ledger.rows import as_table
from tryon_catalogue.ledger.states import NOT_ENDED
from tryon_catalogue.ledger.tables import (
    batches,
    looks,
    rejections,
    run_looks,
    runs,
)
from tryon_catalogue.planning.candidates import find_candidates, find_priorities
from tryon_catalogue.planning.remake import plan_remakes
from tryon_catalogue.planning.temporary_tables import CANDIDATES, CUT, ready
from tryon_catalogue.settings.money import Order
from tryon_catalogue.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine

    from tryon_catalogue.budget.limits import Approved, Commitments, Kind
    from tryon_catalogue.settings import BudgetSettings, Price, Settings

ROWS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Share:
    """What a collection has of an estimate.

    Attributes:
        collection: Its name; empty for garments without one.
        amount: Their price.
    """

    collection: str
    looks: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would send now, and what that costs as far as anybody knows before.

    Attributes:
        pictures: That the looks ask for.
        uses: What the vendor charges for them.
        amount: Price of the uses.
        leftovers: Looks among them that earlier runs have left behind, and no row of the export asks for.
        shares: The same by collection, the dearest first.
        held: Why looks wait -> how many.
        rejected_rows: Rows of its export that cannot be used.
        before: What the run has spent or reserved already.
        approved: What a person has let it spend in all; None when nobody was asked.
        warnings: About packs, in words.
    """

    looks: int
    pictures: int
    uses: int
    amount: Decimal
    leftovers: int
    shares: tuple[Share, ...]
    held: Mapping[str, int]
    rejected_rows: int
    before: Decimal
    approved: Decimal | None
    warnings: tuple[str, ...]

    @property
    def in_all(self) -> Decimal:
        """What the run comes to, with what it has spent or reserved before."""
        return self.before + self.amount

    @property
    def held_back(self) -> tuple[str, ...]:
        """What waits, in words: how many looks, and for what."""
        return tuple(
            f"{counted(count, 'further look')}{'' if count == 1 else ', each of which'} {reason}"
            for reason, count in self.held.items()
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run has reserved.

    Attributes:
        estimate: What it costs.
        batch_ids: Batches with work left, in the order in which they should run.
    """

    estimate: Estimate
    batch_ids: tuple[int, ...]


def estimate_run(engine: Engine, settings: Settings, run_id: str) -> Estimate:
    """Say what a run would cut now. Nothing is reserved.

    Args:
        run_id: The run, whose export is recorded.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        one_at_a_time(connection, CUTTING_LOCK)
        estimate = choose(connection, settings, run_id)
        transaction.rollback()
    return estimate


def cut_run(engine: Engine, settings: Settings, run_id: str, approved: Approved | None = None) -> Cut:
    """Reserve what goes within the limits, cut it into batches, and hold the rest back.

    Looks that are only planned are taken from runs that planned them before: a batch is a plan, and what decides who
    sends a look is the claim at submission. That way nothing waits for a run that has died.

    Args:
        run_id: The run, whose export is recorded.
        approved: What a person lets go; None when nobody was asked.
    """
    total_settled(engine)
    with engine.begin() as connection:
        one_at_a_time(connection, CUTTING_LOCK)
        estimate = choose(connection, settings, run_id, approved or NOT_ASKED)
        _hold_back(connection, run_id)
        _adopt_leftovers(connection, run_id)
        plan_remakes(connection, run_id)
        _cut(connection, settings, run_id)
        values: dict[str, Any] = {
            "cut_at": func.now(),
            "estimated_uses": runs.c.estimated_uses + estimate.uses,
            "estimated_amount": runs.c.estimated_amount + estimate.amount,
            "warnings": list(estimate.warnings),
        }
        if approved is not None:
            values["approved_amount"] = estimate.in_all
        connection.execute(update(runs).where(runs.c.id == run_id).values(values))
        return Cut(estimate, _batches_with_work(connection, run_id))


def choose(
    connection: Connection, settings: Settings, run_id: str, approved: Approved = NOT_ASKED
) -> Estimate:
    """Decide which of the candidates go; `CANDIDATES` says so until the transaction ends.

    Args:
        connection: In a transaction with the lock for cutting, or on a copy of the ledger.
        run_id: The run, whose export is recorded.
        approved: What a person lets go.
    """
    find_candidates(connection, run_id, timedelta(hours=settings.budget.answer_within_hours))
    if settings.budget.order is Order.PRIORITY:
        find_priorities(connection)
    price, budget = settings.price, settings.budget
    before = read_commitments(connection, price, budget, run_id)
    if budget.per_run or budget.per_day or budget.per_collection or approved != NOT_ASKED:
        then = ASKED_FOR_AGAIN if is_narrow(connection, run_id) else GOES_FIRST
        _apply_limits(connection, settings, Room(price, budget, before, approved), then)
    _apply_size(connection, settings, run_id)
    return _estimate(connection, price, run_id, before)


def in_order(budget: BudgetSettings) -> tuple[ColumnElement[Any], ...]:
    """Give the order in which looks go: what waited before comes first, then as the settings say."""
    first: tuple[ColumnElement[Any], ...] = {
        Order.EXPORT: (),
        Order.NEWEST_COLLECTION: (CANDIDATES.c.first_date.desc().nulls_last(),),
        Order.PRIORITY: (CANDIDATES.c.priority.desc().nulls_last(),),
    }[budget.order]
    return (CANDIDATES.c.held_before.desc(), *first, CANDIDATES.c.position, CANDIDATES.c.key)


def _apply_limits(connection: Connection, settings: Settings, room: Room, then: str) -> None:
    currency = settings.price.currency
    held: list[dict[str, str | None]] = []
    rows = connection.execute(
        select(
            CANDIDATES.c.key,
            CANDIDATES.c.fit_type,
            CANDIDATES.c.inference_num,
            CANDIDATES.c.collection,
            CANDIDATES.c.reserved,
        )
        # What another run has reserved is on its way already: others go first.
        .order_by(CANDIDATES.c.reserved, *in_order(settings.budget))
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for row in rows:
        limit = room.take((row.fit_type, row.inference_num), row.collection, reserved=row.reserved)
        if limit is not None:
            # A run that has reserved it and is alive sends it.
            reason = (
                None if row.reserved else reason_for(limit, settings.budget, currency, row.collection, then)
            )
            held.append({"key": row.key, "held_by": reason})
    for start in range(0, len(held), ROWS_AT_ONCE):
        reasons = as_table(held[start : start + ROWS_AT_ONCE], key=CANDIDATES.c.key.type, held_by=Text())
        connection.execute(
            update(CANDIDATES)
            .where(CANDIDATES.c.key == reasons.c.key)
            .values(goes=false(), held_by=reasons.c.held_by)
        )
    ready(connection, CANDIDATES)


def _apply_size(connection: Connection, settings: Settings, run_id: str) -> None:
    """Let what is beyond a run's size wait for the next run."""
    most = settings.batches.max_submissions
    beyond = (
        select(CANDIDATES.c.key)
        .where(CANDIDATES.c.goes)
        .order_by(CANDIDATES.c.reserved, *in_order(settings.budget))
        .offset(most * MAX_TASKS)
    )
    then = ASKED_FOR_AGAIN if is_narrow(connection, run_id) else GOES_FIRST
    reason = f"waits, because a run sends {most} submissions at most ([batches] max_submissions); {then}"
    # What another run has reserved is left to it.
    held_by = case((CANDIDATES.c.reserved, None), else_=reason)
    changed = connection.execute(
        update(CANDIDATES).where(CANDIDATES.c.key.in_(beyond)).values(goes=false(), held_by=held_by)
    )
    if changed.rowcount:
        ready(connection, CANDIDATES)


def _estimate(connection: Connection, price: Price, run_id: str, before: Commitments) -> Estimate:
    counted = connection.execute(
        select(
            CANDIDATES.c.collection,
            CANDIDATES.c.fit_type,
            CANDIDATES.c.inference_num,
            func.count().label("looks"),
            func.count().filter(CANDIDATES.c.leftover).label("leftovers"),
        )
        .where(CANDIDATES.c.goes)
        .group_by(CANDIDATES.c.collection, CANDIDATES.c.fit_type, CANDIDATES.c.inference_num)
    ).all()
    kinds: Counter[Kind] = Counter()
    of_collection: dict[str, Counter[Kind]] = {}
    for row in counted:
        kind = (row.fit_type, row.inference_num)
        kinds[kind] += row.looks
        of_collection.setdefault(row.collection, Counter())[kind] += row.looks
    shares = [
        Share(name, own.total(), sum((share_of(price, kind) * n for kind, n in own.items()), Decimal(0)))
        for name, own in of_collection.items()
    ]
    held = connection.execute(
        select(CANDIDATES.c.held_by, func.count().label("looks"))
        .where(CANDIDATES.c.held_by.is_not(None))
        .group_by(CANDIDATES.c.held_by)
        .order_by(func.count().desc(), CANDIDATES.c.held_by)
    ).all()
    uses, amount = cost_of(price, kinds)
    approved, rejected = connection.execute(
        select(
            select(runs.c.approved_amount).where(runs.c.id == run_id).scalar_subquery(),
            select(func.count(rejections.c.line.distinct()))
            .where(rejections.c.run_id == run_id)
            .scalar_subquery(),
        )
    ).one()
    return Estimate(
        looks=kinds.total(),
        pictures=sum(pictures * count for (_, pictures), count in kinds.items()),
        uses=uses,
        amount=amount,
        leftovers=sum(row.leftovers for row in counted),
        shares=tuple(sorted(shares, key=lambda share: (-share.amount, share.collection))),
        held={row.held_by: row.looks for row in held},
        rejected_rows=rejected,
        before=before.run,
        approved=approved,
        warnings=pack_warnings(read_packs(connection, price), uses, price),
    )


def _hold_back(connection: Connection, run_id: str) -> None:
    """Take what there is no money for out of the batches of runs that are over, and say why it waits."""
    for (reason,) in connection.execute(
        select(CANDIDATES.c.held_by).where(CANDIDATES.c.held_by.is_not(None)).distinct()
    ).all():
        of_reason = select(CANDIDATES.c.key).where(CANDIDATES.c.held_by == reason)
        hold_back(connection, looks.c.key.in_(of_reason), reason, run_id)


def _adopt_leftovers(connection: Connection, run_id: str) -> None:
    adopted = select(literal(run_id), CANDIDATES.c.key, true()).where(
        CANDIDATES.c.leftover, CANDIDATES.c.goes
    )
    connection.execute(
        insert(run_looks).from_select(["run_id", "look_key", "leftover"], adopted).on_conflict_do_nothing()
    )


def _cut(connection: Connection, settings: Settings, run_id: str) -> None:
    """Give each look that goes a batch of this run."""
    place = func.row_number().over(
        partition_by=(CANDIDATES.c.fit_type, CANDIDATES.c.inference_num), order_by=in_order(settings.budget)
    )
    CUT.create(connection)
    connection.execute(
        insert(CUT).from_select(
            ["key", "fit_type", "inference_num", "place"],
            select(CANDIDATES.c.key, CANDIDATES.c.fit_type, CANDIDATES.c.inference_num, place - 1).where(
                CANDIDATES.c.goes
            ),
        )
    )
    ready(connection, CUT)
    count = connection.execute(select(func.count()).select_from(CUT)).scalar_one()
    size = MAX_TASKS * settings.batches.size_for(-(-count // MAX_TASKS))
    part = (CUT.c.place // size).label("part")
    parts = connection.execute(
        select(CUT.c.fit_type, CUT.c.inference_num, part)
        .distinct()
        .order_by(CUT.c.fit_type, CUT.c.inference_num, part)
    ).all()
    if not parts:
        return
    ids = connection.execute(
        insert(batches).returning(batches.c.id, sort_by_parameter_order=True),
        [{"run_id": run_id, "fit_type": row.fit_type, "inference_num": row.inference_num} for row in parts],
    ).scalars()
    new = as_table(
        [{"id": batch_id, **row._mapping} for batch_id, row in zip(ids, parts, strict=True)],
        id=batches.c.id.type,
        fit_type=CUT.c.fit_type.type,
        inference_num=CUT.c.inference_num.type,
        part=CUT.c.place.type,
    )
    connection.execute(
        update(looks)
        .where(
            looks.c.key == CUT.c.key,
            CUT.c.fit_type == new.c.fit_type,
            CUT.c.inference_num == new.c.inference_num,
            part == new.c.part,
        )
        .values(
            batch_id=new.c.id,
            held_since=None,
            # What it waited for is over. A look that failed and is tried again keeps its reason.
            reason=case((looks.c.batch_id.is_(None), None), else_=looks.c.reason),
        )
    )


def _batches_with_work(connection: Connection, run_id: str) -> tuple[int, ...]:
    ids = connection.execute(select(batches.c.id).where(batches.c.run_id == run_id)).scalars().all()
    # By a list, and not in a join: PostgreSQL, which has not counted the looks that were just planned, would compare
    # each batch with each of them.
    with_work = select(looks.c.batch_id).where(
        looks.c.batch_id == func.any(list(ids)), looks.c.state.in_(NOT_ENDED)
    )
    return tuple(sorted(connection.execute(with_work.distinct()).scalars()))
