"""Reads the report of a run from the ledger, all of it as of one moment."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import case, func, select

from tryon_catalogue.ledger.pictures import newest_pictures
from tryon_catalogue.ledger.rejections import read_rejections
from tryon_catalogue.ledger.states import TROUBLE
from tryon_catalogue.ledger.tables import (
    batches,
    garment_looks,
    images,
    looks,
    pictures,
    run_looks,
    runs,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.account.reading import carried_by_nobody, count_run, every_run
from tryon_catalogue.reporting.report.extract import (
    EXPORT_ORDER,
    LOOKS_IN_REVIEW,
    LOOKS_ON_A_PAGE,
    REJECTIONS_ON_A_PAGE,
    conditions,
    read_part,
)
from tryon_catalogue.reporting.report.facts import (
    Report,
    ReportedDoubt,
    ReportedInput,
    ReportedLook,
    ReportedPicture,
)
from tryon_catalogue.submission import doubts
from tryon_catalogue.submission.stops import active_stops

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row, Select

    from tryon_catalogue.exports import Rejection
    from tryon_catalogue.reporting.report.facts import Extract, Selection
    from tryon_catalogue.settings import Price

LAST: Final = "last"
"""In place of a run's id: the run that started last."""
MOST_LOOKS: Final = 5_000
"""Looks on one page: more would be too large a file to send or to open."""
MOST_REJECTIONS: Final = 1_000
"""Rejections on one page; the spreadsheet has all of them."""

_NAMED_RUNS: Final = 5


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
        run_id: ``dag_id/run_id``, or `LAST`.
        most_looks: Looks to read; those with trouble come first when there are more.
        most_rejections: Rejections to read.

    Raises:
        NoSuchRunError: There is no such run.
    """
    with _as_of_one_moment(engine) as connection:
        run = find_run(connection, run_id)
        urgency = case(
            {state.value: place for place, state in enumerate(TROUBLE)},
            value=looks.c.state,
            else_=len(TROUBLE),
        )
        first = _looks_of(run).order_by(urgency, *EXPORT_ORDER).limit(most_looks)
        chosen = sorted(connection.execute(first), key=lambda row: (row.position, row.key))
        return _report(
            connection,
            run,
            price,
            reported=_reported(connection, run, chosen),
            rejected=tuple(read_rejections(connection, run.id, most_rejections)),
        )


def read_extract(engine: Engine, price: Price, run_id: str, selection: Selection) -> Report:
    """Read what one page of the Airflow UI shows of a run.

    Args:
        run_id: ``dag_id/run_id``.

    Raises:
        NoSuchRunError: There is no such run.
    """
    with _as_of_one_moment(engine) as connection:
        run = find_run(connection, run_id)
        of_run = _looks_of(run).order_by(*EXPORT_ORDER)
        review = of_run.where(looks.c.state == LookState.REVIEW).limit(LOOKS_IN_REVIEW)
        in_review = _reported(connection, run, connection.execute(review).all())
        extract = read_part(connection, run.id, selection, in_review)
        chosen = (
            of_run.where(*conditions(selection))
            .limit(LOOKS_ON_A_PAGE)
            .offset((extract.page - 1) * LOOKS_ON_A_PAGE)
        )
        before = (extract.rejection_page - 1) * REJECTIONS_ON_A_PAGE
        return _report(
            connection,
            run,
            price,
            reported=_reported(connection, run, connection.execute(chosen).all()),
            rejected=tuple(read_rejections(connection, run.id, REJECTIONS_ON_A_PAGE, after=before)),
            extract=extract,
        )


def _report(
    connection: Connection,
    run: Row[Any],
    price: Price,
    *,
    reported: tuple[ReportedLook, ...],
    rejected: tuple[Rejection, ...],
    extract: Extract | None = None,
) -> Report:
    return Report(
        run_id=run.id,
        # What stands before the name may be a server's address.
        export=run.export.rstrip("/").rpartition("/")[2],
        started_at=run.started_at,
        ended_at=run.ended_at if run.is_closed else None,
        made_at=connection.execute(select(func.now())).scalar_one(),
        account=count_run(connection, run, price.currency),
        looks=reported,
        rejections=rejected,
        rejected_images=_digests(
            connection, {rejection.subject for rejection in rejected if "://" in rejection.subject}
        ),
        doubts=tuple(ReportedDoubt(doubt, doubt.amount) for doubt in doubts.of_run(connection, run.id)),
        stops=active_stops(connection),
        extract=extract,
    )


def every_rejection(engine: Engine, run_id: str) -> Iterator[Rejection]:
    """Read every rejection of a run in the order of the export, a few at a time.

    Args:
        run_id: ``dag_id/run_id``, or `LAST`.

    Raises:
        NoSuchRunError: There is no such run.
    """
    with _as_of_one_moment(engine) as connection:
        yield from read_rejections(connection, find_run(connection, run_id).id)


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
    every = every_run()
    newest = every.order_by(runs.c.started_at.desc(), runs.c.id)
    query = newest.limit(1) if run_id == LAST else every.where(runs.c.id == run_id)
    run = connection.execute(query).one_or_none()
    if run is not None:
        return run
    ids = [row.id for row in connection.execute(newest.limit(_NAMED_RUNS))]
    hint = f"The newest ones are: {', '.join(ids)}." if ids else "No run has read an export yet."
    raise NoSuchRunError(f"The ledger has no run {run_id}. {hint}")


def _looks_of(run: Row[Any]) -> Select[Any]:
    return (
        select(looks, batches.c.run_id.label("carrier"), carried_by_nobody(run.started_at).label("held"))
        .join(run_looks, run_looks.c.look_key == looks.c.key)
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id)
    )


def _reported(connection: Connection, run: Row[Any], found: Sequence[Row[Any]]) -> tuple[ReportedLook, ...]:
    keys = [row.key for row in found]
    garments = _garments(connection, keys)
    pictures_of = _pictures(connection, keys)
    inputs = _inputs(connection, found)
    return tuple(
        _look(row, garments.get(row.key, []), pictures_of.get(row.key, []), inputs[row.key], run.id)
        for row in found
    )


def _look(
    row: Row[Any],
    garments: Sequence[_Garment],
    shown_pictures: Sequence[ReportedPicture],
    inputs: Sequence[ReportedInput],
    run_id: str,
) -> ReportedLook:
    return ReportedLook(
        key=row.key,
        skus=tuple(garment.sku for garment in garments),
        title=garments[0].title if garments else "",
        collection=garments[0].collection if garments else "",
        model=row.model,
        state=LookState(row.state),
        reason=row.reason or "",
        inputs=tuple(inputs),
        pictures=tuple(shown_pictures),
        carried_by="" if row.held or row.carrier in {run_id, None} else row.carrier,
        held=row.held,
    )


def _inputs(connection: Connection, found: Sequence[Row[Any]]) -> dict[str, list[ReportedInput]]:
    """Give each look's inputs, each with the warnings of preflight."""
    digests_of = {
        row.key: [
            ("model", row.model_sha256),
            ("top", row.tops_sha256),
            *([("bottom", row.pants_sha256)] if row.pants_image else []),
        ]
        for row in found
    }
    digests = {sha256 for inputs in digests_of.values() for _, sha256 in inputs if sha256}
    warned = connection.execute(
        select(images.c.sha256, images.c.warnings).where(
            images.c.sha256 == func.any(sorted(digests)),
            func.jsonb_array_length(images.c.warnings) > 0,
            images.c.used_url.is_(None),  # the vendor got a copy that was put right
        )
    )
    # The same bytes may be behind several addresses.
    warnings = {row.sha256: tuple(row.warnings) for row in warned}
    return {
        key: [ReportedInput(role, sha256, warnings.get(sha256, ())) for role, sha256 in inputs]
        for key, inputs in digests_of.items()
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


def _pictures(connection: Connection, keys: Sequence[str]) -> dict[str, list[ReportedPicture]]:
    published = looks.c.state == LookState.PUBLISHED.value
    found = connection.execute(
        select(pictures, (published & ~pictures.c.shown).label("left_out"))
        .join(looks, looks.c.key == pictures.c.look_key)
        .where(pictures.c.look_key.in_(keys), newest_pictures() | published)
        .order_by(pictures.c.look_key, pictures.c.number)
    )
    pictures_of: dict[str, list[ReportedPicture]] = {}
    for row in found:
        pictures_of.setdefault(row.look_key, []).append(
            ReportedPicture(
                row.path,
                row.thumbnail,
                row.url,
                row.sha256,
                row.score,
                number=row.number + 1,
                doubts=row.doubts or "",
                left_out=row.left_out,
            )
        )
    return pictures_of


def _digests(connection: Connection, urls: Collection[str]) -> Mapping[str, str]:
    # Images are kept by their addresses' digests, for an address may be longer than an index takes.
    keys = [hashlib.sha256(url.encode()).hexdigest() for url in urls]
    known = select(images.c.url, images.c.sha256).where(
        images.c.url_sha256.in_(keys), images.c.sha256.is_not(None)
    )
    return {row.url: row.sha256 for row in connection.execute(known)}
