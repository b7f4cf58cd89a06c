"""How the report gets into the Airflow UI, and into no process but its API server."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow import plugins_manager
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
from fastapi import FastAPI

from tryon_catalogue.desk.report_plugin import REPORT_PATH, TryOnReportPlugin


def test_airflow_takes_it_for_a_plugin_with_one_app() -> None:
    assert plugins_manager.is_valid_plugin(TryOnReportPlugin)
    (mounted,) = TryOnReportPlugin().fastapi_apps
    assert isinstance(mounted["app"], FastAPI)
    assert mounted["url_prefix"] == REPORT_PATH


def test_it_is_a_tab_of_dag_runs_that_leads_to_the_page() -> None:
    (view,) = TryOnReportPlugin.external_views
    told = ExternalViewResponse.model_validate(view)
    assert (told.destination, told.url_route) == ("dag_run", "tryon_report")
    filled = told.href.replace("{DAG_ID}", "tryon_nightly").replace("{RUN_ID}", "manual__1")
    assert filled == "tryon-report/run?dag_id=tryon_nightly&run_id=manual__1"
    (mounted,) = TryOnReportPlugin().fastapi_apps
    paths = {f"{mounted['url_prefix']}{route.path}".lstrip("/") for route in mounted["app"].routes}
    assert filled.partition("?")[0] in paths


def test_airflows_ui_fills_in_the_ids_that_the_address_has_places_for() -> None:
    """The UI is JavaScript; that it still knows these places is read from what it ships."""
    assets = Path(plugins_manager.__file__).parent / "ui" / "dist" / "assets"
    scripts = [file.read_text(encoding="utf-8") for file in assets.glob("index-*.js")]
    assert any("{DAG_ID}" in script and "{RUN_ID}" in script for script in scripts)


def test_airflow_loads_the_tab_beside_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(
        name="other", external_views=[{"name": "x", "href": "x", "url_route": "x"}], react_apps=[]
    )
    monkeypatch.setattr(plugins_manager, "_get_plugins", lambda: ([other, TryOnReportPlugin()], {}))
    views, _ = plugins_manager._get_ui_plugins.__wrapped__()
    assert [view["url_route"] for view in views] == ["x", "tryon_report"]


def test_loading_it_does_not_load_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Airflow process loads plugins; the page brings FastAPI, Pillow and Airflow's security code along."""
    heavy = (
        "tryon_catalogue.desk.report_page",
        "tryon_catalogue.reporting.report.rendering",
        "tryon_catalogue.settings",
    )
    for name in heavy:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "tryon_catalogue.desk.report_plugin")
    importlib.import_module("tryon_catalogue.desk.report_plugin").TryOnReportPlugin()
    assert [name for name in heavy if name in sys.modules] == []
