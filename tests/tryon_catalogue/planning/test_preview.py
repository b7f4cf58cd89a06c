"""What a run would do, shown beforehand: it counts as a run does, and writes nothing."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine, func, select, update

from tryon_catalogue.ledger.images import KnownImage, store_images
from tryon_catalogue.ledger.tables import garment_looks, look_moves, looks, rejections, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.pictures.rules import ImageRole
from tryon_catalogue.planning.preview import Preview, export_path, read_preview, show_preview
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Settings

URL = "https://pictures.example"
ROWS = [
    f"s1,shirt,{URL}/1.jpg,Shirt [one]",
    f"s2,shirt,{URL}/2.jpg,",
    f"d1,dress,{URL}/3.jpg,",
    f"h1,hat,{URL}/4.jpg,",
    "s3,shirt,,",
    f"s4,shirt,{URL}/1.jpg,",
]


@pytest.fixture
def export(tmp_path: Path) -> str:
    """Two shirts, a dress, a hat that no rule is for, a row without a picture, and a shirt of an equal picture."""
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["sku,category,image_url,title", *ROWS]) + "\n")
    return str(path)


def shown(preview: Preview, settings: Settings) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    show_preview(preview, settings, console)
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO


def plan(engine: Engine, settings: Settings, export: str) -> None:
    """Plan the export once preflight has found every picture good."""
    urls = [f"{URL}/{name}" for name in ("1.jpg", "2.jpg", "3.jpg", "anna.png", "ben.png")]
    found = [KnownImage(url, ImageRole.PICTURE, sha256=f"{number:064x}") for number, url in enumerate(urls)]
    with engine.begin() as connection:
        store_images(connection, found)
    plan_run(engine, settings, Run("dag/earlier", export, date(2026, 1, 31)))


def test_rows_rejections_looks_and_price_are_counted_without_a_ledger(
    export: str, settings: Settings
) -> None:
    preview = read_preview(export, settings, None)
    assert (preview.rows, preview.garments) == (6, 4)
    assert preview.rejected == {"unknown_category": 1, "missing_image": 1}
    # Two shirts of one picture are one look.
    assert (preview.wanted.looks, preview.wanted.submissions) == (3, 2)
    assert preview.to_make == preview.wanted
    assert [sku for sku, _ in preview.first] == ["s1", "s2", "d1"]


def test_what_is_printed_says_what_it_would_cost_and_why_rows_are_refused(
    export: str, settings: Settings
) -> None:
    printed = shown(read_preview(export, settings, None), settings)
    assert "6 rows, 4 garments, 2 rejected." in printed
    assert "3 looks, 3 pictures, 3 uses, ¥2.85" in printed
    assert "no rule" in printed
    assert "No casting rule is for this category" in printed
    assert "There is no ledger" in printed
    assert "Shirt [one]" in printed


def test_the_ledgers_looks_are_taken_off_by_what_their_pictures_are(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan(engine, settings, export)
    with engine.begin() as connection:
        key = connection.execute(
            select(garment_looks.c.look_key).where(garment_looks.c.sku == "d1")
        ).scalar_one()
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).where(looks.c.key == key).values(state=state))
    with engine.connect() as connection:
        preview = read_preview(export, settings, connection)
    assert preview.known == {LookState.PLANNED: 2, LookState.PUBLISHED: 1}
    assert (preview.wanted.looks, preview.to_make.looks) == (3, 2)
    assert "The ledger has 3 of these looks: 2 PLANNED, 1 PUBLISHED." in shown(preview, settings)


def test_a_failed_look_counts_as_to_make_while_it_has_attempts_left(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan(engine, settings, export)
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "FAILED"):
            connection.execute(update(looks).values(state=state))
        first = connection.execute(select(looks.c.key).limit(1)).scalar_one()
        connection.execute(
            update(looks).where(looks.c.key == first).values(attempts=settings.safety.max_attempts)
        )
    with engine.connect() as connection:
        preview = read_preview(export, settings, connection)
    assert (preview.known[LookState.FAILED], preview.to_make.looks) == (3, 2)


def test_garments_that_a_full_export_no_longer_has_are_counted(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan(engine, settings, export)
    Path(export).write_text("\n".join(["sku,category,image_url,title", ROWS[0], ROWS[4]]) + "\n")
    with engine.connect() as connection:
        preview = read_preview(export, settings, connection)
        of_changes = settings.export.model_copy(update={"kind": "incremental"})
        changes = read_preview(export, settings.model_copy(update={"export": of_changes}), connection)
    assert (preview.missing, changes.missing) == (3, None)
    assert "3 garments that the ledger knows are not in this full export" in shown(preview, settings)


def test_a_garment_that_stands_twice_in_the_export_is_there_once(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan(engine, settings, export)
    rows = [ROWS[0], ROWS[4], ROWS[0], ROWS[3], ROWS[0]]
    Path(export).write_text("\n".join(["sku,category,image_url,title", *rows]) + "\n")
    in_chunks = settings.export.model_copy(update={"chunk_rows": 2})
    with engine.connect() as connection:
        preview = read_preview(export, settings.model_copy(update={"export": in_chunks}), connection)
    assert preview.missing == 3


def test_a_preview_writes_nothing(export: str, settings: Settings, engine: Engine) -> None:
    with engine.connect() as connection:
        read_preview(export, settings, connection)
        tables = (runs, looks, look_moves, garment_looks, rejections)
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        ]
    assert counts == [0] * len(tables)


def test_an_export_is_named_by_its_path_or_its_date(settings: Settings) -> None:
    assert export_path("s3://shop/a.csv", settings) == "s3://shop/a.csv"
    assert export_path("2026-01-31", settings).endswith("exports/2026-01-31.csv")
    assert export_path(None, settings).endswith(".csv")
