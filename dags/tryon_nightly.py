"""The night: the export of the date becomes pictures in the catalogue table.

An export that is late is waited for, up to an hour that is set, and is then said to be missing.
Each garment is cast on models; each look that is new is submitted to the vendor, once; its pictures are archived and
their URLs written to the catalogue. A look that an earlier run has paid for is not paid for again, so clearing tasks
and starting a run anew are safe. The account at the end says what became of every row, and the verdict is red when
too little succeeded; looks in doubt wait for a person (`tryon doubts`). DAGs that run on the asset `tryon_catalogue`
run when there are new pictures.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from airflow.sdk import CronDataIntervalTimetable, dag

from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow.deadlines import deadline_at
from tryon_catalogue.workflow.form import collections_field, export_field
from tryon_catalogue.workflow.groups import default_args
from tryon_catalogue.workflow.night import make_pictures

settings = load_settings()


@dag(
    dag_id="tryon_nightly",
    schedule=CronDataIntervalTimetable(night, timezone="UTC") if (night := settings.night.schedule) else None,
    start_date=datetime.combine(settings.night.start_date, time(), UTC),
    catchup=settings.night.catchup,
    deadline=deadline_at(settings.night.done_by),
    doc_md=__doc__,
    tags=["try-on"],
    default_args=default_args(settings),
    params={"export": export_field(settings), "collections": collections_field()},
)
def tryon_nightly() -> None:
    """Wait for the export, check and plan what it asks for, submit and publish each batch, account for every look."""
    make_pictures(settings, wait_for_export=True)


tryon_nightly()
