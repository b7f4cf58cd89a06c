"""The image's recipe: where it starts from, what goes in, who it runs as, and what it never does."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.11-slim-bookworm"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as [instruction, rest], continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines() if line]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, FROM included."""
    found: list[list[tuple[str, str]]] = []
    for instruction, rest in instructions():
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest))
    return found


def copied(stage: list[tuple[str, str]]) -> list[str]:
    """What a stage copies from the checkout."""
    return [
        source
        for instruction, rest in stage
        if instruction == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the checkout out; its last fitting line decides."""
    answer = False
    parents = [str(Path(*Path(path).parts[:count])) for count in range(1, len(Path(path).parts) + 1)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            names = [Path(part).name for part in parents] if "**/" in line else parents
            if any(fnmatch(name, pattern) for name in names):
                answer = not line.startswith("!")
    return answer


def test_both_stages_start_from_the_same_slim_debian_python() -> None:
    assert [stage[0][1].split(" AS ")[0] for stage in stages()] == [BASE, BASE]


def test_the_image_runs_as_somebody_without_rights_named_by_number() -> None:
    final = stages()[-1]
    users = [rest for instruction, rest in final if instruction == "USER"]
    assert users == ["50000:50000"]
    assert "RUN" not in [instruction for instruction, _ in final[final.index(("USER", users[0])) :]]


@pytest.mark.parametrize("source", sorted({source for stage in stages() for source in copied(stage)}))
def test_what_is_copied_exists_and_reaches_the_builder(source: str) -> None:
    assert (ROOT / source).exists()
    assert not ignored(source)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        ".demo/postgres/data",
        "tests/conftest.py",
        "include/samples/catalogue.csv",
        "include/archive/SS26/00123/Mei-f62775-1.jpg",
        "plugins/damo_tryon/__pycache__/hooks.cpython-311.pyc",
    ],
)
def test_secrets_tests_and_leftovers_never_reach_the_builder(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "plugins/damo_tryon/hooks.py",
        "include/tryon.toml",
        "dags/tryon_nightly.py",
        "include/tryon_sandbox/cli.py",
    ],
)
def test_sources_reach_the_builder(path: str) -> None:
    assert not ignored(path)


def test_every_install_is_held_to_hashes_but_that_of_our_own_wheel() -> None:
    commands = [
        command
        for instruction, rest in instructions()
        if instruction == "RUN"
        for command in rest.split("&&")
        if "pip install" in command
    ]
    assert len(commands) == 4
    unhashed = [command for command in commands if "--require-hashes" not in command]
    assert len(unhashed) == 1
    assert unhashed[0].split()[-1] == "dist/*.whl"
    assert "--no-deps" in unhashed[0]


def test_what_the_final_stage_installs_is_taken_from_the_build_stage() -> None:
    runs = [rest for instruction, rest in stages()[-1] if instruction == "RUN"]
    assert not any(tool in run for run in runs for tool in ("pip", "apt-get", "curl", "uv "))
    assert ("COPY", "--from=build /opt/venv /opt/venv") in stages()[-1]


def test_dependencies_are_installed_before_the_sources_are_copied() -> None:
    build = stages()[0]
    installs = [position for position, (_, rest) in enumerate(build) if "--extra %s" in rest]
    copies = [position for position, (name, rest) in enumerate(build) if name == "COPY" and "plugins" in rest]
    assert installs
    assert max(installs) < min(copies)


def test_no_secret_is_set_in_the_image() -> None:
    for instruction, rest in instructions():
        if instruction in {"ENV", "ARG"}:
            assert not re.search(r"PASSWORD|SECRET|TOKEN|KEY", rest)


def test_starting_the_image_installs_nothing() -> None:
    (start,) = [rest for instruction, rest in stages()[-1] if instruction in {"CMD", "ENTRYPOINT"}]
    assert start == '["airflow", "version"]'
