"""Reads the report of a run from the ledger, all of it as of one moment."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import case, distinct, func, select

from tryon_catalogue.budget.commitments import is_closed
from tryon_catalogue.ledger.pictures import newest_pictures
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import (
    batches,
    garment_looks,
    images,
    looks,
    pictures,
    rejections,
    run_looks,
    runs,
    submissions,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.request import Request
from tryon_catalogue.reporting.account import carried_by_nobody
from tryon_catalogue.reporting.report.facts import (
    Figures,
    Given,
    Made,
    Report,
    ReportedDoubt,
    ReportedLook,
    ReportedRejection,
)
from tryon_catalogue.submission import doubts
from tryon_catalogue.submission.stops import active_stops

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row

    from tryon_catalogue.settings import Price

LAST: Final = "last"
"""In place of a run's id: the run that started last."""
MOST_LOOKS: Final = 5_000
"""Looks on one page: more would be too large a file to send or to open."""
MOST_REJECTIONS: Final = 1_000
"""Rejections on one page; the spreadsheet has all of them."""

_PAID: Final = (SubmissionState.SUBMITTED.value, SubmissionState.COLLECTED.value)
# What people have to know of first, when not everything can be shown.
_TROUBLE: Final = (LookState.REVIEW, LookState.IN_DOUBT, LookState.FAILED, LookState.REJECTED)
_FEW_RUNS: Final = 5


@dataclass(frozen=True, slots=True)
class _Garment:
    """A garment that a look shows, as the newest export has it."""

    sku: str
    title: str
    collection: str


class NoSuchRunError(LookupError):
    """The ledger has no such run; names the newest ones it has."""


def read_report(
    engine: Engine,
    price: Price,
    run_id: str,
    *,
    most_looks: int = MOST_LOOKS,
    most_rejections: int = MOST_REJECTIONS,
) -> Report:
    """Read what became of a run.

    Args:
        price: The currency.
        run_id: ``dag_id/run_id``, or `LAST`.
        most_looks: Looks to read; those with trouble come first when there are more.
        most_rejections: Rejections to read.

    Raises:
        NoSuchRunError: There is no such run.
    """
    with _as_of_one_moment(engine) as connection:
        run = find_run(connection, run_id)
        request = Request.model_validate(run.request)
        doubtful = tuple(ReportedDoubt(one, one.amount) for one in doubts.of_run(connection, run.id))
        return Report(
            run_id=run.id,
            # What stands before the name may be a server's address.
            export=run.export.rstrip("/").rpartition("/")[2],
            export_date=run.export_date,
            started_at=run.started_at,
            ended_at=run.ended_at if run.is_closed else None,
            made_at=connection.execute(select(func.now())).scalar_one(),
            figures=_figures(connection, price, run, sum((one.cost for one in doubtful), Decimal())),
            looks=_looks(connection, run, most_looks),
            rejections=tuple(
                _with_images(connection, list(_rejections(connection, run.id, most_rejections)))
            ),
            doubts=doubtful,
            stops=active_stops(connection),
            asked_for=request.words(price.currency),
            planned=run.planned_at is not None,
            cut=run.cut_at is not None,
            problem=run.problem or "",
            may_be_empty=(run.summary or {}).get("may_be_empty", True),
            would_make=run.looks_new if request.dry_run and run.planned_at is not None else None,
            estimate=run.estimated_amount,
        )


def read_rejections(engine: Engine, run_id: str) -> Iterator[ReportedRejection]:
    """Read every rejection of a run in the order of the export, a few at a time, without their images.

    Args:
        run_id: ``dag_id/run_id``, or `LAST`.

    Raises:
        NoSuchRunError: There is no such run.
    """
    with _as_of_one_moment(engine) as connection:
        yield from _rejections(connection, find_run(connection, run_id).id, None)


@contextmanager
def _as_of_one_moment(engine: Engine) -> Iterator[Connection]:
    # Else the figures could say one thing and the looks another, while a run goes on.
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


def find_run(connection: Connection, run_id: str) -> Row[Any]:
    """Read a run's row.

    Args:
        run_id: ``dag_id/run_id``, or `LAST`.

    Raises:
        NoSuchRunError: There is no such run.
    """
    every = select(runs, is_closed().label("is_closed"))
    newest = every.order_by(runs.c.started_at.desc(), runs.c.id)
    wanted = newest.limit(1) if run_id == LAST else every.where(runs.c.id == run_id)
    run = connection.execute(wanted).one_or_none()
    if run is not None:
        return run
    few = [one.id for one in connection.execute(newest.limit(_FEW_RUNS))]
    there = f"The newest ones are: {', '.join(few)}." if few else "No run has read an export yet."
    raise NoSuchRunError(f"The ledger has no run {run_id}. {there}")


def _figures(connection: Connection, price: Price, run: Row[Any], doubtful: Decimal) -> Figures:
    ours = batches.c.run_id.is_not_distinct_from(run.id)
    of_nobody = carried_by_nobody(run.started_at)
    of_run = (
        select(looks.c.state, looks.c.reason, ours.label("ours"), of_nobody.label("of_nobody"))
        .join(run_looks, run_looks.c.look_key == looks.c.key)
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id)
        .subquery()
    )
    counted = connection.execute(
        select(of_run.c.ours, of_run.c.state, func.count())
        .where(~of_run.c.of_nobody)
        .group_by(of_run.c.ours, of_run.c.state)
    ).all()
    held = connection.execute(
        select(func.coalesce(of_run.c.reason, ""), func.count())
        .where(of_run.c.of_nobody)
        .group_by(of_run.c.reason)
        .order_by(func.count().desc(), of_run.c.reason)
    ).all()
    by_rule = connection.execute(
        select(rejections.c.rule, func.count())
        .where(rejections.c.run_id == run.id)
        .group_by(rejections.c.rule)
        .order_by(func.count().desc(), rejections.c.rule)
    ).all()
    rejected = connection.execute(
        # Line 0 is the roster's.
        select(func.count(distinct(rejections.c.line))).where(
            rejections.c.run_id == run.id, rejections.c.line > 0
        )
    ).scalar_one()
    kept = connection.execute(
        select(func.count())
        .select_from(pictures)
        .join(run_looks, run_looks.c.look_key == pictures.c.look_key)
        .join(looks, looks.c.key == pictures.c.look_key)
        .join(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id, batches.c.run_id == run.id, newest_pictures())
    ).scalar_one()
    calls, uses, cost = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(submissions.c.uses), 0),
            func.coalesce(func.sum(submissions.c.amount), 0),
        ).where(submissions.c.run_id == run.id, submissions.c.state.in_(_PAID))
    ).one()
    return Figures(
        rows=run.rows_read,
        rejected_rows=rejected,
        further=run.rows_further,
        left_out=run.rows_left_out,
        rejected_by_rule=dict(by_rule),
        known=run.looks_known,
        looks=Counter({LookState(state): count for is_ours, state, count in counted if is_ours}),
        elsewhere=sum(count for is_ours, _, count in counted if not is_ours),
        held=dict(held),
        pictures=kept,
        submissions=calls,
        uses=uses,
        cost=cost,
        doubtful_cost=doubtful,
        currency=price.currency,
    )


def _looks(connection: Connection, run: Row[Any], most: int) -> tuple[ReportedLook, ...]:
    urgency = case(
        {state.value: place for place, state in enumerate(_TROUBLE)}, value=looks.c.state, else_=len(_TROUBLE)
    )
    first = (
        select(looks, batches.c.run_id.label("carrier"), carried_by_nobody(run.started_at).label("held"))
        .join(run_looks, run_looks.c.look_key == looks.c.key)
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id)
        .order_by(urgency, looks.c.position, looks.c.key)
        .limit(most)
    )
    found = sorted(connection.execute(first).all(), key=lambda row: (row.position, row.key))
    keys = [row.key for row in found]
    garments = _garments(connection, keys)
    made = _made(connection, keys)
    given = _given(connection, found)
    return tuple(
        _look(row, garments.get(row.key, []), made.get(row.key, []), given[row.key], run.id) for row in found
    )


def _look(
    row: Row[Any],
    garments: Sequence[_Garment],
    made: Sequence[Made],
    given: Sequence[Given],
    run_id: str,
) -> ReportedLook:
    return ReportedLook(
        key=row.key,
        skus=tuple(one.sku for one in garments),
        title=garments[0].title if garments else "",
        collection=garments[0].collection if garments else "",
        model=row.model,
        state=LookState(row.state),
        reason=row.reason or "",
        given=tuple(given),
        made=tuple(made),
        carried_by="" if row.held or row.carrier in {run_id, None} else row.carrier,
        held=row.held,
    )


def _given(connection: Connection, found: Sequence[Row[Any]]) -> dict[str, list[Given]]:
    """Each look's inputs, with what preflight had to say of each."""
    inputs = {
        row.key: [
            ("model", row.model_sha256),
            ("top", row.tops_sha256),
            *([("bottom", row.pants_sha256)] if row.pants_image else []),
        ]
        for row in found
    }
    digests = {sha256 for given in inputs.values() for _, sha256 in given if sha256}
    told = connection.execute(
        select(images.c.sha256, images.c.warnings).where(
            images.c.sha256 == func.any(sorted(digests)),
            func.jsonb_array_length(images.c.warnings) > 0,
            images.c.used_url.is_(None),  # the vendor got a copy that was put right
        )
    )
    # The same bytes may be behind several addresses.
    warnings = {row.sha256: tuple(row.warnings) for row in told}
    return {
        key: [Given(role, sha256, warnings.get(sha256, ())) for role, sha256 in given]
        for key, given in inputs.items()
    }


def _garments(connection: Connection, keys: Sequence[str]) -> dict[str, list[_Garment]]:
    found = connection.execute(
        select(
            garment_looks.c.look_key, garment_looks.c.sku, garment_looks.c.title, garment_looks.c.collection
        )
        .where(garment_looks.c.look_key.in_(keys))
        .order_by(garment_looks.c.sku, garment_looks.c.position)
    )
    garments: dict[str, list[_Garment]] = {}
    for row in found:
        garments.setdefault(row.look_key, []).append(_Garment(row.sku, row.title, row.collection))
    return garments


def _made(connection: Connection, keys: Sequence[str]) -> dict[str, list[Made]]:
    found = connection.execute(
        select(pictures)
        .join(looks, looks.c.key == pictures.c.look_key)
        .where(pictures.c.look_key.in_(keys), newest_pictures())
        .order_by(pictures.c.look_key, pictures.c.number)
    )
    made: dict[str, list[Made]] = {}
    for row in found:
        made.setdefault(row.look_key, []).append(
            Made(row.path, row.thumbnail, row.url, row.sha256, row.score)
        )
    return made


def _rejections(connection: Connection, run_id: str, most: int | None) -> Iterator[ReportedRejection]:
    statement = (
        select(rejections)
        .where(rejections.c.run_id == run_id)
        .order_by(rejections.c.line, rejections.c.id)
        .limit(most)
    )
    for row in connection.execute(statement.execution_options(yield_per=1_000)):
        yield ReportedRejection(
            line=row.line,
            sku=row.sku or "",
            rule=row.rule,
            column=row.column or "",
            value=row.image or row.value or "",
            measured=row.measured or "",
            limit=row.limit or "",
            reason=row.reason,
        )


def _with_images(connection: Connection, found: Sequence[ReportedRejection]) -> Iterator[ReportedRejection]:
    """Give each rejection the digest of the image it is about, where preflight has fetched one."""
    digests = _digests(connection, {one.value for one in found if "://" in one.value})
    return (replace(one, image_sha256=digests.get(one.value)) for one in found)


def _digests(connection: Connection, urls: Collection[str]) -> Mapping[str, str]:
    # Images are kept by their addresses' digests, for an address may be longer than an index takes.
    keys = [hashlib.sha256(url.encode()).hexdigest() for url in urls]
    known = select(images.c.url, images.c.sha256).where(
        images.c.url_sha256.in_(keys), images.c.sha256.is_not(None)
    )
    return {row.url: row.sha256 for row in connection.execute(known)}
