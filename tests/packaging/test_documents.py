"""What the README and the documents tell people to type."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.packaging.test_compose import ask_airflow
from tests.packaging.test_makefile import TARGETS
from typer.testing import CliRunner

from tryon_catalogue.cli import app
from tryon_catalogue.demo.scene import SAMPLES
from tryon_catalogue.settings import DEFAULT_FILE, ENV_FILE, load_settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "include" / "docs").glob("*.md"))]
A_COMMAND = re.compile(r"(?:docker compose exec (?:-T )?\S+ )?((?:make|tryon|airflow) [a-z].*)")


def commands(program: str, *, whole: bool = False) -> list[str]:
    """The command lines that the documents tell people to type, in code blocks and within the text.

    :param whole: leave out those within the text, which may say only what differs from another
    """
    found: dict[str, None] = {}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        spans = [] if whole else re.findall(r"`([^`\n]+)`", rest)
        typed = [match[1] for line in [*lines, *spans] if (match := A_COMMAND.fullmatch(line))]
        found |= dict.fromkeys(line for line in typed if line.startswith(f"{program} "))
    return list(found)


def words(line: str) -> list[str]:
    """A command line as the shell hands it on, without what is said of it behind ` #` or marked as left out."""
    return [word for word in shlex.split(line, comments=True) if word != "..."]


@pytest.mark.parametrize("line", commands("make"))
def test_every_target_that_is_named_exists(line: str) -> None:
    assert next(word for word in words(line)[1:] if "=" not in word) in TARGETS


@pytest.mark.parametrize("line", commands("tryon"))
def test_every_tryon_command_that_is_named_exists_with_its_options(line: str) -> None:
    # Asked for help, a command is not run, but what stands before --help is held to its options.
    asked = CliRunner().invoke(app, [*words(line)[1:], "--help"])
    assert asked.exit_code == 0, asked.output


def test_every_airflow_command_that_is_named_exists_with_its_options(tmp_path: Path) -> None:
    lines = [words(line) for line in commands("airflow", whole=True)]
    assert len(lines) > 5
    assert ask_airflow(lines, tmp_path)["problems"] == []


@pytest.mark.parametrize(
    "settings", [SAMPLES / "tryon.toml", DEFAULT_FILE], ids=["the sample's", "as shipped"]
)
def test_the_preview_that_the_readme_names_shows_the_garments_of_the_sample(
    settings: Path, tmp_path: Path
) -> None:
    assert "tryon preview" in commands("tryon")
    if Path(load_settings(settings).export.path) != SAMPLES / "catalogue.csv":
        pytest.skip("include/tryon.toml is a shop's by now")
    done = subprocess.run(
        [Path(sys.executable).with_name("tryon"), "preview"],
        env={**os.environ, ENV_FILE: str(settings), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "17 rows, 14 garments, 3 rejected." in done.stdout
    assert "All of it: 27 looks" in done.stdout
