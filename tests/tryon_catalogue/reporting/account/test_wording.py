from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tryon_catalogue.planning.request import NOTHING_THERE
from tryon_catalogue.reporting.account import Account, headline
from tryon_catalogue.reporting.account.wording import figures

NOTHING = Account("tryon_nightly/1", 24, 1, 0, {}, 0, 1, 1, Decimal("0.95"), "CNY", estimate=Decimal("3.80"))
HELD = {"waits for money: per_run = ¥0.50 is taken up": 3, "not sent": 1}


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ({}, "Nothing new to make"),
        ({"PUBLISHED": 1}, "The look published"),
        ({"FAILED": 1}, "0 of 1 look published"),
        ({"PUBLISHED": 1_200}, "All 1,200 looks published"),
        ({"PUBLISHED": 1, "FAILED": 1}, "1 of 2 looks published"),
    ],
)
def test_the_headline_says_how_the_run_ended(looks: dict[str, int], expected: str) -> None:
    assert headline(replace(NOTHING, looks=looks)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"problem": "the export is missing", "planned": False}, "No export"),
        ({"planned": False}, "The export was not read"),
        ({"planned": False, "ended": False}, "The export is being read"),
        ({"would_make": 4}, "Dry run: 4 looks would be made for ¥3.80; nothing was sent"),
        ({"may_be_empty": False, "rows": 0}, "The export has no row that is meant"),
        ({"may_be_empty": False, "left_out": {"status": 24}}, "The export has no row that is meant"),
        ({"cut": False, "held_for": HELD}, "The export was read, and nothing of it was sent"),
        ({"cut": False, "ended": False, "held_for": HELD}, "4 looks not sent yet"),
        ({"held_for": HELD}, "4 looks held back"),
        ({"ended": False, "held_for": HELD}, "4 looks not sent yet"),
        ({"held_for": HELD, "looks": {"PUBLISHED": 2}}, "2 of 2 looks published, 4 looks held back"),
        ({"elsewhere": 4}, "4 looks left to another run"),
        ({"rejected_rows": 24}, "Every row was rejected"),
        ({"rejected_rows": 20, "further": 3, "left_out": {"status": 1}}, "Every row was rejected"),
    ],
)
def test_a_run_that_made_nothing_is_not_said_to_have_had_nothing_to_make(
    changes: dict[str, object], expected: str
) -> None:
    assert headline(replace(NOTHING, **changes)) == expected


def test_an_export_without_rows_that_may_be_empty_is_nothing_to_wonder_at() -> None:
    assert headline(replace(NOTHING, rows=0)) == "Nothing new to make"


def test_states_are_told_in_the_order_in_which_people_are_shown_them() -> None:
    looks = {"PLANNED": 1, "FAILED": 2, "IN_DOUBT": 3, "PUBLISHED": 4}
    assert figures(replace(NOTHING, looks=looks))["looks"] == "4 PUBLISHED, 3 IN_DOUBT, 2 FAILED, 1 PLANNED"


def test_a_dry_run_of_which_no_rejections_are_kept_does_not_say_that_there_are_none() -> None:
    read = figures(replace(NOTHING, would_make=4, rejected_rows=0))
    assert (read["rows"], read["looks"]) == ("24 read", "4 would be made")


def test_a_request_that_names_nothing_is_the_headline_and_not_an_export_that_was_not_read() -> None:
    problem = f"{NOTHING_THERE}. The export x.csv has no row of what was asked for: only sku SW-0970."
    assert headline(replace(NOTHING, problem=problem)) == NOTHING_THERE
    assert headline(replace(NOTHING, problem="There is no export.")) == "No export"
