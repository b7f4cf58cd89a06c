"""Every text is there in each language, and says the same things of the same values."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from tryon_catalogue import desk
from tryon_catalogue.desk.language import WORDS, Speech, language_of
from tryon_catalogue.desk.rendering import PAGES
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.judgement.checks import Check

HERE = Path(desk.__file__).parent
MADE = (
    "page_",
    "state_",
    "sub_",
    "check_",
    "reason_",
    "pane_",
    "stop_",
    "refused_",
    "doubt_done_",
    "left_of_",
    "by_",
    "said_",
)
"""Beginnings of names that are put together."""
CHINESE = re.compile("[\u4e00-\u9fff]")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_text_is_there_in_both_languages(name: str) -> None:
    english, chinese = WORDS[name]
    assert english.strip()
    assert not CHINESE.search(english)
    # "note: nothing" in Chinese is not an English word by accident.
    assert CHINESE.search(chinese) or not re.search("[A-Za-z]", chinese)
    assert places(english) - {"n"} == places(chinese) - {"n"}
    assert "|" not in chinese


def test_pages_use_only_texts_that_are_there_and_every_text_is_used() -> None:
    used = set()
    for file in [*HERE.rglob("*.html"), *HERE.glob("*.py")]:
        used |= set(re.findall(r'"(\w+)"', file.read_text("utf-8")))
        called = set(re.findall(r'(?:\bt|speech)\(\s*"(\w+)"[,)]', file.read_text("utf-8")))
        assert called <= WORDS.keys(), file.name
    assert {name for name in WORDS if not name.startswith(MADE)} <= used


def test_every_page_state_and_check_has_a_text() -> None:
    names = [f"page_{page}" for page in PAGES]
    names += [f"state_{state.value}" for state in LookState]
    names += [f"sub_{state.value}" for state in SubmissionState]
    names += [f"check_{check.value}" for check in Check]
    assert [name for name in names if name not in WORDS] == []


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de,en;q=0.7,zh;q=0.3", "en"),
        ("en;q=0.5, zh-Hans;q=0.6", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_numbers_are_grouped_and_one_is_one() -> None:
    assert Speech("en")("looks_n", n=1) == "1 look"
    assert Speech("en")("looks_n", n=1900) == "1,900 looks"
    assert Speech("zh")("looks_n", n=1900) == "1,900 个试穿"
