"""Hangs the results page into Airflow's API server.

Every Airflow process loads this module, workers and the triggerer included; only the API server asks for the
app. So the page, and with it FastAPI and Airflow's security code, is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from damo_tryon.names import RESULTS_PATH


class TryOnResultsPlugin(AirflowPlugin):
    """Serves ``/damo-tryon/results``, to which the Results link of a submit task leads."""

    name = "damo_tryon_results"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # computed, so that it is lazy
        """The apps to mount, as Airflow expects them."""
        from damo_tryon.results_page import create_app

        return [{"app": create_app(), "url_prefix": RESULTS_PATH, "name": "Try-on results"}]
