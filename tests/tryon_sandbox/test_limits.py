"""Calls a second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tryon_sandbox.limits import RateLimit


@given(
    rate=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 0.6), min_size=1, max_size=80),
)
def test_no_second_ever_holds_more_calls_than_the_rate(rate: int, gaps: list[float]) -> None:
    now = [100.0]
    limit = RateLimit(rate, lambda: now[0])
    passed = []
    for gap in gaps:
        now[0] += gap
        if limit.try_pass():
            passed.append(now[0])

    assert all(sum(1 for t in passed if start <= t < start + 1) <= rate for start in passed)
    assert passed[0] == 100.0 + gaps[0]


def test_a_refused_call_does_not_count() -> None:
    now = [0.0]
    limit = RateLimit(1, lambda: now[0])

    assert [limit.try_pass(), limit.try_pass(), limit.try_pass()] == [True, False, False]
    now[0] = 1.0
    assert limit.try_pass()


def test_a_rate_below_one_means_one_call_in_so_many_seconds() -> None:
    now = [0.0]
    limit = RateLimit(0.25, lambda: now[0])
    taken = []
    for second in range(9):
        now[0] = second
        taken.append(limit.try_pass())

    assert [at for at, passed in enumerate(taken) if passed] == [0, 4, 8]


def test_zero_lets_everything_through() -> None:
    limit = RateLimit(0, lambda: 0.0)

    assert all(limit.try_pass() for _ in range(1000))
