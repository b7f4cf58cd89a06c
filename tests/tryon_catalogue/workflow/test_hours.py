"""The hours of a night."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from tryon_catalogue.workflow.hours import next_time, utc_text


@pytest.mark.parametrize(
    ("hour", "after", "expected"),
    [
        (time(5), datetime(2026, 11, 21, 2, tzinfo=UTC), datetime(2026, 11, 21, 5, tzinfo=UTC)),
        (time(1), datetime(2026, 11, 21, 22, tzinfo=UTC), datetime(2026, 11, 22, 1, tzinfo=UTC)),
        (time(2), datetime(2026, 11, 21, 2, tzinfo=UTC), datetime(2026, 11, 22, 2, tzinfo=UTC)),
        (
            time(5),
            datetime(2026, 11, 21, 7, tzinfo=timezone(timedelta(hours=8))),  # 23:00 of the day before
            datetime(2026, 11, 21, 5, tzinfo=UTC),
        ),
    ],
    ids=["the same day", "over midnight", "a day on", "another time zone"],
)
def test_an_hour_is_the_next_time_that_it_is_so_late(hour: time, after: datetime, expected: datetime) -> None:
    assert next_time(hour, after) == expected


def test_moments_are_told_in_utc() -> None:
    moment = datetime(2026, 11, 21, 7, 30, tzinfo=timezone(timedelta(hours=8)))
    assert utc_text(moment) == "2026-11-20 23:30 UTC"
