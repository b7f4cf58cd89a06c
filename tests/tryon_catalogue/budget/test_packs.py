from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tryon_catalogue.budget.packs import Charge, allocate, pack_warnings, states_of
from tryon_catalogue.settings import Price
from tryon_catalogue.settings.money import Pack

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def pack(name: str = "small", size: int = 500, days: int = 0, **more: object) -> Pack:
    """A pack bought so many days after the twentieth of November."""
    return Pack(name=name, size=size, price=Decimal(475), bought_at=NOON + timedelta(days=days), **more)  # type: ignore[arg-type]  # pydantic reads them


def at(day: float, uses: int) -> Charge:
    return Charge(NOON + timedelta(days=day), uses)


def test_a_pack_is_good_for_thirty_days_unless_it_says_otherwise() -> None:
    assert pack().ends_at == NOON + timedelta(days=30)
    assert pack(expires_at="2026-12-01").ends_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_pack_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="after bought_at"):
        pack(expires_at="2026-11-01")


def test_two_packs_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="small stands for more than one"):
        Price(packs=(pack(), pack(days=1)))


def test_uses_come_from_the_pack_that_ends_first_and_what_is_beyond_from_none() -> None:
    packs = (pack("later", 10, days=5), pack("first", 4))
    paid = allocate(packs, [at(1, 3), at(6, 3), at(7, 20), at(8, 1)])
    assert paid == [{"first": 3}, {"first": 1, "later": 2}, {"later": 8}, {}]


def test_a_pack_pays_for_nothing_before_it_is_bought_or_after_it_ends() -> None:
    assert allocate((pack(),), [at(-1, 1), at(30, 1), at(29.9, 1)]) == [{}, {}, {"small": 1}]


@hypothesis_settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40)), max_size=4),
    charges=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 12)), max_size=20),
)
def test_no_pack_pays_for_more_than_it_has_nor_a_charge_gets_more_than_it_costs(
    sizes: list[tuple[int, int]], charges: list[tuple[int, int]]
) -> None:
    packs = [pack(f"p{number}", size, day) for number, (size, day) in enumerate(sizes)]
    in_order = [at(day, uses) for day, uses in sorted(charges)]
    paid = allocate(packs, in_order)
    assert all(sum(share.values()) <= charge.uses for share, charge in zip(paid, in_order, strict=True))
    for share in packs:
        assert sum(of_charge.get(share.name, 0) for of_charge in paid) <= share.size


def warnings(used: int, to_come: int, day: float, **more: object) -> tuple[str, ...]:
    price = Price(packs=(pack(**more),))  # type: ignore[arg-type]  # whatever the test says
    return pack_warnings(states_of(price, {"small": used}, NOON + timedelta(days=day)), to_come, price)


def test_a_pack_that_ends_before_the_run_does_is_told_with_what_the_rest_costs() -> None:
    (warning,) = warnings(400, 150, 1)
    assert "100 uses left" in warning
    assert "50 are charged one by one, ¥47.50" in warning


def test_uses_that_expire_soon_are_told() -> None:
    (warning,) = warnings(400, 20, 25)
    assert "80 uses of the pack small expire unused on 2026-12-20" in warning


def test_a_pack_with_room_and_time_is_worth_no_word() -> None:
    assert warnings(400, 20, 1) == ()
    assert pack_warnings((), 1000, Price()) == ()
