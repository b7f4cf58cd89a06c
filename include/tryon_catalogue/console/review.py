"""`tryon review`: looks that wait for a person's word, and what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tryon_catalogue.console.common import By, CommandError, Looks, decide, ledger
from tryon_catalogue.settings import load_settings
from tryon_catalogue.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.ledger.decisions import Word
    from tryon_catalogue.ledger.moves import Mover

review_app = typer.Typer()

WhatIsWrong = Annotated[
    list[str] | None,
    typer.Option("--reason", help="What is wrong, such as colour. May be said several times."),
]
Note = Annotated[str, typer.Option(help="What is wrong, in your own words.")]
Only = Annotated[
    list[int] | None,
    typer.Option(min=1, help="Number of a picture; the others are left out. May be repeated."),
]


@review_app.callback(invoke_without_command=True)
def review(context: typer.Context) -> None:
    """List the looks that wait for your word: why, and where their pictures are, if they could be had."""
    if context.invoked_subcommand is not None:
        return
    from tryon_catalogue.publishing.review import open_reviews

    with ledger() as (_, engine), engine.connect() as connection:
        found = open_reviews(connection)
    for look in found:
        say(f"{look.key[:10]}: {', '.join(look.skus) or 'of no garment now'} on {look.model or 'a model'}")
        say(f"    {look.reason}")
        for path in look.paths or ("No new picture of it is with us.",):
            say(f"    {path}")
    say(REVIEW_HELP if found else "Nothing waits for review.")


REVIEW_HELP = """
Look at the pictures, then
  tryon review accept LOOK...   they are good enough: they go to the catalogue (--only 1: that picture alone)
  tryon review again LOOK...    they are planned, and paid for, again
  tryon review refuse LOOK...   they are given up: nothing of them is shown, and nothing is made by itself
  tryon review collect LOOK...  no picture is with us: the vendor is asked once more, which is free
  tryon review undo             you take your last decision back"""


@review_app.command()
def accept(looks: Looks, only: Only = None, by: By = None) -> None:
    """Publish looks on your word: their pictures are good enough."""
    from tryon_catalogue.ledger.decisions import Word
    from tryon_catalogue.publishing.review import accept as publish

    settings = load_settings()
    word = Word(numbers=frozenset(number - 1 for number in only) if only else None)
    decide(
        lambda engine, names, mover: publish(engine, settings, names, mover, word),
        looks,
        by,
        "is published.",
    )


@review_app.command("again")
def remake_looks(looks: Looks, by: By = None, reason: WhatIsWrong = None, note: Note = "") -> None:
    """Plan looks again on your word: the next run that wants them sends, and pays for, them again."""
    from tryon_catalogue.publishing.review import remake

    word = _word(reason, note)
    decide(
        lambda engine, names, mover: remake(engine, names, mover, word),
        looks,
        by,
        "is planned again; the next run that wants it sends it, and it is paid for again.",
    )


@review_app.command("refuse")
def refuse_looks(looks: Looks, by: By = None, reason: WhatIsWrong = None, note: Note = "") -> None:
    """Give looks up on your word: their pictures are not shown, and none are made by themselves."""
    from tryon_catalogue.publishing.review import refuse

    settings, word = load_settings(), _word(reason, note)
    decide(
        lambda engine, names, mover: refuse(engine, settings, names, mover, word),
        looks,
        by,
        "is given up; `tryon retry` would plan it again.",
    )


@review_app.command()
def collect(looks: Looks, by: By = None) -> None:
    """Have the vendor asked once more for pictures that could not be had: nothing is paid again."""
    from tryon_catalogue.publishing.review import recollect

    decide(recollect, looks, by, "is asked for by the next run of tryon_recover.")


@review_app.command()
def undo(
    look: Annotated[
        str | None, typer.Argument(help="Beginning of a look's key. Your last decision without it.")
    ] = None,
    by: By = None,
) -> None:
    """Take your own last decision back, as long as nothing has come of it."""
    from tryon_catalogue.publishing.review import CannotUndoError
    from tryon_catalogue.publishing.review import undo as take_back

    settings = load_settings()

    def word(engine: Engine, _: Sequence[str], mover: Mover) -> list[str]:
        try:
            return [take_back(engine, settings, mover, look)]
        except CannotUndoError as error:
            raise CommandError(str(error)) from error

    decide(word, [], by, "waits for review again.")


def _word(reasons: Sequence[str] | None, note: str) -> Word:
    from tryon_catalogue.ledger.decisions import Reason, Word

    if unknown := [reason for reason in reasons or () if reason not in list(Reason)]:
        raise CommandError(f"--reason {unknown[0]}: one of {', '.join(Reason)} is expected.")
    return Word(reasons=tuple(Reason(reason) for reason in reasons or ()), note=note)
