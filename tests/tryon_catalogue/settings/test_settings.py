"""The settings: what the file and the environment say, and what is said about what is wrong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tomllib
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.guards import GUARD
from tryon_catalogue.settings import (
    DEFAULT_FILE,
    OnDoubt,
    Pants,
    Price,
    Settings,
    SettingsError,
    Use,
    load_settings,
    normal_name,
)
from tryon_demo.scene import SAMPLES
from tryon_demo.scene import SETTINGS as SAMPLE_SETTINGS

LEAST = """
[export]
path = "exports/catalogue-{ds}.csv"
[[roster.models]]
name = "anna"
image = "https://images.example.com/anna.jpg"
tags = ["women"]
[[rules]]
category = "*"
fit_type = "HALF_BODY"
[catalogue]
table = "shop.products"
key = "sku"
columns.picture_url = "picture"
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TRYON_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(LEAST)
    return path


def problems(file: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(file.resolve()) in str(caught.value)
    return "\n".join(caught.value.problems)


@pytest.fixture
def shipped() -> Settings:
    """The project's own file as it is shipped; once it has become a shop's, only its reading is held."""
    settings = load_settings(DEFAULT_FILE)
    if Path(settings.export.path) != SAMPLES / "catalogue.csv":
        pytest.skip("include/tryon.toml is a shop's by now")
    return settings


def test_the_projects_own_file_is_read_where_no_other_is_named() -> None:
    settings = load_settings()
    assert settings == load_settings(DEFAULT_FILE)


def test_the_projects_own_file_as_shipped_fits_the_sample_shop(shipped: Settings) -> None:
    sample = load_settings(SAMPLE_SETTINGS)
    for section in ("rules", "catalogue", "price", "judgement", "labels", "batches"):
        assert getattr(shipped, section) == getattr(sample, section), section
    assert shipped.export.columns == sample.export.columns
    assert shipped.roster.models == sample.roster.models
    assert [rule.pants for rule in shipped.rules] == [Pants.NEVER, Pants.NEVER, Pants.REQUIRED]
    assert shipped.archive.path == str(DEFAULT_FILE.parent / "archive")
    assert (shipped.fetch.allow_private, sample.fetch.allow_private) == (False, True)


def test_the_hours_of_a_night_are_hours_of_the_day_or_left_out(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = load_settings(file).night
    assert (night.wait_until, night.done_by, night.catchup) == (time(5), time(6), False)
    assert night.start_date == date(2026, 1, 1)
    file.write_text(f'{LEAST}[night]\nwait_until = ""\ndone_by = "23:30"\nstart_date = 2025-11-01\n')
    night = load_settings(file).night
    assert (night.wait_until, night.done_by, night.start_date) == (None, time(23, 30), date(2025, 11, 1))
    monkeypatch.setenv("TRYON_NIGHT__DONE_BY", "")
    assert load_settings(file).night.done_by is None


@pytest.mark.parametrize("hour", ["24:00", "5:00", "05:60", "tomorrow", "05:00:00"])
def test_what_is_no_hour_of_the_day_is_named(file: Path, hour: str) -> None:
    file.write_text(f'{LEAST}[night]\nwait_until = "{hour}"\n')
    assert "night.wait_until" in (said := problems(file))
    assert 'such as "05:00"' in said


def test_by_default_nothing_is_sent_again_that_may_have_been_paid_for(file: Path) -> None:
    settings = load_settings(file)
    assert settings.safety.on_doubt is OnDoubt.HOLD
    assert settings.vendor.max_in_flight == 20
    assert settings.recovery.after_minutes == 10


def test_every_key_of_the_newer_sections_is_in_the_projects_own_file(shipped: Settings) -> None:
    content = tomllib.loads(DEFAULT_FILE.read_text())
    for name in ("vendor", "safety", "recovery"):
        assert set(content[name]) == set(type(getattr(shipped, name)).model_fields)


def test_what_the_file_leaves_out_has_a_default(file: Path) -> None:
    settings = load_settings(file)
    assert settings.vendor.conn_id == "damo_tryon"
    assert settings.ledger.schema_name == "tryon"
    assert settings.price.per_use == Decimal("0.95")
    assert settings.fetch.allow_private is False
    assert (settings.catalogue.schema_name, settings.catalogue.table_name) == ("shop", "products")
    assert settings.catalogue.columns.named == {"picture_url": "picture"}


def test_tryon_settings_names_another_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_SETTINGS", str(file))
    assert load_settings().catalogue.table == "shop.products"


def test_a_missing_file_is_named_with_the_way_to_name_another(tmp_path: Path) -> None:
    assert "TRYON_SETTINGS" in problems(tmp_path / "none.toml")


def test_relative_paths_start_at_the_files_folder_whatever_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "spring {ds} {"
    folder.mkdir()
    (folder / "shop.toml").write_text(LEAST)
    settings = load_settings(folder / "shop.toml")
    assert settings.export.path_for(date(2026, 1, 31)) == str(folder / "exports" / "catalogue-2026-01-31.csv")
    assert settings.archive.path == str(folder / "archive")


def test_urls_and_absolute_paths_stay_as_they_are(file: Path) -> None:
    file.write_text(
        LEAST.replace("exports/catalogue-{ds}", "s3://shop@bucket/{ds_nodash}")
        + '[archive]\npath="/pictures"'
    )
    settings = load_settings(file)
    assert settings.export.path_for(date(2026, 1, 31)) == "s3://shop@bucket/20260131.csv"
    assert settings.archive.path == "/pictures"


def test_the_environment_overrides_single_keys_at_any_depth(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_EXPORT__COLUMNS__SKU", "style_no")
    monkeypatch.setenv("TRYON_LEDGER__SCHEMA", "tryon_test")
    monkeypatch.setenv("TRYON_ROSTER__BASE_URL", "http://127.0.0.1:8000/models")
    monkeypatch.setenv("TRYON_PRICE__PER_USE", "1.10")
    settings = load_settings(file)
    assert settings.export.columns.sku == "style_no"
    assert settings.export.columns.category == "category"
    assert settings.ledger.schema_name == "tryon_test"
    assert settings.price.per_use == Decimal("1.10")
    assert [model.name for model in settings.roster.models] == ["anna"]


def test_the_environment_overrides_lists_as_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_RULES", '[{"category": ["dress"], "fit_type": "FULL_BODY"}]')
    assert [rule.category for rule in load_settings(file).rules] == [("dress",)]
    monkeypatch.setenv("TRYON_RULES", "[{")
    assert "JSON" in problems(file)


def test_an_empty_variable_takes_an_optional_key_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(LEAST + '[archive]\npublic_url = "https://cdn.example.com"')
    assert load_settings(file).archive.public_url == "https://cdn.example.com"
    monkeypatch.setenv("TRYON_ARCHIVE__PUBLIC_URL", "")
    assert load_settings(file).archive.public_url is None


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("TRYON_EXPORT__COLUMNS__SKUU", "a", "did you mean sku?"),
        ("TRYON_EXPROT__PATH", "a", "did you mean export?"),
        ("TRYON_PRICE__USE", "image", "price.use = 'image'"),
        ("TRYON_EXPORT__CHUNK_ROWS", "0", "export.chunk_rows = '0'"),
        ("TRYON_EXPORT__DELIMITER", '"', "export.delimiter"),
        ("TRYON_EXPORT__ENCODING", "utf-9", "export.encoding = 'utf-9'"),
        ("TRYON_EXPORT__ENCODING", "rot13", "export.encoding = 'rot13'"),
        ("TRYON_EXPORT__PATH", "a-{year}.csv", "only {ds} and {ds_nodash}"),
        ("TRYON_EXPORT__PATH", "", "export.path = ''"),
        ("TRYON_LEDGER__SCHEMA", "try on; drop", "ledger.schema = 'try on; drop'"),
        ("TRYON_CATALOGUE__KEY", 'a"b', "catalogue.key"),
        ("TRYON_CATALOGUE__TABLE", "a.b.c", "catalogue.table = 'a.b.c'"),
        ("TRYON_ACCOUNT__MIN_SUCCESS", "1.5", "account.min_success"),
        ("TRYON_ROSTER", "x", "JSON"),
    ],
)
def test_what_is_wrong_in_the_environment_is_told_with_the_key(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    text = problems(file)
    assert told in text
    assert variable in text or "JSON" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("key =", "kay =", "catalogue.key is missing: the column that holds the sku is expected"),
        ("key =", "kay =", "catalogue.kay: there is no such key; did you mean key?"),
        ("HALF_BODY", "HALF", "rules[1].fit_type = 'HALF': Input should be 'HALF_BODY' or 'FULL_BODY'"),
        ("[[rules]]", "[[ruls]]", "did you mean rules?"),
        ('columns.picture_url = "picture"', "columns = {}", "at least one of picture_url, "),
        ('columns.picture_url = "picture"', 'columns.status = "sku"', "a column of its own"),
        ('"https://images.example.com/anna.jpg"', '"anna.jpg"', "base_url may be missing"),
        ('"https://images.example.com/anna.jpg"', '"https://images.example.com/安娜 1.jpg"', "blanks"),
        ('category = "*"', "category = []", "rules[1].category = []"),
        ('fit_type = "HALF_BODY"', 'fit_type = "HALF_BODY"\ntag = "kids"', "rules[1].tag = 'kids'"),
        ("[export]", "[export", "TOML is expected"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_the_key(file: Path, old: str, new: str, told: str) -> None:
    file.write_text(LEAST.replace(old, new, 1))
    assert told in problems(file)


def test_every_problem_is_told_at_once_and_only_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_PRICE__PER_USE", "-1")
    file.write_text(LEAST.replace("HALF_BODY", "HALF").replace("key =", "kay ="))
    lines = problems(file).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "rules[1].fit_type",
        "price.per_use",
        "catalogue.key",
        "catalogue.kay:",
    ]


def test_a_password_in_a_url_is_not_repeated(file: Path) -> None:
    file.write_text(LEAST.replace("exports/", "s3://user:hunter2@bucket/{year}/"))
    text = problems(file)
    assert "hunter2" not in text
    assert "s3://user:***@bucket" in text


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (["shirt", "dress", "Shirt "], "rules[3] never counts for 'shirt': rules[1]"),
        (["shirt", "*", "dress"], "rules[3] never counts for 'dress': rules[2]"),
    ],
)
def test_a_rule_that_can_never_count_is_an_error(file: Path, rules: list[str], told: str) -> None:
    more = "".join(f'[[rules]]\ncategory = "{name}"\nfit_type = "HALF_BODY"\n' for name in rules)
    file.write_text(LEAST.replace('[[rules]]\ncategory = "*"\nfit_type = "HALF_BODY"\n', more))
    assert told in problems(file)


def test_an_order_by_priority_needs_a_column_with_priorities(file: Path) -> None:
    file.write_text(LEAST + '[budget]\norder = "priority"\n')
    assert "export.columns.priority is expected" in problems(file)


def test_two_models_of_one_name_are_an_error(file: Path) -> None:
    model = '[[roster.models]]\nname = "anna"\nimage = "https://images.example.com/a.jpg"\n'
    file.write_text(LEAST.replace("[[rules]]", f"{model}[[rules]]"))
    assert "models of the same name: anna" in problems(file)


def test_roster_images_are_put_after_the_base_url_unless_they_are_urls(file: Path) -> None:
    file.write_text(LEAST.replace("[export]", '[roster]\nbase_url = "http://127.0.0.1:1/models/"\n[export]'))
    roster = load_settings(file).roster
    assert roster.url("ben.jpg") == "http://127.0.0.1:1/models/ben.jpg"
    assert roster.url("https://cdn.example.com/ben.jpg") == "https://cdn.example.com/ben.jpg"


def test_settings_cannot_be_changed(file: Path) -> None:
    settings = load_settings(file)
    with pytest.raises(ValidationError):
        settings.export.chunk_rows = 1  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize(
    ("use", "uses", "cost"),
    [(Use.PICTURE, 8, "7.60"), (Use.LOOK, 4, "3.80"), (Use.SUBMISSION, 2, "1.90")],
)
def test_the_price_goes_by_what_one_use_is(use: Use, uses: int, cost: str) -> None:
    price = Price(use=use)
    assert price.uses(looks=4, pictures=8, submissions=2) == uses
    assert price.cost(looks=4, pictures=8, submissions=2) == Decimal(cost)


@pytest.mark.parametrize(
    ("submissions", "size"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (5000, 5), (5001, 6)]
)
def test_batches_grow_so_that_their_number_stays_in_bounds(file: Path, submissions: int, size: int) -> None:
    assert load_settings(file).batches.size_for(submissions) == size


@pytest.mark.parametrize(
    ("section", "key", "instead"),
    [
        ("vendor", "patience_seconds", "take it out"),
        ("batches", "pool_slots", "set [vendor] max_in_flight"),
        ("backfill", "pool_slots", "set [backfill] max_in_flight"),
    ],
)
def test_a_key_of_an_older_release_is_told_with_what_to_do_instead(
    file: Path, section: str, key: str, instead: str
) -> None:
    file.write_text(f"{LEAST}[{section}]\n{key} = 4\n")
    assert f"{section}.{key}: there is no such key any more; {instead}" in problems(file)


def test_categories_are_compared_as_people_write_them() -> None:
    assert normal_name(" Dress ") == normal_name("dress")


def test_a_settings_error_survives_the_way_between_two_processes(file: Path) -> None:
    error = SettingsError(file, ("a", "b"))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_settings_looks_and_casting_load_neither_pandas_nor_airflow_nor_a_database() -> None:
    code = (
        "import sys, tryon_catalogue.settings, tryon_catalogue.planning.casting, tryon_catalogue.exports;"
        "print([m for m in ('pandas', 'pyarrow', 'airflow', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=GUARD
    )
    assert done.stdout.strip() == "[]"
