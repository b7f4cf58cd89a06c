"""What the README and the documents tell people to type."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from tests.packaging.test_compose import ask_airflow
from tests.packaging.test_compose_databases import PSQL_FOLDER
from tests.packaging.test_makefile import TARGETS
from typer.testing import CliRunner

from tryon_catalogue.console.cli import app
from tryon_catalogue.settings import DEFAULT_FILE, ENV_FILE, load_settings
from tryon_demo.scene import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "include" / "docs").glob("*.md"))]
A_COMMAND = re.compile(r"(?:docker compose exec (?:-T )?\S+ )?((?:make|tryon|airflow) [a-z].*)")


def commands(program: str, *, whole: bool = False) -> list[str]:
    """The command lines that the documents tell people to type, in code blocks and within the text.

    Args:
        whole: Leave out those within the text, which may say only what differs from another.
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


@pytest.fixture(scope="module")
def typed() -> list[str]:
    """The blocks that "Getting started" has people type, from the sandbox to the way back to the vendor."""
    whole = (ROOT / "include" / "docs" / "getting-started.md").read_text(encoding="utf-8")
    _, sandbox = whole.split("### First the sandbox\n")
    return re.findall(r"^```sh\n(.*?)^```", sandbox.split("\n## ")[0], re.DOTALL | re.MULTILINE)


def test_the_sandbox_is_tried_with_a_ledger_an_archive_and_a_table_of_its_own(
    typed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PWD", str(ROOT))
    own = load_settings(DEFAULT_FILE)
    exported = re.findall(r'^export (TRYON_\w+)="?([^"\n]+)"?$', "\n".join(typed), re.MULTILINE)
    for name, value in exported:
        monkeypatch.setenv(name, os.path.expandvars(value))
    sandboxed = load_settings()  # a variable that is no setting is an error
    assert sandboxed.ledger.schema_name != own.ledger.schema_name
    assert sandboxed.catalogue.table != own.catalogue.table
    assert not Path(sandboxed.archive.path).is_relative_to(ROOT)

    back = typed[-1]
    unset = [name for line in re.findall(r"^unset (.*)$", back, re.MULTILINE) for name in line.split()]
    assert set(unset) == {name for name, _ in exported}
    assert f"{sandboxed.ledger.schema_name} CASCADE" in back


def test_what_psql_is_told_makes_the_samples_rows_beside_the_shops_own_table_and_takes_them_away(
    typed: list[str], empty_database_url: str
) -> None:
    url = make_url(empty_database_url)
    engine = create_engine(url)
    environment = {
        "PATH": f"{PSQL_FOLDER}{os.pathsep}{os.environ['PATH']}",
        "CATALOGUE_DB": url.set(drivername="postgresql").render_as_string(hide_password=False),
    }
    psql = re.findall(
        r"^psql (?:[^\n]*<<'SQL'\n.*?^SQL$|[^\n]*$)", "\n".join(typed), re.DOTALL | re.MULTILINE
    )
    make, show, copy, drop = (["bash", "-euc", command] for command in psql)

    def run(command: list[str]) -> str:
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout

    def count(table: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE catalogue (sku text)"))
        connection.execute(text("CREATE SCHEMA shop CREATE TABLE garments (sku text)"))
        connection.execute(text("INSERT INTO shop.garments VALUES ('A')"))
        connection.execute(text("CREATE SCHEMA tryon_sandbox"))  # as `tryon init` does
    run(make)
    assert "00123" in run(show)
    assert (count("sandbox.catalogue"), count("catalogue")) == (16, 0)
    run(copy)
    assert count("sandbox.garments") == 1
    run(drop)
    assert (count("catalogue"), count("shop.garments")) == (0, 1)
    with pytest.raises(ProgrammingError, match="does not exist"):
        count("sandbox.catalogue")
    engine.dispose()


def test_with_docker_the_containers_are_started_before_anything_is_typed_inside_them() -> None:
    sections = (ROOT / "include" / "docs" / "docker.md").read_text(encoding="utf-8").split("\n## ")
    for section in sections:
        typed = re.findall(r"^ *docker compose (?:--profile \w+ )?(up|exec) ", section, re.MULTILINE)
        assert typed[:1] in ([], ["up"]), section
