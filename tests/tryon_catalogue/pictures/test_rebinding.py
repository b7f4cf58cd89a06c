"""Names that lead to another address the second time, asked of a real name server through the system's resolver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.tryon_catalogue.namespaces import output_of
from tests.tryon_catalogue.pictures.own_network import INSIDE, METADATA, PUBLIC


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Any]:
    """What came of fetching in a network where every address is one of ours."""
    return dict(json.loads(output_of("tests.tryon_catalogue.pictures.own_network")))


def test_whoever_looks_a_name_up_twice_is_led_inside(seen: Mapping[str, Any]) -> None:
    assert seen["naive"] == "the secret"


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(seen: Mapping[str, Any]) -> None:
    assert seen["judged"] == "the picture"
    assert seen["look-ups"]["rebound.test"] == 2  # one for it, one for the next


@pytest.mark.parametrize("case", ["rebound", "redirected", "redirected by number", "rebound between"])
def test_a_name_is_judged_anew_each_time_and_for_each_redirect(seen: Mapping[str, Any], case: str) -> None:
    assert "leads to the private address" in seen[case]


def test_of_a_name_with_both_kinds_of_addresses_the_public_one_is_taken(seen: Mapping[str, Any]) -> None:
    assert seen["both"] == "the picture"


def test_nobody_inside_is_ever_asked(seen: Mapping[str, Any]) -> None:
    assert set(seen["asked"]) == {PUBLIC}
    assert {INSIDE, METADATA}.isdisjoint(seen["asked"])
