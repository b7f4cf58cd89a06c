"""The looks that wait for a person's eye: which, in what order, and what is shown of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import HTTPException
from sqlalchemy import cast, false, func, select, true
from sqlalchemy.dialects.postgresql import JSONB

from tryon_catalogue.budget.commitments import read_commitments
from tryon_catalogue.desk.language import Speech
from tryon_catalogue.desk.pictures import Kind
from tryon_catalogue.ledger.decisions import Reason, claim
from tryon_catalogue.ledger.tables import claims, garment_looks, looks, pictures, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.judgement.checks import Check

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row

    from tryon_catalogue.desk.access import Visitor
    from tryon_catalogue.desk.serving import Shop

AHEAD: Final = 6
"""Looks that a page is told of: the one that it shows and five to load ahead."""
_MOST_CHOICES: Final = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of the waiting looks are meant; empty for all.

    Attributes:
        check: One of its pictures failed this check.
        collection: It is of this collection; "-" for looks without one.
        model: Roster name.
        run: A run has asked for it: ``dag_id/run_id``.
    """

    check: str = ""
    collection: str = ""
    model: str = ""
    run: str = ""

    @property
    def query(self) -> str:
        """The filters as the query of an address."""
        chosen = {name: getattr(self, name) for name in FILTERS}
        return urlencode({name: value for name, value in chosen.items() if value})


FILTERS: Final = ("check", "collection", "model", "run")
NO_COLLECTION: Final = "-"


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that a picture did not pass, with what was measured and the limit, where there are figures."""

    name: str
    value: str | None
    limit: str | None


@dataclass(frozen=True, slots=True)
class ReviewedPicture:
    """A new picture.

    Attributes:
        version: Digest of its bytes.
        judged: Whether our own check has looked at it.
        good: Whether nothing speaks against it.
    """

    number: int
    version: str
    judged: bool
    good: bool
    failed: tuple[FailedCheck, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """A picture that went in."""

    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class Before:
    """A picture that the catalogue shows by now, of this look or of another one of the garment."""

    key: str
    number: int
    version: str


@dataclass(frozen=True, slots=True)
class ReviewedLook:
    """A look that waits, as the page shows it.

    Attributes:
        name: Its skus.
        seen: What it was when it was read: a decision on what it is no more is refused.
        since: When it was put aside.
        price: Of making it again.
        left: Which limit -> what is left of it, None where there is no such limit.
    """

    key: str
    name: str
    title: str
    collection: str
    model: str
    run: str
    reason: str
    seen: str
    since: datetime
    inputs: tuple[Input, ...]
    pictures: tuple[ReviewedPicture, ...]
    before: tuple[Before, ...]
    price: Decimal
    left: tuple[tuple[str, Decimal | None], ...]


def waiting(filters: Filters) -> ColumnElement[bool]:
    """Select the looks that wait and that a filter means.

    Returns:
        Condition on ``tables.looks``.
    """
    which = looks.c.state == LookState.REVIEW.value
    if filters.check:
        failed = select(pictures.c.look_key).where(
            pictures.c.look_key == looks.c.key,
            ~pictures.c.shown,
            pictures.c.verdict[(filters.check, "passed")].astext == "false",
        )
        which &= failed.exists()
    if filters.collection:
        which &= looks.c.collection == ("" if filters.collection == NO_COLLECTION else filters.collection)
    if filters.model:
        which &= looks.c.model == filters.model
    if filters.run:
        of_run = select(run_looks.c.look_key).where(
            run_looks.c.look_key == looks.c.key, run_looks.c.run_id == filters.run
        )
        which &= of_run.exists()
    return which


def queue(connection: Connection, filters: Filters, known: Sequence[str] = (), person: str = "") -> list[str]:
    """Give the keys of the next looks, those that wait longest first.

    Args:
        known: Keys to leave out.
        person: Whose claims do not count.
    """
    of_others = select(claims.c.look_key).where(
        claims.c.look_key == looks.c.key, claims.c.person != person, claims.c.until > func.now()
    )
    which = waiting(filters) & ~(looks.c.key.in_(known) if known else false()) & ~of_others.exists()
    return list(
        connection.execute(
            select(looks.c.key).where(which).order_by(looks.c.moved_at, looks.c.key).limit(AHEAD)
        ).scalars()
    )


def next_looks(
    connection: Connection, visitor: Visitor, filters: Filters, known: Sequence[str] = ()
) -> list[str]:
    """Give the keys of the next looks that nobody else is shown, and keep them for who may decide.

    Args:
        connection: In a transaction; the caller commits.
        known: Keys to leave out.
    """
    keys = queue(connection, filters, known, visitor.name)
    return claim(connection, keys, visitor.name) if visitor.may_decide else keys


def count(connection: Connection, filters: Filters) -> int:
    """Count the looks that wait and that a filter means."""
    return connection.execute(select(func.count()).select_from(looks).where(waiting(filters))).scalar_one()


def read_review(shop: Shop, visitor: Visitor, filters: Filters, first: str = "") -> Mapping[str, Any]:
    """Read what the page shows: the first look, and which come next.

    Args:
        first: The key of the look to begin with; the one that waits longest without it.
    """
    speech = Speech(visitor.language)
    with shop.engine.begin() as connection:
        keys = next_looks(connection, visitor, filters, [first] if first else [])
        if first:
            keys = [first, *keys]
            claim(connection, [first] if visitor.may_decide else [], visitor.name)
        look = None
        while keys and look is None:
            look = read_look(connection, shop, keys.pop(0))
        return {
            "look": look,
            "next": keys,
            "total": count(connection, filters),
            "filters": _choices(connection, speech, filters),
            "filtered": bool(filters.query),
            "chosen": {name: getattr(filters, name) for name in FILTERS},
            "query": filters.query,
            "reasons": tuple(Reason),
            "currency": shop.settings.price.currency,
        }


def read_fragment(shop: Shop, key: str) -> Mapping[str, Any]:
    """Read what the part of the page shows that is one look's.

    Raises:
        fastapi.HTTPException: It does not wait any more.
    """
    with shop.engine.connect() as connection:
        look = read_look(connection, shop, key)
    if look is None:
        raise HTTPException(404)
    return {"look": look, "currency": shop.settings.price.currency}


def read_look(connection: Connection, shop: Shop, key: str) -> ReviewedLook | None:
    """Read a look that waits.

    Returns:
        The look; None where it does not wait any more.
    """
    look = connection.execute(
        select(looks).where(looks.c.key == key, looks.c.state == LookState.REVIEW.value)
    ).one_or_none()
    if look is None:
        return None
    garments = connection.execute(
        select(garment_looks).where(garment_looks.c.look_key == key).order_by(garment_looks.c.sku)
    ).all()
    new = connection.execute(
        select(pictures).where(pictures.c.look_key == key, ~pictures.c.shown).order_by(pictures.c.number)
    ).all()
    settings = shop.settings
    commitments = read_commitments(connection, settings.price, settings.budget, "")
    day, collection = settings.budget.per_day, settings.budget.per_collection
    spent = commitments.collections.get(look.collection, Decimal(0))
    return ReviewedLook(
        key=key,
        name=", ".join(dict.fromkeys(row.sku for row in garments)) or key[:10],
        title=garments[0].title if garments else "",
        collection=look.collection,
        model=look.model,
        run=_run_of(connection, key),
        reason=look.reason or "",
        seen=look.moved_at.isoformat(),
        since=look.moved_at,
        inputs=_inputs(look),
        pictures=tuple(_picture(row) for row in new),
        before=_before(connection, key, [row.sku for row in garments]),
        price=settings.price.cost(looks=1, pictures=look.inference_num, submissions=1),
        left=(
            ("day", max(Decimal(0), day - commitments.day) if day else None),
            ("collection", max(Decimal(0), collection - spent) if collection else None),
            ("run", settings.budget.per_run or None),
        ),
    )


def _inputs(look: Row[Any]) -> tuple[Input, ...]:
    kinds = (Kind.MODEL, Kind.TOPS, Kind.PANTS)
    digests = {kind: getattr(look, f"{kind.value}_sha256") for kind in kinds}
    return tuple(Input(kind.value, digest) for kind, digest in digests.items() if digest)


def _picture(row: Row[Any]) -> ReviewedPicture:
    verdict: Mapping[str, Mapping[str, Any]] = row.verdict or {}
    failed = tuple(
        FailedCheck(check.value, _figure(found.get("value")), _figure(found.get("limit")))
        for check in Check
        if (found := verdict.get(check.value)) and found.get("passed") is False
    )
    return ReviewedPicture(row.number, row.sha256, bool(verdict), not failed, failed)


def _figure(value: object) -> str | None:
    return f"{value:.3g}" if isinstance(value, int | float) else None


def _before(connection: Connection, key: str, skus: Sequence[str]) -> tuple[Before, ...]:
    """Give what the catalogue shows now: this look's pictures, else those of the garment's first look that has some."""
    # A list of its own: asked for in one query with an OR, it has the database read every picture.
    of_garment = connection.execute(
        select(garment_looks.c.look_key).where(garment_looks.c.sku.in_(skus))
    ).scalars()
    rows = connection.execute(
        select(pictures.c.look_key, pictures.c.number, pictures.c.sha256)
        .where(pictures.c.look_key.in_({key, *of_garment}), pictures.c.shown)
        .order_by(pictures.c.look_key != key, pictures.c.look_key, pictures.c.number)
        .limit(20)
    ).all()
    return tuple(
        Before(row.look_key, row.number, row.sha256) for row in rows if row.look_key == rows[0].look_key
    )


def _run_of(connection: Connection, key: str) -> str:
    """Give the run that asked for a look last."""
    found = connection.execute(
        select(run_looks.c.run_id)
        .join(runs, runs.c.id == run_looks.c.run_id)
        .where(run_looks.c.look_key == key)
        .order_by(runs.c.started_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found or ""


def _choices(
    connection: Connection, speech: Speech, filters: Filters
) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """Give what each filter may be set to: its name, its label, and (value, text, how many wait)."""
    every = waiting(Filters())
    checks = _failed_checks(connection, every)
    by_column = {
        name: connection.execute(
            select(column, func.count())
            .where(every)
            .group_by(column)
            .order_by(func.count().desc(), column)
            .limit(_MOST_CHOICES)
        ).all()
        for name, column in (("collection", looks.c.collection), ("model", looks.c.model))
    }
    # Of each look by its index: not all looks that runs ever asked for, joined with the few that wait.
    asked = select(run_looks.c.run_id).where(run_looks.c.look_key == looks.c.key).offset(0).lateral("asked")
    of_runs = connection.execute(
        select(asked.c.run_id, func.count())
        .select_from(looks.join(asked, true()))
        .where(every)
        .group_by(asked.c.run_id)
        .order_by(func.max(looks.c.moved_at).desc())
        .limit(_MOST_CHOICES)
    ).all()
    return [
        ("check", speech("filter_check"), [(name, speech(f"check_{name}"), n) for name, n in checks]),
        (
            "collection",
            speech("collection"),
            [
                (name or NO_COLLECTION, name or speech("no_collection"), n)
                for name, n in by_column["collection"]
            ],
        ),
        ("model", speech("model"), [(name, name, n) for name, n in by_column["model"] if name]),
        ("run", speech("run"), [(run, run, n) for run, n in of_runs]),
    ]


def _failed_checks(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, int]]:
    """Count in how many of the looks a picture failed each check."""
    checks = func.jsonb_each(pictures.c.verdict).table_valued("key", "value", name="checks")
    verdict = cast(checks.c.value, JSONB)
    rows = connection.execute(
        select(checks.c.key, func.count(looks.c.key.distinct()))
        .select_from(looks.join(pictures, pictures.c.look_key == looks.c.key).join(checks, true()))
        .where(which, ~pictures.c.shown, verdict["passed"].astext == "false")
        .group_by(checks.c.key)
        .order_by(func.count(looks.c.key.distinct()).desc(), checks.c.key)
    ).all()
    known = {check.value for check in Check}
    return [(name, n) for name, n in rows if name in known]
