"""The catalogue as an Airflow asset: its events tell the shop's own DAGs that there is something new to show.

A run sends an event when it changed the catalogue's table, and only then; hence the alias, which lets a task decide.
DAG files import this module: it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Asset, AssetAlias

from tryon_catalogue.ledger.states import ENDED, NEED_A_PERSON

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tryon_catalogue.reporting.account import Account

CATALOGUE: Final = Asset("tryon_catalogue")
"""What a DAG of the shop names as its schedule."""
CATALOGUE_ALIAS: Final = AssetAlias("tryon_catalogue_news")
"""The outlet of the tasks that may change the catalogue."""


def event_of(account: Account) -> dict[str, Any]:
    """Give what stands in the event of a run that changed the catalogue: its counts, and whose they are."""
    # A state that a look stays in; what is under way is counted once it stands there.
    stays = dict.fromkeys((*ENDED, *NEED_A_PERSON))
    return {
        "run_id": account.run_id,
        "export_date": None if account.export_date is None else account.export_date.isoformat(),
        **{state.value.lower(): account.looks.get(state.value, 0) for state in stays},
        "waiting": sum(account.reasons_not_sent.values()),
        "rejected_rows": account.rejected_rows,
        "uses": account.uses,
        "amount": str(account.cost),
        "currency": account.currency,
    }


def announce(account: Account, context: Context) -> None:
    """Send an event of the catalogue once the task has succeeded.

    Args:
        context: Airflow's, of a task with ``CATALOGUE_ALIAS`` among its outlets.
    """
    context["outlet_events"][CATALOGUE_ALIAS].add(CATALOGUE, extra=event_of(account))
