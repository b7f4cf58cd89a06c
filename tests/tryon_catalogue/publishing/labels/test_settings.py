from __future__ import annotations

import pytest
from pydantic import ValidationError

from tryon_catalogue.settings.labels import LabelSettings


def test_pictures_say_in_their_metadata_what_they_are_and_nothing_is_drawn_unless_asked() -> None:
    assert LabelSettings().enabled
    assert LabelSettings().creator_tool
    assert LabelSettings(mark="", mark_font="") == LabelSettings()


@pytest.mark.parametrize("words", [" ", "AI\n生成", "\t", "\u200b", "A" * 61])
def test_a_mark_is_one_short_line_of_visible_characters(words: str) -> None:
    with pytest.raises(ValidationError, match="mark"):
        LabelSettings(mark=words)
    assert LabelSettings(mark="AI生成").mark == "AI生成"
