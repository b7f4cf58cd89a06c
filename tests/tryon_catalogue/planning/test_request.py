from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from damo_tryon.contract import FitType
from tests.tryon_catalogue.helpers import pretend_checked
from tryon_catalogue.exports import REQUEST_LINE
from tryon_catalogue.ledger.tables import garment_looks, looks, rejections, run_looks, runs
from tryon_catalogue.planning.preview import preview_run
from tryon_catalogue.planning.record import Plan, plan_run, record_run
from tryon_catalogue.planning.request import (
    NOTHING_THERE,
    Redo,
    Request,
    RequestError,
    nothing_there,
    read_request,
    read_requested,
)
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings

HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
ROWS = (
    ("a", "Autumn", "shirt", "https://pictures.example/a.png"),
    ("b", "autumn ", "shirt", "https://pictures.example/b.png"),
    ("c", "winter", "shirt", "https://pictures.example/c.png"),
    ("d", "winter", "shirt", ""),
    ("e", "", "shirt", ""),
)


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> str:
    """An export of three garments in two collections and two rows that cannot be used; its pictures are checked."""
    file = tmp_path / "export.csv"
    file.write_text(
        HEADER + "".join(f"{sku},,{collection},{kind},{url},,,\n" for sku, collection, kind, url in ROWS)
    )
    pretend_checked(engine, settings, file)
    return str(file)


def plan(engine: Engine, settings: Settings, export: str, run: str, **asked: Any) -> Plan:
    request = Request(**asked)
    return plan_run(
        engine, request.settings(settings), Run(f"dag/{run}", export, date(2026, 11, 20), request)
    )


def skus_of(engine: Engine, run: str) -> list[str]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(garment_looks.c.sku)
                .join(run_looks, run_looks.c.look_key == garment_looks.c.look_key)
                .where(run_looks.c.run_id == f"dag/{run}")
                .order_by(garment_looks.c.sku)
            ).scalars()
        )


def test_an_empty_form_asks_for_what_a_night_asks_for() -> None:
    form = dict.fromkeys(Request.model_fields)
    form |= {"dry_run": False, "skus": [], "tag": "", "export": ""}  # type: ignore[dict-item]  # as the UI sends it
    assert read_request(form) == Request()
    assert not Request().narrow


def test_lists_lose_their_blanks_and_what_stands_twice() -> None:
    assert read_request({"skus": [" a ", "", "b", "a"]}).skus == ("a", "b")


@pytest.mark.parametrize("control", ["\0", "\n", "\x1b", "\x9b", "\u202e", "\ud800"])
def test_names_that_no_database_or_log_takes_are_asked_for_as_an_export_would_hold_them(
    engine: Engine, settings: Settings, export: str, control: str
) -> None:
    request = read_request({"skus": ["a", f"b{control}c"], "collections": [f"d{control}"]})
    record_run(engine, request.settings(settings), Run("dag/1", export, date(2026, 11, 20), request))
    with engine.connect() as connection:
        texts = "".join(connection.execute(select(rejections.c.reason)).scalars())
    assert "b\ufffdc" in texts
    assert control not in texts + request.describe("CNY")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"sku": ["a"]}, ["sku: a run cannot be asked for that", "skus", "collections"]),
        ({"skus": "a"}, ["skus = 'a'", "a list of skus is expected"]),
        ({"skus": [1]}, ["a list of skus is expected"]),
        ({"inference_num": 5}, ["inference_num = 5", "a number of pictures from 1 to 4"]),
        ({"inference_num": True}, ["a number of pictures from 1 to 4"]),
        ({"inference_num": 1.5}, ["a number of pictures from 1 to 4"]),
        ({"fit_type": "LEGS"}, ["fit_type = 'LEGS'", "HALF_BODY or FULL_BODY"]),
        ({"budget": 0}, ["budget = 0", "an amount of money above 0"]),
        ({"budget": "NaN"}, ["an amount of money above 0"]),
        ({"dry_run": "perhaps"}, ["dry_run = 'perhaps'", "true or false"]),
        ({"redo": "some"}, ["redo = 'some'", "all, failed or reviewed"]),
        ({"redo": "all"}, ["needs skus or collections", "refused for a whole export"]),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_plain_sentence(
    params: Mapping[str, Any], expected: list[str]
) -> None:
    with pytest.raises(RequestError) as refused:
        read_request(params)
    for word in expected:
        assert word in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_unknown_tag_is_refused_with_the_tags_there_are(settings: Settings) -> None:
    with pytest.raises(
        RequestError, match=r"tag = 'kids': no model of the roster has it; its tags are women, men"
    ):
        Request(tag="kids").settings(settings)


def test_a_request_changes_the_rules_and_lowers_the_limit_of_the_run(settings: Settings) -> None:
    asked = read_request({"tag": "MEN", "fit_type": "FULL_BODY", "inference_num": 3, "budget": 20.5})
    changed = asked.settings(settings)
    assert {(rule.tag, rule.fit_type, rule.inference_num) for rule in changed.rules} == {
        ("MEN", FitType.FULL_BODY, 3)
    }
    assert changed.budget.per_run == Decimal("20.5")
    assert Request(budget=Decimal(30)).settings(changed).budget.per_run == Decimal("20.5")
    assert Request().settings(settings) == settings


def test_what_a_run_is_asked_for_is_said_in_words() -> None:
    asked = Request(
        skus=("a", "b"), tag="studio", inference_num=2, budget=Decimal(20), redo=Redo.ALL, dry_run=True
    )
    assert asked.describe("CNY") == (
        "only skus a, b; models tagged studio; 2 pictures a look; for ¥20 at most; made again, published or not; "
        "as a dry run, which spends nothing"
    )
    assert Request(export="other.csv").describe("CNY") == ""
    assert Request.model_validate(asked.as_json()) == asked


def test_a_run_is_about_the_garments_it_was_asked_for_alone(
    engine: Engine, settings: Settings, export: str
) -> None:
    done = plan(engine, settings, export, "1", skus=("a", "d", "z", "y"))
    assert (done.rows, done.rejected, done.new) == (2, 1, 1)
    assert skus_of(engine, "1") == ["a"]
    with engine.connect() as connection:
        refused = connection.execute(select(rejections).order_by(rejections.c.line)).all()
        assert connection.execute(select(runs.c.request)).scalar_one() == {"skus": ["a", "d", "z", "y"]}
    assert [(rejection.line, rejection.sku, rejection.rule) for rejection in refused] == [
        (REQUEST_LINE, None, "unknown_sku"),
        (5, "d", "missing_image"),
    ]
    assert "skus z, y" in refused[0].reason


def test_a_request_that_names_nothing_is_told_the_nearest_skus(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "skus.csv"
    file.write_text("sku,title,collection,category,image_url\nSW-0907,T,a,shirt,https://x.example/1.png\n")
    words = nothing_there(Request(skus=("sw-0970", "quite-another")), str(file), settings)
    assert words.startswith(f"{NOTHING_THERE}. ")
    assert "skus sw-0970, quite-another" in words
    assert "Nearest in the export: SW-0907." in words


def test_a_collection_is_known_by_its_name_whatever_its_case(
    engine: Engine, settings: Settings, export: str
) -> None:
    done = plan(engine, settings, export, "1", collections=("AUTUMN", "summer"))
    assert (done.rows, done.rejected, done.new) == (2, 0, 2)
    assert skus_of(engine, "1") == ["a", "b"]
    with engine.connect() as connection:
        (only,) = connection.execute(select(rejections)).all()
    assert only.rule == "unknown_collection"
    assert "summer" in only.reason


def test_a_rejected_row_is_known_by_its_collection_too(settings: Settings, export: str) -> None:
    (chunk,) = read_requested(Request(collections=("winter",)), export, settings)
    assert [rejection.sku for rejection in chunk.rejections] == ["d"]


def test_a_narrow_run_leaves_to_others_what_others_left(
    engine: Engine, settings: Settings, export: str
) -> None:
    little = Request(budget=Decimal("0.95")).settings(settings)
    plan_run(engine, little, Run("dag/night", export, date(2026, 11, 20)))
    plan(engine, settings, export, "by-hand", skus=("c",))
    assert skus_of(engine, "by-hand") == ["c"]
    assert len(plan(engine, settings, export, "next-night").batch_ids) == 1
    assert skus_of(engine, "next-night") == ["a", "b", "c"]


def test_a_narrow_run_makes_nobody_forget_other_garments(
    engine: Engine, settings: Settings, export: str
) -> None:
    plan(engine, settings, export, "night")
    plan(engine, settings, export, "by-hand", skus=("a",))
    with engine.connect() as connection:
        assert set(connection.execute(select(garment_looks.c.sku)).scalars()) == {"a", "b", "c"}
    by_hand = Run("preview", export, date(2026, 11, 20), Request(skus=("a",)))
    asked, next_run = preview_run(engine, settings, by_hand)
    assert (asked.rows, next_run.missing) == (1, None)


def test_another_fit_type_is_another_look_and_the_next_night_goes_by_the_rules_again(
    engine: Engine, settings: Settings, export: str
) -> None:
    plan(engine, settings, export, "night")
    by_rule = dict(_looks(engine))
    plan(engine, settings, export, "by-hand", skus=("a",), fit_type="FULL_BODY", inference_num=2)
    by_hand = dict(_looks(engine))
    assert by_hand["a"] != by_rule["a"]
    assert by_hand["b"] == by_rule["b"]
    with engine.connect() as connection:
        made = connection.execute(select(looks).where(looks.c.key == by_hand["a"])).one()
    assert (made.fit_type, made.inference_num) == ("FULL_BODY", 2)
    assert plan(engine, settings, export, "next-night").looks == 3
    assert dict(_looks(engine)) == by_rule


def _looks(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return [
            (row.sku, row.look_key)
            for row in connection.execute(select(garment_looks.c.sku, garment_looks.c.look_key))
        ]


def test_the_account_says_what_was_asked_for(engine: Engine, settings: Settings, export: str) -> None:
    request = Request(skus=("a",), budget=Decimal(5))
    record_run(engine, request.settings(settings), Run("dag/1", export, date(2026, 11, 20), request))
    cut_run(engine, request.settings(settings), "dag/1")
    account = close_run(engine, settings, "dag/1")
    assert account.asked_for == "only sku a; for ¥5 at most"
    assert str(account).startswith("Asked for only sku a; for ¥5 at most: 1 rows read, 0 rejected;")
