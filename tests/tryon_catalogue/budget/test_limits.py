from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tryon_catalogue.budget.limits import (
    Approved,
    Commitments,
    Kind,
    Limit,
    Room,
    cost_of,
    reason_for,
    share_of,
)
from tryon_catalogue.settings import BudgetSettings, Price, Use

KINDS = st.tuples(st.sampled_from(["HALF_BODY", "FULL_BODY"]), st.integers(1, 4))
LOOKS = st.lists(st.tuples(KINDS, st.sampled_from(["autumn", "winter", ""])), max_size=80)
MONEY = st.decimals(0, 60, places=2)


def price_of(use: Use = Use.LOOK, per_use: Decimal | str = "1") -> Price:
    return Price(use=use, per_use=Decimal(per_use))


def budget_of(**budget: Decimal | int) -> BudgetSettings:
    return BudgetSettings(**budget)  # type: ignore[arg-type]  # pydantic reads them


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    use=st.sampled_from(Use),
    per_use=st.sampled_from(["0.95", "1", "0", "3.333"]),
    requested=LOOKS,
    limits=st.tuples(MONEY, MONEY, MONEY),
    taken=st.tuples(MONEY, MONEY, MONEY),
    approved=st.builds(Approved, st.none() | MONEY, st.none() | st.integers(0, 20)),
)
def test_no_limit_is_passed_and_nothing_is_held_that_would_have_fitted(
    use: Use,
    per_use: str,
    requested: list[tuple[Kind, str]],
    limits: tuple[Decimal, ...],
    taken: tuple[Decimal, ...],
    *,
    approved: Approved,
) -> None:
    price = price_of(use, per_use)
    budget = budget_of(per_run=limits[0], per_day=limits[1], per_collection=limits[2])
    room = Room(price, budget, Commitments(taken[0], taken[1], {"autumn": taken[2]}), approved)
    kinds: Counter[Kind] = Counter()
    of_collection = Counter({"autumn": taken[2]})
    for kind, collection in requested:
        limit = room.take(kind, collection)
        more = cost_of(price, kinds + Counter([kind]))[1]
        bounds = {
            Limit.RUN: not limits[0] or taken[0] + more <= limits[0],
            Limit.DAY: not limits[1] or taken[1] + more <= limits[1],
            Limit.COLLECTION: not limits[2]
            or of_collection[collection] + share_of(price, kind) <= limits[2]
            or not share_of(price, kind),
            Limit.APPROVAL: (approved.amount is None or more <= approved.amount)
            and (approved.looks is None or kinds.total() < approved.looks),
        }
        # One look more costs nothing where its submission is paid for; then no amount of money keeps it.
        if more == cost_of(price, kinds)[1]:
            bounds[Limit.RUN] = bounds[Limit.DAY] = True
            bounds[Limit.APPROVAL] = approved.looks is None or kinds.total() < approved.looks
        if limit is None:
            assert all(bounds.values())
            kinds[kind] += 1
            of_collection[collection] += share_of(price, kind)
        else:
            assert not bounds[limit]


@hypothesis_settings(max_examples=40, deadline=None)
@given(requested=LOOKS, per_run=MONEY)
def test_what_another_run_has_reserved_counts_for_this_run_and_not_twice_for_the_day(
    requested: list[tuple[Kind, str]], per_run: Decimal
) -> None:
    budget = budget_of(per_run=per_run, per_day=1, per_collection=1)
    room = Room(price_of(), budget, Commitments(Decimal(0), Decimal(1), {"autumn": Decimal(1)}))
    took = [room.take(kind, collection, reserved=True) for kind, collection in requested]
    assert set(took) <= {None, Limit.RUN}
    assert not per_run or took.count(None) <= per_run


def test_looks_of_one_submission_cost_one_use_where_that_is_charged() -> None:
    room = Room(price_of(Use.SUBMISSION), budget_of(per_run=2), Commitments())
    kind = ("HALF_BODY", 1)
    assert [room.take(kind, "") for _ in range(21)] == [None] * 20 + [Limit.RUN]
    assert room.take(("FULL_BODY", 1), "") is Limit.RUN


@pytest.mark.parametrize(
    ("limit", "collection", "expected"),
    [
        (Limit.RUN, "", "per_run = ¥10"),
        (Limit.DAY, "", "per_day = ¥20"),
        (Limit.COLLECTION, "autumn", "per_collection = ¥30 of autumn"),
        (Limit.COLLECTION, "", "of garments without a collection"),
        (Limit.APPROVAL, "", "a person approved less"),
    ],
)
def test_a_look_that_waits_says_for_what(limit: Limit, collection: str, expected: str) -> None:
    reason = reason_for(limit, budget_of(per_run=10, per_day=20, per_collection=30), "CNY", collection)
    assert expected in reason
    assert "goes first in the next run" in reason
