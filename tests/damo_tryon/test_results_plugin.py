"""How the results page gets into Airflow's API server, and into no other process."""

from __future__ import annotations

import importlib
import sys

import pytest
from airflow.plugins_manager import is_valid_plugin
from fastapi import FastAPI

from damo_tryon import results_plugin
from damo_tryon.names import RESULTS_PATH


def test_airflow_takes_it_for_a_plugin_with_one_app() -> None:
    assert is_valid_plugin(results_plugin.TryOnResultsPlugin)
    (mounted,) = results_plugin.TryOnResultsPlugin().fastapi_apps
    assert isinstance(mounted["app"], FastAPI)
    assert mounted["url_prefix"] == RESULTS_PATH


def test_loading_it_does_not_load_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Airflow process loads plugins; the page brings FastAPI and Airflow's security code along."""
    heavy = ("damo_tryon.results_page", "damo_tryon.operators", "damo_tryon.hooks")
    for name in heavy:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delitem(sys.modules, "damo_tryon.results_plugin")
    importlib.import_module("damo_tryon.results_plugin").TryOnResultsPlugin()
    assert [name for name in heavy if name in sys.modules] == []
