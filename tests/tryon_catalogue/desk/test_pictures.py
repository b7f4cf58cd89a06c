"""Pictures come out of the archive by look and number, in the size that is asked for."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, update

from tests.tryon_catalogue.desk.serving import token_of
from tests.tryon_catalogue.desk.shop_floor import Piece, archived, drawn, furnish
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.desk.app import create_app
from tryon_catalogue.ledger.tables import looks, pictures
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.pictures.rules import thumbnail
from tryon_catalogue.settings import Settings

LARGE = drawn("large", "teal", (1800, 2400))


@pytest.fixture
def reader(
    airflow_tables: None, settings_file: Path, catalogue_connection: str, monkeypatch: pytest.MonkeyPatch
) -> TestClient:
    """Somebody who may look."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    create_auth_manager()
    return TestClient(create_app(), cookies={COOKIE_NAME_JWT_TOKEN: token_of("viola", "viewer")})


@pytest.fixture
def key(engine: Engine, settings: Settings) -> str:
    """A look with a large new picture and one that is shown."""
    given = {"TS-1": (drawn("model", "gray"), drawn("top", "navy"), LARGE)}
    return furnish(engine, settings, [Piece("TS-1", before=1)], given)[0]


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def test_a_picture_is_served_whole_for_the_screen_and_small(reader: TestClient, key: str) -> None:
    whole = reader.get(f"/picture/{key}/new/0/whole")
    assert whole.content == LARGE
    assert whole.headers["content-type"] == "image/jpeg"
    assert size_of(reader.get(f"/picture/{key}/new/0/screen").content) == (1200, 1600)
    assert size_of(reader.get(f"/picture/{key}/new/0/thumbnail").content) == (256, 341)


def test_what_went_in_and_what_is_shown_are_served_too(reader: TestClient, key: str) -> None:
    for kind in ("model", "tops", "shown"):
        assert size_of(reader.get(f"/picture/{key}/{kind}/0/screen").content) == (300, 400)


@pytest.mark.parametrize(
    "place",
    ["new/1/whole", "pants/0/whole", "model/1/whole", "shown/7/thumbnail", "mask/0/screen"],
)
def test_a_picture_that_is_not_there_is_not_found(reader: TestClient, key: str, place: str) -> None:
    assert reader.get(f"/picture/{key}/{place}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/picture/../../etc/passwd",
        "/picture/%2e%2e%2f%2e%2e%2fetc%2fpasswd/new/0/whole",
        "/picture/{key}/..%2f..%2fetc/0/whole",
        "/picture/{key}/new/-1/whole",
        "/picture/{key}/new/0/..%2f..%2fetc%2fpasswd",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
    ],
)
def test_no_path_comes_from_an_address(reader: TestClient, key: str, path: str) -> None:
    answer = reader.get(path.format(key=key))
    assert answer.status_code in {404, 422}
    assert "root:" not in answer.text


def test_a_browser_keeps_what_is_named_by_its_digest_and_asks_again_for_the_rest(
    reader: TestClient, key: str
) -> None:
    named = reader.get(f"/picture/{key}/new/0/whole?v={hashlib.sha256(LARGE).hexdigest()}")
    assert "immutable" in named.headers["cache-control"]
    assert named.headers["cache-control"].startswith("private")
    bare = reader.get(f"/picture/{key}/new/0/whole")
    assert bare.headers["cache-control"] == "private, no-cache"
    again = reader.get(f"/picture/{key}/new/0/whole", headers={"If-None-Match": bare.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_of_the_archive_that_is_no_picture_is_not_served(
    reader: TestClient, key: str, engine: Engine, settings: Settings
) -> None:
    secret = Path(settings.archive.path) / "secret.txt"
    secret.write_text("password", encoding="utf-8")
    with engine.begin() as connection:
        connection.execute(update(pictures).where(~pictures.c.shown).values(path=str(secret), thumbnail=None))
    answer = reader.get(f"/picture/{key}/new/0/whole")
    assert answer.status_code == 404
    assert "password" not in answer.text


def test_pictures_that_are_gone_are_said_to_be_gone(reader: TestClient, key: str, settings: Settings) -> None:
    for file in archived(settings):
        file.unlink()
    assert reader.get(f"/picture/{key}/new/0/screen").status_code == 404
    assert reader.get(f"/picture/{key}/model/0/screen").status_code == 404


def test_what_went_in_is_shown_whole_from_where_the_vendor_had_it_while_it_is_the_same(
    reader: TestClient, key: str, engine: Engine, settings: Settings, website: Website
) -> None:
    content = website.pages["/top-0.png"]
    assert isinstance(content, bytes)
    digest = hashlib.sha256(content).hexdigest()
    Archive(settings.archive).put_input(digest, thumbnail(content))
    with engine.begin() as connection:
        connection.execute(update(looks).values(tops_image=f"{website.url}/top-0.png", tops_sha256=digest))
    assert reader.get(f"/picture/{key}/tops/0/whole?v=a").content == content
    for other in ("top-1.png", "no-such.png"):
        with engine.begin() as connection:
            connection.execute(update(looks).values(tops_image=f"{website.url}/{other}"))
        # Under another address, for a picture is kept for a moment.
        assert reader.get(f"/picture/{key}/tops/0/whole?v={digest[:9]}{len(other)}").content == thumbnail(
            content
        )
