"""The hours of a night: until when its export is waited for, and by when it is to be done.

DAG files and every process of Airflow import this module, so it imports neither Airflow nor anything heavy.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta


def next_time(hour: time, after: datetime) -> datetime:
    """Give the first moment after another at which it is so late in the day.

    A night that is due at 22:00 and may wait until 01:00 waits for three hours, over midnight.

    Args:
        hour: Hour and minute, in UTC.
        after: A moment with a time zone.
    """
    day = after.astimezone(UTC)
    moment = datetime.combine(day.date(), hour, UTC)
    return moment if moment > day else moment + timedelta(days=1)


def utc_text(moment: datetime) -> str:
    """Give a moment as people read it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
