"""How the desk gets into the Airflow UI, and into no process but its API server."""

from __future__ import annotations

import importlib
import sys

import pytest
from airflow import plugins_manager
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
from fastapi import FastAPI

from tryon_catalogue.desk.desk_plugin import DESK_PATH, TryOnDeskPlugin


def test_airflow_takes_it_for_a_plugin_with_one_app() -> None:
    assert plugins_manager.is_valid_plugin(TryOnDeskPlugin)
    (mounted,) = TryOnDeskPlugin().fastapi_apps
    assert isinstance(mounted["app"], FastAPI)
    assert mounted["url_prefix"] == DESK_PATH


def test_it_is_an_entry_of_the_navigation_that_leads_to_a_page() -> None:
    (view,) = TryOnDeskPlugin.external_views
    told = ExternalViewResponse.model_validate(view)
    assert (told.name, told.destination, told.url_route) == ("Try-on", "nav", "tryon")
    (mounted,) = TryOnDeskPlugin().fastapi_apps
    paths = {f"{mounted['url_prefix']}{route.path}".lstrip("/") for route in mounted["app"].routes}
    assert told.href in paths


def test_loading_it_does_not_load_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = ("tryon_catalogue.desk.app", "tryon_catalogue.desk.serving", "tryon_catalogue.settings")
    for name in heavy:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "tryon_catalogue.desk.desk_plugin")
    importlib.import_module("tryon_catalogue.desk.desk_plugin").TryOnDeskPlugin()
    assert [name for name in heavy if name in sys.modules] == []
