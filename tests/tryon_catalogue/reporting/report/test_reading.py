from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, insert, update

from tests.tryon_catalogue.reporting.report.books import (
    RUN,
    START,
    Entry,
    digest,
    open_run,
    write_looks,
    write_rejections,
    write_submission,
)
from tryon_catalogue.ledger.tables import images, looks, run_looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.report import extract, reading
from tryon_catalogue.reporting.report.facts import ReportedInput, Selection
from tryon_catalogue.reporting.report.reading import (
    NoSuchRunError,
    every_rejection,
    read_extract,
    read_report,
)
from tryon_catalogue.settings import Price


def test_a_report_tells_what_became_of_each_look_and_what_it_cost(engine: Engine) -> None:
    open_run(engine, looks_known=4, rows_further=5, rows_left_out={"status is 'old'": 2})
    entries = [
        Entry("A", "Tee", inputs=("m" * 64, "t" * 64), pictures=(("a.jpg", 0.9), ("b.jpg", None))),
        Entry("B", state="FAILED", reason="the vendor could not"),
        Entry("C", state="IN_DOUBT", inputs=(None, None, "p" * 64)),
    ]
    keys = write_looks(engine, entries)
    write_submission(engine, keys[:2], "COLLECTED", uses=3)
    doubt = write_submission(engine, keys[2:], "IN_DOUBT", message="timed out")
    write_submission(engine, keys[:1], "REFUSED")

    report = read_report(engine, Price(per_use=Decimal(2)), RUN)

    figures = report.account
    assert figures.looks == {"PUBLISHED": 1, "FAILED": 1, "IN_DOUBT": 1}
    assert (figures.rows, figures.known, figures.tried, figures.published) == (24, 4, 3, 1)
    assert (figures.further, figures.left_out) == (5, {"status is 'old'": 2})
    assert (figures.submissions, figures.uses, figures.cost) == (1, 3, Decimal("2.85"))
    assert (report.doubtful_cost, figures.pictures) == (Decimal("0.95"), 2)
    assert [reported.doubt.id for reported in report.doubts] == [doubt]
    assert report.duration == timedelta(minutes=42)
    assert report.export == "catalogue.csv"
    first, second, third = report.looks
    assert (first.skus, first.title, first.collection, first.model) == (("A",), "Tee", "SS26", "Mei")
    assert [(reported.path, reported.score) for reported in first.pictures] == [
        ("a.jpg", 0.9),
        ("b.jpg", None),
    ]
    assert first.inputs == (ReportedInput("model", "m" * 64), ReportedInput("top", "t" * 64))
    assert (second.state, second.reason) == (LookState.FAILED, "the vendor could not")
    assert third.inputs[2] == ReportedInput("bottom", "p" * 64)


def test_a_look_that_another_run_carries_says_so_and_is_not_counted_as_this_runs(engine: Engine) -> None:
    open_run(engine, "tryon_nightly/other")
    open_run(engine)
    write_looks(engine, [Entry("A"), Entry("B", batch_run="tryon_nightly/other")])

    report = read_report(engine, Price(), RUN)

    assert [look.carried_by for look in report.looks] == ["", "tryon_nightly/other"]
    assert (report.account.tried, report.account.elsewhere, report.unshown_looks) == (1, 1, 0)


def test_looks_that_no_run_carries_are_held_back_for_their_reasons_and_not_another_runs(
    engine: Engine,
) -> None:
    waits = "waits for money: per_run = ¥0.50 is taken up"
    open_run(engine)
    held = [
        Entry(sku, state="PLANNED", reason=why, batch_run=None)
        for sku, why in (("B", ""), ("C", waits), ("D", waits))
    ]
    write_looks(engine, [Entry("A"), *held])

    report = read_report(engine, Price(), RUN)

    assert list(report.account.held_for.items()) == [
        (waits, 2),
        ("not sent; the log of the run's tasks says why", 1),
    ]
    assert (report.account.tried, report.account.elsewhere, report.unshown_looks) == (1, 0, 0)
    assert [(look.held, look.carried_by) for look in report.looks] == [(False, "")] + 3 * [(True, "")]


def test_a_look_that_was_to_be_made_again_and_did_not_go_is_held_back(engine: Engine) -> None:
    open_run(engine, "tryon_nightly/earlier")
    open_run(engine)
    (key,) = write_looks(engine, [Entry("A", batch_run="tryon_nightly/earlier")])
    with engine.begin() as connection:
        connection.execute(update(looks).values(moved_at=START - timedelta(days=1)))
        connection.execute(update(run_looks).values(again=True))

    report = read_report(engine, Price(), RUN)

    assert [(look.key, look.held, look.carried_by) for look in report.looks] == [(key, True, "")]
    assert (report.account.held, report.account.elsewhere) == (1, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"problem": "the export is missing", "planned_at": None},
            ("the export is missing", False, True, None),
        ),
        ({"request": {"dry_run": True}, "looks_new": 4}, ("", True, True, 4)),
        ({"request": {"dry_run": True}, "planned_at": None}, ("", False, True, None)),
        ({"looks_new": 4, "cut_at": None}, ("", True, False, None)),
    ],
)
def test_a_report_knows_of_a_run_without_an_export_and_of_a_dry_run(
    engine: Engine, values: dict[str, object], expected: tuple[str, bool, bool, int | None]
) -> None:
    open_run(engine, **values, estimated_amount=Decimal("3.80"))
    report = read_report(engine, Price(), RUN)
    account = report.account
    assert (account.problem, account.planned, account.cut, account.would_make) == expected
    assert account.estimate == Decimal("3.80")


def test_a_run_that_was_begun_again_has_not_ended_whatever_its_last_account_says(engine: Engine) -> None:
    open_run(engine, planned_at=None, opened_at=START + timedelta(hours=3))
    report = read_report(engine, Price(), RUN)
    assert (report.ended_at, report.duration, report.unread) == (None, None, "")


@pytest.mark.parametrize("may_be_empty", [True, False])
def test_a_report_knows_from_the_account_whether_the_export_may_be_empty(
    engine: Engine, may_be_empty: bool
) -> None:
    open_run(engine, summary={"may_be_empty": may_be_empty})
    assert read_report(engine, Price(), RUN).account.may_be_empty is may_be_empty


def test_one_look_of_several_garments_names_them_all(engine: Engine) -> None:
    from tryon_catalogue.ledger.tables import garment_looks

    open_run(engine)
    (key,) = write_looks(engine, [Entry("B", "Tee")])
    more = {"sku": "A", "position": 0, "look_key": key, "title": "Same tee", "collection": "AW26"}
    with engine.begin() as connection:
        connection.execute(insert(garment_looks).values(export_date="2026-11-20", run_id=RUN, **more))

    (look,) = read_report(engine, Price(), RUN).looks
    assert (look.skus, look.title, look.collection) == (("A", "B"), "Same tee", "AW26")


def test_looks_with_trouble_are_kept_when_there_are_too_many_and_stand_where_the_export_has_them(
    engine: Engine,
) -> None:
    open_run(engine)
    states = ["PUBLISHED", "PUBLISHED", "FAILED", "PUBLISHED", "REVIEW"]
    write_looks(engine, [Entry(f"S{number}", state=state) for number, state in enumerate(states)])

    report = read_report(engine, Price(), RUN, most_looks=3)

    assert [look.skus[0] for look in report.looks] == ["S0", "S2", "S4"]
    assert report.unshown_looks == 2
    assert [look.skus[0] for look in report.in_review] == ["S4"]


def test_rejections_are_counted_by_row_and_by_rule_and_the_rosters_are_no_rows(engine: Engine) -> None:
    open_run(engine)
    write_rejections(
        engine,
        [
            {"line": 5, "rule": "too_small"},
            {"line": 5, "rule": "missing"},
            {"line": 9, "rule": "missing"},
            {"line": 0, "rule": "missing"},
        ],
    )

    report = read_report(engine, Price(), RUN, most_rejections=2)

    assert report.account.rejected_rows == 2
    assert list(report.account.rejections.items()) == [("missing", 3), ("too_small", 1)]
    assert [rejection.line for rejection in report.rejections] == [0, 5]
    assert report.unshown_rejections == 2
    assert [rejection.line for rejection in every_rejection(engine, RUN)] == [0, 5, 5, 9]


def test_the_image_that_a_rejection_is_about_is_found_by_its_address(engine: Engine) -> None:
    open_run(engine)
    url = "https://pictures.example/small.jpg"
    with engine.begin() as connection:
        connection.execute(
            insert(images).values(url_sha256=digest(url), role="picture", url=url, sha256="d" * 64)
        )
    write_rejections(
        engine, [{"line": 2, "image": url, "measured": "320 px", "limit": "400 px"}, {"line": 3}]
    )

    report = read_report(engine, Price(), RUN)
    first, second = report.rejections
    assert (first.subject, first.measured, first.limit) == (url, "320 px", "400 px")
    assert second.subject == ""
    assert report.rejected_images == {url: "d" * 64}


def test_what_preflight_said_of_an_image_stands_with_every_look_that_is_made_from_it(engine: Engine) -> None:
    open_run(engine)
    write_looks(engine, [Entry(inputs=("m" * 64, "t" * 64)), Entry(inputs=("m" * 64, "p" * 64, "t" * 64))])
    warning = "CMYK: Save the image in RGB."
    as_it_is = {"url": "https://pictures.example/top.jpg", "sha256": "t" * 64, "used_url": None}
    repaired = {
        "url": "https://pictures.example/model.jpg",
        "sha256": "m" * 64,
        "used_url": "https://a.example/m",
    }
    rows = [
        {"url_sha256": digest(str(image["url"])), "role": "picture", "warnings": [warning], **image}
        for image in (as_it_is, repaired)
    ]
    with engine.begin() as connection:
        connection.execute(insert(images), rows)

    first, second = read_report(engine, Price(), RUN).looks
    assert first.inputs == (ReportedInput("model", "m" * 64), ReportedInput("top", "t" * 64, (warning,)))
    assert [image.warnings for image in second.inputs] == [(), (), (warning,)]


def test_the_last_run_is_the_one_that_started_last(engine: Engine) -> None:
    open_run(engine, "tryon_nightly/old", started_at=datetime(2026, 11, 1, tzinfo=UTC))
    open_run(engine, "tryon_nightly/new", started_at=datetime(2026, 11, 2, tzinfo=UTC), ended=False)
    report = read_report(engine, Price(), "last")
    assert (report.run_id, report.duration) == ("tryon_nightly/new", None)


def test_a_run_that_is_not_there_is_answered_with_those_that_are(engine: Engine) -> None:
    with pytest.raises(NoSuchRunError, match="No run has read an export yet"):
        read_report(engine, Price(), "last")
    open_run(engine)
    with pytest.raises(NoSuchRunError, match=RUN):
        read_report(engine, Price(), "tryon_nightly/other")


def sku_by_page(engine: Engine, selection: Selection) -> list[str]:
    return [look.skus[0] for look in read_extract(engine, Price(), RUN, selection).looks]


@pytest.fixture
def long_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A run of seven looks, of which a page shows three, and of three rejections, of which it shows two; the keys."""
    monkeypatch.setattr(reading, "LOOKS_ON_A_PAGE", 3)
    monkeypatch.setattr(extract, "LOOKS_ON_A_PAGE", 3)
    monkeypatch.setattr(reading, "REJECTIONS_ON_A_PAGE", 2)
    monkeypatch.setattr(extract, "REJECTIONS_ON_A_PAGE", 2)
    monkeypatch.setattr(reading, "LOOKS_IN_REVIEW", 1)
    open_run(engine)
    write_rejections(engine, [{"line": line} for line in (3, 4, 5)])
    return write_looks(
        engine,
        [
            Entry("S0", "Breton tee"),
            Entry("S1", collection="AW26", state="REVIEW"),
            Entry("S2", model="Leo", state="FAILED"),
            Entry("S3", "100% wool"),
            Entry("S4", state="REVIEW"),
            Entry("S5", collection="AW26", model="Leo"),
            Entry("S6"),
        ],
    )


@pytest.mark.usefixtures("long_run")
@pytest.mark.parametrize(
    ("page", "skus"),
    [(1, ["S0", "S1", "S2"]), (2, ["S3", "S4", "S5"]), (3, ["S6"]), (99, ["S6"])],
)
def test_a_long_report_comes_in_pages_in_the_order_of_the_export(
    engine: Engine, page: int, skus: list[str]
) -> None:
    assert sku_by_page(engine, Selection(page)) == skus


@pytest.mark.usefixtures("long_run")
@pytest.mark.parametrize(
    ("selection", "skus"),
    [
        (Selection(state="REVIEW"), ["S1", "S4"]),
        (Selection(collection="AW26"), ["S1", "S5"]),
        (Selection(model="Leo", collection="AW26"), ["S5"]),
        (Selection(text="TEE breton"), ["S0", "S1", "S2"]),
        (Selection(text="s6"), ["S6"]),
        (Selection(text="0%"), ["S3"]),
        (Selection(text="s_"), []),
        (Selection(model="nobody"), []),
    ],
)
def test_pages_are_of_the_looks_that_were_asked_for(
    engine: Engine, selection: Selection, skus: list[str]
) -> None:
    assert sku_by_page(engine, selection) == skus


def test_a_page_says_how_much_there_is_in_all(engine: Engine, long_run: list[str]) -> None:
    report = read_extract(engine, Price(), RUN, Selection(rejections=2))
    part = report.extract
    assert part is not None
    assert (part.page, part.pages, part.found) == (1, 3, 7)
    assert (part.collections, part.models) == (("AW26", "SS26"), ("Leo", "Mei"))
    assert set(part.states) == {LookState.PUBLISHED, LookState.REVIEW, LookState.FAILED}
    assert (part.rejection_page, part.rejection_pages) == (2, 2)
    assert [rejection.line for rejection in report.rejections] == [5]
    assert ([look.skus for look in report.in_review], report.review_count) == ([("S1",)], 2)
    assert (report.unshown_looks, report.unshown_rejections, report.account.tried) == (0, 0, 7)


def test_a_look_is_found_on_its_page_whatever_else_is_asked_for(engine: Engine, long_run: list[str]) -> None:
    selection = Selection(look=long_run[4], state="FAILED")
    assert sku_by_page(engine, selection) == ["S3", "S4", "S5"]
    assert sku_by_page(engine, Selection(look="f" * 64)) == ["S0", "S1", "S2"]


def test_there_is_no_page_of_a_run_that_there_is_not(engine: Engine) -> None:
    with pytest.raises(NoSuchRunError):
        read_extract(engine, Price(), RUN, Selection())
