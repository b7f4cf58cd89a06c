"""Pieces that several DAGs are made of."""

from __future__ import annotations

import pytest

from tryon_catalogue.settings import Settings
from tryon_catalogue.workflow.groups import FEWEST_THAT_HOLD_WAITS, pool_of_waits


@pytest.mark.parametrize(
    ("most", "pool"),
    [(0, "shop"), (1, None), (FEWEST_THAT_HOLD_WAITS - 1, None), (FEWEST_THAT_HOLD_WAITS, "shop")],
)
def test_what_waits_for_results_stands_behind_no_line_in_a_pool_of_few_slots(
    settings: Settings, most: int, pool: str | None
) -> None:
    vendor = settings.vendor.model_copy(update={"max_in_flight": most})
    batches = settings.batches.model_copy(update={"pool": "shop"})
    assert pool_of_waits(settings.model_copy(update={"vendor": vendor, "batches": batches})) == pool
