from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tryon_catalogue.planning.request import Redo, Request, read_request
from tryon_catalogue.settings import Settings
from tryon_catalogue.workflow.form import on_demand_form


def test_the_form_has_a_field_for_whatever_a_run_can_be_asked_for(settings: Settings) -> None:
    assert set(on_demand_form(settings)) == set(Request.model_fields)


def test_the_form_as_it_opens_asks_for_what_a_night_asks_for(settings: Settings) -> None:
    opened = {name: field.resolve() for name, field in on_demand_form(settings).items()}
    assert read_request(opened) == Request()


def test_every_field_has_a_title_and_help(settings: Settings) -> None:
    for name, field in on_demand_form(settings).items():
        assert field.schema["title"], name
        assert len(field.schema["description_md"].split()) >= 6, name


def test_what_is_asked_for_most_stands_where_the_form_opens(settings: Settings) -> None:
    form = on_demand_form(settings)
    first = [name for name, field in form.items() if "section" not in field.schema]
    assert first == ["skus", "collections", "export", "dry_run"]


def test_every_choice_has_words_of_its_own(settings: Settings) -> None:
    form = on_demand_form(settings)
    for name in ("tag", "fit_type", "inference_num", "redo"):
        schema = form[name].schema
        assert set(schema["values_display"]) == {str(value) for value in schema["enum"]}, name
    assert form["tag"].schema["enum"] == [None, "men", "women"]
    assert {one for one in form["redo"].schema["enum"] if one} == set(Redo)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("skus", "a"),
        ("skus", [1]),
        ("collections", {"autumn": 1}),
        ("tag", "children"),
        ("fit_type", "LEGS"),
        ("inference_num", 0),
        ("inference_num", 5),
        ("inference_num", "2"),
        ("budget", 0),
        ("budget", "much"),
        ("dry_run", "yes"),
        ("redo", "everything"),
        ("export", "/proc/self/environ"),
        ("export", "file:///etc/shadow"),
        ("export", "../tryon.toml"),
        ("export", "s3://payroll@other-bucket/a.csv"),
    ],
)
def test_wrong_input_is_refused_by_the_form(settings: Settings, name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        on_demand_form(settings)[name].resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("skus", ["a"]),
        ("tag", "men"),
        ("fit_type", "FULL_BODY"),
        ("inference_num", 4),
        ("budget", 9.5),
        ("export", ""),
        ("export", "a.csv"),
    ],
)
def test_what_the_form_takes_a_run_can_be_asked_for(settings: Settings, name: str, value: Any) -> None:
    taken = on_demand_form(settings)[name].resolve(value)
    read_request({name: taken}).settings(settings)
