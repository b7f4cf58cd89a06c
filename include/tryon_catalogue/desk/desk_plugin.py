"""Hangs the desk into the Airflow UI: an entry in the navigation, and the pages behind it.

Every Airflow process loads this module, workers and the triggerer included; only the API server asks for the app.
So the pages, and with them FastAPI and Airflow's security code, are imported when they are asked for.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

DESK_PATH = "/tryon-desk"
"""Where the API server serves the pages of ``tryon_catalogue.desk.app``."""


class TryOnDeskPlugin(AirflowPlugin):
    """Serves the pages below ``/tryon-desk``, and shows them as the entry "Try-on" of the navigation."""

    name = "tryon_desk"
    external_views: list[Any] = [  # noqa: RUF012  # declared like this by the base class
        {
            "name": "Try-on",
            # Without a slash in front: it is taken from where the UI is served, which may be below a path.
            "href": f"{DESK_PATH.lstrip('/')}/today",
            "destination": "nav",
            "url_route": "tryon",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # computed, so that it is lazy
        """The apps to mount, as Airflow expects them."""
        from tryon_catalogue.desk.app import create_app

        return [{"app": create_app(), "url_prefix": DESK_PATH, "name": "Try-on desk"}]
