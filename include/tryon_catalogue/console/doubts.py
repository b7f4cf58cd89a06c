"""`tryon doubts`: submissions whose answer never came, and how a person settles them."""

from __future__ import annotations

from typing import Annotated

import typer

from tryon_catalogue.console.common import By, CommandError, ledger, person
from tryon_catalogue.terminal import say

doubts_app = typer.Typer()


@doubts_app.callback(invoke_without_command=True)
def doubts(context: typer.Context) -> None:
    """List submissions whose answer never came, so that nobody knows whether they are paid for."""
    if context.invoked_subcommand is not None:
        return
    from tryon_catalogue.submission.doubts import open_doubts

    with ledger() as (settings, engine), engine.connect() as connection:
        found = open_doubts(connection)
    for doubt in found:
        cost = f"{doubt.amount} {settings.price.currency}"
        skus = ", ".join(doubt.skus) or "of no garment now"
        say(
            f"{doubt.id}: {doubt.looks} looks, {cost} if the vendor has it; sent {doubt.sent_at:%Y-%m-%d %H:%M %Z} "
            f"by {doubt.run_id}\n"
            f"    skus: {skus}{' ...' if doubt.more_skus else ''}\n"
            f"    what is known: {doubt.message or 'nothing'}"
            f"{f' (code {doubt.vendor_code})' if doubt.vendor_code else ''}"
            f"{f', request id {doubt.request_id}' if doubt.request_id else ''}"
        )
    say(DOUBTS_HELP if found else "Nothing is in doubt.")


DOUBTS_HELP = """
Compare the vendor's bill with the time and the number of looks, or ask its support with the request id; then
  tryon doubts resolve ID --found RESULT_KEY   the vendor has it: its pictures are collected
  tryon doubts resolve ID --lost               the vendor does not have it: it is sent again by the next run
  tryon doubts resolve ID --give-up            its looks are left as FAILED"""


@doubts_app.command()
def resolve(
    submission: Annotated[int, typer.Argument(metavar="ID", help="As `tryon doubts` shows it.")],
    found: Annotated[
        str | None, typer.Option(metavar="RESULT_KEY", help="The vendor has it under this key.")
    ] = None,
    lost: Annotated[bool, typer.Option("--lost", help="The vendor does not have it.")] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="Leave its looks as FAILED.")] = False,
    by: By = None,
) -> None:
    """Settle a doubt by your word, in exactly one of three ways."""
    from damo_tryon.errors import TryOnError
    from damo_tryon.hooks import DamoTryOnHook
    from tryon_catalogue.submission import doubts as ledger_doubts

    if [found is not None, lost, give_up].count(True) != 1:
        raise CommandError("Say one of --found RESULT_KEY, --lost and --give-up.")
    with ledger() as (settings, engine):
        try:
            if found is not None:
                count = ledger_doubts.record_found(
                    engine,
                    lambda conn_id: DamoTryOnHook(conn_id).query,
                    submission,
                    found.strip(),
                    by=person(by),
                    price=settings.price,
                )
                outcome = (
                    "are paid for; the next run of tryon_recover collects their pictures (now: `airflow dags trigger "
                    "tryon_recover`)"
                )
            elif lost:
                count = ledger_doubts.declare_lost(engine, submission, person(by))
                outcome = "are planned again; the next run that wants them sends them"
            else:
                count = ledger_doubts.give_up(engine, submission, person(by))
                outcome = "are FAILED; `tryon retry` would plan them again"
        except (ledger_doubts.DoubtError, TryOnError) as error:
            raise CommandError(str(error)) from error
    say(f"Submission {submission}: {count} looks {outcome}.")
