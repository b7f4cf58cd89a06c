"""The night: the export of the date becomes pictures in the catalogue table.

Each garment is cast on models; each look that is new is submitted to the vendor, once; its pictures are archived and
their URLs written to the catalogue. A look that an earlier run has paid for is not paid for again, so clearing tasks
and starting a run anew are safe. The account at the end says what became of every row, and is red when too little
succeeded; looks in doubt wait for a person (`tryon doubts`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import CronDataIntervalTimetable, dag

from tryon_catalogue.form import collections_field, export_field
from tryon_catalogue.groups import default_args
from tryon_catalogue.making import make_pictures
from tryon_catalogue.settings import load_settings

settings = load_settings()


@dag(
    dag_id="tryon_nightly",
    schedule=CronDataIntervalTimetable(night, timezone="UTC") if (night := settings.night.schedule) else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["try-on"],
    default_args=default_args(settings),
    params={"export": export_field(), "collections": collections_field()},
)
def tryon_nightly() -> None:
    """Check and plan what the export asks for, submit, wait and publish each batch, account for every look."""
    make_pictures(settings)


tryon_nightly()
