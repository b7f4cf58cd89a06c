from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from tests.tryon_catalogue.reporting.report.books import RUN, Entry, open_run, write_looks, write_rejections
from tryon_catalogue.console.cli import main
from tryon_catalogue.reporting.report.command import file_name

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def tryon(
    settings_file: Path,
    catalogue_connection: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run ``tryon report`` in this process and in a folder of its own: (exit code, everything it printed)."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tryon", "report", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), printed.out + printed.err

    return run


@pytest.fixture
def run_with_a_picture(engine: Engine, tmp_path: Path) -> None:
    picture = tmp_path / "archive" / "SS26" / "A" / "1.jpg"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (900, 1200), (200, 40, 40)).save(picture)
    open_run(engine)
    write_looks(engine, [Entry("A", pictures=((str(picture), 0.91),))])
    write_rejections(engine, [{"line": 3, "sku": "B"}])


@pytest.mark.usefixtures("run_with_a_picture")
def test_the_last_run_is_written_to_a_file_named_after_it(tryon: Run, tmp_path: Path) -> None:
    code, printed = tryon("last")
    file = tmp_path / file_name(RUN)
    assert code == 0
    assert printed.startswith(f"{file}: 1 looks, 1 rejections, 0.0 MB")
    page = file.read_text(encoding="utf-8")
    assert "data:image/webp;base64," in page
    assert "score 0.91" in page
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.usefixtures("run_with_a_picture")
def test_page_and_rejections_go_where_they_are_asked_for(
    tryon: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)  # returns None: no browser was found
    page, sheet = tmp_path / "new" / "page.html", tmp_path / "new" / "rejected.csv"
    code, printed = tryon(RUN, "--output", str(page), "--rejections", str(sheet), "--open")
    assert code == 0
    assert opened == [page.as_uri()]
    assert "No browser was found" in printed
    assert sheet.read_text(encoding="utf-8-sig").splitlines()[1].startswith("3,B,missing")


@pytest.mark.usefixtures("run_with_a_picture")
def test_an_unknown_run_is_answered_with_those_that_are_there(tryon: Run, tmp_path: Path) -> None:
    code, printed = tryon("tryon_nightly/none")
    assert code == 2
    assert f"The newest ones are: {RUN}." in printed
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.usefixtures("run_with_a_picture")
def test_a_place_that_cannot_be_written_is_said_in_words(tryon: Run, settings_file: Path) -> None:
    code, printed = tryon("last", "--output", str(settings_file / "page.html"))
    assert code == 2
    assert printed.startswith("The report cannot be written: ")


def test_a_files_name_is_plain_letters_whatever_the_run_is_called() -> None:
    assert (
        file_name('d/manual__2026-11-20T02:30:00+00:00"\r\n衬')
        == "tryon-report-d-manual__2026-11-20T02-30-00-00-00.html"
    )
