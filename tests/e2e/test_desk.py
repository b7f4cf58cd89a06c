"""The desk within a real Airflow: its entry in the navigation, and a decision down to the shop's row."""

from __future__ import annotations

import pytest
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from sqlalchemy import select, text

from tests.e2e.roles import people_of
from tests.e2e.world import World
from tests.guards import GUARD
from tests.tryon_catalogue.desk.serving import CHROMIUM, FLAGS, needs_a_browser
from tryon_catalogue.ledger.tables import decisions, garment_looks, looks, pictures


@pytest.fixture
def waiting(world: World) -> str:
    """The sku of a published look of the first night that waits for review instead, as one that was made again."""
    with world.ledger.begin() as connection:
        sku, key = connection.execute(
            select(garment_looks.c.sku, looks.c.key)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .join(pictures, pictures.c.look_key == looks.c.key)
            .where(looks.c.state == "PUBLISHED", pictures.c.shown)
            .order_by(garment_looks.c.sku)
            .limit(1)
        ).one()
        connection.execute(text("UPDATE tryon.looks SET state = 'REVIEW' WHERE key = :key"), {"key": key})
        connection.execute(
            text("UPDATE tryon.pictures SET shown = false WHERE look_key = :key"), {"key": key}
        )
    return str(sku)


def test_a_person_reviews_in_airflows_own_frame_and_the_shop_shows_it(world: World, waiting: str) -> None:
    needs_a_browser()
    from playwright.sync_api import sync_playwright

    person = people_of(world)["user"]
    token = person.headers["Authorization"].removeprefix("Bearer ")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(locale="en-GB", viewport={"width": 1400, "height": 900})
        context.set_default_timeout(GUARD * 1000)
        context.add_cookies([{"name": COOKIE_NAME_JWT_TOKEN, "value": token, "url": person.url}])
        page = context.new_page()
        page.goto(f"{person.url}/plugin/tryon")
        frame = page.frame_locator("iframe")
        assert "1 look waits for your eyes" in frame.locator(".waits").inner_text()
        frame.locator(".waits").get_by_role("link", name="Review").click()
        frame.locator("#look-name").get_by_text(waiting, exact=True).wait_for()
        frame.locator(".made img.after").first.wait_for()
        frame.locator("body").press("a")
        frame.get_by_text(f"{waiting} is in the catalogue.").wait_for()
        browser.close()
    with world.ledger.connect() as connection:
        decided = connection.execute(select(decisions.c.person, decisions.c.action)).all()
        row = connection.execute(
            text("SELECT tryon_picture_url FROM catalogue WHERE sku = :sku"), {"sku": waiting}
        )
        assert [tuple(found) for found in decided] == [("ursula", "accept")]
        assert row.scalar_one()
