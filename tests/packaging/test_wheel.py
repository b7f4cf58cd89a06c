"""The wheel: four packages with all they need at run time, and nothing of the workshop."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "damo_tryon": "plugins",
    "tryon_catalogue": "include",
    "tryon_demo": "include",
    "tryon_sandbox": "include",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The contents of a wheel built from this checkout, by path."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}


def metadata(wheel: dict[str, str], name: str) -> str:
    """One file of the wheel's dist-info."""
    (path,) = [path for path in wheel if path.partition("/")[2] == name and ".dist-info" in path]
    return wheel[path]


def test_the_packages_are_in_it_whole(wheel: dict[str, str]) -> None:
    for package, folder in PACKAGES.items():
        sources = {
            str(path.relative_to(ROOT / folder))
            for path in (ROOT / folder / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert sources
        assert sources <= set(wheel)


def test_the_ledgers_migrations_are_in_it(wheel: dict[str, str]) -> None:
    migrations = [path for path in wheel if path.startswith("tryon_catalogue/ledger/migrations/")]
    assert any(path.endswith("/env.py") for path in migrations)
    assert any("/versions/" in path for path in migrations)


def test_nothing_else_is_in_it(wheel: dict[str, str]) -> None:
    roots = {path.split("/")[0] for path in wheel}
    assert {root for root in roots if not root.endswith(".dist-info")} == set(PACKAGES)
    assert [path for path in wheel if path.endswith((".pyc", ".env"))] == []


def test_airflow_finds_the_connection_type_and_people_find_the_command(wheel: dict[str, str]) -> None:
    entry_points = configparser.ConfigParser()
    entry_points.read_string(metadata(wheel, "entry_points.txt"))
    assert (
        entry_points["apache_airflow_provider"]["provider_info"]
        == "damo_tryon.provider_info:get_provider_info"
    )
    assert entry_points["console_scripts"]["tryon"] == "tryon_catalogue.console.cli:main"


def test_its_licences_come_with_it_the_fonts_among_them(wheel: dict[str, str]) -> None:
    font = "include/tryon_catalogue/publishing/labels/fonts/OFL.txt"
    for path in ("LICENSE", font):
        assert metadata(wheel, f"licenses/{path}") == (ROOT / path).read_text(encoding="utf-8")
    said = metadata(wheel, "METADATA").splitlines()
    assert "License-Expression: Apache-2.0 AND OFL-1.1" in said
