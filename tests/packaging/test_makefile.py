"""What a developer types: the Makefile's targets, and the lock behind them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ["help", "install", "demo", "test", "faults", "season", "bench", "night", "lint", "lock", "clean"]
REGISTRY = re.compile(r"(?:pyp[i]|pythonhoste[d]|index-url\s+\S|https?://\S*simple)", re.IGNORECASE)


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make apart from the make that may be running these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],  # noqa: S607 - whichever make the machine has
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def new_checkout(tmp_path: Path) -> Path:
    """A folder with what make reads, and no environment yet."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def pretended_python(folder: Path, *, exit_code: int) -> Path:
    """A program that answers the Makefile's question about its version as told, and can do nothing else."""
    program = folder / "pretended-python"
    program.write_text(
        f'#!/bin/sh\ncase "$2" in *version_info*) exit {exit_code};; esac\nexit 9\n', encoding="utf-8"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def locked() -> dict[str, str]:
    """Every package of the lock with its version."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.removesuffix("\\").split(";")[0].strip() for line in lines if re.match(r"[a-z0-9]", line)]
    return {canonicalize_name(re.sub(r"\[.*\]", "", pin.split("==")[0])): pin.split("==")[1] for pin in pins}


def declared() -> list[Requirement]:
    """Every dependency of pyproject.toml: the project's, its extras', its developers', and its builder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in project["dependency-groups"].values() for line in group if isinstance(line, str)),
    ]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_can_be_planned(target: str) -> None:
    planned = make("--dry-run", target)
    assert planned.returncode == 0, planned.stderr


def test_make_alone_lists_every_target() -> None:
    listed = [line.split()[1] for line in make().stdout.splitlines()]
    assert listed == TARGETS


def test_a_python_that_does_not_fit_is_refused_in_plain_words(new_checkout: Path, tmp_path: Path) -> None:
    wrong = pretended_python(tmp_path, exit_code=1)
    refused = make(f"PYTHON={wrong}", "install", folder=new_checkout)
    assert refused.returncode != 0
    assert "Python 3.11, 3.12, 3.13 or 3.14 with venv and pip is needed" in refused.stderr
    assert str(wrong) in refused.stderr
    assert not (new_checkout / ".venv").exists()


def test_a_named_python_is_used_even_where_others_are_installed(new_checkout: Path, tmp_path: Path) -> None:
    named = pretended_python(tmp_path, exit_code=0)
    started = make(f"PYTHON={named}", "install", folder=new_checkout)
    assert "creating .venv" in started.stdout
    assert started.returncode != 0, (
        "the pretended Python cannot make an environment, and no other one stepped in"
    )


def test_a_lock_without_uv_is_named_as_the_trouble(new_checkout: Path) -> None:
    (new_checkout / "requirements.lock").write_text("six==1.17.0\n", encoding="utf-8")
    refused = make("install", folder=new_checkout)
    assert refused.returncode != 0
    assert "requirements.lock names no uv" in refused.stderr


@pytest.mark.parametrize(
    "name", ["requirements.lock", "pyproject.toml", "Makefile", "Dockerfile", "docker-compose.yaml"]
)
def test_no_file_names_a_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [
        line for line in text.splitlines() if REGISTRY.search(line.replace("--no-emit-index-url", ""))
    ] == []


def test_the_lock_says_how_it_is_made() -> None:
    assert "#    make lock\n" in (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_holds_every_dependency_in_a_version_that_fits(requirement: Requirement) -> None:
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, "run `make lock`"
    assert requirement.specifier.contains(version, prereleases=True), "run `make lock`"


def test_every_package_of_the_lock_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = [block for block in re.split(r"(?m)^(?=[a-z0-9])", text) if re.match(r"[a-z0-9]", block)]
    assert len(packages) > 100
    assert [block.splitlines()[0] for block in packages if "--hash=sha256:" not in block] == []


def test_every_python_that_the_project_says_it_fits_is_tried_by_make() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fits = SpecifierSet(project["requires-python"])
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if ":: Python :: 3." in line]
    assert named == [version for version in (f"3.{minor}" for minor in range(30)) if version in fits]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (tried,) = re.findall(r"python3 (python3\..*?),", makefile)
    assert tried.split() == [f"python{version}" for version in named]
    low, high = re.findall(r"\((3, \d+)\)", makefile)
    assert f">={low},<{high}".replace(", ", ".") == project["requires-python"]
    for text in (makefile, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert f"Python {named[0]} to {named[-1]} with venv and pip" in text


@pytest.mark.parametrize("folder", ["include", "include/samples"])
def test_where_pictures_are_kept_by_default_nothing_is_committed(folder: str) -> None:
    checked = subprocess.run(
        ["git", "check-ignore", f"{folder}/archive/SS26/00123/Mei-f62775-1.jpg"],  # noqa: S607 - as with make
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_ci_runs_the_targets_that_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test"]
    assert "set -euo pipefail" in lines


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "END OF TERMS AND CONDITIONS" in text
