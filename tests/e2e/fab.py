"""The same Airflow behind the other auth manager, FAB's: an API server of its own beside the stack's.

It serves the same runs, from the same database; its people and their roles stand in tables of its own there.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import requests

from tests.e2e.roles import ROLES, Person
from tests.e2e.world import World
from tests.guards import GUARD
from tryon_demo.local.ports import remembered_port
from tryon_demo.scene import PROJECT

PASSWORD: Final = "made-up-for-these-tests"  # and for nothing else
AUTH_MANAGER: Final = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
# One process for all of it: each command of Airflow takes seconds to start.
MAKE_PEOPLE: Final = """
import sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.utils.session import create_session
with create_session() as session:
    FABDBManager(session).initdb()
with get_application_builder() as builder:
    builder.sm.sync_roles()
    password, *people = sys.argv[1:]
    for person in people:
        name, role = person.split(":")
        found = builder.sm.find_role(role.capitalize())
        assert builder.sm.add_user(name, name, name, f"{name}@example.com", found, password), person
"""


def fab_people_of(world: World) -> dict[str, Person]:
    """Start the API server, and log in somebody of each role: role -> person, the stranger's being empty."""
    stack = world.scene.stack
    port = remembered_port(stack.home, "fab")
    url = f"http://127.0.0.1:{port}"
    env = stack.process("api-server").env | {
        "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
        "AIRFLOW__FAB__CONFIG_FILE": str(stack.home / "no-webserver-config.py"),
        "AIRFLOW__API__PORT": f"{port}",
        "AIRFLOW__API__BASE_URL": url,
    }
    people = [f"{name}:{role}" for name, role in ROLES.items()]
    made = subprocess.run(
        [sys.executable, "-c", MAKE_PEOPLE, PASSWORD, *people],
        env=env,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    stack.spawn(
        "fab-api-server",
        [sys.executable, "-m", "airflow", "api-server"],
        ready=lambda _: _answers(url),
        env=env,
        timeout=GUARD,
    )
    logged_in = {"": Person("", url, {})}
    for name, role in ROLES.items():
        answer = logged_in[""].ask("POST", "/auth/token", json={"username": name, "password": PASSWORD})
        answer.raise_for_status()
        logged_in[role] = Person(role, url, {"Authorization": f"Bearer {answer.json()['access_token']}"})
    return logged_in


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/v2/version", timeout=GUARD).ok
    except requests.RequestException:
        return False
