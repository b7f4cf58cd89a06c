from __future__ import annotations

from decimal import Decimal

from tryon_catalogue.reporting.account import Account

ACCOUNT = Account(
    run_id="dag/run",
    rows=9,
    rejected_rows=3,
    known=0,
    looks={"PUBLISHED": 1, "PLANNED": 3},
    elsewhere=0,
    submissions=1,
    uses=1,
    cost=Decimal("0.95"),
    currency="CNY",
    rejections={"missing_image": 2, "bad_url": 1},
    held_for={"no money": 2, "not cut": 1},
    unsent_for={"not cut": 3},
)


def test_reasons_come_back_from_the_ledger_with_the_commonest_first() -> None:
    values = ACCOUNT.as_json()
    # PostgreSQL puts the names in an order of its own.
    for name in ("rejections", "held_for"):
        values[name] = dict(sorted(values[name].items()))
    read = Account.from_json(values)
    assert read == ACCOUNT
    assert (list(read.rejections), list(read.held_for)) == (
        ["missing_image", "bad_url"],
        ["no money", "not cut"],
    )


def test_an_account_of_an_earlier_release_is_read_without_the_reasons_it_did_not_have() -> None:
    new = ("ended", "held_for", "unsent_for", "rejections", "pictures")
    values = {name: value for name, value in ACCOUNT.as_json().items() if name not in new}
    read = Account.from_json(values)
    assert (read.held, read.reasons_not_sent, read.looks) == (0, {}, ACCOUNT.looks)


def test_what_waits_for_one_reason_is_told_together_wherever_it_waits() -> None:
    assert list(ACCOUNT.reasons_not_sent.items()) == [("not cut", 4), ("no money", 2)]
