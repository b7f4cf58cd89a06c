"""The document's table: written when asked for, and held to what the code knows."""

from __future__ import annotations

import os

import pytest

from tests.tryon_catalogue.publishing.judgement.table import DOCUMENT, KEYS, measure, rows_of_document, write
from tryon_catalogue.publishing.judgement import Check
from tryon_catalogue.publishing.judgement.checks import RULES
from tryon_catalogue.settings.judgement import JudgementSettings
from tryon_sandbox.spoiling import Spoiling

WRITES = os.environ.get("TRYON_WRITE_JUDGEMENT_TABLE") == "1"


@pytest.fixture(scope="session", autouse=WRITES)
def written() -> None:
    """The document, written anew."""
    figures = measure()
    write(figures)


def test_the_document_has_every_check_with_the_limit_of_the_settings() -> None:
    rows = rows_of_document()

    for check in Check:
        (row,) = rows[check.value]
        assert f"| {RULES[check].limit(JudgementSettings()):g} |" in row


def test_the_document_names_for_each_check_the_key_that_sets_its_limit() -> None:
    rows = rows_of_document()
    limits = {name for name in JudgementSettings.model_fields if name.startswith(("min_", "max_"))}

    assert set(KEYS.values()) == limits - {"max_pixels"}  # that one is no check, but a guard
    for check, key in KEYS.items():
        (row,) = rows[check.value]
        assert row.startswith(f"`{key}` |")
        changed = JudgementSettings().model_copy(update={key: 0.123})
        assert RULES[check].limit(changed) == 0.123


def test_the_document_says_that_every_good_picture_passed_and_every_spoilt_one_was_caught() -> None:
    rows = rows_of_document()

    assert "108 pictures, 108 passed" in rows["check"][0]
    assert "54 pictures, 54 passed" in rows["check"][0]
    for how in Spoiling:
        assert all("27 of 27" in row for row in rows[f"`{how.value}`"]), how
        assert len(rows[f"`{how.value}`"]) == 2


def test_the_document_names_the_switch_that_writes_it() -> None:
    assert "TRYON_WRITE_JUDGEMENT_TABLE=1" in DOCUMENT.read_text(encoding="utf-8")
