"""What the image's processes import, in an environment that holds what the image holds and nothing more.

The environment is made by the Dockerfile's own commands. `make install` has put the same packages into uv's cache, so
this takes seconds. What only tests and developers need is missing there, as it is in the image.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.packaging.test_compose import AIRFLOW, SERVICES, commands, env_example, environment
from tests.packaging.test_dockerfile import stages

ROOT = Path(__file__).resolve().parents[2]
LINES = sorted(" ".join(line) for name in AIRFLOW for line in commands(SERVICES[name], "airflow"))

_IMPORT = """
import importlib, inspect, json, pkgutil, sys, traceback

def of_command(line):
    from airflow.cli.cli_parser import get_parser

    path = inspect.getclosurevars(get_parser().parse_args(line.split()[1:]).func).nonlocals["import_path"]
    module, _, function = path.rpartition(".")
    getattr(importlib.import_module(module), function)

def of_executor():
    from airflow.executors.executor_loader import ExecutorLoader

    ExecutorLoader.get_default_executor().celery_app.tasks["execute_workload"]

def of_worker():
    import celery.apps.worker
    import celery.bin.celery  # the health check's
    from airflow.providers.celery.executors.celery_executor import app

    app.loader.import_default_modules()
    app.connection().transport, app.backend

def of_package(name):
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        # Those run when they are imported, or are run by Alembic.
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)

lines, packages = json.loads(sys.argv[1])
parts = {line: (of_command, line) for line in lines} | {name: (of_package, name) for name in packages}
parts |= {"the executor": (of_executor,), "the worker": (of_worker,)}
problems = {}
for part, (imports, *arguments) in parts.items():
    try:
        imports(*arguments)
    except BaseException:
        problems[part] = traceback.format_exc()
print(json.dumps(problems))
"""


def as_the_image_does(command: str, environment: Path) -> str:
    """A command of the Dockerfile with another place for the environment.

    Args:
        environment: Stands in for the image's `/opt/venv`; the wheel is built beside it.
    """
    command = re.sub(r"--mount=\S+ *", "", command).replace("/opt/venv", str(environment))
    # Compiling every module takes longer than importing those that are needed.
    return command.replace(" --compile-bytecode", "").replace(" dist", f" {environment.parent}/dist")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the Dockerfile installs, our own wheel included."""
    folder = tmp_path_factory.mktemp("image") / "venv"
    runs = [rest for instruction, rest in stages()[0] if instruction == "RUN" and "/opt/venv" in rest]
    assert len(runs) == 2, "one for what the project needs, one for the project"
    for run in runs:
        done = subprocess.run(
            ["sh", "-euc", as_the_image_does(run, folder)],  # noqa: S607 - whichever sh the machine has
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "EXTRAS": env_example()["TRYON_EXTRAS"],
                "UV_PYTHON_DOWNLOADS": "never",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder


def run_in(image: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment with what docker-compose.yaml sets, and nothing of this shell's.

    Args:
        home: For Airflow, which makes it when it is imported.
    """
    plain = {name: value for name, value in environment(SERVICES["worker"]).items() if "$" not in value}
    return subprocess.run(
        [image / "bin" / arguments[0], *arguments[1:]],
        env={
            **plain,
            "PATH": f"{image}/bin",
            "AIRFLOW_HOME": str(home),
            "TRYON_SETTINGS": str(ROOT / "include" / "tryon.toml"),
        },
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def problems(image: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What could not be imported, with its stack trace. One process tries everything: each would load Airflow anew."""
    parts = json.dumps([LINES, ["damo_tryon", "tryon_catalogue", "tryon_sandbox"]])
    done = run_in(image, tmp_path_factory.mktemp("airflow"), "python", "-c", _IMPORT, parts)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "part", [*LINES, "the executor", "the worker", "damo_tryon", "tryon_catalogue", "tryon_sandbox"]
)
def test_the_image_has_all_that_its_processes_import(part: str, problems: dict[str, str]) -> None:
    assert part not in problems, problems[part]


def test_the_doctor_finds_all_that_it_imports(image: Path, tmp_path: Path) -> None:
    done = run_in(image, tmp_path, "tryon", "doctor")
    assert "NOT database" in done.stdout, done.stderr
    assert not re.search(r"ModuleNotFoundError|ImportError|No module named", done.stdout + done.stderr)


def test_the_image_lacks_what_only_tests_need(image: Path) -> None:
    (packages,) = image.glob("lib/python*/site-packages")
    installed = {folder.name.partition("-")[0] for folder in packages.glob("*.dist-info")}
    assert {"celery", "s3fs", "airflow_damo_tryon"} <= installed
    assert installed.isdisjoint({"pytest", "moto", "mypy", "hatchling", "uv", "pip"})
