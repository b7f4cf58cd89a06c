"""The one edge to the terminal: everything that the commands print passes here.

A terminal obeys some characters. Titles, skus, collections and the vendor's words come from others, and may hold them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.segment import Segment

from tryon_catalogue.words import CONTROLS

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType

_KEPT = "\t\n"


def visible(text: str) -> str:
    """Leave out of a text what a terminal obeys, and what changes the direction of writing."""
    return CONTROLS.sub(lambda found: found[0] if found[0] in _KEPT else "", text)


def say(text: str, *, err: bool = False) -> None:
    """Print a line.

    Args:
        err: Whether it is an error's.
    """
    typer.echo(visible(text), err=err)


class Terminal(Console):
    """A console that shows text and obeys none of it; colours and links are the caller's styles."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as a console does, and leave out what a terminal obeys."""
        for segment in super().render(renderable, options):
            # Those of control move the cursor for a live display: they hold no text.
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def terminal(*, err: bool = False, soft_wrap: bool = False, piped_width: int | None = None) -> Terminal:
    """Give the terminal.

    Args:
        err: The error's stream.
        soft_wrap: Whether the terminal wraps long lines, and not we.
        piped_width: Columns where nobody sees it, such as in a file.
    """
    width = None if piped_width is None or sys.stdout.isatty() else piped_width
    return Terminal(stderr=err, highlight=False, soft_wrap=soft_wrap, width=width)
