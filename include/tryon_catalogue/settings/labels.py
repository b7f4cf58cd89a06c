"""Labels: what archived pictures say of themselves, in their metadata and to the eye.

A section of the settings; ``settings`` puts them together and says where they are read.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from tryon_catalogue.settings.types import Name, OptionalName, Section

LONGEST_MARK = 60  # characters


def _check_line(text: str | None) -> str | None:
    if text is not None and not (text.strip() and text.isprintable() and len(text) <= LONGEST_MARK):
        raise ValueError(f"one line of visible characters is expected, at most {LONGEST_MARK} of them")
    return text


Line = Annotated[OptionalName, AfterValidator(_check_line)]
"""A line of text; "" is taken for "left out"."""


class LabelSettings(Section):
    """What archived pictures say of themselves."""

    enabled: bool = Field(
        True, description="whether pictures say in their metadata that a trained model made them"
    )
    creator_tool: Name = Field(
        "Alibaba DAMO Academy virtual try-on", description="what their metadata names as the tool"
    )
    mark: Line = Field(
        None,
        description='words drawn into the lower right corner, such as "AI生成"; empty for none; '
        "the picture is compressed again",
    )
    mark_font: OptionalName = Field(
        None, description="path of a font, for words in characters that the project's own font lacks"
    )
