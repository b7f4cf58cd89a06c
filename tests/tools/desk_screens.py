"""Takes the screens of the desk that the documents show: ``python -m tests.tools.desk_screens``.

The pictures are drawn by the sandbox from the sample's models and garments.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from PIL import Image
from sqlalchemy import make_url, text

from tryon_sandbox.rendering import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "include" / "samples"
DOCS: Final = ROOT / "include" / "docs"
SCREENS: Final[Mapping[str, tuple[str, int]]] = {
    "desk-today": ("today", 1400),
    "desk-review": ("review", 1400),
    "desk-phone": ("review", 390),
    "desk-money": ("money", 1400),
}
"""Name of a picture -> the page, and how wide."""


def dressed(model: str, garment: str, count: int) -> list[bytes]:
    """Give the bytes of a model, a garment and pictures of the one in the other."""
    given = [SAMPLES / "images" / f"{name}.jpg" for name in (model, garment)]
    made = []
    for number in range(count):
        with Image.open(given[0]) as person, Image.open(given[1]) as tops:
            content = io.BytesIO()
            render(person, tops, None, None, fit_type="HALF_BODY", number=number).save(
                content, "JPEG", quality=90
            )
        made.append(content.getvalue())
    return [*(path.read_bytes() for path in given), *made]


def fill(engine: Engine) -> None:
    """Write a few nights of a small shop."""
    from datetime import UTC, datetime, timedelta

    from tests.tryon_catalogue.desk.shop_floor import Piece, furnish
    from tests.tryon_catalogue.reporting.report.books import write_submission

    from tryon_catalogue.settings import load_settings

    pieces = [
        Piece("BR-00123", "海魂衫条纹T恤 Breton Stripe Tee", made=("", "background")),
        Piece("SH-0310", "Blue Gingham Shirt", model="Leo", made=("colours",)),
        Piece("JK-88", "Denim Jacket", model="Amara", made=("face", "")),
    ]
    pictures = {
        "BR-00123": dressed("model-mei", "breton-tee", 2),
        "SH-0310": dressed("model-leo", "check-shirt", 1),
        "JK-88": dressed("model-amara", "denim-jacket", 2),
    }
    keys = furnish(engine, load_settings(), pieces, pictures)
    now = datetime.now(UTC)
    for day in range(45):
        at = now - timedelta(days=day)
        uses = 4 + (day * 7) % 23
        write_submission(
            engine, keys, "COLLECTED", uses=uses, intended_at=at, answered_at=at, collected_at=at
        )
    write_submission(
        engine, keys[:1], "IN_DOUBT", uses=4, message="the connection was closed", intended_at=now
    )
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.runs SET started_at = now() - interval '9 hours'"))


def main() -> None:
    """Start a server of its own, and take each screen."""
    with TemporaryDirectory(prefix="desk-screens-") as folder:
        home = Path(folder)
        os.environ |= {"AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__API__SECRET_KEY": "made up here"}
        os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = "made up for a few screens " * 3
        from tryon_demo.local.postgres import LocalPostgres

        with LocalPostgres(home / "postgres", durable=False) as postgres:
            os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = postgres.create_database("airflow")
            _take(home, postgres.create_database("shop"))


def _take(home: Path, url: str) -> None:
    from airflow import settings as airflow_settings
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from playwright.sync_api import sync_playwright
    from tests.tryon_catalogue.desk.serving import CHROMIUM, FLAGS, serve
    from tests.tryon_catalogue.fixtures import SETTINGS, SHOP_TABLE
    from tests.tryon_catalogue.helpers import connection_to_database

    from tryon_catalogue.ledger.database import engine_for, migrate

    import_all_models()
    Base.metadata.create_all(airflow_settings.engine)
    (home / "tryon.toml").write_text(SETTINGS)
    os.environ["TRYON_SETTINGS"] = str(home / "tryon.toml")
    os.environ["AIRFLOW_CONN_CATALOGUE_DB"] = connection_to_database(make_url(url))
    engine = engine_for(url, "tryon")
    migrate(engine, "tryon")
    with engine.begin() as connection:
        connection.execute(text(SHOP_TABLE))
    fill(engine)
    with serve() as desk, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, (page_name, width) in SCREENS.items():
            context = browser.new_context(locale="en-GB", viewport={"width": width, "height": 820})
            context.add_cookies([desk.cookie("mei", "user")])  # type: ignore[list-item]  # plain words of a cookie
            page = context.new_page()
            page.goto(f"{desk.url}/{page_name}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=DOCS / f"{name}.jpg", type="jpeg", quality=82)
            print(DOCS / f"{name}.jpg")  # noqa: T201  # says what it wrote
        browser.close()


if __name__ == "__main__":
    main()
