"""Pictures on demand: some garments, another model, more pictures, a dry run first, or the same once more.

Press Trigger, fill in what you want, leave the rest empty. With everything empty it does what the night does. Only
what is new is paid for, unless you ask for it to be made again. A dry run says what would be made and what that costs,
and spends nothing. Which garments the run was about, and what became of each look, stands in its account.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag

from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow.form import on_demand_form
from tryon_catalogue.workflow.groups import default_args
from tryon_catalogue.workflow.night import make_pictures

settings = load_settings()


@dag(
    dag_id="tryon_on_demand",
    dag_display_name="Try-on: pictures on demand",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,  # it does nothing before somebody asks it to
    doc_md=__doc__,
    tags=["try-on"],
    default_args=default_args(settings),
    params=on_demand_form(settings),
)
def tryon_on_demand() -> None:
    """Do what a night does, for what the form asks for."""
    make_pictures(settings, wait_for_export=False)


tryon_on_demand()
