"""Money that is spent or reserved, read from the ledger: a look that has a batch is a reservation.

A look that has a batch and is not sent yet is reserved; sending it turns the reservation into the amount of its
submission in one transaction, and a refusal turns it back. So nothing has to be given back by hand, and what a process
reserved that died is free again once its run is over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    Numeric,
    Text,
    and_,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.budget.limits import Commitments, Limit, cost_of, share_of
from tryon_catalogue.ledger.states import MAY_COST, SubmissionState
from tryon_catalogue.ledger.tables import (
    batches,
    collection_totals,
    looks,
    run_looks,
    runs,
    submission_looks,
    submissions,
)
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, CompoundSelect, Connection, Engine, FromClause, Subquery

    from tryon_catalogue.budget.limits import Kind
    from tryon_catalogue.settings import BudgetSettings, Price

# A run that has not sent a look by then is dead. Should it live, each submission is held to the limits all the same.
LONGEST_RUN: Final = timedelta(days=1)
CUTTING_LOCK: Final = 0x7472796F_01
SENDING_LOCK: Final = 0x7472796F_02


class LimitReachedError(Exception):
    """A submission would pass a limit; nothing was sent.

    Args:
        collection: The collection, where the limit is a collection's.
    """

    def __init__(self, limit: Limit, collection: str = "") -> None:
        super().__init__(limit, collection)
        self.limit = limit
        self.collection = collection


def is_closed(run: FromClause = runs) -> ColumnElement[bool]:
    """Select the runs that have ended. One that was begun again after its account is at work until its next one.

    Args:
        run: ``runs``, or an alias of it.
    """
    return func.coalesce(run.c.ended_at >= run.c.opened_at, false())


def is_live() -> ColumnElement[bool]:
    """Select the batches that will still be sent: their run is neither closed nor dead.

    Returns:
        Condition on ``batches`` joined with ``runs``.
    """
    return and_(func.greatest(batches.c.cut_at, runs.c.opened_at) > func.now() - LONGEST_RUN, ~is_closed())


def one_at_a_time(connection: Connection, lock: int) -> None:
    """Wait until no other transaction decides the same; the lock goes with the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(lock)))


def read_commitments(
    connection: Connection, price: Price, budget: BudgetSettings, run_id: str
) -> Commitments:
    """Read what counts against the limits of a run before it cuts.

    Args:
        connection: In a transaction that holds the lock for cutting.
    """
    reserved = (
        select(
            looks.c.batch_id.label("batch_id"),
            (batches.c.run_id == run_id).label("ours"),
            literal(True, Boolean).label("today"),
            looks.c.fit_type.label("fit_type"),
            looks.c.inference_num.label("inference_num"),
            looks.c.collection.label("collection"),
            func.count().label("looks"),
            cast(null(), Numeric).label("amount"),
        )
        .join(batches, batches.c.id == looks.c.batch_id)
        .join(runs, runs.c.id == batches.c.run_id)
        .where(
            looks.c.state == LookState.PLANNED.value,
            is_live(),
        )
        .group_by(
            looks.c.batch_id, batches.c.run_id, looks.c.fit_type, looks.c.inference_num, looks.c.collection
        )
    )
    # One statement sees one moment: a look that is being sent is in exactly one of the two.
    both: CompoundSelect[Any] = union_all(reserved, *_spent(budget, run_id).selects)
    found = connection.execute(both).all()
    run = day = Decimal(0)
    collections: defaultdict[str, Decimal] = defaultdict(Decimal)
    batch_kinds: dict[tuple[int, bool], Counter[Kind]] = {}
    for row in found:
        if row.amount is None:
            kind = (row.fit_type, row.inference_num)
            batch_kinds.setdefault((row.batch_id, row.ours), Counter())[kind] += row.looks
            collections[row.collection] += share_of(price, kind) * row.looks
        else:
            run += row.amount if row.ours else 0
            day += row.amount if row.today else 0
            if row.collection is not None:
                collections[row.collection] += row.amount
    for (_, ours), kinds in batch_kinds.items():
        cost = cost_of(price, kinds)[1]
        run += cost if ours else 0
        day += cost
    return Commitments(run, day, collections if budget.per_collection else {})


def hold_to_limits(
    connection: Connection, budget: BudgetSettings, run_id: str, keys: Collection[str], amount: Decimal
) -> None:
    """Refuse a submission with which the limits would be passed, whatever was reserved.

    What is cut within the limits stays within them; this holds what comes by another way: looks that a person has
    planned again, a submission that had to be split and is charged in parts, a price that has changed.

    Args:
        connection: In the transaction that claims the looks.
        run_id: The run that sends.

    Raises:
        LimitReachedError: Nothing was claimed.
    """
    if not amount:
        return
    approved = connection.execute(select(runs.c.approved_amount).where(runs.c.id == run_id)).scalar_one()
    if not (budget.per_run or budget.per_day or budget.per_collection or approved is not None):
        return
    one_at_a_time(connection, SENDING_LOCK)
    run = day = amount
    collections: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in connection.execute(_spent(budget, run_id)):
        run += row.amount if row.ours else 0
        day += row.amount if row.today else 0
        if row.collection is not None:
            collections[row.collection] += row.amount
    bounds = (
        (Limit.RUN, budget.per_run or None, run),
        (Limit.DAY, budget.per_day or None, day),
        (Limit.APPROVAL, approved, run),
    )
    for limit, most, total in bounds:
        if most is not None and total > most:
            raise LimitReachedError(limit)
    if budget.per_collection:
        counts = connection.execute(
            select(looks.c.collection, func.count().label("looks"))
            .where(looks.c.key.in_(keys))
            .group_by(looks.c.collection)
        )
        for row in counts:
            if collections[row.collection] + amount * row.looks / len(keys) > budget.per_collection:
                raise LimitReachedError(Limit.COLLECTION, row.collection)


def is_narrow(connection: Connection, run_id: str) -> bool:
    """Whether a run is asked for something else than a night: others neither take up what it leaves nor leave to it."""
    return bool(connection.execute(select(runs.c.request).where(runs.c.id == run_id)).scalar_one())


def hold_back(connection: Connection, which: ColumnElement[bool], reason: str, run_id: str) -> None:
    """Take looks that are planned out of their batch, because there is no money for them. They go first later.

    What a person's request found no money for waits until it is asked for: nobody pays for it unasked.

    Args:
        which: Condition on ``tables.looks``.
        run_id: The run that has no money for them.
    """
    since = (
        looks.c.held_since if is_narrow(connection, run_id) else func.coalesce(looks.c.held_since, func.now())
    )
    connection.execute(
        update(looks)
        .where(which, looks.c.state == LookState.PLANNED.value)
        .values(batch_id=None, held_since=since, reason=reason)
    )


def note_reason(
    connection: Connection, run_id: str, reason: str, unless: ColumnElement[bool] | None = None
) -> None:
    """Store why the looks wait that a run has asked for and nobody has reserved.

    Args:
        unless: Condition on ``run_looks`` joined with ``runs`` for the looks to leave out.
    """
    of_run = (
        select(run_looks.c.look_key)
        .join(runs, runs.c.id == run_looks.c.run_id)
        .where(run_looks.c.run_id == run_id, true() if unless is None else ~unless)
    )
    connection.execute(
        update(looks)
        .where(looks.c.key.in_(of_run), looks.c.state == LookState.PLANNED.value, looks.c.batch_id.is_(None))
        .values(reason=reason)
    )


def total_settled(engine: Engine) -> None:
    """Add what is settled to the totals of its collections, each submission once.

    What a collected submission came to changes no more, even where its pictures are collected once more. So a limit
    reads the totals and what is open, however much was ever sent.
    """
    settled = (
        select(submissions.c.id)
        .where(submissions.c.state == SubmissionState.COLLECTED.value, ~submissions.c.in_totals)
        # Of two runs that do it at once, each adds what the other does not.
        .with_for_update(skip_locked=True)
    )
    added = (
        update(submissions)
        .where(submissions.c.id.in_(settled))
        .values(in_totals=True)
        .returning(submissions.c.id, submissions.c.amount)
        .cte("added")
    )
    shares = by_collection(added)
    counted = ("amount", "looks", "submissions")
    statement = insert(collection_totals).from_select(
        ["collection", *counted],
        select(
            shares.c.collection,
            func.sum(shares.c.amount),
            func.sum(shares.c.looks),
            func.count(),
        )
        .group_by(shares.c.collection)
        .order_by(shares.c.collection),
    )
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["collection"],
                set_={name: collection_totals.c[name] + statement.excluded[name] for name in counted},
            )
        )


def by_collection(sent: FromClause) -> Subquery:
    """Divide what submissions cost among the collections of their looks.

    Args:
        sent: Submissions, each with ``id`` and ``amount``.

    Returns:
        For each submission and collection: ``id``, ``collection``, its number of ``looks`` and their ``amount``.
    """
    # For each submission by itself, by its index: not all looks that were ever sent, joined with each other.
    parts = (
        select(
            looks.c.collection,
            func.count().label("looks"),
            func.sum(func.count()).over().label("in_all"),
        )
        .join(submission_looks, submission_looks.c.look_key == looks.c.key)
        .where(submission_looks.c.submission_id == sent.c.id)
        .group_by(looks.c.collection)
        .lateral("parts")
    )
    amount = sent.c.amount * parts.c.looks / parts.c.in_all
    return (
        select(sent.c.id, parts.c.collection, parts.c.looks, amount.label("amount"))
        .select_from(sent.join(parts, true()))
        .subquery()
    )


def _spent(budget: BudgetSettings, run_id: str) -> CompoundSelect[tuple[Any, ...]]:
    """Sum up submissions that may cost: those of the run, and of today; and of each collection where that has a limit.

    Its columns are those of what is reserved, so that both can be read as of one moment. A row is of a collection, or
    counts for the run or the day.
    """
    ours = submissions.c.run_id == run_id
    today = submissions.c.intended_at >= func.date_trunc("day", func.now(), "UTC")
    may_cost = submissions.c.state.in_(MAY_COST)
    by_time = (
        select(*_spent_columns(ours, today, cast(null(), Text), func.sum(submissions.c.amount)))
        .where(may_cost, or_(ours, today))
        .group_by("ours", "today")
    )
    if not budget.per_collection:
        return union_all(by_time)
    recent = select(submissions.c.id, submissions.c.amount).where(may_cost, ~submissions.c.in_totals)
    shares = by_collection(recent.subquery("recent"))
    return union_all(
        by_time,
        select(*_spent_columns(false(), false(), shares.c.collection, shares.c.amount)),
        select(*_spent_columns(false(), false(), collection_totals.c.collection, collection_totals.c.amount)),
    )


def _spent_columns(
    ours: ColumnElement[bool],
    today: ColumnElement[bool],
    collection: ColumnElement[str],
    amount: ColumnElement[Decimal],
) -> tuple[ColumnElement[Any], ...]:
    return (
        cast(null(), BigInteger).label("batch_id"),
        ours.label("ours"),
        today.label("today"),
        cast(null(), Text).label("fit_type"),
        cast(null(), Integer).label("inference_num"),
        collection.label("collection"),
        cast(null(), BigInteger).label("looks"),
        amount.label("amount"),
    )
