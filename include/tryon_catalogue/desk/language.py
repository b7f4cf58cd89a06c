"""The words of the pages, in each language, from one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tryon_catalogue.desk.words import common, doubts, garments, money, review, today

ENGLISH: Final = "en"
CHINESE: Final = "zh"
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({ENGLISH: "en", CHINESE: "zh-Hans"})
"""Each language that there are words in, and what HTML calls it."""

_PLACES: Final[Mapping[str, int]] = MappingProxyType({ENGLISH: 0, CHINESE: 1})

WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    common.WORDS | doubts.WORDS | today.WORDS | review.WORDS | garments.WORDS | money.WORDS
)
"""Name of a text -> the text in English and in Chinese. ``{…}`` are values; ``one|many`` are two English numbers."""


def language_of(accepted: str) -> str:
    """Choose the language that a browser prefers.

    Args:
        accepted: Its header Accept-Language.
    """
    best, weight = ENGLISH, 0.0
    for part in accepted.split(","):
        tag, _, quality = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            given = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and given > weight:
            best, weight = language, given
    return best


class Speech:
    """Gives texts in one language.

    Args:
        language: One of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._place = _PLACES[language]

    def __call__(self, name: str, **values: object) -> str:
        """Give a text.

        Args:
            name: In `WORDS`.
            values: What stands at its places. ``n`` also chooses between one and many.
        """
        text = WORDS[name][self._place]
        if "|" in text:
            one, many = text.split("|")
            text = one if values.get("n") == 1 else many
        shown = {key: f"{value:,}" if isinstance(value, int) else value for key, value in values.items()}
        return text.format(**shown) if shown else text
