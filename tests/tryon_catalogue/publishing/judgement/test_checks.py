"""Limits, grades and words of the checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tryon_catalogue.publishing.judgement.checks import RULES, Check, compared, not_measured
from tryon_catalogue.settings.judgement import Below, JudgementSettings

LIMITS = JudgementSettings()


def test_every_check_has_a_rule() -> None:
    assert set(RULES) == set(Check)


@given(check=st.sampled_from(Check), value=st.floats(0, 10_000, allow_nan=False))
def test_a_figure_gets_at_least_half_the_marks_exactly_when_it_passes(check: Check, value: float) -> None:
    result = compared(check, value, LIMITS)

    assert result.quality is not None
    assert 0 <= result.quality <= 1
    assert (result.quality >= 0.5) == result.passed


@given(check=st.sampled_from(Check), one=st.floats(0, 100), other=st.floats(0, 100))
def test_a_better_figure_never_gets_fewer_marks(check: Check, one: float, other: float) -> None:
    worse, better = sorted((one, other), reverse=not RULES[check].at_least)

    first, second = compared(check, worse, LIMITS).quality, compared(check, better, LIMITS).quality

    assert first is not None
    assert second is not None
    assert first <= second


@pytest.mark.parametrize("check", [check for check in Check if check is not Check.READABLE])
def test_the_limit_itself_still_passes_and_the_words_name_it(check: Check) -> None:
    limit = RULES[check].limit(LIMITS)
    beyond = limit * (0.5 if RULES[check].at_least else 2)

    assert compared(check, limit, LIMITS).passed
    refused = compared(check, beyond, LIMITS)
    assert not refused.passed
    assert RULES[check].limited.format(limit=limit) in refused.text
    assert RULES[check].advice in refused.text
    assert RULES[check].advice not in compared(check, limit, LIMITS).text


@pytest.mark.parametrize("check", Check)
def test_what_was_not_measured_neither_passes_nor_fails(check: Check) -> None:
    result = not_measured(check, "it is not at hand", LIMITS)

    assert (result.value, result.passed, result.quality) == (None, None, None)
    assert result.text == "not measured: it is not at hand"


def test_limits_come_from_the_settings() -> None:
    strict = JudgementSettings(max_colour_distance=1, min_side_px=2000)

    assert compared(Check.COLOURS, 2, LIMITS).passed
    assert not compared(Check.COLOURS, 2, strict).passed
    assert not compared(Check.SIZE, 1200, strict).passed
    assert LIMITS.below is Below.REVIEW


@pytest.mark.parametrize(
    "wrong",
    [
        {"below": "throw_away"},
        {"min_face": 2},
        {"max_colour_distance": 0},
        {"min_side_px": 0},
        {"nonsense": 1},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JudgementSettings.model_validate(wrong)
