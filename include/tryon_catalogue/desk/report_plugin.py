"""Hangs the report into the Airflow UI: a tab on every DAG run, and the page behind it.

Every Airflow process loads this module, workers and the triggerer included; only the API server asks for the app.
So the page, and with it FastAPI and Airflow's security code, is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

REPORT_PATH = "/tryon-report"
"""Where the API server serves the pages of ``tryon_catalogue.desk.report_page``."""


class TryOnReportPlugin(AirflowPlugin):
    """Serves ``/tryon-report/run``, and shows it as a tab of a DAG run."""

    name = "tryon_report"
    external_views: list[Any] = [  # noqa: RUF012  # declared like this by the base class
        {
            "name": "Try-on report",
            # Without a slash in front: it is taken from where the UI is served, which may be below a path. Airflow
            # puts in the ids, encoded.
            "href": f"{REPORT_PATH.lstrip('/')}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "tryon_report",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # computed, so that it is lazy
        """The apps to mount, as Airflow expects them."""
        from tryon_catalogue.desk.report_page import create_app

        return [{"app": create_app(), "url_prefix": REPORT_PATH, "name": "Try-on report"}]
