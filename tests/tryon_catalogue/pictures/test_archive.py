from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.tryon_catalogue.namespaces import output_of
from tryon_catalogue.pictures.archive import Archive, ArchivedPicture, PictureName
from tryon_catalogue.pictures.fetch import Fetched
from tryon_catalogue.settings import ArchiveSettings

KEY = "0123456789abcdef" * 4
ATTEMPT = "89abcdef"
LONGEST_FILE_NAME = 255  # bytes, of the file systems in use


def picture(content: bytes = b"picture", kind: str = "JPEG") -> Fetched:
    return Fetched(content, hashlib.sha256(content).hexdigest(), kind, 1, 1, Image.new("RGB", (1, 1)))


def name(collection: str = "autumn", sku: str = "A-1", model: str = "anna", number: int = 0) -> PictureName:
    return PictureName(collection, sku, model, KEY, ATTEMPT, number)


def archive(folder: Path | str, public_url: str | None = None) -> Archive:
    return Archive(ArchiveSettings(path=str(folder), public_url=public_url))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_name_tells_collection_sku_model_and_number(tmp_path: Path) -> None:
    place = archive(tmp_path).put(name(number=1), picture(kind="PNG"))
    assert files(tmp_path) == ["autumn/A-1/anna-0123456789-89abcdef-2.png"]
    assert place.path == place.url == str(tmp_path / "autumn/A-1/anna-0123456789-89abcdef-2.png")
    assert Path(place.path).read_bytes() == b"picture"


def test_letters_of_every_script_and_case_stay_in_names() -> None:
    assert (
        name("2026 秋季", "上衣/A1", "小美").relative("jpg")
        == "2026-秋季/上衣-A1/小美-0123456789-89abcdef-1.jpg"
    )
    assert name("Été", "straße").relative("jpg").startswith("Été/straße/")


def test_what_is_missing_has_a_name_all_the_same() -> None:
    assert name("", "...", "").relative("jpg") == "no-collection/sku/model-0123456789-89abcdef-1.jpg"


@given(collection=st.text(max_size=400), sku=st.text(max_size=400), model=st.text(max_size=400))
def test_no_text_leads_out_of_the_archive_or_to_a_name_that_is_too_long(
    collection: str, sku: str, model: str
) -> None:
    parts = name(collection, sku, model).relative("jpg").split("/")
    assert len(parts) == 3
    for part in parts:
        assert part.strip(". ") == part != ""
        assert len(part.encode()) < LONGEST_FILE_NAME
        assert "\0" not in part


@pytest.mark.parametrize("sku", ["../../etc/passwd", "..", "/etc/passwd", "a/../../b", "..\\..\\b", "~root"])
def test_a_sku_is_never_a_way_out(tmp_path: Path, sku: str) -> None:
    folder = tmp_path / "archive"
    archive(folder).put(name(sku=sku), picture())
    assert len(files(folder)) == len(files(tmp_path)) == 1


def test_very_long_names_fit_the_file_system(tmp_path: Path) -> None:
    archive(tmp_path).put(name("界" * 300, "𠀀" * 300, "𠀀" * 300), picture())
    assert len(files(tmp_path)) == 1


def test_the_same_picture_again_is_not_written_again(tmp_path: Path) -> None:
    first = archive(tmp_path).put(name(), picture())
    written = Path(first.path).stat()
    assert archive(tmp_path).put(name(), picture()) == first
    assert len(files(tmp_path)) == 1
    again = Path(first.path).stat()
    assert (again.st_ino, again.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_that_an_earlier_try_kept_is_found(tmp_path: Path, kind: str) -> None:
    assert archive(tmp_path).find(name()) is None
    place = archive(tmp_path).put(name(), picture(kind=kind))
    assert archive(tmp_path).find(name()) == ArchivedPicture(place, b"picture", kind)
    assert archive(tmp_path).find(name(number=1)) is None


def test_small_copies_stand_beside_the_pictures_under_the_same_names(tmp_path: Path) -> None:
    place = archive(tmp_path, "https://cdn.example").put_thumbnail(name(), b"small")
    assert files(tmp_path) == ["thumbnails/autumn/A-1/anna-0123456789-89abcdef-1.jpg"]
    assert Path(place.path).read_bytes() == b"small"
    assert place.url == "https://cdn.example/thumbnails/autumn/A-1/anna-0123456789-89abcdef-1.jpg"


def test_small_copies_of_inputs_go_by_the_digest_of_the_image(tmp_path: Path) -> None:
    assert archive(tmp_path).read_input(KEY) is None
    archive(tmp_path).put_input(KEY, b"small")
    assert files(tmp_path) == [f"inputs/{KEY}.jpg"]
    assert archive(tmp_path).read_input(KEY) == b"small"


@pytest.mark.parametrize(("kind", "ending"), [("JPEG", "jpg"), ("PNG", "png")])
def test_repaired_images_go_by_the_digest_of_what_they_stand_for(
    tmp_path: Path, kind: str, ending: str
) -> None:
    place = archive(tmp_path, "https://cdn.example").put_repaired(KEY, b"repaired", kind)
    assert files(tmp_path) == [f"repaired/{KEY}.{ending}"]
    assert place.url == f"https://cdn.example/repaired/{KEY}.{ending}"


@pytest.mark.parametrize("digest", ["", "../../x", "A" * 64, "0" * 63, "0" * 64 + "/"])
def test_what_is_no_digest_names_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="SHA-256 digest"):
        archive(tmp_path).put_input(digest, b"small")
    with pytest.raises(ValueError, match="SHA-256 digest"):
        archive(tmp_path).read_input(digest)
    assert files(tmp_path) == []


@pytest.mark.parametrize("collection", ["inputs", "Thumbnails", "REPAIRED"])
def test_a_collection_never_shares_a_folder_with_copies(collection: str) -> None:
    assert name(collection).relative("jpg").startswith(f"{collection}-collection/")


def test_a_picture_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(archive(tmp_path).put(name(), picture(b"old")).path)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            archive(tmp_path).put(name(), picture(b"new"))
    assert place.read_bytes() == b"old"
    assert len(files(tmp_path)) == 1
    with place.open("rb") as reader:  # whoever has the old one open reads it to its end
        archive(tmp_path).put(name(), picture(b"new"))
        assert reader.read() == b"old"
    assert place.read_bytes() == b"new"


def test_an_archive_that_has_become_read_only_is_found_out_before_money_is_spent_and_keeps_what_it_has(
    tmp_path: Path,
) -> None:
    seen = json.loads(output_of("tests.tryon_catalogue.pictures.read_only_archive", str(tmp_path)))
    assert "takes no pictures" in seen["check"]
    assert "Read-only file system" in seen["check"]
    assert "so nothing is sent" in seen["check"]
    assert "Read-only file system" in seen["put"]
    assert seen["read"] == seen["kept"] == "before"


@pytest.mark.parametrize("base", ["https://cdn.example/tryon", "https://cdn.example/tryon/"])
def test_the_public_address_is_quoted(tmp_path: Path, base: str) -> None:
    url = archive(tmp_path, base).put(name("秋", "50%_off"), picture()).url
    assert url == "https://cdn.example/tryon/%E7%A7%8B/50-_off/anna-0123456789-89abcdef-1.jpg"


def test_a_file_url_names_a_folder(tmp_path: Path) -> None:
    place = archive(f"file://{tmp_path}").put(name(), picture())
    assert Path(place.path).is_relative_to(tmp_path)
    assert len(files(tmp_path)) == 1


def test_object_storage_takes_pictures_and_its_connection_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One storage is shared by the whole process, and other tests use it as well.
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    storage = MemoryFileSystem()
    attach(protocol="memory", conn_id="shop_archive", fs=storage)
    settings = ArchiveSettings(path="memory://bucket/tryon/", conn_id="shop_archive")
    place = Archive(settings).put(name("秋"), picture())
    assert place.path == place.url == "memory://bucket/tryon/秋/A-1/anna-0123456789-89abcdef-1.jpg"
    assert Archive(settings).put(name("秋"), picture()) == place
    found = storage.find("/")
    assert [path.lstrip("/") for path in found] == ["bucket/tryon/秋/A-1/anna-0123456789-89abcdef-1.jpg"]
    assert storage.cat(found[0]) == b"picture"
    assert Archive(settings).find(name("秋")) == ArchivedPicture(place, b"picture", "JPEG")
    assert Archive(settings).find(name("冬")) is None


class LostConnectionError(Exception):
    """Of a storage's own library: no OSError."""

    __module__ = "botocore.exceptions"


class LostStorage(MemoryFileSystem):
    """A storage that cannot be reached."""

    def cat_file(self, *_: object, **__: object) -> bytes:
        raise LostConnectionError("no route to the bucket")


def test_an_error_of_the_storages_own_library_is_one_that_callers_know() -> None:
    attach(protocol="memory", conn_id="lost_archive", fs=LostStorage())
    lost = Archive(ArchiveSettings(path="memory://bucket/tryon", conn_id="lost_archive"))
    for use in (lambda: lost.put(name(), picture()), lambda: lost.find(name())):
        with pytest.raises(
            OSError, match="the archive memory://bucket/tryon cannot be used: no route to the bucket"
        ):
            use()
